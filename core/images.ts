// What the two images of a row say together: whether the key changed, and whether the old image is whole.
// Of text, `before` is parsed for it, and only where the answer needs it.

import type { EnvelopeTexts } from './envelope.ts';
import type { ChangeEvent, Column } from './event.ts';
import { canonical, isRow, type Row } from './values.ts';

/** The key that an update took away: that of `before`, where it has every key column and one differs. Else null. */
export function changedKey(event: Pick<ChangeEvent, 'op' | 'key' | 'before'>): Row | null {
  const { op, key, before } = event;
  if (op !== 'u' || key === null || before === null) return null;
  const columns = Object.keys(key);
  if (!columns.every((column) => Object.hasOwn(before, column))) return null;
  if (columns.every((column) => canonical(before[column]!) === canonical(key[column]!))) return null;
  return Object.fromEntries(columns.map((column) => [column, before[column]!]));
}

/**
 * True when `before` is a whole row: it has all columns of the table, or, where nobody knows them, more than the key's.
 */
export function isWholeBefore(
  event: Pick<ChangeEvent, 'key' | 'before'>,
  columns: readonly Column[] | undefined,
): boolean {
  const { key, before } = event;
  if (before === null) return false;
  if (columns !== undefined && columns.length > 0) return columns.every((column) => Object.hasOwn(before, column.name));
  return key === null || Object.keys(before).some((column) => !Object.hasOwn(key, column));
}

type TextImages = Pick<EnvelopeTexts, 'op' | 'key' | 'before'>;

/** changedKey of an event whose rows are text. A row that is no JSON object has none: it fails where somebody parses it. */
export function changedKeyOfText(event: TextImages): Row | null {
  return event.op !== 'u' || event.key === null ? null : changedKey({ ...event, before: rowOf(event.before) });
}

/** isWholeBefore of an event whose rows are text, and whose table's columns nobody knows. */
export function isWholeBeforeText(event: Pick<TextImages, 'key' | 'before'>): boolean {
  return isWholeBefore({ key: event.key, before: rowOf(event.before) }, undefined);
}

function rowOf(text: string | null): Row | null {
  if (text === null) return null;
  try {
    const row: unknown = JSON.parse(text);
    return isRow(row) ? row : null;
  } catch {
    return null;
  }
}
