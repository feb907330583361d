// What the screen says of results: a glyph, a word and a class for each fate, the sums, and the list of problems.
// A fate is never told by colour alone.

import type { LogLine, PlaygroundError, RunResult } from '../server/api.ts';
import { type Item, itemsOf, type RunState, type State } from './state.ts';

export interface FateLook {
  readonly glyph: string;
  readonly word: string;
  readonly kind: 'ok' | 'filtered' | 'fan' | 'failed' | 'unknown';
}

export function fateOf(result: RunResult | undefined): FateLook {
  switch (result?.fate) {
    case 'ok':
      return { glyph: '✓', word: 'ok', kind: 'ok' };
    case 'filtered':
      return { glyph: '∅', word: 'filtered', kind: 'filtered' };
    case 'fan_out':
      return { glyph: String(result.outputs.length), word: `${result.outputs.length} rows`, kind: 'fan' };
    case 'failed':
      return { glyph: '✗', word: 'failed', kind: 'failed' };
    case 'not_run':
      return { glyph: '…', word: 'not run', kind: 'unknown' };
    default:
      return { glyph: '·', word: 'not run yet', kind: 'unknown' };
  }
}

/** `9 ok · 1 filtered · 1 failed`; the sums add up to the number of events. */
export function sums(run: RunState): string {
  const counts = { ok: 0, filtered: 0, fan_out: 0, failed: 0, not_run: 0 };
  for (const { fate } of run.results.values()) counts[fate]++;
  const words = { ok: 'ok', filtered: 'filtered', fan_out: 'fanned out', failed: 'failed', not_run: 'not run' };
  const parts = Object.entries(counts).filter(([, n]) => n > 0);
  return parts.map(([fate, n]) => `${n} ${words[fate as keyof typeof words]}`).join(' · ');
}

/** One problem: the code itself, or one error at one place with all events that had it. */
export interface Problem {
  readonly error: PlaygroundError;
  readonly step: string;
  readonly refs: readonly string[];
}

export function problemsOf(run: RunState): readonly Problem[] {
  const found: Problem[] = [];
  if (run.problem !== null) found.push({ ...run.problem, refs: [] });
  if (run.stopped !== null) found.push({ error: run.stopped, step: '', refs: [] });
  if (run.stale) return found;
  const byPlace = new Map<string, { error: PlaygroundError; step: string; refs: string[] }>();
  for (const [ref, result] of run.results) {
    if (result.error === undefined) continue;
    const { code, message, at } = result.error;
    // messages may hold values of the event: it is the place that makes it the same problem, where there is one
    const place = JSON.stringify([
      result.step,
      code,
      at?.line === undefined ? message : '',
      at?.file,
      at?.line,
      at?.column,
    ]);
    const known = byPlace.get(place);
    if (known === undefined) byPlace.set(place, { error: result.error, step: result.step ?? '', refs: [ref] });
    else known.refs.push(ref);
  }
  return [...found, ...byPlace.values()];
}

/** `orders.js:4:21`, as much of it as there is. */
export function placeText(error: PlaygroundError): string {
  const { file, line, column } = error.at ?? {};
  const name = file?.split('/').at(-1);
  return [name ?? (line === undefined ? '' : 'line'), line, column]
    .filter((part) => part !== undefined && part !== '')
    .join(':');
}

/** For the live region: one sentence about the whole run. */
export function announcement(run: RunState): string {
  const problem = problemsOf(run)[0];
  if (problem === undefined) return sums(run).replaceAll(' · ', ', ');
  const { line, column } = problem.error.at ?? {};
  const where = line === undefined ? '' : ` at line ${line}${column === undefined ? '' : `, column ${column}`}`;
  const said = `${problem.error.code}${where}: ${problem.error.message}`;
  return run.stale ? `The code does not load. ${said}` : `${sums(run).replaceAll(' · ', ', ')}. ${said}`;
}

export interface ConsoleLine {
  readonly item: Item;
  readonly line: LogLine;
}

/** What the code logged, in the order of the events, at most `most` lines. */
export function consoleOf(state: Pick<State, 'run' | 'pasted' | 'listed'>, most: number): readonly ConsoleLine[] {
  const lines: ConsoleLine[] = [];
  for (const item of itemsOf(state)) {
    for (const line of state.run.results.get(item.ref)?.logs ?? []) {
      if (lines.length >= most) return lines;
      lines.push({ item, line });
    }
  }
  return lines;
}

export function duration(ms: number | undefined): string {
  if (ms === undefined) return '';
  if (ms < 1) return `${Math.max(1, Math.round(ms * 1000))} µs`;
  return ms < 100 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

export function size(bytes: number | undefined): string {
  if (bytes === undefined) return '';
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
