// How the command line is used, rightly and wrongly: verbs and flags that are not known, help that opens with examples that
// run, a reader of our output that goes away, and a new pipeline.

import { spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { expectTold, fileToFile, ndjson, numbered, pipeline } from './pipeline.ts';

const MAIN = fileURLToPath(new URL('../../core/cli/main.ts', import.meta.url));
const VERBS = [
  'run',
  'validate',
  'check',
  'status',
  'dead-letters',
  'checkpoint',
  'plugins',
  'new',
  'snapshot',
  'resume',
  'playground',
];

const VALID = 'version: 1\nstreams: [{ id: s, source: { type: sample }, sinks: [{ id: o, type: console }] }]\n';

describe.concurrent('usage that is wrong', () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['rnu'], /no verb "rnu"[\s\S]*sluice run/],
    [['xyzzy-nothing'], /no verb[\s\S]*--help/],
    [['run', '--until-idel', '2s'], /--until-idel[\s\S]*--until-idle/],
    [['run', '--until-idle', 'soon'], /duration/],
    [['run', '--until-idle', '2'], /duration/],
    [['run', '--until-idle'], /until-idle/],
    [['run', 'production'], /"production" is no manifest[\s\S]*--stream/],
    [['validate', './a.yaml', './b.yaml'], /one manifest/],
    [['status', './a.yaml', 'orders'], /"orders" is one word too many/],
    [['dead-letters', 'list', '--limit', 'abc'], /--limit takes a whole number/],
    [['checkpoint', 'show', '--history', 'x'], /--history takes a whole number/],
    [['checkpoint'], /show, set, clear/],
    [['checkpoint', 'shwo'], /checkpoint show/],
    [['dead-letters', 'replya'], /dead-letters replay/],
    [['plugins', 'describe'], /name/],
    [['new', 'pipeline'], /name/],
    [['new', 'pipeline', 'Not A Name'], /lower-case/],
  ];

  it.for(wrong)(
    '(%s) is told with the nearest right word, exit code 2, and nothing on stdout',
    async ([args, says]) => {
      await using p = await pipeline(undefined, { 'sluice.yaml': VALID });
      const result = await p.sluice(args);
      expectTold(result, 'E_USAGE', 2);
      expect(result.stderr).toMatch(says);
      expect(result.stdout).toBe('');
    },
  );

  it('is one object on stdout with --json', async () => {
    await using p = await pipeline();
    const result = await p.sluice(['run', '--nothing', '--json']);
    expect(result.code).toBe(2);
    expect(JSON.parse(result.stdout)).toMatchObject({
      error: { code: 'E_USAGE', message: expect.any(String), fix: expect.any(String) },
    });
  });

  it('(no verb at all) shows the verbs and ends with 2', async () => {
    await using p = await pipeline();
    const result = await p.sluice([]);
    expect(result.code).toBe(2);
    for (const verb of VERBS) expect(result.stdout).toContain(`  ${verb} `);
  });

  it('(a plugin that is not there) names the nearest', async () => {
    await using p = await pipeline();
    const result = await p.sluice(['plugins', 'describe', 'sqlte']);
    expectTold(result, 'E_PLUGIN_NOT_FOUND', 2);
    expect(result.stderr).toContain('"sqlite"');
  });
});

describe.concurrent('--help', () => {
  it.for(VERBS)('of %s opens with two examples and ends with 0', async (verb) => {
    await using p = await pipeline();
    const result = await p.sluice([verb, '--help']);
    expect([result.code, result.stderr]).toEqual([0, '']);
    const [first, second, third] = result.stdout.split('\n');
    for (const example of [first, second]) expect(example).toMatch(new RegExp(`^ {2}sluice ${verb}( |$)`));
    expect(third).toBe('');
    expect(result.stdout).toContain('--json');
  });

  it('has examples that run, where they need no more than a pipeline', async () => {
    await using p = await pipeline();
    rmSync(p.path('.sluice'), { recursive: true, force: true }); // a new pipeline wants an empty folder
    expect((await p.sluice(['new', 'pipeline', 'orders', '--dir', '.'])).code).toBe(0);
    for (const verb of ['run', 'validate', 'check', 'status', 'plugins']) {
      const help = (await p.sluice([verb, '--help'])).stdout;
      const examples = help
        .split('\n')
        .slice(0, 2)
        .filter((line) => !line.includes('examples/'));
      for (const example of examples) {
        const result = await p.sluice(example.trim().split(' ').slice(1));
        expect(result.code, `${example}\n${result.stderr}`).toBe(0);
      }
    }
  });
});

describe.concurrent('a new pipeline', () => {
  it('is valid, runs as it is, and a second one does not overwrite it', async () => {
    await using p = await pipeline();
    const made = await p.sluice(['new', 'pipeline', 'shop']);
    expect(made.code).toBe(0);
    expect((await p.sluice(['validate', 'shop/sluice.yaml', '--strict'])).code).toBe(0);
    expect((await p.sluice(['check', 'shop/sluice.yaml'])).code).toBe(0);
    const ran = await p.sluice(['run', 'shop/sluice.yaml']);
    expect(ran.code, ran.stderr).toBe(0);
    const rows = p.rows<{ after: Record<string, unknown> | null }>('shop/out.ndjson');
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.filter(({ after }) => after !== null).every(({ after }) => after!['reshaped'] === true)).toBe(true);
    const before = p.read('shop/sluice.yaml');
    expectTold(await p.sluice(['new', 'pipeline', 'shop']), 'E_USAGE', 2);
    expect(p.read('shop/sluice.yaml')).toBe(before);
  });
});

describe.concurrent('status', () => {
  it('of a pipeline that never ran, and with --json, has the same shape as later', async () => {
    await using p = await pipeline(fileToFile({}), { 'in.ndjson': ndjson(numbered(2)) });
    const zero = { in: 0, delivered: 0, filtered: 0, skipped: 0, dead_lettered: 0, pending: 0 };
    expect(await p.status()).toMatchObject([{ id: 's', state: 'stopped', position: null, ledger: zero }]);
    expect((await p.run()).code).toBe(0);
    const [shown] = await p.status();
    expect(shown).toMatchObject({ id: 's', state: 'ended', position: expect.any(Object) });
    expect(shown!.ledger).toEqual({ ...zero, in: 2, delivered: 2 });
    expect((await p.sluice(['status', 'sluice.json'])).stdout).toMatch(/s +ended +2 +2 +0 +0 +0 +0/);
  });
});

describe('a reader that goes away', () => {
  /** Starts a verb whose stdout is closed at once, as `sluice … | head -0` does. */
  async function closedEarly(cwd: string, args: readonly string[]): Promise<{ code: number | null; stderr: string }> {
    const child = spawn(process.execPath, ['--conditions=source', '--no-warnings', MAIN, ...args], { cwd });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString('utf8');
    });
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { code, stderr };
  }

  it('ends a verb without an error', async () => {
    await using p = await pipeline();
    for (const args of [['--help'], ['plugins', 'list'], ['plugins', 'describe', 'sqlite', '--json']]) {
      expect(await closedEarly(p.dir, args)).toEqual({ code: 0, stderr: '' });
    }
  });

  it('of what is said costs no event, and is no failure of the run', async () => {
    await using p = await pipeline(fileToFile({ service: { log_level: 'debug' } }), {
      'in.ndjson': ndjson(numbered(3)),
    });
    const child = spawn(process.execPath, ['--conditions=source', '--no-warnings', MAIN, 'run', 'sluice.json'], {
      cwd: p.dir,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr!.destroy();
    expect(await new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal)))).toBe(0);
    expect(p.rows('out.ndjson')).toEqual(numbered(3));
    expect((await p.status())[0]).toMatchObject({ state: 'ended', ledger: { in: 3, delivered: 3 } });
  });

  it('of a console sink is an absent sink or the end of the run, and no event counts as delivered that was not', async () => {
    await using p = await pipeline(
      fileToFile({
        sinks: [{ id: 'out', type: 'console' }],
        stream: { retry_policy: { max_attempts: 2, initial_delay: '5ms' } },
      }),
      { 'in.ndjson': ndjson(numbered(5000)) },
    );
    const { stderr } = await closedEarly(p.dir, ['run', 'sluice.json']);
    expect(stderr).not.toContain('E_INTERNAL');
    const [shown] = await p.status();
    expect(shown!.ledger).toMatchObject({ in: 0, delivered: 0 });
    expect(existsSync(p.path('.sluice/state.db'))).toBe(true);
  });
});
