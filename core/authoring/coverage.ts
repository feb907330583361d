// Which lines of the tested transforms ran (`sluice test --coverage`): the tests' events go once more through the same
// sandbox, in code that says where it was. A line counts as covered when all its statements and branches ran.
// Helper modules that a transform imports are not counted.

import { batchOf } from '../batch.ts';
import type { ChangeEvent } from '../event.ts';
import type { Languages } from '../languages.ts';
import type { Instrumented, Logger } from '../plugin.ts';
import type { Target } from './target.ts';
import { openTriedChain } from './try-chain.ts';

export interface FileCoverage {
  readonly file: string;
  readonly transformation: string;
  /** Lines that have something to run. */
  readonly lines: number;
  readonly covered: number;
  /** Lines of which nothing ran, and of which only a part did. */
  readonly missed: readonly number[];
  readonly partly: readonly number[];
}

const ROOM = { logs: 64 << 20, timeout: 10_000, load: 10_000 };

/** A text instead: the language cannot say. @throws SluiceError when a transform does not compile or load */
export async function coverageOf(
  target: Target,
  tests: readonly (readonly ChangeEvent[])[],
  languages: Languages,
): Promise<readonly (FileCoverage | string)[]> {
  const hits = new Map<string, Set<number>>();
  const marks = new Map<string, Instrumented>();
  const noted: string[] = [];
  const rules = [];
  for (const rule of target.rules) {
    const made = rule.plugin?.transform === undefined ? await languages.instrument(rule) : null;
    if (made === null) noted.push(`${rule.id}: there is no coverage for ${rule.type}`);
    else marks.set(rule.id, made.instrumented);
    hits.set(rule.id, new Set());
    rules.push(made === null ? rule : { ...made.rule, limits: { ...rule.limits, ...ROOM } });
  }
  const listen = (fields: object, message: string): void => {
    const { transform = '' } = fields as { transform?: string };
    const mark = marks.get(transform)?.mark;
    if (mark !== undefined && message.startsWith(mark)) hits.get(transform)!.add(Number(message.slice(mark.length)));
  };
  const log: Logger = { debug: listen, info: listen, warn: listen, error: listen };
  await using tried = await openTriedChain(rules, target.stream, { languages, log });
  for (const events of tests) await tried.each(batchOf(events));
  const counted = target.rules.flatMap((rule) => {
    const instrumented = marks.get(rule.id);
    if (instrumented === undefined) return [];
    return [
      { file: rule.file, transformation: rule.id, ...linesOf(instrumented, hits.get(rule.id)!, rule.offset.line - 1) },
    ];
  });
  return [...counted, ...noted];
}

function linesOf(
  { points }: Instrumented,
  hits: ReadonlySet<number>,
  shift: number,
): Omit<FileCoverage, 'file' | 'transformation'> {
  const lines = new Map<number, { all: number; ran: number }>();
  points.forEach(({ line }, n) => {
    const at = lines.get(line + shift) ?? { all: 0, ran: 0 };
    lines.set(line + shift, { all: at.all + 1, ran: at.ran + (hits.has(n) ? 1 : 0) });
  });
  const sorted = [...lines].sort(([a], [b]) => a - b);
  const missed = sorted.filter(([, { ran }]) => ran === 0).map(([line]) => line);
  const partly = sorted.filter(([, { all, ran }]) => ran > 0 && ran < all).map(([line]) => line);
  return { lines: lines.size, covered: lines.size - missed.length - partly.length, missed, partly };
}

/** `3, 7-9`. */
export function rangesText(lines: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const line of lines) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === line - 1) last[1] = line;
    else ranges.push([line, line]);
  }
  return ranges.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(', ');
}
