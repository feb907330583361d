// The probes and the metrics page over real sockets.

import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { isSluiceError } from '../errors.ts';
import { type ServeOptions, serve } from './http.ts';

const base: ServeOptions = {
  host: '127.0.0.1',
  metrics: () => 'sluice_up 1\n',
  live: () => ({ ok: true }),
  ready: () => ({ ok: true }),
};

test('metrics and probes are on their own ports, and a probe that is not ok answers 503', async () => {
  let ready = false;
  await using serving = await serve({
    ...base,
    metricsPort: 0,
    healthPort: 0,
    ready: () => ({ ok: ready, waiting: ['orders'] }),
  });
  const metrics = await fetch(`http://127.0.0.1:${serving.metricsPort}/metrics`);
  expect(await metrics.text()).toBe('sluice_up 1\n');
  expect(metrics.headers.get('content-type')).toContain('version=0.0.4');
  const health = `http://127.0.0.1:${serving.healthPort}`;
  expect((await fetch(`${health}/live`)).status).toBe(200);
  const waiting = await fetch(`${health}/ready?x=1`);
  expect([waiting.status, await waiting.json()]).toEqual([503, { ok: false, waiting: ['orders'] }]);
  ready = true;
  expect((await fetch(`${health}/ready`)).status).toBe(200);
  expect((await fetch(`${health}/metrics`)).status).toBe(404);
  expect((await fetch(`${health}/constructor`)).status).toBe(404);
  expect((await fetch(`${health}/live`, { method: 'POST' })).status).toBe(405);
  const head = await fetch(`${health}/live`, { method: 'HEAD' });
  expect([head.status, await head.text()]).toEqual([200, '']);
});

test('what is not asked for does not listen', async () => {
  await using serving = await serve({ ...base, healthPort: 0 });
  expect(serving.metricsPort).toBeNull();
});

test('a page that throws answers 500 without its reason', async () => {
  await using serving = await serve({
    ...base,
    metricsPort: 0,
    metrics: () => {
      throw new Error('inner-detail');
    },
  });
  const answer = await fetch(`http://127.0.0.1:${serving.metricsPort}/metrics`);
  expect(answer.status).toBe(500);
  expect(await answer.text()).not.toContain('inner-detail');
});

test('a taken port is E_PORT, and the server that had started is closed again', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const taken = (other.address() as { port: number }).port;
  const free = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => free.once('listening', resolve));
  const metricsPort = (free.address() as { port: number }).port;
  await new Promise((resolve) => free.close(resolve));
  const error = await serve({ ...base, metricsPort, healthPort: taken }).catch((thrown: unknown) => thrown);
  expect(isSluiceError(error) && [error.code, error.class]).toEqual(['E_PORT', 'environment']);
  await expect(fetch(`http://127.0.0.1:${metricsPort}/metrics`)).rejects.toThrow();
  await new Promise((resolve) => other.close(resolve));
});

test('closing does not wait for a client that keeps its connection', async () => {
  const serving = await serve({ ...base, healthPort: 0 });
  await (await fetch(`http://127.0.0.1:${serving.healthPort}/live`)).text(); // keep-alive
  await serving[Symbol.asyncDispose]();
  await expect(fetch(`http://127.0.0.1:${serving.healthPort}/live`)).rejects.toThrow();
});
