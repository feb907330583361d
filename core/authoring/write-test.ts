// A test written from what was seen: an event, and what a transformation made of it, become an entry of a test file.
// Guarantees: comments and the order of what is there stay; an event that YAML or a double would change is refused.

import { type Document, isSeq, LineCounter, parseDocument } from 'yaml';
import { type ErrorData, sluiceError } from '../errors.ts';
import { asWritten, writerFor } from '../manifest/as-written.ts';
import { isRow, type Json, type Row, unsafeNumber } from '../values.ts';

/** An entry of `tests`. */
export interface NewTest {
  readonly name: string;
  readonly event: Row;
  readonly expect: Json;
}

const HEAD = '# yaml-language-server: $schema=./node_modules/sluice/schemas/transform-tests.schema.json\n';
// What a test may say of an event (schemas/transform-tests.schema.json): the time of reading is not a part of it.
const FIELDS = ['id', 'op', 'key', 'before', 'after', 'source', 'transaction', 'headers'] as const;
// The rest is the engine's and follows from the event.
const EXPECTED = ['op', 'key', 'before', 'after'] as const;

/** `event`, `outputs`: envelopes. @throws SluiceError E_TEST_INVALID */
export function testEntry(name: string, event: string, outputs: readonly string[], error: ErrorData | null): NewTest {
  return { name, event: fieldsOf(event, FIELDS), expect: expectation(outputs, error) };
}

function expectation(outputs: readonly string[], error: ErrorData | null): Json {
  if (error !== null) {
    const { line } = error.at ?? {};
    return { error: { code: error.code, ...(line === undefined ? {} : { line }) } };
  }
  if (outputs.length === 0) return 'filtered';
  const events = outputs.map((text) => fieldsOf(text, EXPECTED));
  return events.length === 1 ? { event: events[0]! } : { events };
}

function fieldsOf(text: string, names: readonly string[]): Row {
  if (unsafeNumber(text) !== null) {
    const message = 'the event holds a number that does not survive a double, so a test cannot say it';
    throw sluiceError('E_TEST_INVALID', { message, fix: 'put it in quotes in the event' });
  }
  const event = JSON.parse(text) as Json;
  if (!isRow(event)) throw sluiceError('E_TEST_INVALID', { message: 'the event is no object' });
  return Object.fromEntries(names.flatMap((name) => (event[name] === undefined ? [] : [[name, event[name]]])));
}

/**
 * The text of a test file with one more test, and the line that it begins at. null: a new file, which names its
 * transformation so that it is found from anywhere. @throws SluiceError E_TEST_SYNTAX, E_TEST_INVALID
 */
export function withTest(
  text: string | null,
  target: { readonly manifest: string; readonly transformation: string },
  test: NewTest,
): { readonly text: string; readonly line: number } {
  const doc = parseDocument(text ?? HEAD, { keepSourceTokens: true });
  if (doc.errors.length > 0) {
    throw sluiceError('E_TEST_SYNTAX', { message: 'the test file is no YAML, so nothing can be added to it' });
  }
  const write = writerFor(text ?? '');
  const before = write(doc);
  if (doc.contents === null) {
    const { commentBefore, comment } = doc;
    doc.contents = doc.createNode({ ...target, tests: [] }) as unknown as typeof doc.contents;
    doc.commentBefore = commentBefore ?? comment;
    doc.comment = null;
  }
  const tests = doc.get('tests');
  if (!isSeq(tests)) throw sluiceError('E_TEST_INVALID', { message: '`tests` of the test file is no list' });
  const names = (tests.toJSON() as readonly { readonly name?: unknown }[]).map((one) => one?.name);
  if (names.includes(test.name)) {
    throw sluiceError('E_TEST_INVALID', {
      message: 'the file has a test of this name',
      fix: 'give it another name',
    });
  }
  tests.flow = false;
  tests.add(doc.createNode(test));
  const after = write(doc);
  const written = text === null ? after : asWritten(text, before, after);
  return { text: written, line: lineOfLast(written) };
}

function lineOfLast(text: string): number {
  const lines = new LineCounter();
  const doc: Document = parseDocument(text, { lineCounter: lines });
  const tests = doc.get('tests');
  const last = isSeq(tests) ? (tests.items.at(-1) as { readonly range?: readonly number[] | null }) : undefined;
  return lines.linePos(last?.range?.[0] ?? 0).line;
}
