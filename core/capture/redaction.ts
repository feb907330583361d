// Takes out of an event what must not be stored: values of marked columns and paths, of names that are secret by themselves,
// and what patterns find in any text; tokens stand in their place (tokens.ts).
// Guarantee: a value that was marked once is nowhere else in the event either: not in the key, not in another text, not in
// the event's id. Refuses an event that cannot be read: what cannot be understood cannot be redacted.
// Not found: a marked value of fewer than four characters within other texts.

import { createHmac } from 'node:crypto';
import type { RedactConfig } from '../manifest/model.ts';
import { isRow, type Json, type Row, survivesDouble, unsafeNumber } from '../values.ts';
import { isSecretName, type Pattern, patternOf } from './patterns.ts';
import { tokenOf, tokenOfNumber } from './tokens.ts';

export interface Redaction {
  /** The envelope's text without what must not be seen; null when it is no JSON object. */
  event(text: string): string | null;
  /** A text that is no event (a message, a line of a log): what patterns find in it. */
  text(text: string): string;
  /** What a source could not read: as a text, or null where columns or paths are marked, since nobody can find them in it. */
  unreadable(text: string): string | null;
}

export const defaultRedact: RedactConfig = { columns: [], paths: [], patterns: ['email', 'card', 'iban'] };

/** Shorter ones are part of too many texts that have nothing to do with them. */
const SHORTEST_ELSEWHERE = 4;

export function redactionOf(config: RedactConfig, key: Buffer): Redaction {
  const patterns = config.patterns.map(patternOf);
  const paths = config.paths.map((path) => path.split('.'));

  const isMarked = (table: string, column: string): boolean => {
    const full = `${table}.${column}`;
    return config.columns.some((entry) => entry === column || entry === full || full.endsWith(`.${entry}`));
  };
  const isOnPath = (at: readonly string[]): boolean =>
    paths.some((path) => path.length === at.length && path.every((part, i) => part === '*' || part === at[i]));

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
  if (value === null || typeof value !== 'object' || isRawNumber(value)) return value;
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
  if (/^\s*[[{]/.test(text)) {
    try {
      const inner = JSON.parse(text, exactly as Reviver) as Json;
      const redacted = walked(inner, at, work);
      const [was, is] = [JSON.stringify(inner), JSON.stringify(redacted)];
      return was === is ? text : is;
    } catch {
      // it only begins like JSON
    }
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

/** Everything in it as tokens; null stays null, and of true and false nothing is kept. */
function hidden(value: Json, work: Work): Json {
  const remember = <T extends string | number>(raw: T, token: T): T => {
    work.raws.set(String(raw), String(token));
    return token;
  };
  if (typeof value === 'string') {
    if (/^\s*[[{]/.test(value)) {
      try {
        return JSON.stringify(hidden(JSON.parse(value, exactly as Reviver) as Json, work));
      } catch {
        // it only begins like JSON
      }
    }
    return remember(value, tokenOf(value, work.key));
  }
  if (typeof value === 'number') return remember(value, tokenOfNumber(value, work.key));
  if (typeof value === 'boolean') return false;
  if (value === null) return null;
  if (isRawNumber(value)) {
    const raw = (value as unknown as { rawJSON: string }).rawJSON;
    return rawNumber(remember(raw, tokenOf(raw, work.key).replace(/^(-?)0(?=\d)/, '$11')));
  }
  if (Array.isArray(value)) return value.map((one: Json) => hidden(one, work));
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, hidden(one, work)]));
}

// What was taken out at one place must not stand at another: in a full name, a note, a header.
function withoutRaws(value: Json, raws: ReadonlyMap<string, string>, key: Buffer): Json {
  const list = [...raws].filter(([raw]) => raw.length >= SHORTEST_ELSEWHERE).sort(([a], [b]) => b.length - a.length);
  if (list.length === 0) return value;
  const inText = (text: string): string => list.reduce((rest, [raw, token]) => rest.replaceAll(raw, () => token), text);
  // The keys of the envelope and the names of columns stay; below them a key may be data.
  const clean = (one: Json, depth: number): Json => {
    if (typeof one === 'string') return inText(one);
    if (typeof one === 'number') {
      return raws.has(String(one)) && String(one).length >= SHORTEST_ELSEWHERE ? tokenOfNumber(one, key) : one;
    }
    if (one === null || typeof one !== 'object' || isRawNumber(one)) return one;
    if (Array.isArray(one)) return one.map((each: Json) => clean(each, depth + 1));
    const entries = Object.entries(one);
    return Object.fromEntries(
      entries.map(([name, inner]) => [depth < 2 ? name : inText(name), clean(inner, depth + 1)]),
    );
  };
  return clean(value, 0);
}

// Numbers that a double cannot hold go through as they were written (invariant 6). JSON.rawJSON and the source of a number
// in a reviver are in every Node that we run on, and not in TypeScript's library yet.
type Reviver = (this: unknown, name: string, value: unknown) => unknown;
interface RawJson {
  rawJSON(text: string): object;
  isRawJSON(value: unknown): boolean;
}
const raw = JSON as unknown as RawJson;

function exactly(_name: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined || survivesDouble(context.source)) return value;
  return raw.rawJSON(context.source);
}

function rawNumber(text: string): Json {
  return raw.rawJSON(text) as Json;
}

function isRawNumber(value: unknown): boolean {
  return raw.isRawJSON(value);
}

function parsed(text: string): Record<string, Json> | null {
  try {
    const event = (unsafeNumber(text) === null ? JSON.parse(text) : JSON.parse(text, exactly as Reviver)) as Json;
    return isRow(event) ? (event as Record<string, Json>) : null;
  } catch {
    return null;
  }
}
