// Takes out of an event what must not be stored: values of marked columns and paths, of names that are secret by themselves,
// and what patterns find in any text; tokens stand in their place (tokens.ts).
// Guarantee: a value that was marked once is nowhere else in the event either: not in the key, not in another text, not in
// the event's id (elsewhere.ts says how far). Refuses an event that cannot be read: what cannot be understood cannot be
// redacted.

import { createHmac } from 'node:crypto';
import type { RedactConfig } from '../manifest/model.ts';
import { isRow, type Json, type Row } from '../values.ts';
import { withoutRaws } from './elsewhere.ts';
import { jsonIn, parseExactly, rawNumber, rawNumberText } from './exact-json.ts';
import { isSecretName, type Pattern, patternOf } from './patterns.ts';
import { tokenOf, tokenOfNumber, tokenOfRawNumber } from './tokens.ts';

export interface Redaction {
  /** The envelope's text without what must not be seen; null when it is no JSON object. */
  event(text: string): string | null;
  /** A text that is no event (a message, a line of a log): what patterns find in it. */
  text(text: string): string;
  /** What a source could not read: as a text, or null where columns or paths are marked, since nobody can find them in it. */
  unreadable(text: string): string | null;
}

export const defaultRedact: RedactConfig = { columns: [], paths: [], patterns: ['email', 'card', 'iban'] };

export function redactionOf(config: RedactConfig, key: Buffer): Redaction {
  const patterns = config.patterns.map(patternOf);
  const paths = config.paths.map((path) => folded(path).split('.'));
  const columns = config.columns.map(folded);

  // In any case: databases fold names, people write them as they like, and a mark that matches nothing would be a leak.
  const isMarked = (table: string, column: string): boolean => {
    const full = folded(`${table}.${column}`);
    return columns.some((entry) => entry === folded(column) || entry === full || full.endsWith(`.${entry}`));
  };
  const isOnPath = (at: readonly string[]): boolean =>
    paths.some((path) => path.length === at.length && path.every((part, i) => part === '*' || part === folded(at[i]!)));

  const textOf = (text: string): string => byPatterns(text, patterns, key, new Map());
  return {
    text: textOf,
    unreadable: (text) => (config.columns.length + config.paths.length > 0 ? null : textOf(text)),
    event(text) {
      const event = parsed(text);
      if (event === null) return null;
      const raws = new Map<string, string>();
      const source = isRow(event['source']) ? event['source'] : {};
      const schema = typeof source['schema'] === 'string' ? `${source['schema']}.` : '';
      const table = `${schema}${String(source['table'] ?? '')}`;
      const work: Work = { key, patterns, raws, isOnPath };
      const row = (value: Json): Json =>
        isRow(value)
          ? Object.fromEntries(
              Object.entries(value).map(([name, one]) => [
                name,
                isMarked(table, name) || isSecretName(name) || isOnPath([name])
                  ? hidden(one, work)
                  : walked(one, [name], work),
              ]),
            )
          : walked(value, [], work);
      const before = JSON.stringify(event['key'] ?? null);
      const out: Record<string, Json> = {};
      for (const [name, value] of Object.entries(event)) {
        out[name] = ['key', 'before', 'after'].includes(name)
          ? row(value)
          : name === 'id'
            ? value
            : walked(value, [], work);
      }
      const clean = withoutRaws(out, raws, key) as Record<string, Json>;
      // Names of tables come from the configuration: a value that happens to be one must not rename it.
      if (isRow(clean['source'])) clean['source'] = { ...clean['source'], ...named(source) };
      const id = String(event['id'] ?? '');
      // An id may be made of the key's values, in a form that nobody here knows.
      const isTelling = JSON.stringify(out['key'] ?? null) !== before || clean['id'] !== id;
      if (isTelling || byPatterns(id, patterns, key, new Map()) !== id) {
        clean['id'] = `r-${createHmac('sha256', key).update(id).digest('hex').slice(0, 24)}`;
      }
      return JSON.stringify(clean);
    },
  };
}

function folded(name: string): string {
  return name.normalize().toLowerCase();
}

const NAMES = ['plugin', 'stream', 'db', 'schema', 'table', 'snapshot', 'ts_ms'];

function named(source: Row): Row {
  return Object.fromEntries(NAMES.flatMap((name) => (source[name] === undefined ? [] : [[name, source[name]]])));
}

interface Work {
  readonly key: Buffer;
  readonly patterns: readonly Pattern[];
  /** What was taken out, with its token. */
  readonly raws: Map<string, string>;
  isOnPath(at: readonly string[]): boolean;
}

function walked(value: Json, at: readonly string[], work: Work): Json {
  if (typeof value === 'string') return inText(value, at, work);
  if (typeof value === 'number') {
    const text = String(value);
    return byPatterns(text, work.patterns, work.key, new Map()) === text ? value : hidden(value, work);
  }
  if (value === null || typeof value !== 'object') return value;
  const number = rawNumberText(value);
  if (number !== null) {
    return byPatterns(number, work.patterns, work.key, new Map()) === number ? value : hidden(value, work);
  }
  if (Array.isArray(value)) {
    return value.map((one: Json, i) => {
      const path = [...at, String(i)];
      return work.isOnPath(path) ? hidden(one, work) : walked(one, path, work);
    });
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => {
      const path = [...at, name];
      const shown = at.length === 0 ? name : byPatterns(name, work.patterns, work.key, work.raws); // a key may be data
      return [shown, isSecretName(name) || work.isOnPath(path) ? hidden(one, work) : walked(one, path, work)];
    }),
  );
}

// JSON that stands as text in a column is gone through like any other: `json` columns come so.
function inText(text: string, at: readonly string[], work: Work): Json {
  const inner = jsonIn(text);
  if (inner !== undefined) {
    const [was, is] = [JSON.stringify(inner), JSON.stringify(walked(inner, at, work))];
    return was === is ? text : is;
  }
  return byPatterns(text, work.patterns, work.key, work.raws);
}

function byPatterns(text: string, patterns: readonly Pattern[], key: Buffer, raws: Map<string, string>): string {
  let out = text;
  for (const { regex, within } of patterns) {
    out = out.replace(regex, (found: string) => {
      let rest = found;
      for (const raw of within?.(found) ?? [found]) {
        const token = tokenOf(raw, key);
        raws.set(raw, token);
        rest = rest.replace(raw, () => token);
      }
      return rest;
    });
  }
  return out;
}

/** Everything in it as tokens, keys too; null stays null, and of true and false nothing is kept. */
function hidden(value: Json, work: Work): Json {
  const remember = <T extends string | number>(raw: string | number, token: T): T => {
    work.raws.set(String(raw), String(token));
    return token;
  };
  if (typeof value === 'string') {
    const inner = jsonIn(value);
    return inner === undefined ? remember(value, tokenOf(value, work.key)) : JSON.stringify(hidden(inner, work));
  }
  if (typeof value === 'number') return remember(value, tokenOfNumber(value, work.key));
  if (typeof value === 'boolean') return false;
  if (value === null) return null;
  const number = rawNumberText(value);
  if (number !== null) return rawNumber(remember(number, tokenOfRawNumber(number, work.key)));
  if (Array.isArray(value)) return value.map((one: Json) => hidden(one, work));
  const out = new Map<string, Json>();
  for (const [name, one] of Object.entries(value)) {
    let shown = tokenOf(name, work.key);
    while (out.has(shown)) shown += 'x'; // short keys may have one token
    // `street` is the name of a field, and stands in many texts; `Jane Doe` and `4711` are data.
    if (!/^[\p{L}_]+$/u.test(name)) work.raws.set(name, shown);
    out.set(shown, hidden(one, work));
  }
  return Object.fromEntries(out);
}

function parsed(text: string): Record<string, Json> | null {
  try {
    const event = parseExactly(text);
    return isRow(event) ? (event as Record<string, Json>) : null;
  } catch {
    return null;
  }
}
