// An event of a batch as a capture: its envelope, redacted, with what is needed to run it again.

import { envelopeText } from '../batch.ts';
import type { EventBatch } from '../event.ts';
import type { TransformIdentity } from '../languages.ts';
import type { Capture, CaptureDetails } from '../state/store.ts';
import type { Redaction } from './redaction.ts';

/** The code of a chain, as it is stored with captures and dead letters. */
export function identitiesOf(
  steps: readonly { readonly id: string; readonly loaded: { readonly identity: TransformIdentity } | null }[],
): CaptureDetails['transforms'] {
  return steps.flatMap(({ id, loaded }) => (loaded === null ? [] : [{ id, ...loaded.identity }]));
}

/** null for an event that the source could not read, and for one that is no JSON: what is not understood is not stored. */
export function captureOf(
  batch: EventBatch,
  i: number,
  stream: string,
  redaction: Redaction,
  transforms: CaptureDetails['transforms'],
): Capture | null {
  if (batch.unreadable?.has(i) === true) return null;
  const event = redaction.event(envelopeText(batch, i));
  if (event === null) return null;
  const { id } = JSON.parse(event) as { readonly id: string };
  const details = { columns: batch.columns(batch.table(i)), typed: batch.typed, transforms };
  return { stream, event_id: id, event, captured_at: new Date().toISOString(), details };
}
