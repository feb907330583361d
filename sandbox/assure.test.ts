// The proof: made once for a Node binary and its flags, remembered, void for another binary; and what is missing is said.

import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { until } from '../test/cli.ts';
import { createSandbox, type Proof, proveSandbox, readProof } from './index.ts';
import { nodeArgs, program } from './test-program.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-proof-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function start(file: string): Promise<{ said: string[]; sandbox: AsyncDisposable }> {
  const said: string[] = [];
  const log = { warn: (_: object, message: string) => void said.push(message) };
  const sandbox = createSandbox({ children: 1, proof: () => file, log });
  await sandbox.load(program('return main', { limits: { deaths: 30 } }));
  return { said, sandbox };
}

test('every canary costs its own event only, and the proof is remembered', async () => {
  const file = join(dir, 'proved.json');
  const { canaries, measures } = await proveSandbox(file);
  expect(canaries.filter((canary) => !canary.holds)).toEqual([]);
  expect(canaries.length).toBeGreaterThanOrEqual(8);
  expect(readProof(file)).toMatchObject({ canaries, measures });
  expect(statSync(file).mode & 0o077).toBe(0);
});

test('a sandbox without a proof makes one in the background, and the next one takes it as it is', async () => {
  const file = join(dir, 'new', 'state.db.sandbox.json');
  const first = await start(file);
  const proof = await until('the proof is there', () => readProof(file), 50_000);
  await first.sandbox[Symbol.asyncDispose]();
  const second = await start(file);
  await second.sandbox[Symbol.asyncDispose]();
  expect(readProof(file)?.made_at).toBe(proof.made_at);
  expect(first.said.filter((line) => line.includes('does not hold'))).toEqual([]);
});

test('a sandbox that is disposed of while a child gets ready makes no proof any more', async () => {
  const file = join(dir, 'late', 'state.db.sandbox.json');
  const disposed = Promise.withResolvers<void>();
  const sandbox = createSandbox({
    children: 1,
    proof: () => {
      disposed.resolve(sandbox[Symbol.asyncDispose]());
      return file;
    },
  });
  sandbox.warm();
  await disposed.promise;
  expect(existsSync(file)).toBe(false);
});

test('the proof of another binary, other flags, or half a proof is none', async () => {
  const file = join(dir, 'proved.json');
  const proof = JSON.parse(readFileSync(file, 'utf8')) as Proof;
  const other = join(dir, 'other.json');
  writeFileSync(other, JSON.stringify({ ...proof, with: proof.with.replace('--no-turboshaft', '--turboshaft') }));
  expect(readProof(other)).toBeNull();
  writeFileSync(other, JSON.stringify(proof).slice(0, 200));
  expect(readProof(other)).toBeNull();
  expect(readProof(join(dir, 'none.json'))).toBeNull();
});

test('a canary that failed is said at each start', async () => {
  const file = join(dir, 'broken.json');
  const proof = JSON.parse(readFileSync(join(dir, 'proved.json'), 'utf8')) as Proof;
  const [one, ...rest] = proof.canaries;
  const broken = { ...one!, holds: false, seen: 'its process had to be ended' };
  writeFileSync(file, JSON.stringify({ ...proof, canaries: [broken, ...rest] }));
  const { said, sandbox } = await start(file);
  await sandbox[Symbol.asyncDispose]();
  expect(said.filter((line) => line.includes(`does not hold what the sandbox relies on (${one!.name})`)).length).toBe(
    1,
  );
});

test.runIf(process.platform === 'linux')('what the system does not offer is left out, and said once', async () => {
  const code = `
    const said = [];
    const sandbox = createSandbox({ children: 2, log: { warn: (fields, message) => said.push([Object.keys(fields.missing ?? {}), message]) } });
    const loaded = await sandbox.load(program('return main', { limits: { deaths: 30 } }));
    const runs = await Promise.all(Array.from({ length: 9 }, () => loaded.run(slice(1, () => 'x'))));
    await sandbox[Symbol.asyncDispose]();
    console.log(JSON.stringify({ said, answers: runs.map(({ answers }) => answers[0]).join('') }));`;
  // without a PATH neither unshare nor setpriv nor prlimit is found
  const options = { env: { PATH: '/nowhere' } };
  const { stdout } = await promisify(execFile)(process.execPath, nodeArgs(code), options);
  const { said, answers } = JSON.parse(stdout) as { said: [string[], string][]; answers: string };
  expect(answers).toBe('xxxxxxxxx');
  expect(said.length).toBe(1);
  expect(said[0]![0]).toEqual(expect.arrayContaining(['namespaces', 'no-new-privileges', 'ends-with-parent']));
  expect(said[0]![1]).toContain('the sandbox runs without namespaces');
});
