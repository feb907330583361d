// How verbs speak: data on stdout, everything else on stderr; one form for errors everywhere; exit codes by class.

import { type ErrorClass, errorCodes } from '../error-codes.ts';
import { type ErrorData, type ErrorPlace, type SluiceError, toSluiceError } from '../errors.ts';
import type { Finding } from '../manifest/load.ts';
import type { Mask } from '../observe/mask.ts';

const EXIT: Readonly<Record<ErrorClass, number>> = { runtime: 1, invalid: 2, environment: 3 };

export function exitCodeOf(error: SluiceError): number {
  return EXIT[error.class];
}

export function exitCodeOfCode(code: string): number {
  return EXIT[errorCodes[code]?.class ?? 'invalid'];
}

/** The worst of several: environment before invalid before runtime. */
export function worst(codes: readonly number[]): number {
  return codes.reduce((a, b) => Math.max(a, b), 0);
}

export async function printData(text: string): Promise<void> {
  await write(text.endsWith('\n') ? text : `${text}\n`);
}

async function write(text: string): Promise<void> {
  await new Promise<void>((resolve) => {
    process.stdout.write(text, () => resolve());
  });
}

export async function printJson(value: unknown): Promise<void> {
  await printData(JSON.stringify(value, null, 2));
}

/**
 * Prints `{ …head, "<name>": [ … ] }` as its items come, so that a list of any length takes the memory of one page. What is
 * thrown in between ends the list, stands beside it as `error`, and gives the exit code; before the first item it is thrown on.
 */
export async function printJsonList(
  head: object,
  name: string,
  pages: AsyncIterable<readonly unknown[]>,
): Promise<number> {
  const indented = (value: unknown, by: string): string => JSON.stringify(value, null, 2).replaceAll('\n', `\n${by}`);
  const members = Object.entries(head).map(([key, value]) => `  ${JSON.stringify(key)}: ${indented(value, '  ')},\n`);
  const opening = `{\n${members.join('')}  ${JSON.stringify(name)}: [`;
  let begun = false;
  let exit = 0;
  let error = '';
  try {
    for await (const page of pages) {
      const text = page.map((item) => `\n    ${indented(item, '    ')}`).join(',');
      if (page.length > 0) await write(`${begun ? ',' : opening}${text}`);
      begun ||= page.length > 0;
    }
  } catch (thrown) {
    if (!begun) throw thrown;
    exit = exitCodeOf(toSluiceError(thrown));
    error = `,\n  "error": ${indented(shownError(toSluiceError(thrown)), '  ')}`;
  }
  await write(`${begun ? '\n  ]' : `${opening}]`}${error}\n}\n`);
  return exit;
}

export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** From now on every error is shown through this: a message or a place may hold what came from a variable or a file. */
export function maskErrorsWith(mask: Mask): void {
  errorMask = mask;
}

let errorMask: Mask | null = null;

/** An error as it may be shown. */
export function shownError(error: ErrorData | SluiceError): ErrorData {
  const data = error instanceof Error ? error.toJSON() : error;
  return errorMask === null ? data : (errorMask.value(data) as ErrorData);
}

/** Prints an error as people read it; with --json as `{ error }` on stdout. Returns the exit code. */
export async function printError(
  thrown: unknown,
  options: { readonly json: boolean; readonly verbose: boolean },
): Promise<number> {
  const error = toSluiceError(thrown);
  const shown = shownError(error);
  if (options.json) await printJson({ error: shown });
  else {
    const place = shown.at?.file === undefined ? '' : `  ${placeText(shown.at)}`;
    say(`✗ ${shown.code}${place}`);
    say(`    ${shown.message}`);
    if (shown.fix !== undefined) say(`    → ${shown.fix}`);
    if (options.verbose || error.code === 'E_INTERNAL') {
      const stack = String((error.cause as Error | undefined)?.stack ?? error.stack);
      say(errorMask === null ? stack : errorMask.text(stack));
    }
  }
  return exitCodeOf(error);
}

/** `file:line:column`, as far as they are known. */
export function placeText(at: ErrorPlace): string {
  return [at.file, at.line, at.column].filter((part) => part !== undefined).join(':');
}

/** How wide the columns of a table are. */
export function widthsOf(rows: readonly (readonly string[])[]): readonly number[] {
  return rows[0]?.map((_, k) => rows.reduce((most, row) => Math.max(most, row[k]?.length ?? 0), 0)) ?? [];
}

/** A table with aligned columns; the last column is not padded. */
export function table(rows: readonly (readonly string[])[], widths = widthsOf(rows)): string {
  return rows
    .map((row) => row.map((cell, k) => (k === row.length - 1 ? cell : cell.padEnd(widths[k]!))).join('  '))
    .join('\n');
}

export function hasErrors(findings: readonly Finding[]): boolean {
  return findings.some((finding) => finding.severity === 'error');
}
