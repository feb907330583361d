// Splits the text of a change event into its rows and the rest, so that rows go on as text and only the small rest is parsed.
// The one scanner of JSON outside kazaam-js: it looks only for where top-level members begin and end; what a row holds
// is checked by whoever parses it.

import { sluiceError } from './errors.ts';
import type { Op, SourceInfo } from './event.ts';
import { isRow, type Row } from './values.ts';

/** A change event as texts and small objects. */
export interface EnvelopeTexts {
  readonly id: string;
  readonly op: Op;
  readonly key: Row | null;
  readonly source: SourceInfo;
  readonly before: string | null;
  readonly after: string | null;
  readonly transaction?: { readonly id: string; readonly order: number };
  readonly headers?: Readonly<Record<string, string>>;
}

const OPS = new Set(['c', 'u', 'd', 'r', 't', 'm', 's']);

/**
 * @throws SluiceError E_EVENT_PARSE when the text is no JSON object, E_EVENT_SHAPE when it is no change event
 */
export function splitEnvelope(text: string): EnvelopeTexts {
  const rest: string[] = [];
  let before: string | null = null;
  let after: string | null = null;
  for (const [name, value] of members(text)) {
    if (name === '"before"') before = value === 'null' ? null : value;
    else if (name === '"after"') after = value === 'null' ? null : value;
    else rest.push(`${name}:${value}`);
  }
  let head: Record<string, unknown>;
  try {
    head = JSON.parse(`{${rest.join(',')}}`) as Record<string, unknown>;
  } catch (error) {
    throw sluiceError('E_EVENT_PARSE', { message: 'the event is no JSON object', cause: error });
  }
  return { ...checkHead(head, before, after), before, after };
}

function checkHead(
  head: Record<string, unknown>,
  before: string | null,
  after: string | null,
): Omit<EnvelopeTexts, 'before' | 'after'> {
  const { id, op, key, source, transaction, headers } = head;
  const wrong = (what: string): never => {
    throw sluiceError('E_EVENT_SHAPE', {
      message: `the line is no change event: ${what}`,
      fix: 'see schemas/change-event.schema.json',
    });
  };
  if (typeof op !== 'string' || !OPS.has(op)) wrong('`op` is not one of c, u, d, r, t, m, s');
  if (id !== undefined && (typeof id !== 'string' || id === '' || !id.isWellFormed())) wrong('`id` is no text');
  if (key !== undefined && key !== null && !isRow(key)) wrong('`key` is no object');
  if (!isRow(source) || typeof source['table'] !== 'string') wrong('`source` is no object with a `table`');
  for (const [name, row] of [
    ['before', before],
    ['after', after],
  ] as const) {
    if (row !== null && (row[0] !== '{' || row[row.length - 1] !== '}')) wrong(`\`${name}\` is no object`);
  }
  if ((op === 'c' || op === 'r' || op === 'u') && after === null)
    wrong(`an event with op ${String(op)} needs \`after\``);
  if (op === 'd' && before === null && !isRow(key)) wrong('a delete needs `before` or `key`');
  if (transaction !== undefined && transaction !== null && !isRow(transaction)) wrong('`transaction` is no object');
  if (headers !== undefined && headers !== null && !isRow(headers)) wrong('`headers` is no object');
  const given = source as Partial<SourceInfo> & Row;
  return {
    id: (id as string | undefined) ?? '',
    op: op as Op,
    key: (key as Row | null | undefined) ?? null,
    source: {
      ...given,
      plugin: typeof given.plugin === 'string' ? given.plugin : '',
      stream: typeof given.stream === 'string' ? given.stream : '',
      db: typeof given.db === 'string' ? given.db : '',
      table: given.table as string,
      snapshot: given.snapshot === true,
      ts_ms: typeof given.ts_ms === 'number' ? given.ts_ms : 0,
    } as SourceInfo,
    ...(isRow(transaction) ? { transaction: transaction as unknown as { id: string; order: number } } : {}),
    ...(isRow(headers) ? { headers: headers as Record<string, string> } : {}),
  };
}

// The top-level members of an object as pairs of raw texts: [`"name"`, value].
function* members(text: string): Generator<[string, string]> {
  const notJson = (): never => {
    throw sluiceError('E_EVENT_PARSE', { message: 'the event is no JSON object' });
  };
  let i = skipSpace(text, 0);
  if (text[i] !== '{') notJson();
  i = skipSpace(text, i + 1);
  if (text[i] === '}') return;
  for (;;) {
    if (text[i] !== '"') notJson();
    const nameEnd = endOfString(text, i);
    const name = text.slice(i, nameEnd);
    i = skipSpace(text, nameEnd);
    if (text[i] !== ':') notJson();
    i = skipSpace(text, i + 1);
    const end = endOfValue(text, i);
    if (end <= i) notJson();
    yield [name, text.slice(i, end).trimEnd()];
    i = skipSpace(text, end);
    if (text[i] === ',') {
      i = skipSpace(text, i + 1);
    } else if (text[i] === '}' && skipSpace(text, i + 1) === text.length) {
      return;
    } else {
      notJson();
    }
  }
}

function skipSpace(text: string, from: number): number {
  let i = from;
  while (i < text.length && text.charCodeAt(i) <= 32) i++;
  return i;
}

function endOfString(text: string, start: number): number {
  let i = start;
  for (;;) {
    i = text.indexOf('"', i + 1);
    if (i < 0) return text.length;
    let slashes = 0;
    while (text.charCodeAt(i - 1 - slashes) === 92) slashes++;
    if (slashes % 2 === 0) return i + 1;
  }
}

function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 34) {
      i = endOfString(text, i) - 1;
    } else if (c === 123 || c === 91) {
      depth++;
    } else if (c === 125 || c === 93) {
      if (depth === 0) return i;
      depth--;
    } else if (c === 44 && depth === 0) {
      return i;
    }
  }
  return text.length;
}
