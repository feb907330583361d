// A process of its own for the test of two writers: writes one row, says so, and keeps the file until it is killed.

import './sdk.ts';

const { batchOf } = await import('sluice/sdk'); // only now: the hook is in place
const { context, sinkOf } = await import('../fixture.ts');
const own = context();
const sink = sinkOf({ path: process.argv[2]! }, own);
const source = { plugin: 'test', stream: 's', db: 'd', table: 't', snapshot: false, ts_ms: 0 };
await sink.write(
  batchOf([{ id: '1', op: 'c', key: null, before: null, after: { n: 1 }, source, ts_ms: 0 }]),
  own.signal,
);
process.stdout.write('written\n');
setInterval(() => sink, 1000);
