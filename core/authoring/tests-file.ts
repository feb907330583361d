// A test file, read: its tests as values, and where each stands. Checked by schemas/transform-tests.schema.json.
// Guarantees: all findings at once, each with its place; an unknown key is an error, so that no test passes by a typo; no
// number is taken that a double cannot hold. `${…}` is text here: a test needs nothing from outside.

import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import schema from '../../schemas/transform-tests.schema.json' with { type: 'json' };
import { decodeConfig } from '../manifest/config.ts';
import { type ManifestDocument, readDocument } from '../manifest/document.ts';
import { escapePointer, type Finding, findingOf, inFileOrder } from '../manifest/finding.ts';
import { type AnySchema, lowered } from '../manifest/keywords.ts';
import { masked } from '../manifest/places.ts';
import { secretsOf } from '../manifest/secrets.ts';
import { type Row, survivesDouble } from '../values.ts';

export interface WrittenEvent {
  readonly id?: string;
  readonly op?: string;
  readonly key?: Row | null;
  readonly before?: Row | null;
  readonly after?: Row | null;
  readonly source?: Row;
  readonly transaction?: Row;
  readonly headers?: Row;
}

export interface WrittenError {
  readonly code: string;
  readonly line?: number;
  readonly column?: number;
  readonly file?: string;
  readonly message?: string;
}

export interface WrittenExpectation {
  readonly row?: Row;
  readonly rows?: readonly (Row | null)[];
  readonly event?: WrittenEvent;
  readonly events?: readonly WrittenEvent[];
  readonly exact: boolean;
  readonly filtered?: boolean | number;
  readonly error?: WrittenError | readonly WrittenError[];
  readonly delivered?: number;
  readonly skipped?: number;
  readonly dead_letter?: number;
  readonly pending?: number;
  readonly state?: 'ended' | 'waiting' | 'failed';
}

export type WrittenInjection = { readonly at?: readonly number[]; readonly times?: number } & (
  | { readonly transform: 'throws' | 'loops' | 'memory'; readonly id?: string; readonly sink?: undefined }
  | { readonly sink: string; readonly does: '429' | 429 | 'rejects' | 'away'; readonly transform?: undefined }
);

export interface WrittenTest {
  readonly name: string;
  readonly row?: Row | string;
  readonly rows?: readonly Row[];
  readonly event?: WrittenEvent | string;
  readonly events?: readonly WrittenEvent[] | string;
  readonly inject?: readonly WrittenInjection[];
  readonly expect: 'filtered' | 'snapshot' | WrittenExpectation;
}

export interface TestFile {
  /** As it was named. */
  readonly file: string;
  /** Absolute. */
  readonly path: string;
  readonly dir: string;
  readonly manifest?: string;
  readonly transformation?: string;
  readonly stream?: string;
  readonly transform?: Readonly<Record<string, unknown>>;
  readonly tests: readonly WrittenTest[];
  /** A finding of this file. */
  finding(code: string, pointer: string, message: string, fix?: string, on?: 'value' | 'key'): Finding;
  lineOf(pointer: string): number;
}

export interface ReadTests {
  /** null when there are findings. */
  readonly tests: TestFile | null;
  readonly findings: readonly Finding[];
  /** For frames: the text with what looks like a secret masked. */
  readonly text: string;
}

const testsSchema: AnySchema = lowered(schema);

export async function readTestFile(file: string): Promise<ReadTests> {
  const path = resolve(file);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'unknown';
    const message = `the test file cannot be read (${why})`;
    return { tests: null, findings: [findingOf('E_TEST_READ', { message, at: { file } })], text: '' };
  }
  const dir = dirname(path);
  const doc = readDocument(text, { file, dir, env: {}, secrets: secretsOf(), inspect: false, literal: true });
  const at = (pointer: string, on: 'value' | 'key' = 'value') => doc.places.at(pointer, on);
  const finding: TestFile['finding'] = (code, pointer, message, fix, on) =>
    findingOf(code, { message, ...(fix === undefined ? {} : { fix }), at: at(pointer, on) });
  const shown = masked(text, doc.sound ? doc.secretRanges() : []);
  const findings = doc.findings.map((one) => ({ ...one, code: codeOf(one.code) }));
  if (!doc.sound) return { tests: null, findings: inFileOrder(findings), text: shown };

  const decoded = decodeConfig(testsSchema, doc.root, { dir, code: 'E_TEST_INVALID', called: 'the test file' });
  for (const { code, pointer, message, fix, on } of decoded.findings)
    findings.push(finding(codeOf(code), pointer, message, fix, on));
  findings.push(...numbers(doc.root, '', doc, finding));
  const written = decoded.config as Pick<TestFile, 'manifest' | 'transformation' | 'stream' | 'transform' | 'tests'>;
  if (findings.length === 0) findings.push(...contradictions(written, finding));
  const tests: TestFile = {
    ...written,
    file,
    path,
    dir,
    finding,
    lineOf: (pointer) => at(pointer).line ?? 1,
  };
  return { tests: findings.length > 0 ? null : tests, findings: inFileOrder(findings), text: shown };
}

function codeOf(code: string): string {
  if (code === 'E_MANIFEST_UNKNOWN_KEY') return 'E_TEST_UNKNOWN_KEY';
  return code === 'E_MANIFEST_SYNTAX' ? 'E_TEST_SYNTAX' : code.replace(/^E_MANIFEST_.*/, 'E_TEST_INVALID');
}

// A number that a double cannot hold would reach the transform as another one (invariant 6).
function numbers(value: unknown, pointer: string, doc: ManifestDocument, finding: TestFile['finding']): Finding[] {
  const scalar = doc.scalarAt(pointer);
  if (typeof scalar?.value === 'number' && /^[-+.\d][\d.eE+-]*$/.test(scalar.source ?? '')) {
    if (survivesDouble(scalar.source!)) return [];
    const message = 'the number does not survive a double';
    return [finding('E_TEST_INVALID', pointer, message, 'put it in quotes, as a source with column types would')];
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) =>
    numbers(child, `${pointer}/${escapePointer(key)}`, doc, finding),
  );
}

const INPUTS = ['row', 'rows', 'event', 'events'] as const;
const COUNTS = ['delivered', 'skipped', 'dead_letter', 'pending', 'state'] as const;

// What no schema can say: one input, one form of outputs, and expectations that go together.
function contradictions(written: Pick<TestFile, 'tests' | 'manifest' | 'transform'>, finding: TestFile['finding']) {
  const findings: Finding[] = [];
  const say = (pointer: string, message: string, fix: string): void =>
    void findings.push(finding('E_TEST_INVALID', pointer, message, fix, 'key'));
  if (written.manifest !== undefined && written.transform !== undefined) {
    say('/transform', 'both `manifest` and `transform` say what is tested', 'keep one of them');
  }
  const names = new Map<string, number>();
  written.tests.forEach((test, i) => {
    const at = `/tests/${i}`;
    const first = names.get(test.name);
    if (first !== undefined) say(`${at}/name`, `test ${first + 1} has this name already`, 'give each its own name');
    else names.set(test.name, i);
    const inputs = INPUTS.filter((key) => test[key] !== undefined);
    if (inputs.length !== 1) {
      say(at, `a test takes one of row, rows, event and events, and this has ${inputs.length}`, 'keep one of them');
    }
    if (typeof test.expect === 'string') {
      if (test.inject !== undefined) {
        say(`${at}/expect`, '`inject` needs counts to be expected', 'write `expect: { delivered: 1 }`');
      }
      return;
    }
    const { expect } = test;
    if (INPUTS.filter((key) => expect[key] !== undefined).length > 1) {
      say(`${at}/expect`, 'only one of row, rows, event and events can be expected', 'keep one of them');
    }
    const named = Object.keys(expect).filter((key) => key !== 'exact');
    if (named.length === 0) say(`${at}/expect`, 'nothing is expected', 'write `expect: filtered`, or what comes out');
    if (test.inject !== undefined && !COUNTS.some((key) => expect[key] !== undefined)) {
      say(`${at}/expect`, '`inject` needs counts to be expected', 'write `expect: { delivered: 1 }`');
    }
  });
  return findings;
}
