// What a sink that is not needed missed without a letter, as the checkpoint says it.

import type { Gap } from '../checkpoint.ts';
import type { Json } from '../values.ts';
import type { Slot } from './slot.ts';

/** Closed gaps are kept to be shown, the newest of them. */
const GAPS_KEPT = 100;

/** The gaps of the checkpoint that is being made. A gap closes when its sink is seen to be back, and what is closed stays said. */
export function gapsAt(position: Json, before: readonly Gap[], slots: readonly Slot[]): readonly Gap[] {
  // closed, or of a sink that the manifest has no more
  const settled = before.filter((gap) => gap.to !== null || !slots.some((slot) => slot.id === gap.sink));
  const closed = slots.flatMap((slot) => closedGap(slot, position));
  const open = slots.flatMap((slot) => slot.gap ?? []);
  return [...settled, ...closed, ...open].slice(-GAPS_KEPT);
}

function closedGap(slot: Slot, position: Json): Gap[] {
  if (slot.gap === null || !slot.answered) return [];
  const gap = { ...slot.gap, to: position };
  slot.gap = null;
  return [gap];
}
