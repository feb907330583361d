// File to file through the real command line, against the plain one-thread loop on the same file in the same run:
//   (b) with a JavaScript transform in the sandbox, (c) without a transform; start-up included.
// Candidates alternate round by round; every ratio is of one round, and the median is shown with its range. A/A is the
// baseline against itself: a difference smaller than its spread says nothing. What comes out is compared, then timed.
//
// node --conditions=source test/bench/streams.ts [--rows 200000] [--rounds 5]

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeRows } from './rows.ts';

const { values } = parseArgs({
  options: { rows: { type: 'string', default: '200000' }, rounds: { type: 'string', default: '5' } },
});
const rows = Number(values.rows);
const rounds = Number(values.rounds);
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const cli = here('../../core/cli/main.ts');
const transform = here('./mutate.mjs');

const dir = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
try {
  const input = join(dir, 'rows.ndjson');
  await writeRows(input, rows);
  const plain = await timePlain('warm-up');
  const expected = await hashOf(plain.out);
  const inputHash = await hashOf(input);

  const ratios: Record<string, number[]> = {
    'A/A plain loop': [],
    'with a JavaScript transform': [],
    'no transform': [],
  };
  const cpu: Record<string, number[]> = {};
  for (let round = 0; round < rounds; round++) {
    const base = await timePlain(`p${round}`);
    const same = await timePlain(`q${round}`);
    const js = await timeSluice(`js${round}`, true);
    const none = await timeSluice(`none${round}`, false);
    if ((await hashOf(js.out)) !== expected)
      throw new Error('the output of the transform differs from that of the plain loop');
    if ((await hashOf(none.out)) !== inputHash)
      throw new Error('the output without a transform differs from the input');
    for (const [name, run] of Object.entries({
      'A/A plain loop': same,
      'with a JavaScript transform': js,
      'no transform': none,
    })) {
      ratios[name]!.push(base.seconds / run.seconds);
      cpu[name] = [...(cpu[name] ?? []), run.seconds];
    }
    for (const run of [base, same, js, none]) await rm(run.dir, { recursive: true });
  }
  console.log(`${rows} rows of about 1 KB, ${rounds} rounds, Node ${process.version}`);
  for (const [name, list] of Object.entries(ratios)) {
    const eps = Math.round(rows / median(cpu[name]!));
    console.log(
      `${name.padEnd(30)} ${median(list).toFixed(2)} × plain loop  (${Math.min(...list).toFixed(2)}–${Math.max(...list).toFixed(2)})  ${eps} events/s`,
    );
  }

  async function timePlain(name: string): Promise<Timed> {
    const own = join(dir, name);
    await mkdir(own);
    const out = join(own, 'out.ndjson');
    return { dir: own, out, seconds: await timed([here('./plain-loop.mjs'), input, out, transform]) };
  }

  async function timeSluice(name: string, withTransform: boolean): Promise<Timed> {
    const own = join(dir, name);
    await mkdir(own);
    const out = join(own, 'out.ndjson');
    const manifest = {
      version: 1,
      ...(withTransform ? { transformations: [{ id: 'mutate', type: 'javascript', file: transform }] } : {}),
      streams: [
        {
          id: 'bench',
          source: { type: 'file', path: input },
          ...(withTransform ? { transformations: ['mutate'] } : {}),
          sinks: [{ id: 'out', type: 'file', path: out }],
        },
      ],
    };
    const file = join(own, 'sluice.json');
    await writeFile(file, JSON.stringify(manifest));
    return { dir: own, out, seconds: await timed(['--conditions=source', cli, 'run', file, '--quiet']) };
  }
} finally {
  await rm(dir, { recursive: true, force: true });
}

interface Timed {
  readonly dir: string;
  readonly out: string;
  readonly seconds: number;
}

function timed(args: readonly string[]): Promise<number> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0) resolve((performance.now() - began) / 1000);
      else reject(new Error(`${args.join(' ')} ended with ${code}`));
    });
  });
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function median(list: readonly number[]): number {
  return [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]!;
}
