// A webhook: an HTTP endpoint whose requests become change events.
// Guarantees: a request is answered 202 only after its events are covered by a durable checkpoint, so a crash loses nothing
// that was answered; senders that wait are the back-pressure. Nothing is kept here beyond the memory of waiting requests.
// A read that begins again gives every event that is not acked once more, with the same id, from the requests that wait.
// Refuses a tap (to look at an event is to take it from its sender), and to listen beyond this machine without a secret.

import { createServer, type Server } from 'node:http';
import { isIP } from 'node:net';
import {
  batchOfText,
  type Context,
  changedKeyOfText,
  codesOf,
  type EventBatch,
  isWholeBeforeText,
  type Source,
  sluiceError,
  type Unreadable,
} from 'sluice/sdk';
import type { SourceConfig } from './config.ts';
import { listenProblem } from './connect.ts';
import { placeOf } from './endpoint.ts';
import { type HeldEvent, holding, toPosition, type WebhookPosition } from './holding.ts';
import { type Intake, intake } from './intake.ts';

/** How long a sender may take for its headers, and for its whole request. */
const HEADERS_MS = 10_000;
const REQUEST_MS = 60_000;
/** How long the last answers may take to leave when the stream has stopped. */
const GOODBYE_MS = 1_000;

export function webhookSource(config: SourceConfig, context: Context): Source<WebhookPosition> {
  if (context.tap) {
    throw sluiceError('E_SOURCE_TAP', {
      message: 'a webhook cannot be tapped: its senders would have to send everything twice',
    });
  }
  if (config.secret === undefined && !isLoopback(config.host)) {
    throw sluiceError('E_CONFIG_INVALID', {
      message: 'a webhook that listens beyond this machine needs a `secret`',
      fix: 'set `secret`, or listen on 127.0.0.1 behind a proxy that checks its callers',
      permanent: true,
    });
  }
  const held = holding();
  let reading = false;
  const door: Intake = intake({ config, accepting: () => reading, add: (request) => held.add(request) });
  let server: Server | null = null;

  return {
    async *read(from, signal) {
      held.resume(from === null ? null : toPosition(from));
      if (signal.aborted) return;
      // It stays open between two reads, with the requests that wait; it is closed at the end of the source.
      if (server === null) {
        const opened = await listen(config, door);
        const address = opened.address();
        const port = typeof address === 'object' && address !== null ? address.port : config.port;
        context.log.info({ host: config.host, port, path: config.path }, 'the webhook listens');
        opened.on('close', () => {
          if (server === opened) server = null;
        });
        server = opened;
      }
      reading = true;
      try {
        while (!signal.aborted) {
          const taken = held.take(context.batch.maxEvents, context.batch.maxBytes);
          if (taken === null) await held.arrival(signal);
          else yield { batch: webhookBatch(taken.events, config, context.stream), position: taken.position };
        }
      } finally {
        reading = false;
      }
    },
    async ack(position) {
      held.ack(position);
    },
    async [Symbol.asyncDispose]() {
      reading = false;
      held.giveUp();
      if (server === null) return;
      const closing = server;
      const closed = new Promise<void>((resolve) => closing.close(() => resolve()));
      closing.closeIdleConnections();
      const timer = setTimeout(() => closing.closeAllConnections(), GOODBYE_MS);
      await door.idle();
      clearTimeout(timer);
      closing.closeAllConnections();
      await closed;
    },
  };
}

/** The URLs by which this webhook can be reached from this machine, or undefined where the port is not known before. */
export function placesOf(config: SourceConfig): readonly string[] | undefined {
  if (config.port === 0) return undefined;
  const everywhere = config.host === '0.0.0.0' || config.host === '::';
  const names = everywhere || isLoopback(config.host) ? ['127.0.0.1', 'localhost', '[::1]'] : [];
  if (!everywhere && config.host !== '::1') names.push(config.host);
  const places = names.map((name) => placeOf(`http://${name}:${config.port}${config.path}`));
  return [...new Set(places.filter((place) => place !== undefined))];
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

async function listen(config: SourceConfig, door: Intake): Promise<Server> {
  const server = createServer({ headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS }, door.listener);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const code = codesOf(error)[0] ?? '';
      reject(
        sluiceError(code === 'EADDRINUSE' || code === 'EACCES' ? 'E_PORT' : 'E_SOURCE_CONNECT', {
          message: listenProblem(code),
          fix: 'choose another `port` or `host`, or stop what uses it',
          cause: Object.assign(new Error(code), { code }),
        }),
      );
    });
    server.listen({ host: config.host, port: config.port }, resolve);
  });
  return server;
}

function webhookBatch(events: readonly HeldEvent[], config: SourceConfig, stream: string): EventBatch {
  const record = (i: number): HeldEvent['record'] => events[i]!.record;
  const unreadable = new Map<number, Unreadable>();
  let bytes = 0;
  events.forEach(({ id, record }, i) => {
    bytes += record.text.length;
    if (record.is === 'unreadable')
      unreadable.set(i, { id, raw: record.text, error: record.error, table: config.table });
  });
  return batchOfText({
    length: events.length,
    bytes,
    typed: config.numbers === 'double',
    readAt: Date.now(),
    id: (i) => events[i]!.id,
    op(i) {
      const r = record(i);
      return r.is === 'event' ? r.event.op : 'c';
    },
    key(i) {
      const r = record(i);
      return r.is === 'event' ? r.event.key : r.is === 'row' ? r.key : null;
    },
    oldKey(i) {
      const r = record(i);
      return r.is === 'event' ? changedKeyOfText(r.event) : null;
    },
    source(i) {
      const r = record(i);
      if (r.is === 'event') return r.event.source;
      return { plugin: 'http', stream, db: '', table: config.table, snapshot: false, ts_ms: events[i]!.arrived };
    },
    before(i) {
      const r = record(i);
      return r.is === 'event' ? r.event.before : null;
    },
    after(i) {
      const r = record(i);
      return r.is === 'event' ? r.event.after : r.is === 'row' ? r.text : null;
    },
    wholeBefore(i) {
      const r = record(i);
      return r.is === 'event' && isWholeBeforeText(r.event);
    },
    transaction(i) {
      const r = record(i);
      return r.is === 'event' ? r.event.transaction : undefined;
    },
    headers(i) {
      const r = record(i);
      return r.is === 'event' ? r.event.headers : undefined;
    },
    ...(unreadable.size === 0 ? {} : { unreadable }),
  });
}
