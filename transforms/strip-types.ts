// TypeScript to JavaScript by Node's own stripper: types become spaces, so that every line and column stays.
// Node says once that its stripper is experimental. That is no news for whoever runs a stream, and it would stand between the
// lines of our own log, so this one warning (and no other) is held back.

import { stripTypeScriptTypes } from 'node:module';

/** @throws what Node's stripper throws, `code` ERR_INVALID_TYPESCRIPT_SYNTAX or ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX */
export function stripQuietly(source: string): string {
  const { emitWarning } = process;
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    if (/stripTypeScriptTypes/.test(String(warning))) return;
    (emitWarning as (...args: unknown[]) => void).call(process, warning, ...rest);
  }) as typeof process.emitWarning;
  try {
    return stripTypeScriptTypes(source, { mode: 'strip' });
  } finally {
    process.emitWarning = emitWarning;
  }
}
