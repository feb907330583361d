// (f) From the start of the process to its first event on standard output, of the package as it is built: a file of one row,
// a JavaScript transform, the console sink. What a first run remembers (compiled modules, the sandbox's canaries) is there.

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, here } from './processes.ts';
import { benchRow } from './rows.ts';
import { median } from './table.ts';

/** The milliseconds to the first event, and those of `node -e 0` in the same rounds. */
export async function startFigures(cli: string, rounds: number): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  try {
    await writeFile(join(dir, 'rows.ndjson'), `${JSON.stringify(benchRow(1))}\n`);
    const manifest = {
      version: 1,
      transformations: [{ id: 'mutate', type: 'javascript', file: here('./mutate.mjs') }],
      streams: [
        {
          id: 'bench',
          source: { type: 'file', path: join(dir, 'rows.ndjson') },
          transformations: ['mutate'],
          sinks: [{ id: 'out', type: 'console' }],
        },
      ],
    };
    const file = join(dir, 'sluice.json');
    await writeFile(file, JSON.stringify(manifest));
    const start = async (): Promise<number> => {
      await rm(join(dir, '.sluice', 'state.db'), { force: true }); // from the beginning, with the rest of the state
      for (const end of ['-wal', '-shm']) await rm(join(dir, '.sluice', `state.db${end}`), { force: true });
      return firstOutput([cli, 'run', file, '--quiet']);
    };
    check(cli, file);
    await start();
    await start();
    const first: number[] = [];
    const node: number[] = [];
    for (let round = 0; round < rounds; round++) {
      first.push(await start());
      node.push(await firstOutput(['-p', '0']));
    }
    const spread = `${Math.round(Math.min(...first))} to ${Math.round(Math.max(...first))}`;
    return `(f) start to the first event: ${Math.round(median(first))} ms (${spread}; at most 300), node -p 0: ${Math.round(median(node))} ms`;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function firstOutput(args: readonly string[]): Promise<number> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let took = -1;
    child.stdout.once('data', () => {
      took = performance.now() - began;
    });
    child.stdout.resume();
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0 && took >= 0) resolve(took);
      else reject(new Error(`${args.join(' ')} ended with ${code}`));
    });
  });
}
