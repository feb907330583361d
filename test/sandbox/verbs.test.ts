// What `sluice check` and `sluice status` say of the sandbox: the canaries and measures as they are here, what the system does not
// offer, and nothing where no user code runs.

import { rmSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readProof } from '../../sandbox/index.ts';
import { fileToFile, ndjson, numbered, pipeline } from '../faults/pipeline.ts';

interface CheckRow {
  readonly stream: string;
  readonly part: string;
  readonly ok: boolean;
  readonly name: string;
  readonly message: string;
}

interface SandboxShown {
  readonly proved_at: string;
  readonly missing: readonly { readonly name: string; readonly message: string }[];
}

const input = { 'in.ndjson': ndjson(numbered(3)) };
const withCode = fileToFile({
  transformations: [{ id: 'code', type: 'javascript', code: 'export default (row) => row' }],
});
// none of the programs that take rights away is found there
const bare = { PATH: '/nowhere' };

const rowsOf = (stdout: string): CheckRow[] =>
  (JSON.parse(stdout) as { checks: CheckRow[] }).checks.filter(({ part }) => part === 'sandbox');
const shownOf = (stdout: string): SandboxShown | null =>
  (JSON.parse(stdout) as { sandbox: SandboxShown | null }).sandbox;

test('check proves the sandbox, and status shows what it found', async () => {
  await using p = await pipeline(withCode, input);
  rmSync(p.path('.sluice/state.db.sandbox.json'), { force: true }); // what all tests may know already
  expect(shownOf((await p.sluice(['status', 'sluice.json', '--json'])).stdout)).toBeNull();

  const checked = await p.sluice(['check', 'sluice.json', '--json']);
  expect(checked.code, checked.stderr).toBe(0);
  const proof = readProof(p.path('.sluice/state.db.sandbox.json'))!;
  const { canaries, measures } = proof;
  expect(canaries.length).toBeGreaterThanOrEqual(8);
  expect(rowsOf(checked.stdout).map(({ name, ok, message }) => [name, ok, message])).toEqual([
    ...canaries.map(({ name }) => [name, true, 'costs its own event only']),
    ...measures.map(({ name, in_force, message }) => [name, true, in_force ? message : `missing: ${message}`]),
  ]);
  const shown = shownOf((await p.sluice(['status', 'sluice.json', '--json'])).stdout);
  expect(shown?.proved_at).toBe(proof.made_at);
  expect(shown?.missing.map(({ name }) => name)).toEqual(
    measures.filter(({ in_force }) => !in_force).map(({ name }) => name),
  );
});

test.runIf(process.platform === 'linux')(
  'what the system does not offer is said by both, and fails neither',
  async () => {
    await using p = await pipeline(withCode, input);
    const checked = await p.sluice(['check', 'sluice.json'], { env: bare });
    expect(checked.code, checked.stderr).toBe(0);
    expect(checked.stderr).toMatch(/^✓ sandbox namespaces: missing: unshare is refused or not there/m);
    const status = await p.sluice(['status', 'sluice.json'], { env: bare });
    expect(status.code).toBe(0);
    expect(status.stdout).toMatch(/^sandbox: without namespaces: unshare is refused or not there/m);
  },
);

test('status shows a canary that failed', async () => {
  await using p = await pipeline(withCode, input);
  await p.sluice(['check', 'sluice.json']);
  const file = p.path('.sluice/state.db.sandbox.json');
  const proof = readProof(file)!;
  const [one, ...rest] = proof.canaries;
  const broken = { ...one!, holds: false, seen: 'its process had to be ended' };
  writeFileSync(file, JSON.stringify({ ...proof, canaries: [broken, ...rest] }));
  const status = await p.sluice(['status', 'sluice.json']);
  expect(status.stdout).toContain(`sandbox: without ${one!.name}: its process had to be ended`);
});

test('where no user code runs, neither says anything of it', async () => {
  await using p = await pipeline(fileToFile({}), input);
  expect(rowsOf((await p.sluice(['check', 'sluice.json', '--json'])).stdout)).toEqual([]);
  expect(shownOf((await p.sluice(['status', 'sluice.json', '--json'])).stdout)).toBeNull();
});
