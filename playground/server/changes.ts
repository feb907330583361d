// What happens beside requests, told to every tab by server-sent events: a file changed on disk, a capture went on.
// Guarantee: a tab that does not read is let go, so that nothing piles up for it.

import { sluiceError } from 'sluice/sdk';
import type { Change } from './api.ts';

/** Tabs that can listen at one time. */
const MOST_LISTENERS = 32;
/** Messages that a tab may be behind. */
const MOST_BEHIND = 256;
const ALIVE_MS = 15_000;

export interface Changes extends Disposable {
  tell(change: Change): void;
  /** A stream for one tab, which gets `first` and all that is told from now on. @throws SluiceError E_PLAYGROUND_BUSY */
  listen(first: Change): ReadableStream<Uint8Array>;
  readonly listeners: number;
}

export function openChanges(): Changes {
  const listeners = new Set<ReadableStreamDefaultController<Uint8Array>>();
  const encoder = new TextEncoder();
  const send = (to: ReadableStreamDefaultController<Uint8Array>, text: string): void => {
    if ((to.desiredSize ?? 0) <= -MOST_BEHIND) {
      listeners.delete(to);
      to.error(new Error('the tab does not read'));
      return;
    }
    to.enqueue(encoder.encode(text));
  };
  const textOf = ({ name, data }: Change): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
  const timer = setInterval(() => {
    for (const each of [...listeners]) send(each, ':\n\n'); // finds connections that have died, and keeps the others open
  }, ALIVE_MS).unref();
  return {
    tell(change) {
      const text = textOf(change);
      for (const each of [...listeners]) send(each, text);
    },
    listen(first) {
      if (listeners.size >= MOST_LISTENERS) {
        throw sluiceError('E_PLAYGROUND_BUSY', {
          message: `${MOST_LISTENERS} tabs are open already`,
          fix: 'close some',
        });
      }
      let own: ReadableStreamDefaultController<Uint8Array>;
      return new ReadableStream<Uint8Array>(
        {
          start(controller) {
            own = controller;
            listeners.add(own);
            send(own, textOf(first));
          },
          cancel: () => void listeners.delete(own),
        },
        { highWaterMark: 0 },
      );
    },
    get listeners() {
      return listeners.size;
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      for (const each of listeners) each.close();
      listeners.clear();
    },
  };
}
