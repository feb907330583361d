// The requests whose events are not durable yet: first in a queue, then given to the engine and numbered, until an ack.
// Guarantees: an event keeps its number and its id for as long as it is here, so a read that begins again gives the same
// events; a request is answered "kept" only by an ack that covers its last event (invariant 1: the sender is the upstream).

import { randomBytes } from 'node:crypto';
import { isRow, type Json, sluiceError } from 'sluice/sdk';
import type { WebhookRecord } from './records.ts';

/** `n`: how many events came before, over all runs of the stream. `at`: when the last of them arrived. */
export type WebhookPosition = { readonly n: number; readonly at: number };

/**
 * A saved position, checked. Whoever sets one by hand need only give `{ "n": … }`.
 * @throws SluiceError E_SOURCE_POSITION
 */
export function toPosition(saved: Json): WebhookPosition {
  const { n, at = 0 } = isRow(saved) ? saved : {};
  if (isCount(n) && isCount(at)) return { n, at };
  throw sluiceError('E_SOURCE_POSITION', {
    message: 'the saved position is none of a webhook',
    fix: 'set one of the form { "n": 0 }, or clear the checkpoint: what was answered is not sent again in any case',
    permanent: true,
  });
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** A request that waits. */
export interface Waiting {
  readonly records: readonly WebhookRecord[];
  /** Milliseconds since 1970 UTC. */
  readonly arrived: number;
  /** The sender's own name for the request, or null. */
  readonly idempotencyKey: string | null;
  /** Its events are durable (true), or it is given up here and must be sent again (false). Called once. */
  settle(kept: boolean): void;
}

export interface HeldEvent {
  readonly id: string;
  readonly n: number;
  readonly arrived: number;
  readonly record: WebhookRecord;
}

export interface Holding {
  add(request: Waiting): void;
  /** The next take begins after `from`: what is here and not covered by it is given again. */
  resume(from: WebhookPosition | null): void;
  take(
    maxEvents: number,
    maxBytes: number,
  ): { readonly events: readonly HeldEvent[]; readonly position: WebhookPosition } | null;
  ack(position: WebhookPosition): void;
  /** Resolves when there may be something to take, or on an abort. */
  arrival(signal: AbortSignal): Promise<void>;
  /** Gives up everything: nothing of it was answered, so every sender sends again. */
  giveUp(): void;
}

interface Numbered extends HeldEvent {
  /** Set at the last event of a request. */
  readonly closes: Waiting | null;
}

export function holding(): Holding {
  const boot = randomBytes(6).toString('hex'); // numbers begin again at the checkpoint after a crash; names must not
  let queue: Waiting[] = [];
  let given: Numbered[] = [];
  let cursor = 0; // in `given`
  let next = 0;
  let wake = (): void => undefined;

  const number = (request: Waiting): void => {
    request.records.forEach((record, i) => {
      const n = next++;
      const closes = i === request.records.length - 1 ? request : null;
      given.push({ id: idOf(request, record, i, `${boot}:${n}`), n, arrived: request.arrived, record, closes });
    });
  };

  return {
    add(request) {
      queue.push(request);
      wake();
    },
    resume(from) {
      const n = from?.n ?? 0;
      next = Math.max(next, n);
      const found = given.findIndex((event) => event.n >= n);
      cursor = found < 0 ? given.length : found;
    },
    take(maxEvents, maxBytes) {
      const events: Numbered[] = [];
      for (let bytes = 0; events.length < maxEvents && bytes < maxBytes; ) {
        if (cursor === given.length) {
          const request = queue.shift();
          if (request === undefined) break;
          number(request);
        }
        const event = given[cursor++]!;
        events.push(event);
        bytes += event.record.text.length;
      }
      const last = events.at(-1);
      return last === undefined ? null : { events, position: { n: last.n + 1, at: last.arrived } };
    },
    ack(position) {
      let covered = 0;
      for (; covered < given.length && given[covered]!.n < position.n; covered++) given[covered]!.closes?.settle(true);
      given.splice(0, covered);
      cursor = Math.max(0, cursor - covered);
    },
    async arrival(signal) {
      if (signal.aborted || queue.length > 0 || cursor < given.length) return;
      await new Promise<void>((resolve) => {
        wake = () => {
          signal.removeEventListener('abort', wake);
          wake = () => undefined;
          resolve();
        };
        signal.addEventListener('abort', wake, { once: true });
      });
    },
    giveUp() {
      for (const event of given) event.closes?.settle(false);
      for (const request of queue) request.settle(false);
      queue = [];
      given = [];
      cursor = 0;
      wake();
    },
  };
}

// The sender's own names come first: they are the same when it sends again after a crash, so a dead letter is met again.
function idOf(request: Waiting, record: WebhookRecord, index: number, otherwise: string): string {
  if (record.is === 'event' && record.event.id !== '') return record.event.id;
  return request.idempotencyKey === null ? otherwise : `${request.idempotencyKey}:${index}`;
}
