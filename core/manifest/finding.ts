// A finding: one thing that is wrong with a manifest, as data, with the place to mend it.
// Guarantees: no finding shows a value of the manifest; it may show a key, a kind, what is allowed, or the name of a variable.

import { type ErrorData, type ErrorPlace, sluiceError } from '../errors.ts';

export interface Finding extends ErrorData {
  /** An error keeps the manifest from running; a warning does not. */
  readonly severity: 'error' | 'warning';
}

/** A finding that is not placed in the file yet: by its JSON Pointer, at the value there or at its key. */
export interface Problem {
  readonly code: string;
  readonly pointer: string;
  readonly on: 'value' | 'key';
  readonly message: string;
  readonly fix: string;
  readonly severity?: 'error' | 'warning';
}

/** Through sluiceError, so that the table of codes fills in the fix. */
export function findingOf(
  code: string,
  details: { message: string; fix?: string; at?: ErrorPlace; severity?: 'error' | 'warning' },
): Finding {
  const { severity = 'error', ...rest } = details;
  return { ...sluiceError(code, rest).toJSON(), severity };
}

/** In the order of the file. The same finding at the same place (an anchor that is used twice) stands once. */
export function inFileOrder(findings: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  const once = findings.filter((finding) => {
    const { at } = finding;
    const id = JSON.stringify([finding.code, at?.file, at?.line, at?.column, finding.message]);
    return seen.has(id) ? false : seen.add(id);
  });
  const main = once[0]?.at?.file;
  return once.sort(
    (a, b) =>
      Number(a.at?.file !== main) - Number(b.at?.file !== main) ||
      (a.at?.file ?? '').localeCompare(b.at?.file ?? '') ||
      (a.at?.line ?? 0) - (b.at?.line ?? 0) ||
      (a.at?.column ?? 0) - (b.at?.column ?? 0),
  );
}

export function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

export function unescapePointer(key: string): string {
  return key.replaceAll('~1', '/').replaceAll('~0', '~');
}
