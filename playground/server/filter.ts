// What the search field of the event list means: words that must all fit. `table:orders`, `op:u`, `has:before`,
// `status:paid` (a column of the row, or of the old one), `"two words"`, or any text.

import { isRow, type Json } from 'sluice/sdk';

export interface Searched {
  readonly op: string;
  readonly table: string;
  readonly text: string;
}

export type Filter = (event: Searched) => boolean;

export function filterOf(query: string): Filter {
  const words = [...query.matchAll(/(?:([\w.-]+):)?(?:"([^"]*)"|(\S+))/g)];
  const tests = words.map(([whole, name, quoted, plain]) =>
    wordTest(whole, name, (quoted ?? plain ?? '').toLowerCase()),
  );
  return (event) => tests.every((test) => test(event));
}

function wordTest(whole: string, name: string | undefined, value: string): Filter {
  const anywhere = (text: string): Filter => {
    const wanted = text.toLowerCase();
    return (event) => event.text.toLowerCase().includes(wanted);
  };
  if (name === undefined) return anywhere(value);
  if (name === 'op') return ({ op }) => op === value;
  if (name === 'table')
    return ({ table }) => table.toLowerCase() === value || table.toLowerCase().endsWith(`.${value}`);
  if (name === 'has') return ({ text }) => partOf(text, value) !== null;
  const column = (event: Searched): boolean => {
    const rows = [partOf(event.text, 'after'), partOf(event.text, 'before')];
    return rows.some((row) => isRow(row) && Object.hasOwn(row, name) && textOf(row[name]!).toLowerCase() === value);
  };
  const written = anywhere(whole); // `10:30` is no column
  return (event) => column(event) || written(event);
}

function partOf(text: string, name: string): Json {
  return (JSON.parse(text) as { readonly [key: string]: Json })[name] ?? null;
}

function textOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
