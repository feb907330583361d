// The shop's rows: what customers and orders look like, and the names and goods they are made of.
// Every value is a pure function of seed, chapter and slot, so any row can be made at any time, without a history.

import type { Column, Row } from 'sluice/sdk';

export const columns: ReadonlyMap<string, readonly Column[]> = new Map([
  [
    'customers',
    [
      { name: 'id', type: 'int', native: 'integer', key: 1, nullable: false },
      { name: 'name', type: 'text', native: 'text', nullable: false },
      { name: 'email', type: 'text', native: 'text', nullable: true },
      { name: 'address', type: 'jsonb', native: 'jsonb', nullable: true },
      { name: 'newsletter', type: 'bool', native: 'boolean', nullable: false },
    ],
  ],
  [
    'orders',
    [
      { name: 'id', type: 'bigint', native: 'bigint', key: 1, nullable: false },
      { name: 'customer_id', type: 'int', native: 'integer', nullable: false },
      { name: 'status', type: 'text', native: 'text', nullable: false },
      { name: 'items', type: 'jsonb', native: 'jsonb', nullable: false },
      { name: 'total', type: 'decimal', native: 'numeric(12,2)', nullable: false },
      { name: 'note', type: 'text', native: 'text', nullable: true },
      { name: 'placed_at', type: 'timestamptz', native: 'timestamp with time zone', nullable: false },
    ],
  ],
]);

interface Person {
  readonly name: string;
  readonly mail: string;
  readonly city: string;
  readonly zip: string;
}

const PEOPLE: readonly Person[] = [
  { name: 'Zoë Ångström', mail: 'zoe', city: 'Malmö', zip: '211 20' },
  { name: '山田 花子', mail: 'hanako', city: '京都', zip: '600-8001' },
  { name: "Seán O'Brien", mail: 'sean', city: 'Gaillimh', zip: 'H91 E2K3' },
  { name: 'أمينة حداد', mail: 'amina', city: 'تونس', zip: '1000' },
  { name: 'Łukasz Żółć', mail: 'lukasz', city: 'Łódź', zip: '90-001' },
  { name: 'Σοφία Παππά', mail: 'sofia', city: 'Αθήνα', zip: '105 57' },
  { name: 'Núria "Nuri" Puig', mail: 'nuria', city: 'L’Hospitalet', zip: '08901' },
  { name: 'Oğuz Çelik', mail: 'oguz', city: 'İzmir', zip: '35220' },
];

/** In hundredths, so that totals are exact. */
const GOODS: readonly (readonly [sku: string, cents: number])[] = [
  ['TEA-01', 1250],
  ['CUP-07', 899],
  ['POT-03', 4995],
  ['HONEY-2', 765],
  ['SPOON-6', 320],
  ['KETTLE', 12900],
];

const NOTES: readonly (string | null)[] = [
  'gift 🎁, please wrap',
  null,
  'leave it at the door\n(the blue one)',
  'c/o "Café Ñandú"',
];

/** One of 32 bits, the same for the same arguments (the mixing of splitmix32). */
export function dice(seed: number, chapter: number, slot: number): number {
  let x =
    (seed ^
      Math.imul(chapter >>> 0, 0x9e3779b9) ^
      Math.imul(Math.floor(chapter / 2 ** 32) + slot * 97 + 1, 0x85ebca6b)) >>>
    0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}

/** Chapter 0 of seed 1 is what people see first, so its people and goods are the first of the lists. */
function choose(seed: number, chapter: number, slot: number, from: number): number {
  return seed === 1 && chapter === 0 ? slot % from : dice(seed, chapter, slot) % from;
}

export function customer(seed: number, chapter: number, slot: number, id: number): Row {
  const person = PEOPLE[choose(seed, chapter, slot, PEOPLE.length)]!;
  return {
    id,
    name: person.name,
    email: slot === 1 ? null : `${person.mail}@shop.example`,
    address: {
      city: person.city,
      zip: person.zip,
      lines: slot === 2 ? [] : [`${1 + (dice(seed, chapter, slot + 40) % 99)} Harbour Street`],
    },
    newsletter: slot === 0,
  };
}

export function order(
  seed: number,
  chapter: number,
  slot: number,
  ids: { id: string; customer: number },
  placed: number,
): Row {
  const count = 1 + (dice(seed, chapter, slot + 50) % 3);
  let cents = 0;
  const items = Array.from({ length: count }, (_, i) => {
    const [sku, price] = GOODS[choose(seed, chapter, slot + i, GOODS.length)]!;
    const quantity = 1 + (dice(seed, chapter, slot * 8 + i + 60) % 4);
    cents += price * quantity;
    return { sku, quantity, price: money(price) };
  });
  return {
    id: ids.id,
    customer_id: ids.customer,
    status: 'new',
    items,
    total: money(cents),
    note: NOTES[choose(seed, chapter, slot, NOTES.length)]!,
    placed_at: new Date(placed).toISOString().replace('Z', '+00:00'),
  };
}

function money(cents: number): string {
  return `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;
}
