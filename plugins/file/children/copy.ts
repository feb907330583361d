// A process of its own for the crash test: copies a file with the source and the sink, and saves a checkpoint after each
// batch, in the order of the engine: write, flush, checkpoint. Says `saved` after each, so that its killer has something to
// wait for. Arguments: input, output, checkpoint file, and a size to rotate at (0: no rotation).

import './sdk.ts';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import type { Json } from 'sluice/sdk';
import type { FilePosition } from '../position.ts';

const { context, sinkOf, sourceOf } = await import('../fixture.ts');
const [input, output, checkpoint, size] = process.argv.slice(2) as [string, string, string, string];

interface Saved {
  readonly position: FilePosition | null;
  readonly sink: Json;
}

function load(): Saved | null {
  try {
    return JSON.parse(readFileSync(checkpoint, 'utf8')) as Saved;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function save(saved: Saved): void {
  const file = openSync(`${checkpoint}.new`, 'w');
  writeSync(file, JSON.stringify(saved));
  fsyncSync(file);
  closeSync(file);
  renameSync(`${checkpoint}.new`, checkpoint);
}

const own = context({ maxEvents: 40 });
await using source = sourceOf({ path: input }, own);
await using sink = sinkOf({ path: output, ...(size === '0' ? {} : { rotate: { size: Number(size) } }) }, own);
const saved = load();
await sink.state!.restore(saved?.sink ?? null);
if (saved === null) save({ position: null, sink: await sink.state!.flush() });
for await (const { batch, position } of source.read(saved?.position ?? null, own.signal)) {
  await sink.write(batch, own.signal);
  save({ position: position!, sink: await sink.state!.flush() });
  process.stdout.write('saved\n');
}
process.stdout.write('done\n');
