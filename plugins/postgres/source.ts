// The postgres source: the rows that are there, then their changes, from a replication slot. One reading after the other (reading.ts);
// acks and requests go to the one that reads.

import { type Context, type Source, sluiceError } from 'sluice/sdk';
import type { SourceSettings } from './config.ts';
import { addressOf } from './connection.ts';
import { lsnOf } from './lsn.ts';
import type { Item } from './pile.ts';
import { type PostgresPosition, toPosition } from './position.ts';
import { newReading, type Reading } from './reading.ts';
import { sourceFault } from './source-faults.ts';
import { namesOf } from './start.ts';

export function createSource(config: SourceSettings, context: Context): Source<PostgresPosition> {
  const address = addressOf(config, context.auth);
  let reading: Reading | null = null;

  async function* read(from: PostgresPosition | null, signal: AbortSignal): AsyncGenerator<Item> {
    const saved = from === null ? null : toPosition(from);
    const mine = newReading(address, config, context);
    reading = mine;
    try {
      yield* mine.items(saved, signal);
    } catch (thrown) {
      if (signal.aborted) return;
      throw sourceFault(thrown, namesOf(config, context.stream).slot);
    } finally {
      await mine.end();
      if (reading === mine) reading = null;
    }
  }

  return {
    read,
    async ack(position) {
      reading?.ack(lsnOf(position.lsn));
    },
    async control(request) {
      const now = reading;
      if (now === null) throw sluiceError('E_SOURCE_READ', { message: 'the source is not reading' });
      await now.ask(request);
    },
    isBusy: () => reading?.isBusy() === true,
    async [Symbol.asyncDispose]() {
      await reading?.end();
    },
  };
}
