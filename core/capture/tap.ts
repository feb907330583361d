// A look at a stream's source that leaves nothing behind: a tap (DELIVERY.md, section 7). Rows as they are first, then changes.
// Guarantees: nothing is acked, no checkpoint is read or written, no lock is taken, no sink and no transform is opened.

import { contextOf } from '../engine/open.ts';
import type { EventBatch } from '../event.ts';
import type { StreamConfig } from '../manifest/model.ts';
import type { Logger } from '../plugin.ts';
import type { StateStore } from '../state/store.ts';

export interface TapParts {
  readonly config: StreamConfig;
  readonly store: StateStore;
  readonly log: Logger;
  /** At most so many events. */
  readonly max: number;
  /** Ends it before. */
  readonly signal: AbortSignal;
}

/** Gives what the source gives, until there is enough. @throws SluiceError E_SOURCE_TAP when the source cannot be tapped */
export async function* tap({ config, store, log, max, signal }: TapParts): AsyncGenerator<EventBatch> {
  const enough = new AbortController();
  const end = AbortSignal.any([signal, enough.signal]);
  const context = contextOf({ config, store, languages: null, log, signal: end }, config.source.auth, true);
  const batch = { ...context.batch, maxEvents: Math.min(max, context.batch.maxEvents) };
  const source = await config.source.plugin.source!.create(config.source.config, { ...context, batch });
  try {
    let seen = 0;
    for await (const item of source.read(null, end)) {
      if (item.batch.length > 0) yield item.batch;
      seen += item.batch.length;
      if (seen >= max || signal.aborted) break;
    }
  } finally {
    enough.abort();
    await source[Symbol.asyncDispose]();
  }
}
