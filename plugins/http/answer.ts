// What an answer of the endpoint means for the events that were sent.
// Three meanings, never mixed: taken (perhaps with a word on each event), refused (it will never fit), away (not now).
// A status that is about us or about the address (401, 403, 404, 405, 407, 410) means away, not refused: a token that ran
// out or a route that is missing for a minute must not drain a healthy stream into the dead letters.

import { isRow, type SluiceError, sluiceError, type WriteResult } from 'sluice/sdk';
import { type Answer, because } from './request.ts';

export type Verdict =
  | { readonly is: 'taken' }
  | { readonly is: 'each'; readonly results: readonly WriteResult[] }
  | { readonly is: 'refused'; readonly error: SluiceError }
  | { readonly is: 'away'; readonly error: SluiceError; readonly retryAfterMs?: number };

export interface Reading {
  /** How many events were sent. */
  readonly events: number;
  readonly successCodes: readonly number[] | undefined;
  mask(text: string): string;
}

const AWAY: Readonly<Record<number, string>> = {
  401: 'check `token`, `headers` or `auth_id`: the endpoint does not accept them',
  403: 'give the user of `token`, `headers` or `auth_id` the right to send',
  404: 'check `url`: the endpoint knows no such path',
  405: 'check `method`: the endpoint does not take it at this path',
  407: 'check the proxy between here and the endpoint',
  408: 'look at the endpoint',
  410: 'check `url`: the endpoint says that the path is gone',
  421: 'check `url`: the endpoint does not answer for this host',
  425: 'look at the endpoint',
  429: 'look at the endpoint’s limits',
};

export function verdictOf(answer: Answer, reading: Reading): Verdict {
  const { status } = answer;
  const taken = reading.successCodes?.includes(status) ?? (status >= 200 && status <= 299);
  if (taken) return eachOf(answer, reading) ?? { is: 'taken' };
  if (status >= 400 && status <= 499 && AWAY[status] === undefined) {
    const each = eachOf(answer, reading);
    // "Refused" with a word on each event is a better answer than refused as a whole, unless the words contradict it.
    if (each?.is === 'each' && each.results.some((result) => result.status !== 'ok')) return each;
    return {
      is: 'refused',
      error: refusal(`the endpoint answered ${status}${said(answer.body, reading)}`, `HTTP_${status}`),
    };
  }
  const retryAfterMs = retryAfter(answer.headers['retry-after'], Date.now());
  const error = sluiceError('E_SINK_WRITE', {
    message: `the endpoint answered ${status}${said(answer.body, reading)}`,
    fix: AWAY[status] ?? (status < 400 ? 'check `url` and `success_codes`' : 'look at the endpoint'),
    cause: because(`HTTP_${status}`),
  });
  return { is: 'away', error, ...(retryAfterMs === null ? {} : { retryAfterMs }) };
}

/** A longer wait is cut to this: to ask once an hour harms nobody, and a wrong date must not stop a stream for years. */
const LONGEST_WAIT = 3_600_000;

/** Milliseconds, from seconds or an HTTP date; null when the header is missing or is neither. */
export function retryAfter(header: string | undefined, now: number): number | null {
  if (header === undefined) return null;
  const text = header.trim();
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : /[a-z]/i.test(text) ? Date.parse(text) - now : Number.NaN;
  if (Number.isNaN(ms)) return null;
  return Math.min(Math.max(0, ms), LONGEST_WAIT);
}

// `{ "results": [{ "status": "ok" | "retry" | "reject", "error"? }] }`, one for each event that was sent.
function eachOf(answer: Answer, reading: Reading): Verdict | null {
  if (!answer.body.trimStart().startsWith('{')) return null;
  let body: unknown;
  try {
    body = JSON.parse(answer.body);
  } catch {
    return null;
  }
  const given = isRow(body) ? body['results'] : undefined;
  if (!Array.isArray(given) || given.length === 0 || !given.every(isResult)) return null; // somebody else's `results`
  if (given.length !== reading.events) {
    const message = `the endpoint answered for ${given.length} events, and ${reading.events} were sent`;
    return {
      is: 'away',
      error: sluiceError('E_SINK_RESULTS', { message, fix: 'have it give one result per event, in order' }),
    };
  }
  const retryAfterMs = retryAfter(answer.headers['retry-after'], Date.now());
  return { is: 'each', results: given.map((result) => writeResult(result, reading, retryAfterMs)) };
}

interface GivenResult {
  readonly status: 'ok' | 'retry' | 'reject';
  readonly error?: unknown;
}

function isResult(value: unknown): value is GivenResult {
  return isRow(value) && (value['status'] === 'ok' || value['status'] === 'retry' || value['status'] === 'reject');
}

function writeResult(result: GivenResult, reading: Reading, retryAfterMs: number | null): WriteResult {
  if (result.status === 'ok') return { status: 'ok' };
  const words =
    typeof result.error === 'string' ? result.error : isRow(result.error) ? String(result.error['message'] ?? '') : '';
  if (result.status === 'reject') {
    return { status: 'reject', error: refusal(`the endpoint refused the event${said(words, reading)}`) };
  }
  const error = sluiceError('E_SINK_WRITE', {
    message: `the endpoint asks to send the event again${said(words, reading)}`,
  });
  return { status: 'retry', error, ...(retryAfterMs === null ? {} : { retryAfterMs }) };
}

function refusal(message: string, code?: string): SluiceError {
  return sluiceError('E_SINK_REJECT', { message, ...(code === undefined ? {} : { cause: because(code) }) });
}

const SAID = 200;

// The endpoint's own words are what helps most in a dead letter; they are masked before they are cut, so that no half of
// a secret stays, and have no control characters, so that they cannot draw on a terminal.
function said(text: string, reading: Reading): string {
  const words = reading
    .mask(text)
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim();
  if (words === '') return '';
  return words.length > SAID ? `: ${words.slice(0, SAID).toWellFormed()}…` : `: ${words}`;
}
