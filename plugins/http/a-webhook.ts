// For tests only: a webhook that listens on a free port of this machine, read and acked by hand as the engine would do it.

import type { Context, Source, SourceItem } from 'sluice/sdk';
import type { SourceConfig } from './config.ts';
import type { WebhookPosition } from './holding.ts';
import { webhookSource } from './source.ts';

export const defaults: SourceConfig = {
  host: '127.0.0.1',
  port: 0,
  path: '/in',
  format: 'row',
  table: 'events',
  numbers: 'exact',
  max_body: 1024 * 1024,
  max_waiting: 100,
  max_buffer: 64 * 1024 * 1024,
};

export type Item = SourceItem<WebhookPosition> & { readonly position: WebhookPosition };

export interface Webhook extends AsyncDisposable {
  readonly url: string;
  readonly source: Source<WebhookPosition>;
  readonly logged: unknown[];
  /** The next batch; acked only by ack(). */
  next(): Promise<Item>;
  ack(item: Item): Promise<void>;
  /** Acks every batch as it comes, until the read is stopped; gives what came. */
  ackAll(): { readonly items: Item[]; readonly done: Promise<void> };
  /** Ends the read; another one begins with next(). */
  stop(): Promise<void>;
  readAgain(from: WebhookPosition | null): void;
}

export async function aWebhook(
  config: Partial<SourceConfig> = {},
  from: WebhookPosition | null = null,
  limits: Partial<Context['batch']> = {},
): Promise<Webhook> {
  const logged: unknown[] = [];
  let listens = (_port: number): void => undefined;
  const listening = new Promise<number>((resolve) => (listens = resolve));
  const log = (fields: object, message: string): void => {
    logged.push([fields, message]);
    if ('port' in fields) listens(fields.port as number);
  };
  const source = webhookSource(
    { ...defaults, ...config },
    {
      stream: 'shop',
      log: { debug: log, info: log, warn: log, error: log },
      signal: new AbortController().signal,
      batch: { maxEvents: 1000, maxBytes: 1024 * 1024, maxWait: 50, respectSourceTx: true, ...limits },
      auth: null,
      tap: false,
    },
  );
  let stopper = new AbortController();
  let iterator = source.read(from, stopper.signal)[Symbol.asyncIterator]();
  let pending: Promise<IteratorResult<SourceItem<WebhookPosition>>> | null = iterator.next();
  const path = config.path ?? defaults.path;
  const port = await Promise.race([
    listening,
    pending.then(
      () => 0,
      (error: unknown) => {
        throw error;
      },
    ),
  ]);
  const self: Webhook = {
    url: `http://127.0.0.1:${port}${path}`,
    source,
    logged,
    async next() {
      const result = await (pending ?? iterator.next());
      pending = null;
      if (result.done === true) throw new Error('the read has ended');
      return result.value as Item;
    },
    ack: (item) => source.ack(item.position),
    ackAll() {
      const items: Item[] = [];
      const done = (async () => {
        for (;;) {
          const result = await (pending ?? iterator.next());
          pending = null;
          if (result.done === true) return;
          items.push(result.value as Item);
          await source.ack((result.value as Item).position);
        }
      })();
      return { items, done };
    },
    async stop() {
      stopper.abort();
      await pending?.catch(() => undefined);
      pending = null;
      await iterator.return?.();
    },
    readAgain(position) {
      stopper = new AbortController();
      iterator = source.read(position, stopper.signal)[Symbol.asyncIterator]();
      pending = iterator.next();
      pending.catch(() => undefined);
    },
    async [Symbol.asyncDispose]() {
      await self.stop();
      await source[Symbol.asyncDispose]();
    },
  };
  return self;
}

export const post = (
  url: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<Response> => fetch(url, { method: 'POST', body, headers });
export const idsOf = (item: Item): string[] => Array.from({ length: item.batch.length }, (_, i) => item.batch.id(i));
export const turns = async (n = 30): Promise<void> => {
  for (let turn = 0; turn < n; turn++) await new Promise((resolve) => setImmediate(resolve));
};
