// Copies of dead letters for a sink that is a dead_letter_destination. The letters themselves are in the state store.

import { batchOf } from '../batch.ts';
import type { SluiceError } from '../errors.ts';
import type { ChangeEvent } from '../event.ts';
import type { NewDeadLetter } from '../state/store.ts';
import type { Row } from '../values.ts';
import { holdsStream, settleAt } from './attempt.ts';
import type { DeliverParts } from './deliver.ts';
import { noProgress } from './settle.ts';
import { addCounts, type Slot } from './slot.ts';

/** As events: `op: m`, `after` is the letter. */
export async function deliverCopies(
  slot: Slot,
  letters: readonly NewDeadLetter[],
  parts: DeliverParts & { lettersRefused(slot: Slot, count: number, error: SluiceError): void },
): Promise<void> {
  const now = Date.now();
  const events = letters.map(
    (letter): ChangeEvent => ({
      id: `${letter.event_id}@${letter.place.kind}:${letter.place.id}`,
      op: 'm',
      key: null,
      before: null,
      after: letter as unknown as Row,
      source: { plugin: 'sluice', stream: letter.stream, db: '', table: 'dead_letters', snapshot: false, ts_ms: now },
      ts_ms: now,
    }),
  );
  const progress = noProgress();
  await settleAt(slot, batchOf(events), parts, progress, parts.hard, holdsStream(slot, parts));
  slot.dirty = true;
  const refused = [...progress.exceptions.values()];
  const skipped = refused.length; // they are in the state store all the same
  slot.counts = addCounts(slot.counts, { out: letters.length, delivered: letters.length - skipped, skipped });
  if (refused.length > 0) parts.lettersRefused(slot, refused.length, refused[0]!.error);
}
