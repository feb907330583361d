// What becomes of the programs of the system that a child is started through, when a child ends before it is ready: an `unshare`
// of the test's own lets the starts fail that the test says.

import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import type { Measure } from './measures.ts';
import { nodeArgs } from './test-program.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-launch-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Told {
  readonly said: readonly string[];
  readonly answers: readonly string[];
  /** Of each child that got ready, in order. */
  readonly wrappers: readonly (readonly string[])[];
}

/** A program with a sandbox of its own, in which the starts after `from` and up to `to` fail: of children, or (`of`) of all that it starts. */
async function startedThrough<T>(from: number, to: number, code: string, of = '--permission'): Promise<T> {
  const bin = mkdtempSync(join(dir, 'bin-'));
  const count = join(bin, 'starts');
  writeFileSync(count, '0\n');
  writeFileSync(
    join(bin, 'unshare'),
    `#!/bin/sh
while [ "\${1#-}" != "$1" ]; do shift; done
case "$*" in
  *${of}*)
    read n < ${count}
    n=$((n + 1))
    echo $n > ${count}
    if [ $n -gt ${from} ] && [ $n -le ${to} ]; then exit 1; fi ;;
esac
exec "$@"
`,
  );
  chmodSync(join(bin, 'unshare'), 0o755);
  const head = `
    const said = [], wrappers = [];
    const log = { warn: (fields, message) => said.push(message) };
    const echo = program('return main', { limits: { logs: 0, deaths: 30 } });`;
  const env = { PATH: [bin, process.env['PATH']].join(delimiter) };
  const { stdout } = await promisify(execFile)(process.execPath, nodeArgs(head + code), { env });
  return JSON.parse(stdout) as T;
}

const oneAnswer = `
  const pool = createPool({ children: 1, spare: false, log, onReady: ({ launch }) => wrappers.push([...launch.wrappers]) });
  const loaded = await pool.load(echo);
  const { answers } = await loaded.run(slice(1, () => 'x'));
  await pool[Symbol.asyncDispose]();
  console.log(JSON.stringify({ said, answers, wrappers }));`;

const MORE = 'a sandbox child ended before it was ready, and is started once more';
const BARE = 'a sandbox child did not start with the rights of the system taken away, and starts without that';

describe.runIf(process.platform === 'linux')('a child that ends before it is ready', () => {
  test('is started once more with all that the system takes away', async () => {
    const told = await startedThrough<Told>(0, 1, oneAnswer);
    expect(told.said).toEqual([MORE]);
    expect(told.answers).toEqual(['x']);
    expect(told.wrappers.length).toBe(1);
    expect(told.wrappers[0]).toContain('namespaces');
  });

  test('is started without what the system does not offer, and nobody is warned of that', async () => {
    const told = await startedThrough<Told>(0, 1000, oneAnswer, '');
    expect(told).toMatchObject({ said: [], answers: ['x'] });
    expect(told.wrappers.length).toBe(1);
    expect(told.wrappers[0]).not.toContain('namespaces');
    expect(told.wrappers[0]).toContain('limits');
  });

  test('is started without it after the second time, and the sandbox works', async () => {
    const told = await startedThrough<Told>(0, 1000, oneAnswer);
    expect(told).toEqual({ said: [MORE, BARE], answers: ['x'], wrappers: [[]] });
  });

  test('changes what `status` shows, when it is not the first', async () => {
    const file = join(dir, 'state.db.sandbox.json');
    const code = `
      const file = ${JSON.stringify(file)};
      saveProof(file, makeProof([], []));
      const sandbox = createSandbox({ children: 1, log, proof: () => file });
      const loaded = await sandbox.load(echo);
      const before = readProof(file).measures;
      let after = before;
      // each answer lets the spare be started, until it is there
      for (const end = Date.now() + 30_000; JSON.stringify(after) === JSON.stringify(before) && Date.now() < end; ) {
        await loaded.run(slice(1, () => 'x'));
        after = readProof(file).measures;
      }
      await sandbox[Symbol.asyncDispose]();
      console.log(JSON.stringify({ said, before, after }));`;
    interface Changed {
      readonly said: readonly string[];
      readonly before: readonly Measure[];
      readonly after: readonly Measure[];
    }
    const { said, before, after } = await startedThrough<Changed>(1, 1000, code);
    const inForce = (measures: readonly Measure[]): string[] =>
      measures.filter((measure) => measure.in_force).map(({ name }) => name);
    const lost = inForce(before).filter((name) => !inForce(after).includes(name));
    expect(lost.length).toBeGreaterThan(0);
    expect(said.at(-1)).toMatch(/^the sandbox runs without /);
    for (const name of lost) expect(said.at(-1)).toContain(name);
    expect(said).toEqual(expect.arrayContaining([MORE, BARE]));
  });
});
