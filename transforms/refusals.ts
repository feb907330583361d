// What a refusal of the sandbox means for an event, as an error with a code and a place in the author's file; and what a function
// with scope event may change in an envelope.

import {
  canonical,
  type ErrorPlace,
  type EventBatch,
  type Json,
  type Op,
  type Row,
  type SluiceError,
  sluiceError,
} from 'sluice/sdk';
import type { TransformRule } from '../core/manifest/model.ts';
import type { Refused } from '../sandbox/index.ts';

/** From the number of a module, and a place in it, to the author's file. */
export type PlaceOf = (module: number, line: number, column: number) => ErrorPlace;

export interface HeadChange {
  readonly op?: Op;
  readonly key?: Row | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The place of a stack's frame: the modules stand one line further down in the script that runs. */
export function authorsPlace([module, line, column]: readonly [number, number, number], placeOf: PlaceOf): ErrorPlace {
  return placeOf(module, line - 1, column);
}

/** Inline code stands indented in the manifest: all its lines begin at the offset's column. */
export function placeFrom(
  offset: { readonly line: number; readonly column: number },
  line: number,
  column: number,
): { line: number; column: number } {
  return { line: line + offset.line - 1, column: column + offset.column - 1 };
}

const REASONS: Readonly<Record<string, readonly [string, (rule: TransformRule) => string] | undefined>> = {
  parse: ['E_EVENT_PARSE', () => 'the row is no JSON object'],
  output: ['E_TRANSFORM_OUTPUT', () => 'the result is no valid row or event'],
  shape: ['E_TRANSFORM_LOAD', () => 'the module has no default export that is a function'],
  fan_out: ['E_TRANSFORM_FAN_OUT', () => 'too many results'],
  depth: ['E_TRANSFORM_DEPTH', () => 'nested too deep'],
  timeout: ['E_TRANSFORM_TIMEOUT', ({ limits }) => `the transform took longer than ${limits.timeout} ms on this event`],
  memory: [
    'E_TRANSFORM_MEMORY',
    ({ limits }) =>
      `the transform took more memory than its limit of ${Math.round(limits.memory / 1048576)} MiB on this event`,
  ],
  parked: ['E_TRANSFORM_PARKED', () => 'the transform is parked'],
  crash: ['E_TRANSFORM_CRASH', () => 'the transform ended its sandbox on this event'],
};

export function errorOf(refused: Refused, rule: TransformRule, placeOf: PlaceOf): SluiceError {
  const { why, place } = refused;
  const at = place === null ? { file: rule.file } : authorsPlace(place, placeOf);
  const known = REASONS[why];
  if (known === undefined) {
    const { code, message } = refused;
    const cause = code === undefined ? {} : { cause: Object.assign(new Error(message), { code }) };
    return sluiceError('E_TRANSFORM_RUNTIME', { message, at, ...cause });
  }
  const [code, message] = known;
  const text = refused.message === '' ? message(rule) : refused.message;
  return code.startsWith('E_EVENT') ? sluiceError(code, { message: text }) : sluiceError(code, { message: text, at });
}

/** What the function changed; null for nothing; an error when it is not its own to change. */
export function compareHeads(
  batch: EventBatch,
  i: number,
  text: string,
  file: string,
): HeadChange | SluiceError | null {
  const given = JSON.parse(text) as Record<string, Json | undefined>;
  const own = JSON.parse(batch.head(i)) as Record<string, Json | undefined>;
  for (const name of ['id', 'source', 'transaction']) {
    if (given[name] === undefined ? own[name] !== undefined : canonical(given[name]) !== canonical(own[name])) {
      return sluiceError('E_TRANSFORM_ENVELOPE', {
        message: `the transform ${given[name] === undefined ? 'dropped' : 'changed'} \`${name}\`, which is the engine's`,
        fix: 'return { ...event, after: … } and leave id, source and transaction as they are',
        at: { file },
      });
    }
  }
  const change: { op?: Op; key?: Row | null; headers?: Record<string, string> } = {};
  if (given['op'] !== own['op']) change.op = given['op'] as Op;
  if (canonical(given['key']) !== canonical(own['key'])) change.key = (given['key'] ?? null) as Row | null;
  if (canonical(given['headers']) !== canonical(own['headers'])) {
    change.headers = (given['headers'] ?? {}) as Record<string, string>;
  }
  return Object.keys(change).length === 0 ? null : change;
}
