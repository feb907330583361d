// What the tests of this room share: rules and events with sensible defaults, and a transform that ends with the test.
// Not used by anything but tests.

import { batchOf, type ChangeEvent, type EventBatch, type Logger, type Row, type TransformResult } from 'sluice/sdk';
import { afterAll } from 'vitest';
import type { Languages, LoadedTransform } from '../core/languages.ts';
import type { TransformLimits, TransformRule } from '../core/manifest/model.ts';
import { createLanguages } from './index.ts';

export const LIMITS: TransformLimits = {
  timeout: 200,
  memory: 128 << 20,
  output: 1 << 20,
  fan_out: 1000,
  logs: 64 << 10,
  load: 2000,
  input: 8 << 20,
  depth: 100,
  deaths: 30,
};

export type RuleParts = Partial<Omit<TransformRule, 'limits'>> & { readonly limits?: Partial<TransformLimits> };

export function ruleOf(source: string, parts: RuleParts = {}): TransformRule {
  return {
    id: 'under-test',
    type: 'javascript',
    scope: 'row',
    images: 'key',
    state: 'reset',
    source,
    file: 'transform.js',
    offset: { line: 1, column: 1 },
    dir: import.meta.dirname,
    error_handling: { on_error: 'dead_letter', max_retries: 0, retry_delay: 0, then: 'dead_letter' },
    at: {},
    ...parts,
    limits: { ...LIMITS, ...parts.limits },
  };
}

export function eventOf(id: number | string, parts: Partial<ChangeEvent> = {}): ChangeEvent {
  return {
    id: `e${id}`,
    op: 'c',
    key: { id },
    before: null,
    after: { id, name: `n${id}` },
    source: {
      plugin: 'test',
      stream: 's',
      db: 'd',
      schema: 'public',
      table: 't',
      snapshot: false,
      ts_ms: 1_700_000_000_000,
    },
    ts_ms: 1,
    ...parts,
  };
}

export function batchOfIds(count: number, row: (i: number) => Row = (i) => ({ id: i, name: `n${i}` })): EventBatch {
  return batchOf(Array.from({ length: count }, (_, i) => eventOf(i, { after: row(i) })));
}

export interface LogEntry {
  readonly level: string;
  readonly fields: Record<string, unknown>;
  readonly text: string;
}

export function recorder(): { log: Logger; entries: LogEntry[] } {
  const entries: LogEntry[] = [];
  const at =
    (level: string) =>
    (fields: object, text: string): void => {
      entries.push({ level, fields: fields as Record<string, unknown>, text });
    };
  return { entries, log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } };
}

export const quiet = recorder().log;

export interface Bench {
  readonly languages: Languages;
  transform(source: string, parts?: RuleParts, log?: Logger): Promise<LoadedTransform>;
  /** Runs a batch through a transform of its own. */
  run(source: string, batch: EventBatch, parts?: RuleParts, log?: Logger): Promise<TransformResult>;
}

/** Languages that live as long as the tests of a file. */
export function bench(children = 1): Bench {
  const languages = createLanguages({ children });
  afterAll(() => languages[Symbol.asyncDispose]());
  const transform: Bench['transform'] = (source, parts, log = quiet) =>
    languages.create(ruleOf(source, parts), { stream: 's', log });
  return {
    languages,
    transform,
    async run(source, batch, parts, log) {
      await using made = await transform(source, parts, log);
      return await made.apply(batch, new AbortController().signal);
    },
  };
}

export function rowsOf(result: TransformResult): (Row | null)[] {
  return Array.from({ length: result.out.length }, (_, j) => {
    const text = result.out.after(j);
    return text === null ? null : (JSON.parse(text) as Row);
  });
}

export function failuresOf(result: TransformResult): [number, string][] {
  return result.failed.map(({ index, error }) => [index, error.code]);
}
