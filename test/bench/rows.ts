// The rows that benchmarks run on: deterministic, about 1 KB each, with nested items, as one NDJSON file.

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';

/** Row n as an object of about 1,030 bytes of JSON. */
export function benchRow(n: number): Record<string, unknown> {
  const items = Array.from({ length: 9 }, (_, k) => ({
    sku: `SKU-${(n * 7 + k * 13) % 10_000}`,
    quantity: 1 + ((n + k) % 5),
    price: ((n * 31 + k * 17) % 10_000) / 100,
    note: 'packed in the second hall',
  }));
  return {
    id: n,
    status: n % 3 === 0 ? 'new' : 'paid',
    customer: { id: n % 1_000, name: `Customer ${n % 1_000}`, email: `customer-${n % 1_000}@shop.example` },
    address: { street: `${n % 200} Harbour Street`, city: 'Gothenburg', zip: '411 04', country: 'SE' },
    placed_at: new Date(1_767_225_600_000 + n * 1_000).toISOString(),
    items,
  };
}

export async function writeRows(path: string, count: number): Promise<void> {
  const out = createWriteStream(path);
  for (let n = 0; n < count; n++) if (!out.write(`${JSON.stringify(benchRow(n))}\n`)) await once(out, 'drain');
  out.end();
  await once(out, 'close');
}
