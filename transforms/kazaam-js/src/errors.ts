// The one error that this package throws, in Kazaam's three kinds. The message is the text that the Go program prints, so that
// logs and alerts written for it keep working; what Go gives as a plain error (`Key path not found`) is a ParseError here,
// with Go's text unchanged.

export type ErrorKind = 'ParseError' | 'RequireError' | 'SpecError';

const CODES = { ParseError: 0, RequireError: 1, SpecError: 2 } as const;

/** `type`: what was wrong: the data, a path that `require` asks for, or the spec. `code`: Go's number for it. */
export class KazaamError extends Error {
  readonly type: ErrorKind;
  readonly code: 0 | 1 | 2;
  /** The number of the step, from 0; undefined for errors of the spec as a whole. */
  step: number | undefined;
  /** Where in the spec's text the error is, or the step that it is in; undefined for errors of the data. */
  offset: number | undefined;

  constructor(type: ErrorKind, message: string) {
    super(message);
    this.name = type;
    this.type = type;
    this.code = CODES[type];
    this.step = undefined;
    this.offset = undefined;
  }
}

/** With Kazaam's prefix. */
export const parseError = (message: string): KazaamError => new KazaamError('ParseError', `ParseError - ${message}`);

export const specError = (message: string): KazaamError => new KazaamError('SpecError', `SpecError - ${message}`);

// `RequiredError`, with a d: Go prints it so
export const requireError = (): KazaamError => new KazaamError('RequireError', 'RequiredError - Path does not exist');

/** Without a prefix: what Go's parsers say and Kazaam hands on. */
export const plainError = (message: string): KazaamError => new KazaamError('ParseError', message);

export const NOT_FOUND = 'Key path not found';
export const MALFORMED = 'Malformed JSON error';
export const MALFORMED_ARRAY = "Value is array, but can't find closing ']' symbol";
