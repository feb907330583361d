// The body of a request as records: each one a row or a change event as text, or what cannot be read, with its error.
// Guarantees: no number loses a digit here (invariant 6); a bad line of NDJSON, or a bad element of an array, is a record
// that cannot be read, in its place, and the others pass. Refuses a body that is no JSON as a whole: nothing of it is taken.

import { isUtf8 } from 'node:buffer';
import {
  type EnvelopeTexts,
  isRow,
  type Json,
  type Row,
  type SluiceError,
  sluiceError,
  splitEnvelope,
  survivesDouble,
  toSluiceError,
  unsafeNumber,
} from 'sluice/sdk';
import type { SourceConfig } from './config.ts';

export type WebhookRecord =
  | { readonly is: 'row'; readonly text: string; readonly key: Row | null }
  | { readonly is: 'event'; readonly text: string; readonly event: EnvelopeTexts }
  | { readonly is: 'unreadable'; readonly text: string; readonly error: SluiceError };

export type RecordRules = Pick<SourceConfig, 'format' | 'key' | 'numbers'>;

const NDJSON = /^application\/(x-)?(ndjson|jsonl|jsonlines)\b/i;

/** @throws SluiceError E_EVENT_PARSE or E_EVENT_ENCODING when nothing of the body can be read */
export function recordsOf(body: Buffer, contentType: string | undefined, rules: RecordRules): WebhookRecord[] {
  if (NDJSON.test(contentType ?? '')) return linesOf(body, rules);
  if (!isUtf8(body)) throw sluiceError('E_EVENT_ENCODING', { message: 'the body is no UTF-8', fix: 'send UTF-8' });
  const text = body
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trim();
  if (text === '')
    throw sluiceError('E_EVENT_PARSE', { message: 'the body is empty', fix: 'send a JSON object, an array or NDJSON' });
  let value: unknown;
  try {
    value = parse(text, rules.numbers);
  } catch (error) {
    if (looksLikeLines(text)) return linesOf(body, rules); // NDJSON whose sender did not say so
    throw sluiceError('E_EVENT_PARSE', { message: `the body is no JSON: ${(error as Error).message}`, cause: error });
  }
  if (isRow(value)) return [recordOf(text, value, rules)];
  if (!Array.isArray(value))
    throw sluiceError('E_EVENT_PARSE', { message: 'the body is neither an object nor an array of objects' });
  return value.map((element) => recordOf(JSON.stringify(element), element, rules));
}

function looksLikeLines(text: string): boolean {
  const end = text.indexOf('\n');
  if (end < 0) return false;
  try {
    return isRow(JSON.parse(text.slice(0, end)));
  } catch {
    return false;
  }
}

function linesOf(body: Buffer, rules: RecordRules): WebhookRecord[] {
  const records: WebhookRecord[] = [];
  let line = 0;
  for (let start = 0; start < body.length; ) {
    const found = body.indexOf(10, start);
    const end = found < 0 ? body.length : found;
    line++;
    const record = lineOf(body.subarray(start, end), line, rules);
    if (record !== null) records.push(record);
    start = end + 1;
  }
  return records;
}

function lineOf(bytes: Buffer, line: number, rules: RecordRules): WebhookRecord | null {
  if (!isUtf8(bytes)) {
    const error = sluiceError('E_EVENT_ENCODING', { message: 'the line is no UTF-8', at: { line } });
    return { is: 'unreadable', text: `base64:${bytes.toString('base64')}`, error };
  }
  const text = bytes
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trim();
  if (text === '') return null;
  let value: unknown;
  try {
    value = parse(text, rules.numbers);
  } catch {
    return unreadable(text, 'E_EVENT_PARSE', 'the line is no JSON', line);
  }
  return recordOf(text, value, rules, line);
}

function recordOf(text: string, value: unknown, rules: RecordRules, line?: number): WebhookRecord {
  if (!isRow(value)) return unreadable(text, 'E_EVENT_PARSE', 'it is no JSON object', line);
  if (rules.format === 'row') {
    if (rules.key === undefined) return { is: 'row', text, key: null };
    const key: Record<string, Json> = {};
    for (const column of rules.key) {
      const part = Object.hasOwn(value, column) ? value[column] : null;
      if (part === null || part === undefined)
        return unreadable(text, 'E_EVENT_SHAPE', `the key column "${column}" is missing`, line);
      key[column] = part;
    }
    // A key that lost digits would be another row's key.
    return holdsUnsafe(key) ? unreadableNumber(text, line) : { is: 'row', text, key };
  }
  const { before: _before, after: _after, ...head } = value;
  if (holdsUnsafe(head)) return unreadableNumber(text, line);
  try {
    return { is: 'event', text, event: splitEnvelope(text) };
  } catch (error) {
    return { is: 'unreadable', text, error: toSluiceError(error, 'E_EVENT_SHAPE') };
  }
}

function unreadable(text: string, code: string, message: string, line: number | undefined): WebhookRecord {
  return {
    is: 'unreadable',
    text,
    error: sluiceError(code, { message, ...(line === undefined ? {} : { at: { line } }) }),
  };
}

function unreadableNumber(text: string, line: number | undefined): WebhookRecord {
  return unreadable(text, 'E_EVENT_NUMBER', 'a number of the key or the envelope does not survive a double', line);
}

// JSON with its source text: in Node since 22, and not yet in TypeScript's library.
interface ExactJson {
  parse(
    text: string,
    revive: (name: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
  isRawJSON(value: unknown): boolean;
}
const exact = JSON as unknown as ExactJson;

/** JSON.parse, but with `numbers: exact` a number that a double cannot hold stays its own text, also in JSON.stringify. */
function parse(text: string, numbers: RecordRules['numbers']): unknown {
  if (numbers === 'double' || unsafeNumber(text) === null) return JSON.parse(text);
  return exact.parse(text, (_name, value, { source }) =>
    typeof value === 'number' && source !== undefined && !survivesDouble(source) ? exact.rawJSON(source) : value,
  );
}

function holdsUnsafe(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return exact.isRawJSON(value) || Object.values(value).some(holdsUnsafe);
}
