// File to file through the command line of the built package, start-up included, against the plain one-thread loop on the same
// file (the proof that the sandbox holds here is made once, before):
//   (c) with a JavaScript transform in the sandbox, (d) without a transform; and, against a clean run of its own:
//   (e) with 1 % and 50 % of the events failing, each a durable dead letter.
// Candidates alternate round by round. What comes out is compared with the loop's output in every round.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cost, checkSandbox, costOf, here } from './processes.ts';
import { writeRows } from './rows.ts';
import { type Figure, median } from './table.ts';

interface Options {
  readonly rows: number;
  readonly rounds: number;
}

interface Candidate {
  readonly name: string;
  /** null: no transform; n: every n-th event fails, 0: none does. */
  readonly poison: number | null;
}

const CANDIDATES = {
  js: { name: 'js', poison: 0 },
  none: { name: 'none', poison: null },
  percent: { name: 'percent', poison: 100 },
  half: { name: 'half', poison: 2 },
} satisfies Record<string, Candidate>;

/** @throws when an output is not what it must be */
export async function streamFigures(cli: string, { rows, rounds }: Options): Promise<Figure[]> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  try {
    const input = join(dir, 'rows.ndjson');
    await writeRows(input, rows);
    const plain = (out: string): Promise<Cost> => costOf([here('./plain-loop.mjs'), input, out, here('./mutate.mjs')]);
    const first = join(dir, 'plain.ndjson');
    await plain(first);
    const expected = { js: await hashOf(first), none: await hashOf(input) };
    checkSandbox(cli, dir);
    await costOf(await sluice(cli, dir, input, CANDIDATES.js)); // fills the cache of compiled modules
    const costs: Record<'plain' | 'again' | keyof typeof CANDIDATES, Cost[]> = {
      plain: [],
      again: [],
      js: [],
      none: [],
      percent: [],
      half: [],
    };
    for (let round = 0; round < rounds; round++) {
      costs.plain.push(await plain(first));
      costs.again.push(await plain(first));
      for (const name of ['js', 'none', 'percent', 'half'] as const) {
        const candidate = CANDIDATES[name];
        const cost = await costOf(await sluice(cli, dir, input, candidate));
        if (name === 'js' || name === 'none') {
          if ((await hashOf(join(dir, name, 'out.ndjson'))) !== expected[name])
            throw new Error(`${name}: wrong output`);
        } else {
          checkFates(cost.stdout, rows, CANDIDATES[name].poison);
        }
        costs[name].push(cost);
      }
    }
    const against = (base: readonly Cost[], name: keyof typeof costs, what: keyof Cost & ('wall' | 'cpu')): number[] =>
      costs[name].map((cost, round) => base[round]![what] / cost[what]);
    const figure = (name: string, of: keyof typeof costs, base: readonly Cost[], least?: number): Figure => ({
      name,
      ratios: against(base, of, 'wall'),
      ...(least === undefined ? {} : { least }),
      note: `${Math.round(rows / median(costs[of].map(({ wall }) => wall)))} events/s, CPU ${median(against(base, of, 'cpu')).toFixed(2)}`,
    });
    return [
      figure('    plain loop against itself (A/A)', 'again', costs.plain),
      figure('(c) file to file, JavaScript transform, to the plain loop', 'js', costs.plain, 1.2),
      figure('(d) file to file, no transform, to the plain loop', 'none', costs.plain, 2),
      figure('(e) 1 % of the events fail, to a run where none does', 'percent', costs.js, 0.9),
      figure('(e) 50 % of the events fail, to a run where none does', 'half', costs.js, 0.65),
    ];
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function sluice(cli: string, dir: string, input: string, { name, poison }: Candidate): Promise<string[]> {
  const own = join(dir, name);
  const state = join(dir, 'state.db'); // the proof is kept beside it
  for (const old of [own, state, `${state}-wal`, `${state}-shm`]) await rm(old, { recursive: true, force: true });
  await mkdir(own);
  const transformation = { id: 'mutate', type: 'javascript', ...(await codeOf(poison)) };
  const manifest = {
    version: 1,
    service: { state: { type: 'sqlite', path: state } },
    ...(poison === null ? {} : { transformations: [transformation] }),
    streams: [
      {
        id: 'bench',
        source: { type: 'file', path: input },
        ...(poison === null ? {} : { transformations: ['mutate'] }),
        sinks: [{ id: 'out', type: 'file', path: join(own, 'out.ndjson') }],
        dead_letters: { max_bytes: '1GiB' },
      },
    ],
  };
  const file = join(own, 'sluice.json');
  await writeFile(file, JSON.stringify(manifest));
  return [cli, 'run', file, '--quiet', '--json'];
}

async function codeOf(poison: number | null): Promise<{ file: string } | { code: string }> {
  const file = here('./mutate.mjs');
  if (poison === null || poison === 0) return { file };
  const opening = 'export default (row) => {\n';
  const code = await readFile(file, 'utf8');
  if (!code.includes(opening)) throw new Error('mutate.mjs does not begin as it did');
  return { code: code.replace(opening, `${opening}  if (row.id % ${poison} === 0) throw new Error('poison');\n`) };
}

function checkFates(json: string, rows: number, every: number): void {
  const { streams } = JSON.parse(json) as { streams: { ledger: { delivered: number; dead_lettered: number } }[] };
  const { delivered, dead_lettered } = streams[0]!.ledger;
  const bad = Math.ceil(rows / every);
  if (dead_lettered !== bad || delivered !== rows - bad) {
    throw new Error(`${delivered} delivered and ${dead_lettered} dead letters, and ${bad} of ${rows} fail`);
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
