// For tests only: the HTTP sink with every setting at hand, small events, and what an endpoint received as rows.

import type { ChangeEvent, Context, WriteResult } from 'sluice/sdk';
import type { Received } from './an-endpoint.ts';
import type { SinkConfig } from './config.ts';
import { httpSink } from './sink.ts';

export const source = { plugin: 'test', stream: 's', db: 'shop', table: 'orders', snapshot: false, ts_ms: 5 };
export const event = (n: number, more: Partial<ChangeEvent> = {}): ChangeEvent => ({
  id: `e${n}`,
  op: 'c',
  key: { id: n },
  before: null,
  after: { id: n, name: 'Zoë' },
  source,
  ts_ms: 1,
  ...more,
});
export const events = (n: number): ChangeEvent[] => Array.from({ length: n }, (_, i) => event(i));
export const never = new AbortController().signal;

export const config = (url: string, more: Partial<SinkConfig> = {}): SinkConfig => ({
  url,
  method: 'POST',
  format: 'row',
  batch: 'single',
  max_events: 500,
  max_bytes: 1024 * 1024,
  max_in_flight: 4,
  timeout: 10_000,
  ...more,
});
export const sinkTo = (
  url: string,
  more: Partial<SinkConfig> = {},
  auth: Context['auth'] = null,
): ReturnType<typeof httpSink> => httpSink(config(url, more), { stream: 'shop', auth });
export const statuses = (results: readonly WriteResult[]): string[] => results.map((result) => result.status);
export const rows = (received: Received): { id: number }[] =>
  received.headers['content-type'] === 'application/x-ndjson'
    ? received.body
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { id: number })
    : ([JSON.parse(received.body)].flat() as { id: number }[]);
