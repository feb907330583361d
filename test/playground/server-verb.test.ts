// `sluice playground` as a person starts it: what it prints, what it opens, and how it ends.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Response as Answer } from '../../playground/server/api.ts';
import { type RunningSluice, sluice, startSluice } from '../cli.ts';
import { SHOP } from './bench.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-verb-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Started {
  readonly running: RunningSluice;
  readonly origin: string;
  ask<T>(path: string, body?: unknown): Promise<T>;
  /** The stream of what is told to a tab, open. */
  changes(): Promise<Response>;
}

/** Starts it and waits for its address. */
async function started(...args: readonly string[]): Promise<Started> {
  const running = startSluice(['playground', ...args], { cwd: folder, env: { TMPDIR: folder } });
  await expect.poll(() => running.said().stdout, { timeout: 60_000 }).toContain('\n');
  const address = running.said().stdout;
  expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#token=[\w-]{32}\n$/);
  const { origin, hash } = new URL(address.trim());
  const bearer = `Bearer ${hash.replace('#token=', '')}`;
  return {
    running,
    origin,
    changes: () => fetch(`${origin}/api/changes`, { headers: { authorization: bearer } }),
    async ask(path, body) {
      const headers = {
        authorization: bearer,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      };
      const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
      const answer = await fetch(`${origin}${path}`, { ...init, headers });
      const value = (await answer.json()) as never;
      expect(answer.status, JSON.stringify(value)).toBe(200);
      return value;
    },
  };
}

test('without a manifest it opens the shop, whose twelve events are transformed, and can be kept, tested and run', {
  timeout: 180_000,
}, async () => {
  const { running, origin, ask } = await started('--no-open', '--port', '0');
  expect(await (await fetch(origin)).text()).toContain('/app.js');
  const session = await ask<Answer<'session'>>('/api/session');
  expect(session.sample).toBe(true);
  const { events } = await ask<Answer<'events'>>('/api/events?stream=shop');
  expect(events).toHaveLength(12);
  const body = { tab: 'a', stream: 'shop', events: events.map(({ ref }) => ({ ref })) };
  const { results } = await ask<Answer<'run'>>('/api/run', body);
  const fates = results.map(({ fate }) => fate);
  expect([fates.filter((fate) => fate === 'ok').length, fates.filter((fate) => fate === 'failed').length]).toEqual([
    10, 1,
  ]);

  const kept = await ask<Answer<'keep'>>('/api/keep', {});
  expect(kept.folder).toBe('sluice-shop');
  expect((await ask<Answer<'keep'>>('/api/keep', {})).folder).toBe('sluice-shop-2');
  expect(kept.files).toEqual(['mask-and-count.js', 'mask-and-count.tests.yaml', 'sluice.yaml']);
  expect(await running.kill('SIGTERM')).toMatchObject({ code: 143 });
  expect(readdirSync(folder).sort()).toEqual(['sluice-shop', 'sluice-shop-2']); // and nothing of its own is left

  const cwd = join(folder, kept.folder);
  expect(await sluice(['test', '.'], { cwd })).toMatchObject({ code: 0 });
  expect(await sluice(['run', 'sluice.yaml', '--until-idle', '1s'], { cwd })).toMatchObject({ code: 0 });
  expect(readFileSync(join(cwd, 'data/shop.ndjson'), 'utf8')).toContain('"pieces":5');
});

test('with a manifest it opens that, also when a transform of it does not compile, and ends with 130 on SIGINT', async () => {
  writeFileSync(join(folder, 'sluice.yaml'), SHOP['sluice.yaml']);
  writeFileSync(join(folder, 'mask.js'), 'export default (row => \n');
  const { running, ask, changes } = await started('sluice.yaml', '--no-open', '--port', '0');
  const { body } = await changes(); // a tab that listens keeps nobody from ending
  const session = await ask<Answer<'session'>>('/api/session');
  expect(session).toMatchObject({ sample: false, manifest: { file: 'sluice.yaml' } });
  expect(await running.kill('SIGINT')).toMatchObject({ code: 130 });
  await body!.cancel().catch(() => undefined);
  expect(existsSync(join(folder, 'state.db'))).toBe(true);
});

test('a port that is taken is told, and without --port another one is taken', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as { port: number };
  const result = await sluice(['playground', '--no-open', '--port', String(port)], { cwd: folder });
  other.close();
  expect(result).toMatchObject({ code: 3, stdout: '' });
  expect(result.stderr).toContain('E_PORT');
  const [one, two] = [await started('--no-open'), await started('--no-open')];
  expect(one.origin).not.toBe(two.origin);
  await Promise.all([one.running.kill('SIGTERM'), two.running.kill('SIGTERM')]);
});

test('it listens elsewhere only when it is told so twice, and says what that means', async () => {
  const refused = await sluice(['playground', '--no-open', '--host', '0.0.0.0', '--port', '0'], { cwd: folder });
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toMatch(/run code on this one[\s\S]*--expose/);
  const { running, origin } = await started('--no-open', '--host', '0.0.0.0', '--expose', '--port', '0');
  await expect.poll(() => running.said().stderr).toMatch(/listens on 0\.0\.0\.0[\s\S]*run code/);
  const rebound = await fetch(origin, { headers: { origin: 'http://evil.example' } });
  expect(rebound.status).toBe(403);
  await running.kill('SIGTERM');
});

test.each([
  [['--port', 'x'], 'E_USAGE'],
  [['--port', '99999'], 'E_USAGE'],
  [['nowhere.yaml'], 'E_MANIFEST_READ'],
  [['nonsense'], 'E_USAGE'],
] as const)('playground %j is refused with exit code 2', async (args, code) => {
  const result = await sluice(['playground', '--no-open', ...args], { cwd: folder });
  expect(result).toMatchObject({ code: 2, stdout: '' });
  expect(result.stderr).toContain(code);
});
