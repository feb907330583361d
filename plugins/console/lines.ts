// One event as the text that is printed for it. Works on the text face, so no number loses a digit on the way (invariant 6).

import { type EventBatch, envelopeText, type Op, unsafeNumber } from 'sluice/sdk';

const VERBS: Readonly<Record<Op, string>> = {
  c: 'create',
  u: 'update',
  d: 'delete',
  r: 'read',
  t: 'truncate',
  m: 'message',
  s: 'schema change',
};

/** The row of event i as one line of JSON, or null when the event has none: a delete, a truncate, a schema change, a message. */
export function rowLine(batch: EventBatch, i: number): string | null {
  const op = batch.op(i);
  if (op !== 'c' && op !== 'u' && op !== 'r') return null;
  const row = batch.after(i);
  return row === null ? null : oneLine(row);
}

/** The whole change event as one line of JSON. */
export function eventLine(batch: EventBatch, i: number): string {
  return oneLine(envelopeText(batch, i));
}

/** A headline, and the row indented below it. */
export function prettyLines(batch: EventBatch, i: number): string {
  const op = batch.op(i);
  const key = batch.key(i);
  const oldKey = batch.oldKey(i);
  const keys = [oldKey, key].filter((part) => part !== null).map((part) => JSON.stringify(part));
  const headline = [VERBS[op], batch.table(i), keys.join(' -> '), `#${batch.id(i)}`]
    .filter((part) => part !== '')
    .join(' ');
  const row = op === 'd' ? batch.before(i) : batch.after(i);
  return row === null ? headline : `${headline}\n${indented(row)}`;
}

// Outside of strings a line break is only space, and inside of one JSON writes it as \n: so this changes no value.
function oneLine(json: string): string {
  return /[\r\n]/.test(json) ? json.replace(/[\r\n]+/g, ' ') : json;
}

// What cannot be parsed without loss is shown as it came: a rounded number would be worse than a long line.
function indented(json: string): string {
  if (unsafeNumber(json) !== null) return `  ${oneLine(json)}`;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return `  ${oneLine(json)}`;
  }
  return JSON.stringify(value, null, 2).replace(/^/gm, '  ');
}
