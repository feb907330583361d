// A playground over a project in a folder of its own, asked as the page asks it: by requests, without a port. Every answer is
// checked against the schema that the API promises.

import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { replayWith } from '../../core/cli/commands/playground.ts';
import { createLog } from '../../core/observe/log.ts';
import { createRegistry } from '../../core/registry/resolve.ts';
import { openStateStore } from '../../core/state/index.ts';
import type { StateStore } from '../../core/state/store.ts';
import {
  type Response as Answer,
  type EndpointName,
  endpoints,
  type PlaygroundError,
} from '../../playground/server/api.ts';
import { createApp } from '../../playground/server/app.ts';
import { checked } from '../../playground/server/validate.ts';
import { openWorkbench, type Workbench } from '../../playground/server/workbench.ts';
import { createLanguages } from '../../transforms/index.ts';

const HOST = '127.0.0.1:4747';
export const TOKEN = 'the-token-of-the-test';

export interface Asking {
  readonly params?: Readonly<Record<string, string | number>>;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface Told {
  readonly status: number;
  readonly error: PlaygroundError;
  readonly disk?: { readonly source: string; readonly hash: string };
}

export interface Playground extends AsyncDisposable {
  readonly folder: string;
  readonly bench: Workbench;
  readonly store: StateStore;
  request(path: string, init?: RequestInit): Promise<Response>;
  /** A request of the API, whatever becomes of it. */
  send(name: EndpointName, asking?: Asking): Promise<Response>;
  /** The answer of a request that succeeds. */
  ask<N extends EndpointName>(name: N, asking?: Asking): Promise<Answer<N>>;
  /** Of one that fails. */
  refused(name: EndpointName, asking?: Asking): Promise<Told>;
  read(name: string): string;
  write(name: string, text: string): void;
}

export async function playground(files: Readonly<Record<string, string>>): Promise<Playground> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sluice-play-')));
  const write = (name: string, text: string): void => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  };
  for (const [name, text] of Object.entries(files)) write(name, text);
  const log = createLog({ level: 'error' });
  const languages = createLanguages({ log, children: 2 });
  const store = await openStateStore({ type: 'sqlite', path: join(folder, 'state.db') }, log);
  const registry = createRegistry({ manifestDir: folder });
  const file = join(folder, 'sluice.yaml');
  const replay = replayWith(store, languages, log);
  const bench = await openWorkbench({ file, sample: null, version: '0.0.0', registry, languages, log, store, replay });
  const access = { token: TOKEN, hosts: () => [HOST], anyAddress: false };
  const app = createApp({ bench, access, page: new Map() });

  const request = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = { host: HOST, authorization: `Bearer ${TOKEN}`, ...(init.headers as Record<string, string>) };
    return await app.request(`http://${HOST}${path}`, { ...init, headers });
  };
  const send = async (name: EndpointName, { params = {}, query, body, headers, signal }: Asking = {}) => {
    const { method, path } = endpoints[name];
    const at = path.replaceAll(/\{(\w+)\}/g, (_, one: string) => encodeURIComponent(String(params[one])));
    const search =
      query === undefined ? '' : `?${new URLSearchParams(Object.entries(query).map(([k, v]) => [k, String(v)]))}`;
    const init: RequestInit = {
      method,
      headers: { ...(method === 'GET' ? {} : { 'content-type': 'application/json' }), ...headers },
    };
    if ('body' in endpoints[name]) init.body = JSON.stringify(body ?? {});
    if (signal !== undefined) init.signal = signal;
    return await request(`${at}${search}`, init);
  };
  return {
    folder,
    bench,
    store,
    request,
    send,
    async ask(name, asking) {
      const answer = await send(name, asking);
      const value = (await answer.json()) as object;
      expect(answer.status, JSON.stringify(value)).toBe(200);
      checked(endpoints[name].response, value, 'the answer');
      return value as never;
    },
    async refused(name, asking) {
      const answer = await send(name, asking);
      const value = (await answer.json()) as Omit<Told, 'status'>;
      expect(answer.status, JSON.stringify(value)).toBeGreaterThanOrEqual(400);
      return { ...value, status: answer.status };
    },
    read: (name) => readFileSync(join(folder, name), 'utf8'),
    write,
    async [Symbol.asyncDispose]() {
      await bench[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await languages[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Events of the stream `shop`, as the list shows them once twelve were taken from its source. */
export async function captured(on: Playground): Promise<Answer<'events'>['events']> {
  const { capture } = await on.ask('capture', { body: { stream: 'shop', max: 12 } });
  await on.bench.captures.done(capture);
  return (await on.ask('events', { query: { stream: 'shop' } })).events.toReversed();
}

/** A shop whose chain has two steps: one in a file, one within the manifest. */
export const SHOP = {
  'sluice.yaml': `# what a reader wrote stays
version: 1
service:
  state: { type: sqlite, path: ./state.db }

transformations:
  - id: mask # everything that is personal
    type: javascript
    file: ./mask.js
  - id: shout
    type: jsonata
    expression: |
      $merge([$, { "status": $uppercase(status) }])

streams:
  - id: shop
    source: { type: sample, events: 12 }
    transformations: [mask, shout]
    redact: { patterns: [] }
    sinks:
      - { id: out, type: file, path: ./out.ndjson, format: event }
`,
  'mask.js': `export default (row, ctx) => {
  if (ctx.event.op === 'd') return null;
  if (ctx.event.source.table === 'customers') return { ...row, email: null };
  ctx.log.info('pieces of', row.id);
  return { ...row, pieces: row.items.reduce((n, item) => n + item.quantity, 0) };
};
`,
} as const;
