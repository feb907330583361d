// kazaam-js against the same change by JSON.parse, plain JavaScript and JSON.stringify: text in, text out, rows of 1 KB, in this
// process. Candidates alternate round by round, and their outputs must be equal. Measured is processor time. `again` is the
// baseline against itself.

import { Kazaam, type Step } from '../../transforms/kazaam-js/src/index.ts';
import { benchRow } from './rows.ts';
import type { Figure } from './table.ts';

const EVENTS = 500;
const PASSES = 30; // per round

// biome-ignore lint/suspicious/noExplicitAny: rows of any shape, as an author's JavaScript has them
type Row = any;

interface Workload {
  readonly name: string;
  readonly least?: number;
  readonly spec: readonly Step[];
  readonly hand: (row: Row) => unknown;
}

const WORKLOADS: readonly Workload[] = [
  {
    name: 'shift of six paths',
    least: 1.5,
    spec: [
      {
        operation: 'shift',
        spec: {
          order: 'id',
          state: 'status',
          'customer.id': 'customer.id',
          'customer.name': 'customer.name',
          city: 'address.city',
          at: 'placed_at',
        },
      },
    ],
    hand: ({ id, status, customer, address, placed_at }) => ({
      order: id,
      state: status,
      customer: { id: customer.id, name: customer.name },
      city: address.city,
      at: placed_at,
    }),
  },
  {
    name: 'three steps: shift, concat, default',
    least: 1.5,
    spec: [
      { operation: 'shift', spec: { id: 'id', name: 'customer.name', mail: 'customer.email', city: 'address.city' } },
      {
        operation: 'concat',
        spec: { sources: [{ path: 'name' }, { path: 'mail' }], targetPath: 'who', delim: ', ' },
      },
      { operation: 'default', spec: { kind: 'order', version: 2 } },
    ],
    hand: ({ id, customer: { name, email }, address: { city } }) => ({
      id,
      name,
      mail: email,
      city,
      who: `${name}, ${email}`,
      kind: 'order',
      version: 2,
    }),
  },
  {
    name: 'default alone',
    least: 1.5,
    spec: [{ operation: 'default', spec: { processed: true } }],
    hand: (row) => {
      row.processed = true;
      return row;
    },
  },
  {
    name: 'shift of a wildcard',
    spec: [{ operation: 'shift', spec: { id: 'id', skus: 'items[*].sku' } }],
    hand: ({ id, items }) => ({ id, skus: items.map(({ sku }: Row) => sku) }),
  },
  {
    name: 'shift of the last member only',
    spec: [{ operation: 'shift', spec: { first: 'items[0].sku', last: 'items[8].note' } }],
    hand: ({ items }) => ({ first: items[0].sku, last: items[8].note }),
  },
  {
    name: 'concat in place',
    spec: [
      {
        operation: 'concat',
        spec: { sources: [{ path: 'status' }, { path: 'id' }], targetPath: 'tag', delim: '-' },
      },
    ],
    hand: (row) => {
      row.tag = `${row.status}-${row.id}`;
      return row;
    },
  },
  {
    name: 'delete of two members',
    spec: [{ operation: 'delete', spec: { paths: ['status', 'customer.email'] } }],
    hand: (row) => {
      delete row.status;
      delete row.customer.email;
      return row;
    },
  },
];

export function kazaamFigures(rounds: number): Figure[] {
  const rows = Array.from({ length: EVENTS }, (_, i) => JSON.stringify(benchRow(i)));
  return WORKLOADS.flatMap(({ name, least, spec, hand }): Figure[] => {
    const kazaam = new Kazaam(spec);
    const baseline = (text: string): string => JSON.stringify(hand(JSON.parse(text)));
    const candidate = (text: string): string => kazaam.transform(text);
    for (const text of rows) {
      if (candidate(text) !== baseline(text)) throw new Error(`${name}: another result than plain JavaScript's`);
    }
    const time = (run: (text: string) => string): number => {
      let length = 0;
      const start = process.cpuUsage();
      // a character of the result is asked for: what is joined must be written, as it would be for a file
      for (let i = 0; i < PASSES; i++) for (const text of rows) length += run(text).charCodeAt(0);
      const { user, system } = process.cpuUsage(start);
      if (length === 0) throw new Error('nothing was printed');
      return user + system;
    };
    for (let i = 0; i < 3; i++) for (const run of [baseline, candidate]) time(run); // warm
    const again: number[] = [];
    const ratios: number[] = [];
    for (let i = 0; i < rounds; i++) {
      const base = time(baseline);
      ratios.push(base / time(candidate));
      again.push(base / time(baseline));
    }
    return [
      { name: `kazaam-js, ${name}`, ratios, ...(least === undefined ? {} : { least }) },
      { name: `kazaam-js, ${name}: A/A`, ratios: again },
    ];
  });
}
