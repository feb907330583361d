// Takes known secrets out of whatever is about to be shown: log records, errors, messages.
// Guarantee: no known secret of four characters or more stands in what comes out, in whatever text, key or nested value it
// stood, also in its URL-encoded, JSON-escaped or base64 form, and also the password inside of a secret URL. Shorter ones
// are masked only as whole values: `${env:DIR:-.}` makes "." a secret, and masking every dot would hide everything.

import { isSluiceError } from '../errors.ts';

export interface Mask {
  text(text: string): string;
  /** A plain copy, safe to stringify: errors opened up, secrets masked, circles and depth cut. */
  value(value: unknown): unknown;
}

const MASKED = '***';
const SHORT = 4;
const MAX_DEPTH = 12;

export function secretMask(secrets: Iterable<string>): Mask {
  const forms = new Set<string>();
  const whole = new Set<string>();
  for (const secret of secrets) {
    for (const one of partsOf(secret)) {
      if (one.length === 0) continue;
      if (one.length < SHORT) whole.add(one);
      else for (const form of formsOf(one)) forms.add(form);
    }
  }
  // the longest first, so that a secret that holds another is masked as one
  const ordered = [...forms].sort((a, b) => b.length - a.length);
  const pattern =
    ordered.length === 0
      ? null
      : new RegExp(ordered.map((form) => form.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|'), 'g');

  const text = (given: string): string => {
    if (whole.has(given)) return MASKED;
    return pattern === null ? given : given.replace(pattern, MASKED);
  };

  const value = (given: unknown, depth: number, above: readonly object[]): unknown => {
    if (typeof given === 'string') return text(given);
    if (typeof given === 'number' || typeof given === 'bigint') {
      const masked = text(String(given));
      return masked === String(given) && typeof given === 'number' ? given : masked;
    }
    if (typeof given === 'function' || typeof given === 'symbol') return undefined;
    if (typeof given !== 'object' || given === null) return given;
    if (depth > MAX_DEPTH || above.includes(given)) return '…';
    const below = [...above, given];
    const inner = (one: unknown): unknown => value(one, depth + 1, below);
    if (given instanceof Error) return errorValue(given, inner);
    if (given instanceof Date) return text(Number.isNaN(given.getTime()) ? 'invalid date' : given.toISOString());
    if (ArrayBuffer.isView(given)) return `${given.byteLength} bytes`;
    if (Array.isArray(given)) return given.map(inner);
    if (given instanceof Map) return inner(Object.fromEntries(given));
    if (given instanceof Set) return inner([...given]);
    const entries = Object.entries(given).map(([key, one]) => [text(key), inner(one)] as const);
    return Object.fromEntries(entries);
  };

  return { text, value: (given) => value(given, 0, []) };
}

// An error's own fields, in the order in which one reads them. The stack only of what is no error of ours: a fault in code.
function errorValue(error: Error, inner: (value: unknown) => unknown): unknown {
  const ours = isSluiceError(error);
  const out: Record<string, unknown> = {};
  const code = (error as { code?: unknown }).code;
  if (code !== undefined) out['code'] = inner(code);
  if (!ours) out['name'] = inner(error.name);
  out['message'] = inner(error.message);
  if (ours && error.fix !== undefined) out['fix'] = inner(error.fix);
  if (ours && error.at !== undefined) out['at'] = inner(error.at);
  if (!ours && error.stack !== undefined) out['stack'] = inner(error.stack);
  if (error.cause !== undefined) out['cause'] = inner(error.cause);
  if (error instanceof AggregateError) out['errors'] = inner(error.errors);
  return out;
}

// What is secret in a secret: itself without the line end of its file, the lines of a long one (a key in PEM, of which an
// error may show one), and the password of a URL.
function partsOf(secret: string): string[] {
  const parts = [secret, secret.trim()];
  const lines = secret.split(/\r?\n/).map((line) => line.trim());
  if (lines.length > 1) parts.push(...lines.filter((line) => line.length >= 16 && !line.startsWith('-----')));
  const password = /^[a-z][a-z0-9+.-]*:\/\/[^/@\s]*?:([^\s]*)@/i.exec(secret)?.[1];
  if (password !== undefined && password !== '') {
    parts.push(password);
    try {
      parts.push(decodeURIComponent(password));
    } catch {
      // not percent-encoded: then it stands in clear, and is in the list already
    }
  }
  return parts;
}

function formsOf(secret: string): string[] {
  const encoded = secret.toWellFormed();
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(encoded),
    encodeURIComponent(encoded).replace(/%20/g, '+'),
    Buffer.from(secret, 'utf8').toString('base64').replace(/=+$/, ''),
  ];
}
