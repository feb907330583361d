// Taking events live from a source on a click: a tap, which acks nothing, saves no checkpoint and opens no sink. Progress is
// told to all tabs; the events are redacted before they are anywhere.

import { type Logger, sluiceError, toSluiceError } from 'sluice/sdk';
import { captureOf, type ErrorData, type StateStore, type StreamConfig, tap } from '../../core/workbench.ts';
import type { PlaygroundError } from './api.ts';
import type { Changes } from './changes.ts';
import { type EventBook, redactionFor } from './event-book.ts';

/** Sources that are looked at together. */
const MOST_RUNNING = 4;
/** Between two messages of progress, in ms. */
const TELL_EVERY_MS = 200;

export interface Captures extends AsyncDisposable {
  /** Begins one and gives its number. @throws SluiceError E_PLAYGROUND_BUSY */
  begin(config: StreamConfig, limits: { readonly max: number; readonly seconds: number }): number;
  /** False: it has ended already. */
  end(capture: number): boolean;
  /** When it has ended. */
  done(capture: number): Promise<void>;
}

export function capturesOf(parts: {
  readonly store: StateStore;
  readonly log: Logger;
  readonly events: EventBook;
  readonly changes: Changes;
  shown(error: ErrorData): ErrorData;
}): Captures {
  const { store, log, events, changes, shown } = parts;
  const running = new Map<number, { readonly stop: AbortController; readonly done: Promise<void> }>();
  let last = 0;

  async function take(
    number: number,
    config: StreamConfig,
    { max, seconds }: { readonly max: number; readonly seconds: number },
    stop: AbortController,
  ): Promise<void> {
    const redaction = redactionFor(config, store);
    const timer = setTimeout(() => stop.abort(), seconds * 1000);
    let count = 0;
    let told = 0;
    let failure: PlaygroundError | null = null;
    const tell = (state: 'running' | 'done' | 'failed'): void => {
      told = performance.now();
      const error = failure === null ? {} : { error: failure };
      changes.tell({ name: 'capture', data: { capture: number, stream: config.id, events: count, state, ...error } });
    };
    tell('running');
    try {
      for await (const batch of tap({ config, store, log, max, signal: stop.signal })) {
        for (let i = 0; i < batch.length && count < max; i++) {
          const capture = captureOf(batch, i, config.id, redaction, []);
          if (capture === null) continue;
          events.addLive(capture);
          count++;
        }
        if (performance.now() - told > TELL_EVERY_MS) tell('running');
      }
    } catch (thrown) {
      if (!stop.signal.aborted) failure = shown(toSluiceError(thrown, 'E_SOURCE_READ').toJSON()) as PlaygroundError;
    } finally {
      clearTimeout(timer);
      running.delete(number);
      tell(failure === null ? 'done' : 'failed');
    }
  }

  return {
    begin(config, limits) {
      if (running.size >= MOST_RUNNING) {
        throw sluiceError('E_PLAYGROUND_BUSY', {
          message: `${MOST_RUNNING} captures run already`,
          fix: 'end one first',
        });
      }
      const number = ++last;
      const stop = new AbortController();
      // begins after this turn, so that whoever asked knows its number before anything is told of it
      const done = new Promise<void>((resolve) => setImmediate(resolve)).then(() => take(number, config, limits, stop));
      running.set(number, { stop, done });
      return number;
    },
    end(capture) {
      const found = running.get(capture);
      found?.stop.abort();
      return found !== undefined;
    },
    done: async (capture) => running.get(capture)?.done,
    async [Symbol.asyncDispose]() {
      for (const { stop } of running.values()) stop.abort();
      await Promise.all([...running.values()].map(({ done }) => done));
    },
  };
}
