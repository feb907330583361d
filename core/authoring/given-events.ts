// The events of a test, from what its author wrote: a row, an event with only the fields that matter, or a file of them.
// What is left out gets a plain value, always the same, so that a test gives the same bytes wherever it runs.

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { splitEnvelope } from '../envelope.ts';
import { isSluiceError } from '../errors.ts';
import type { ChangeEvent, Op } from '../event.ts';
import type { Finding } from '../manifest/finding.ts';
import { isRow, type Row, unsafeNumber } from '../values.ts';
import type { TestFile, WrittenEvent, WrittenTest } from './tests-file.ts';

export interface Given {
  readonly events: readonly ChangeEvent[];
  readonly findings: readonly Finding[];
}

/** `pointer`: of the test in its file. */
export async function givenEventsOf(test: WrittenTest, pointer: string, file: TestFile): Promise<Given> {
  const findings: Finding[] = [];
  const key = (['row', 'rows', 'event', 'events'] as const).find((name) => test[name] !== undefined)!;
  const at = `${pointer}/${key}`;
  let values: readonly unknown[];
  const written = test[key]!;
  if (typeof written === 'string') {
    const read = await eventFile(resolve(file.dir, written));
    if (typeof read === 'string')
      return { events: [], findings: [file.finding('E_TEST_READ', at, read, 'check the file')] };
    values = read;
  } else {
    values = key === 'rows' || key === 'events' ? (written as readonly unknown[]) : [written];
  }
  if ((key === 'row' || key === 'event') && values.length !== 1) {
    const message = `the file holds ${values.length} values, and \`${key}\` is one`;
    findings.push(file.finding('E_TEST_INVALID', at, message, key === 'event' ? 'write `events`' : 'write `events`'));
  }
  const isRowKey = key === 'row' || key === 'rows';
  const events = values.map((value, i) =>
    plainEvent(isRowKey && isRow(value) ? { after: value } : (value as WrittenEvent), i + 1),
  );
  events.forEach((event, i) => {
    const wrong = shapeError(event);
    const where = written === values ? `${at}/${i}` : at;
    if (wrong !== null) findings.push(file.finding('E_TEST_INVALID', where, wrong, 'see change-event.schema.json'));
  });
  if (new Set(events.map((event) => event.id)).size < events.length) {
    findings.push(file.finding('E_TEST_INVALID', at, 'two events have one id', 'give each its own, or leave it out'));
  }
  return { events, findings };
}

/** The values of a file: NDJSON, or JSON (an array is several). A text: why it cannot be read. */
export async function eventFile(path: string): Promise<readonly unknown[] | string> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    return `the file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`;
  }
  if (unsafeNumber(text) !== null) return 'the file holds a number that does not survive a double';
  try {
    const whole = JSON.parse(text) as unknown;
    return Array.isArray(whole) ? whole : [whole];
  } catch {
    // then it is lines of JSON
  }
  const values: unknown[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    try {
      values.push(JSON.parse(line));
    } catch {
      return `line ${i + 1} of the file is no JSON`;
    }
  }
  return values;
}

/** `n`: its number, from 1, which is its id where it has none. */
export function plainEvent(given: WrittenEvent, n: number): ChangeEvent {
  const { before = null, after = null } = given;
  const op = (given.op ?? (after === null && before !== null ? 'd' : before !== null ? 'u' : 'c')) as Op;
  const source = { plugin: 'test', stream: 'test', db: 'test', table: 'test', snapshot: op === 'r', ts_ms: 0 };
  return {
    ...(given as Partial<ChangeEvent>),
    id: given.id ?? `event-${n}`,
    op,
    key: given.key ?? null,
    before,
    after,
    source: { ...source, ...(given.source as Row | undefined) },
    ts_ms: 0,
  };
}

/** Why it is no event, or null. */
export function shapeError(event: ChangeEvent): string | null {
  try {
    splitEnvelope(JSON.stringify(event));
    return null;
  } catch (thrown) {
    if (!isSluiceError(thrown)) throw thrown;
    return thrown.message.replace('the line is', 'this is');
  }
}
