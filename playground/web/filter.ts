// The filter of the list: words that must all fit. `table:orders`, `op:u`, `has:before`, `status:paid` (a column),
// `"two words"`, any text; and `fate:failed`, which only the page knows. The rest is what the server's filter means
// (server/filter.ts), a little wider, so that nothing that the server found is hidden while a word is half typed.

import { type FateLook, fateOf } from './fates.ts';
import { parsedObject } from './json-text.ts';
import { type Item, itemsOf, type State } from './state.ts';

interface Word {
  readonly whole: string;
  readonly name: string | null;
  readonly value: string;
}

/** What the list shows: what fits the filter, with what became of it in the last run. */
export function fittingItems(state: State): readonly Item[] {
  const { filter, run } = state;
  if (filter.trim() === '') return itemsOf(state);
  return itemsOf(state).filter((one) => fits(one, fateOf(run.results.get(one.ref)), filter));
}

export function fits(item: Item, fate: FateLook, filter: string): boolean {
  return wordsOf(filter).every((word) => wordFits(item, fate, word));
}

/** What the server can look for, too. */
export function serverPart(filter: string): string {
  return wordsOf(filter)
    .filter(({ name }) => name !== 'fate')
    .map(({ whole }) => whole)
    .join(' ');
}

function wordsOf(filter: string): readonly Word[] {
  return [...filter.matchAll(/(?:([\w.-]+):)?(?:"([^"]*)"|(\S+))/g)].map(([whole, name, quoted, plain]) => ({
    whole,
    name: name ?? null,
    value: (quoted ?? plain ?? '').toLowerCase(),
  }));
}

function wordFits(item: Item, fate: FateLook, { whole, name, value }: Word): boolean {
  const text = item.text.toLowerCase();
  if (name === null) return text.includes(value);
  if (name === 'op') return item.op === value;
  if (name === 'table') return item.table.toLowerCase().includes(value);
  if (name === 'fate') return fate.kind.startsWith(value) || fate.word.startsWith(value);
  const event = parsedObject(item.text) ?? {};
  if (name === 'has') return (event[value] ?? null) !== null;
  const rows = [event['after'], event['before'], item.origin === 'pasted' ? event : null];
  return rows.some((row) => isColumn(row, name, value)) || text.includes(whole.toLowerCase());
}

function isColumn(row: unknown, name: string, value: string): boolean {
  if (typeof row !== 'object' || row === null || !Object.hasOwn(row, name)) return false;
  const column = (row as Record<string, unknown>)[name];
  return (typeof column === 'string' ? column : JSON.stringify(column)).toLowerCase().includes(value);
}
