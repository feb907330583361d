// Requests that mean harm, to a real server on a real port: each is answered as it should be, and the server lives.

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Listening, listen } from '../../playground/server/listen.ts';
import { type Playground, playground, SHOP, TOKEN } from './bench.ts';

let on: Playground;
let listening: Listening;
let web = '';
let port = 0;

beforeAll(async () => {
  on = await playground(SHOP);
  web = mkdtempSync(join(tmpdir(), 'sluice-web-'));
  writeFileSync(join(web, 'index.html'), '<meta name="csp-nonce" content="{{nonce}}"><script src="/app.js"></script>');
  writeFileSync(join(web, 'app.js'), '');
  listening = await listen({ bench: on.bench, token: TOKEN, web, port: 0, host: '127.0.0.1' });
  port = Number(new URL(listening.address).port);
});
afterAll(async () => {
  await listening[Symbol.asyncDispose]();
  await on[Symbol.asyncDispose]();
  rmSync(web, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** As a program sends it that keeps to no rule of a browser. */
async function send(path: string, { method = 'GET', headers = {}, body }: Asking = {}): Promise<Answer> {
  const all = { host: `127.0.0.1:${port}`, authorization: `Bearer ${TOKEN}`, ...headers };
  const asked = httpRequest({ host: '127.0.0.1', port, path, method, headers: all, agent: false });
  asked.end(body);
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  return { status: answer.statusCode!, headers: answer.headers, text };
}

const codeOf = ({ text }: Answer): string => (JSON.parse(text) as { error: { code: string } }).error.code;
const json = { 'content-type': 'application/json' };
const run = (tab: string, source: string | null, n = 1): Asking => ({
  method: 'POST',
  headers: json,
  body: JSON.stringify({
    tab,
    stream: 'shop',
    steps: source === null ? [] : [{ id: 'draft', type: 'javascript', source }],
    events: Array.from({ length: n }, (_, i) => ({ text: `{"id":${i}}` })),
  }),
});

async function lives(): Promise<void> {
  expect((await send('/api/session')).status).toBe(200);
}

describe('who asks', () => {
  test.each(['evil.example', 'evil.example:4747', '127.0.0.1', '127.0.0.1:1', 'localhost.evil.example:4747'])(
    'a request for the host "%s" is refused, also for the page itself',
    async (host) => {
      for (const path of ['/', '/app.js', '/api/session', '/api/openapi.json']) {
        const answer = await send(path, { headers: { host } });
        expect(answer.status).toBe(403);
        expect(answer.text).not.toContain('shop');
      }
    },
  );

  test('localhost is this machine too', async () => {
    expect((await send('/api/session', { headers: { host: `localhost:${port}` } })).status).toBe(200);
  });

  test.each(['https://evil.example', 'http://127.0.0.1:1', 'http://evil.example:4747', 'null'])(
    'a request from the site "%s" is refused, though it has the token',
    async (origin) => {
      const answer = await send('/api/session', { headers: { origin } });
      expect(answer.status).toBe(403);
      expect(codeOf(answer)).toBe('E_PLAYGROUND_ORIGIN');
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    },
  );

  test.each(['cross-site', 'same-site'])('so is one that the browser calls %s', async (site) => {
    expect((await send('/api/session', { headers: { 'sec-fetch-site': site } })).status).toBe(403);
  });

  test.each(['', 'Bearer ', 'Bearer wrong', `Basic ${TOKEN}`, `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`])(
    'a request with "%s" for a token is refused, at every endpoint',
    async (authorization) => {
      for (const [method, path] of [
        ['GET', '/api/session'],
        ['GET', '/api/changes'],
        ['POST', '/api/run'],
        ['PUT', '/api/manifest'],
        ['GET', '/api/nothing'],
      ] as const) {
        const answer = await send(path, { method, headers: { authorization, ...json } });
        expect(answer.status, path).toBe(401);
        expect(codeOf(answer)).toBe('E_PLAYGROUND_TOKEN');
      }
    },
  );

  test('a link on another site opens the page in a tab of its own, and nothing else', async () => {
    const opened = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    expect((await send('/', { headers: opened })).status).toBe(200);
    expect((await send('/', { headers: { ...opened, 'sec-fetch-dest': 'iframe' } })).status).toBe(403);
    expect((await send('/', { headers: { ...opened, 'sec-fetch-mode': 'no-cors' } })).status).toBe(403);
    expect((await send('/', { headers: { ...opened, host: 'evil.example' } })).status).toBe(403);
    expect((await send('/api/session', { headers: opened })).status).toBe(403);
    expect((await send('/api/reference', { headers: opened })).status).toBe(403);
  });

  test('a form or a plain text, which any site may send without asking first, is no request', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', '']) {
      const { body } = run('form', null);
      const answer = await send('/api/run', { method: 'POST', headers: { 'content-type': type }, body: body! });
      expect(answer.status, type).toBe(400);
    }
  });
});

describe('what is asked', () => {
  test('the page may load nothing from elsewhere and run no inline script, and stands in no frame', async () => {
    const [first, second] = [await send('/'), await send('/')];
    const policy = String(first.headers['content-security-policy']);
    expect(policy).toMatch(/^default-src 'self'; style-src 'self' 'nonce-[\w-]{20,}'/);
    expect(policy).not.toMatch(/unsafe|\*|script-src/);
    expect(policy).toContain("frame-ancestors 'none'");
    const nonce = /'nonce-([\w-]+)'/.exec(policy)![1]!;
    expect(first.text).toContain(`content="${nonce}"`);
    expect(String(second.headers['content-security-policy'])).not.toContain(nonce);
    expect(first.headers['x-content-type-options']).toBe('nosniff');
  });

  test('a body of 100 MB is refused before it is read, whether its length is said or not', async () => {
    const said = await send('/api/run', {
      method: 'POST',
      headers: { ...json, 'content-length': String(100 << 20) },
    }).catch((error: unknown) => error as Error);
    if (!(said instanceof Error)) expect(said.status).toBe(413);
    const before = process.memoryUsage().rss;
    const answer = await flood(100 << 20);
    expect(answer).toContain(' 413 ');
    expect(process.memoryUsage().rss - before).toBeLessThan(96 << 20);
    await lives();
  });

  test('the bodies of many requests are bounded together, and their room is given back', async () => {
    const sockets = Array.from({ length: 8 }, () => halfSent((8 << 20) - 1));
    await expect.poll(async () => (await send('/api/run', run('late', null))).status, { timeout: 20_000 }).toBe(503);
    for (const socket of sockets) socket.destroy();
    await expect.poll(async () => (await send('/api/run', run('late', null))).status, { timeout: 20_000 }).toBe(200);
  });

  test.each([
    '/../package.json',
    '/..%2f..%2fetc%2fpasswd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/app.js/../../../../etc/passwd',
    '//etc/passwd',
    '/api/plugins/..%2f..%2f..%2fetc',
    '/api/plugins/%2Fetc%2Fpasswd',
    '/api/transforms/..%2fmask',
    '/index.html',
    '/sluice.yaml',
    '/%00',
    '/%',
  ])('the path %s gives nothing', async (path) => {
    const answer = await send(path);
    expect([400, 404]).toContain(answer.status);
    expect(answer.text).not.toMatch(/root:|"name": "sluice"|transformations:/);
  });

  test('a name that a request makes up opens no file: neither a test, nor a transform, nor a stream', async () => {
    for (const id of ['../../etc/passwd', '/etc/passwd', 'mask/../../x', '__proto__', 'constructor']) {
      const tests = await send(`/api/tests?transform=${encodeURIComponent(id)}`);
      expect(tests.status, id).toBe(404);
      const save = { transform: id, name: 'x', event: { text: '{}' } };
      const saved = await send('/api/tests', { method: 'POST', headers: json, body: JSON.stringify(save) });
      expect(saved.status, id).toBe(404);
      const steps = [{ id, type: 'javascript', source: 'export default (row) => row;' }];
      const body = JSON.stringify({ stream: 'shop', steps, base: '' });
      const written = await send('/api/manifest', { method: 'PUT', headers: json, body });
      expect([400, 409], id).toContain(written.status);
    }
    expect(on.read('sluice.yaml')).toBe(SHOP['sluice.yaml']);
  });

  test('requests that break their schemas are told where, and nothing is done', async () => {
    const wrong: readonly unknown[] = [
      null,
      [],
      {},
      { tab: 'a', stream: 'shop' },
      { tab: 'a', stream: 'shop', events: 'x' },
      { tab: 'a', stream: 'shop', events: [], nonsense: 1 },
      { tab: 'a', stream: 'shop', events: [{ path: '/etc/passwd' }] },
      { tab: 'a', stream: 'shop', events: [{}] },
      { tab: 'a', stream: 'shop', events: [], steps: [{ id: 'x', limits: { timeout: '60s' } }] },
    ];
    for (const body of wrong) {
      const answer = await send('/api/run', { method: 'POST', headers: json, body: JSON.stringify(body) });
      expect(answer.status, JSON.stringify(body)).toBe(400);
      expect(codeOf(answer)).toBe('E_PLAYGROUND_REQUEST');
    }
    for (const body of ['', '{', 'nonsense', '{"tab":"a"'.repeat(9), '['.repeat(100_000)]) {
      expect((await send('/api/run', { method: 'POST', headers: json, body })).status).toBe(400);
    }
  });
});

describe('what is run', { timeout: 180_000 }, () => {
  test.each([
    ['loops', 'export default () => { for (;;); };', 'E_TRANSFORM_TIMEOUT'],
    [
      'eats memory',
      'export default () => { const all = []; for (;;) all.push(new Array(1e6).fill(1)); };',
      /E_TRANSFORM_(MEMORY|TIMEOUT)/,
    ],
    ['grows a string', 'export default () => { let s = "x"; for (;;) s += s; };', /E_TRANSFORM_/],
    ['calls itself', 'const f = () => f(); export default () => f();', /E_TRANSFORM_/],
  ])('a transform that %s costs its own events only, while another tab works', async (_, source, code) => {
    const bad = send('/api/run', run('bad', source, 8));
    for (let i = 0; i < 5; i++) {
      const good = await send('/api/run', run('good', 'export default (row) => ({ ...row, ok: true });'));
      expect(good.status).toBe(200);
      expect(JSON.parse(good.text)).toMatchObject({ results: [{ fate: 'ok' }] });
    }
    const answer = await bad;
    expect(answer.status).toBe(200);
    const { results } = JSON.parse(answer.text) as { results: { fate: string; error?: { code: string } }[] };
    expect(results[0]!.error!.code).toMatch(code);
    await lives();
  });

  test('a transform that makes much of little ends its run, and not the server', async () => {
    const source = "export default (row) => ({ ...row, text: 'x'.repeat(900_000) });";
    const { text } = await send('/api/run', run('much', source, 200));
    expect(text.length).toBeLessThan(100 << 20); // of 180 MB that it would be
    const { results, stopped } = JSON.parse(text) as {
      results: { fate: string }[];
      stopped: { code: string };
    };
    expect(stopped.code).toMatch(/E_PLAYGROUND_(SIZE|TIME)/); // a busy machine does not come so far in its time
    expect(results).toHaveLength(200);
    expect(results[0]!.fate).toBe('ok');
    expect(results.at(-1)!.fate).toBe('not_run');
    await lives();
  });

  test('code has neither files nor processes nor the network, whatever it reaches for', async () => {
    const reach = `export default () => ({
      seen: [typeof process, typeof require, typeof fetch, typeof globalThis.constructor.constructor('return this')().process],
    });`;
    const { results } = JSON.parse((await send('/api/run', run('reach', reach))).text) as {
      results: { outputs: string[]; error?: unknown }[];
    };
    const [one] = results;
    if (one!.error === undefined) {
      expect(JSON.parse(one!.outputs[0]!)).toMatchObject({ after: { seen: Array(4).fill('undefined') } });
    }
    const file = "import { secret } from '../outside.js';\nexport default (row) => ({ ...row, secret });";
    expect((await send('/api/run', run('reach', file))).text).toContain('outside of the project');
    for (const path of [
      '../../../../../../etc/passwd',
      '/etc/passwd',
      'file:///etc/passwd',
      '\\u002e./\\u002e./x.js',
    ]) {
      const code = `import * as secret from '${path}';\nexport default (row) => ({ ...row, secret });`;
      const { problem, results } = JSON.parse((await send('/api/run', run('reach', code))).text) as {
        problem: { code: string };
        results: { fate: string }[];
      };
      expect(problem.code, path).toMatch(/E_TRANSFORM_(SYNTAX|PACKAGE)/);
      expect(results[0]!.fate).toBe('not_run');
    }
  });

  test('1,000 requests at once are all answered, and then one more as if nothing had been', async () => {
    const source = 'export default (row) => ({ ...row, n: 1 });';
    const answers = await Promise.all(
      Array.from({ length: 1000 }, (_, i) => send('/api/run', run(`tab-${i}`, source)).then(({ status }) => status)),
    );
    const statuses = [...new Set(answers)].sort();
    expect(answers).toHaveLength(1000);
    for (const status of statuses) expect([200, 503]).toContain(status);
    expect(answers.filter((status) => status === 200).length).toBeGreaterThan(4);
    const after = await send('/api/run', run('after', source));
    expect(JSON.parse(after.text)).toMatchObject({ results: [{ fate: 'ok' }] });
  });

  test('of 1,000 runs of one tab at once the last is answered, and all others hear that they were replaced', async () => {
    const source = 'export default (row) => row;';
    const answers = await Promise.all(Array.from({ length: 1000 }, () => send('/api/run', run('one', source))));
    const kinds = answers.map((answer) => (answer.status === 200 ? 'ok' : codeOf(answer)));
    expect(kinds).toContain('ok');
    expect(kinds.every((kind) => ['ok', 'E_PLAYGROUND_REPLACED', 'E_PLAYGROUND_BUSY'].includes(kind))).toBe(true);
    await lives();
  });

  test('tabs that listen are bounded, and one that leaves makes room', async () => {
    const ends: (() => void)[] = [];
    const open = async (): Promise<number> => {
      const headers = { host: `127.0.0.1:${port}`, authorization: `Bearer ${TOKEN}` };
      const asked = httpRequest({ host: '127.0.0.1', port, path: '/api/changes', headers, agent: false }).end();
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      ends.push(() => asked.destroy());
      asked.on('error', () => undefined);
      answer.on('error', () => undefined);
      return answer.statusCode!;
    };
    for (let i = 0; i < 32; i++) expect(await open()).toBe(200);
    expect(await open()).toBe(503);
    for (const end of ends) end();
    await expect.poll(() => on.bench.changes.listeners).toBe(0);
    expect(await open()).toBe(200);
    ends.at(-1)!();
  });
});

/** A request of which so many bytes are sent, and the rest never comes. */
function halfSent(bytes: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  const head = `POST /api/run HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nauthorization: Bearer ${TOKEN}\r\n`;
  socket.write(`${head}content-type: application/json\r\ncontent-length: ${8 << 20}\r\n\r\n`);
  socket.write(Buffer.alloc(bytes, ' '));
  return socket;
}

/** Sends a body without saying its length until the server answers; gives the beginning of the answer. */
async function flood(bytes: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined); // it is closed while more is sent
  let text = '';
  let answered = false;
  socket.on('data', (chunk) => {
    text += String(chunk);
    answered = true;
  });
  socket.write(
    `POST /api/run HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nauthorization: Bearer ${TOKEN}\r\n` +
      'content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
  );
  const chunk = Buffer.alloc(1 << 20, 'x');
  const happens = (...names: readonly string[]): Promise<void> =>
    new Promise((resolve) => {
      for (const name of names) socket.once(name, () => resolve());
    });
  const piece = Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]);
  for (let sent = 0; sent < bytes && !answered && !socket.destroyed; sent += chunk.length) {
    if (!socket.write(piece)) await happens('drain', 'close', 'data');
    else await new Promise((resolve) => setImmediate(resolve));
  }
  if (!answered && !socket.destroyed) await happens('data', 'close');
  socket.destroy();
  return text;
}
