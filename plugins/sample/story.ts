// The story: chapters of twelve events each. Event n is a pure function of the seed and n, so the source resumes anywhere
// and needs no state. A chapter has its own customers and orders and never touches those of another.
//
//    1, 2  two customers (in the first chapter as a snapshot)     7   customer 1 has a new address and no e-mail
//    3     an order with a key beyond 2^53                        8   an order changes, its long note did not (absent)
//    4     a third customer                                       9   the third customer gets another key
//    5     an order of customer 2                                 10  the order of customer 2 is deleted
//    6     the order that is poison: `items` is a text            11, 12  the first order is paid, then shipped

import type { ChangeEvent, Op, Row } from 'sluice/sdk';
import { customer, order } from './shop.ts';

export const CHAPTER = 12;

/** One poison order in this many chapters. */
const POISON_EVERY = 50;
/** 2^53 + 1: the first integer that a double cannot hold. */
const FIRST_ORDER = 9007199254740993n;
const OPENING = Date.UTC(2026, 0, 5, 9, 0, 0);
const SECOND = 1000;

export interface Telling {
  readonly stream: string;
  readonly seed: number;
  readonly poison: boolean;
}

interface Change {
  readonly op: Op;
  readonly table: 'customers' | 'orders';
  readonly before: Row | null;
  readonly after: Row | null;
  readonly unchanged?: readonly string[];
}

export function tableAt(n: number): 'customers' | 'orders' {
  return [0, 1, 3, 6, 8].includes(n % CHAPTER) ? 'customers' : 'orders';
}

/** Event n of the story, from 0, without `ts_ms`. */
export function eventAt(n: number, telling: Telling): Omit<ChangeEvent, 'ts_ms'> {
  const { op, table, before, after, unchanged } = changeAt(n, telling);
  const id = (after ?? before)!['id']!;
  return {
    id: `${telling.seed}:${n}`,
    op,
    key: { id },
    before,
    after,
    source: {
      plugin: 'sample',
      stream: telling.stream,
      db: 'shop',
      table,
      snapshot: op === 'r',
      ts_ms: OPENING + n * SECOND,
      ...(unchanged === undefined ? {} : { unchanged }),
    },
  };
}

function changeAt(n: number, { seed, poison }: Telling): Change {
  const chapter = Math.floor(n / CHAPTER);
  const start = OPENING + chapter * CHAPTER * SECOND;
  const customerId = (slot: number): number => chapter * 4 + slot + 1;
  const orderId = (slot: number): string => String(FIRST_ORDER + BigInt(chapter) * 3n + BigInt(slot));
  const person = (slot: number): Row => customer(seed, chapter, slot, customerId(slot));
  const bought = (slot: number, by: number, event: number): Row =>
    order(seed, chapter, slot, { id: orderId(slot), customer: customerId(by) }, start + event * SECOND);
  const insert = (table: Change['table'], after: Row): Change => ({ op: 'c', table, before: null, after });
  const update = (table: Change['table'], before: Row, changes: Row): Change => ({
    op: 'u',
    table,
    before,
    after: { ...before, ...changes },
  });

  switch (n % CHAPTER) {
    case 0:
    case 1:
      return { ...insert('customers', person(n % CHAPTER)), op: chapter === 0 ? 'r' : 'c' };
    case 2:
      return insert('orders', bought(0, 0, 2));
    case 3:
      return insert('customers', person(2));
    case 4:
      return insert('orders', bought(1, 1, 4));
    case 5: {
      const row = bought(2, 2, 5);
      // Valid for its column (jsonb holds a text as well), and a surprise for code that expects a list.
      return insert(
        'orders',
        poison && chapter % POISON_EVERY === 0 ? { ...row, items: '3 × TEA-01, 1 × CUP-07' } : row,
      );
    }
    case 6: {
      const before = person(0);
      const address = { ...(before['address'] as Row), lines: ['12 Station Road', '2nd floor 🏠'] };
      return update('customers', before, { address, email: null, newsletter: false });
    }
    case 7: {
      const { note: _unchanged, ...before } = bought(1, 1, 4);
      return { ...update('orders', before, { status: 'packed' }), unchanged: ['note'] };
    }
    case 8:
      return update('customers', person(2), { id: customerId(3) });
    case 9:
      return { op: 'd', table: 'orders', before: { ...bought(1, 1, 4), status: 'packed' }, after: null };
    case 10:
      return update('orders', bought(0, 0, 2), { status: 'paid' });
    default:
      return update('orders', { ...bought(0, 0, 2), status: 'paid' }, { status: 'shipped' });
  }
}
