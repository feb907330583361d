// `sluice types`: what it writes compiles, completes what is there and refuses what is not, as an author's editor would.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { fileToFile, ndjson, type Pipeline, pipeline } from '../faults/pipeline.ts';

const tsc = fileURLToPath(new URL('../../node_modules/.bin/tsc', import.meta.url));

/** What the compiler says of a transform that stands in the pipeline's folder. */
function compiled(p: Pipeline, code: string): string {
  p.write('code.ts', code);
  const flags = ['--strict', '--noEmit', '--target', 'es2024', '--module', 'nodenext', '--allowImportingTsExtensions'];
  const { stdout } = spawnSync(tsc, [...flags, '--types', '', 'code.ts'], { cwd: p.dir, encoding: 'utf8' });
  return stdout.trim();
}

const sample = {
  streams: [
    { id: 'shop', source: { type: 'sample', events: 12 }, sinks: [{ id: 'out', type: 'file', path: './out.ndjson' }] },
  ],
};

it('writes declarations from the columns that a source knows, and a transform compiles against them', async () => {
  await using p = await pipeline(sample);
  const made = await p.sluice(['types', 'sluice.json', '--out', 'shop.d.ts']);
  expect([made.code, made.stderr]).toEqual([0, '✓ wrote shop.d.ts, from 12 events of its source of stream shop\n']);
  const good = `import type { Context, CustomersRow, Event, OrdersEvent, OrdersRow } from './shop.d.ts';
const rate: number = 2;
const isOrders = (event: Event): event is OrdersEvent => event.source.table === 'orders';
export const byEvent = (event: Event): number => {
  if (isOrders(event) && event.op !== 'd' && event.op !== 't') return event.after.customer_id * rate;
  return 0;
};
export const note = (event: Event & { op: 'u' }): string => event.id + (event.before?.id ?? '');
export default (row: OrdersRow, ctx: Context): object => {
  ctx.log.info('seen', row.id.length);
  const city: string | undefined = ({} as CustomersRow).address?.city;
  return { ...row, total: Number(row.total) * rate, city, table: ctx.event.source.table };
};
`;
  expect(compiled(p, good)).toBe('');
  expect(compiled(p, good.replace('row.total)', 'row.totl)'))).toMatch(
    /code\.ts\(12,\d+\): error TS2551: .*'totl'.*'total'/,
  );
  expect(compiled(p, good.replace('row.id.length', 'row.id.toFixed()'))).toContain(
    "'toFixed' does not exist on type 'string'",
  );
  expect(compiled(p, good.replace(" && event.op !== 'd'", ''))).toContain("'event.after' is possibly 'null'");
  expect(await p.status()).toMatchObject([{ position: null }]); // it only looked
});

it('infers rows that nobody declared, from captures: what may be missing, lists, nested values, no values', async () => {
  const rows = [
    {
      id: 1,
      'odd name': 'a',
      tags: ['x', 1],
      owner: { mail: 'jane.doe@example.org', age: 3 },
      by: { 'jane.doe@example.org': 1 },
    },
    { id: 2, 'odd name': null, tags: [], owner: { mail: 'x@example.org' }, late: true },
  ];
  await using p = await pipeline(fileToFile({}), { 'in.ndjson': ndjson(rows) });
  expect((await p.sluice(['types', 'sluice.json', '--from', 'captures'])).code).toBe(2);
  await p.sluice(['capture', 'sluice.json']);
  const made = await p.sluice(['types', 'sluice.json', '--out', '-']);
  const row = /interface ItemsRow (\{[\s\S]*?\n\})/.exec(made.stdout)?.[1];
  expect(row).toBe(`{
  readonly id: number;
  readonly "odd name": string | null;
  readonly tags: readonly (number | string)[];
  readonly owner: {
    readonly mail: string;
    readonly age?: number;
  };
  readonly by?: {
    readonly ${/readonly ("[a-z.]+@[a-z]+\.org")/.exec(made.stdout)?.[1]}: number;
  };
  readonly late?: boolean;
}`);
  expect(made.stdout).not.toContain('jane.doe');
  p.write('s.d.ts', made.stdout);
  expect(
    compiled(
      p,
      "import type { ItemsRow } from './s.d.ts';\nexport default (row: ItemsRow) => row.owner.age ?? row.tags[0];\n",
    ),
  ).toBe('');
});

it('writes for the sandbox too: a transform that imports its types runs', async () => {
  await using p = await pipeline(
    fileToFile({ transformations: [{ id: 'code', type: 'javascript', file: './code.ts' }] }),
    {
      'in.ndjson': ndjson([{ id: 1 }]),
      'code.ts': "import type { ItemsRow } from './items.d.ts';\nexport default (row: ItemsRow) => ({ n: row.id });\n",
    },
  );
  expect((await p.sluice(['types', 'sluice.json', '-o', 'items.d.ts'])).code).toBe(0);
  expect((await p.run()).code).toBe(0);
  expect(p.rows('out.ndjson')).toEqual([{ n: 1 }]);
});
