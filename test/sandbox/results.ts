// What the attacks did, as tables: one for people in sandbox/README.md, between its markers, and every attack by name in
// sandbox/attacks.md. Written by the long test only; the short one prints its figures.

import { readFileSync, writeFileSync } from 'node:fs';
import type { Seen } from './under-attack.ts';

export interface Row {
  readonly group: string;
  readonly name: string;
  readonly fate: string;
  readonly seen: Seen;
}

const README = new URL('../../sandbox/README.md', import.meta.url);
const EACH = new URL('../../sandbox/attacks.md', import.meta.url);
const BEGIN = '<!-- attacks: written by test/sandbox/attacks.test.ts -->';
const END = '<!-- /attacks -->';

export function writeResults(rows: readonly Row[], write: boolean): void {
  if (rows.length === 0) return;
  const summary = summaryOf(rows);
  console.log(summary);
  if (!write) return;
  const text = readFileSync(README, 'utf8');
  const [head, rest] = [text.slice(0, text.indexOf(BEGIN)), text.slice(text.indexOf(END))];
  if (head === text || rest.length === text.length) throw new Error('sandbox/README.md has lost its markers');
  writeFileSync(README, `${head}${BEGIN}\n\n${summary}\n\n${rest}`);
  writeFileSync(EACH, eachOf(rows));
}

function summaryOf(rows: readonly Row[]): string {
  const groups = [...new Set(rows.map((row) => row.group))];
  const body = groups.map((group) => {
    const all = rows.filter((row) => row.group === group);
    const fates = Map.groupBy(all, (row) => row.fate.replace('E_TRANSFORM_', ''));
    const counts = [...fates].map(([fate, { length }]) => `${fate} ${length}`).join(', ');
    const figure = (of: (seen: Seen) => number): string => `${median(all, of)} / ${most(all, of)}`;
    return [
      group,
      String(all.length),
      counts,
      figure((seen) => seen.next),
      figure((seen) => seen.lag),
      figure((seen) => seen.idle),
      figure((seen) => seen.grew / 1e6),
    ];
  });
  const head = ['group', 'attacks', 'fates', 'next rows, ms', 'lag, ms', 'lag of an idle process, ms', 'growth, MB'];
  return `Median / worst. Node ${process.versions.node}, ${process.platform} ${process.arch}.\n\n${table(head, body)}`;
}

function eachOf(rows: readonly Row[]): string {
  const body = rows.map(({ group, name, fate, seen }) => [
    group,
    name.replaceAll('|', '\\|').replaceAll('`', "'").replaceAll('*', '\\*').replaceAll('<', '&lt;').slice(0, 120),
    fate,
    seen.next.toFixed(0),
    seen.lag.toFixed(0),
    (seen.grew / 1e6).toFixed(0),
  ]);
  const head = ['group', 'attack', 'fate', 'next rows, ms', 'lag, ms', 'growth, MB'];
  return `# Attacks\n\nEach planted in one of 400 rows through \`sluice run\`. Written by test/sandbox/attacks.test.ts.\n\n${table(head, body)}\n`;
}

function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...body.map(line)].join('\n');
}

function median(rows: readonly Row[], of: (seen: Seen) => number): string {
  const values = rows.map((row) => of(row.seen)).sort((a, b) => a - b);
  return (values[values.length >> 1] ?? 0).toFixed(0);
}

function most(rows: readonly Row[], of: (seen: Seen) => number): string {
  return Math.max(...rows.map((row) => of(row.seen))).toFixed(0);
}
