// A process of its own for the test of a full disk: the limit on the size of its files is as real as a full disk, and
// needs no rights. Writes three rows, then nine that do not fit, then one that does, and prints what came of it.

import './sdk.ts';
import { statSync } from 'node:fs';

const { batchOf, toSluiceError } = await import('sluice/sdk'); // only now: the hook is in place
const { context, sinkOf } = await import('../fixture.ts');
const path = process.argv[2]!;
const source = { plugin: 'test', stream: 's', db: 'd', table: 't', snapshot: false, ts_ms: 0 };
const rows = (n: number) => {
  const after = { a: 'x'.repeat(1000 - '{"a":""}'.length) };
  return batchOf(
    Array.from({ length: n }, (_, i) => ({
      id: `${i}`,
      op: 'c' as const,
      key: null,
      before: null,
      after,
      source,
      ts_ms: 0,
    })),
  );
};
await using sink = sinkOf({ path }, context());
await sink.write(rows(3), new AbortController().signal);
const error = await sink.write(rows(9), new AbortController().signal).then(() => null, toSluiceError);
const after = statSync(path).size;
await sink.write(rows(1), new AbortController().signal);
await sink.state!.flush();
process.stdout.write(JSON.stringify({ error: error?.toJSON() ?? {}, after }));
