// Errors as data: one type, one table of codes (error-codes.ts), the same object in the CLI, --json, the API and dead letters.
// A message never holds a configuration value. Branded by Symbol.for, so that an error from another copy of the
// package is still one of ours.

import { type ErrorClass, errorCodes } from './error-codes.ts';

export type { ErrorClass } from './error-codes.ts';

/** A place: in a manifest (file, line, column, pointer), in a transform (file, line, column), or in a source's input. */
export interface ErrorPlace {
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
  /** From 1, in UTF-16 units. */
  readonly column?: number;
  /** JSON Pointer into the manifest. */
  readonly pointer?: string;
}

export interface ErrorDetails {
  readonly message: string;
  /** What to do about it, as a sentence in the imperative. By default the fix of the code's row in the table. */
  readonly fix?: string;
  readonly at?: ErrorPlace;
  readonly cause?: unknown;
  /** Trying again will not help: the stream ends as `failed` at once, whatever its retry policy. */
  readonly permanent?: boolean;
  /** Decides the exit code: invalid 2, runtime 1, environment 3. By default that of the code's row, else runtime. */
  readonly class?: ErrorClass;
}

/** The JSON form of an error. */
export interface ErrorData {
  readonly code: string;
  readonly message: string;
  readonly fix?: string;
  readonly at?: ErrorPlace;
  readonly cause?: { readonly code?: string; readonly message: string };
}

const BRAND = Symbol.for('sluice.error');

export class SluiceError extends Error {
  readonly code: string;
  readonly fix: string | undefined;
  readonly at: ErrorPlace | undefined;
  readonly permanent: boolean;
  readonly class: ErrorClass;
  readonly [BRAND] = true;

  constructor(code: string, details: ErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    const known = errorCodes[code];
    this.name = 'SluiceError';
    this.code = code;
    this.fix = details.fix ?? known?.fix;
    this.at = details.at;
    this.permanent = details.permanent ?? false;
    this.class = details.class ?? known?.class ?? 'runtime';
  }

  toJSON(): ErrorData {
    const cause = this.cause === undefined ? undefined : causeData(this.cause);
    return {
      code: this.code,
      message: this.message,
      ...(this.fix === undefined ? {} : { fix: this.fix }),
      ...(this.at === undefined ? {} : { at: this.at }),
      ...(cause === undefined ? {} : { cause }),
    };
  }
}

/**
 * @example
 * throw sluiceError('E_CONFIG_INVALID', { message: 'tables must have at least one table', fix: 'add a table' });
 */
export function sluiceError(code: string, details: ErrorDetails): SluiceError {
  return new SluiceError(code, details);
}

export function isSluiceError(value: unknown): value is SluiceError {
  return typeof value === 'object' && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true;
}

/** Whatever was thrown, as one of ours: unknown things get `code` (E_INTERNAL by default) and stay reachable as the cause. */
export function toSluiceError(thrown: unknown, code = 'E_INTERNAL'): SluiceError {
  if (isSluiceError(thrown)) return thrown;
  return new SluiceError(code, { message: messageOf(thrown), cause: thrown });
}

/** The message of anything thrown. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message || thrown.name;
  return String(thrown);
}

/** The codes by which an error can be known: its own and those of its causes (a driver's `ECONNREFUSED`, a SQLSTATE). */
export function codesOf(thrown: unknown): string[] {
  const codes: string[] = [];
  for (let e = thrown, depth = 0; typeof e === 'object' && e !== null && depth < 8; depth++) {
    const code = (e as { code?: unknown }).code;
    if (typeof code === 'string' || typeof code === 'number') codes.push(String(code));
    e = (e as { cause?: unknown }).cause;
  }
  return codes;
}

function causeData(cause: unknown): { code?: string; message: string } {
  const code = codesOf(cause)[0];
  return { ...(code === undefined ? {} : { code }), message: messageOf(cause) };
}
