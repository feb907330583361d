// A transformation whose isolates die too often is parked: over a restart too, until somebody resumes it. Others do not notice.

import { appendFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { until } from '../cli.ts';
import { expectSum, ndjson, numbered, pipeline } from './pipeline.ts';

interface Shown {
  readonly parked: readonly { readonly kind: string; readonly id: string; readonly reason: string }[];
}

// rows 1 to 8 eat the memory of their isolate
const HUNGRY = `export default (row) => {
  if (row.id <= 8) { const all = []; for (;;) all.push(new Array(1e6).fill(row.id)); }
  return { ...row, done: true };
};
`;
const GOOD = 'export default (row) => ({ ...row, done: true });\n';

const manifest = {
  transformations: [
    { id: 'hungry', type: 'javascript', file: './hungry.js', limits: { memory: '16MiB', deaths: 3 } },
    { id: 'calm', type: 'javascript', file: './calm.js' },
  ],
  streams: [
    {
      id: 'bad',
      source: { type: 'file', path: './in.ndjson', table: 'items', key: ['id'], follow: true },
      transformations: ['hungry'],
      sinks: [{ id: 'bad-out', type: 'file', path: './bad.ndjson' }],
    },
    {
      id: 'good',
      source: { type: 'file', path: './in.ndjson', table: 'items', key: ['id'], follow: true },
      transformations: ['calm'],
      sinks: [{ id: 'good-out', type: 'file', path: './good.ndjson' }],
    },
  ],
};

const files = { 'in.ndjson': ndjson(numbered(20)), 'hungry.js': HUNGRY, 'calm.js': GOOD };

describe.concurrent('a transformation whose isolates die too often', () => {
  it('is parked with its reason, and every event of it becomes a dead letter; the other stream delivers all', async () => {
    await using p = await pipeline(manifest, files);
    const first = await p.run('--until-idle', '2s');
    expect(first.code).toBe(0);
    const [bad, good] = (await p.status()) as readonly (Awaited<ReturnType<typeof p.status>>[number] & Shown)[];
    expect(bad!.parked).toMatchObject([{ kind: 'transform', id: 'hungry' }]);
    expect(bad!.parked[0]!.reason).toMatch(/died \d+ times in a minute/);
    expect(good!.parked).toEqual([]);
    expect(good!.ledger).toMatchObject({ in: 20, delivered: 20 });
    expectSum(bad!.ledger);
    expect(bad!.ledger.delivered + bad!.ledger.dead_lettered).toBe(20);
    expect(await p.letters('--code', 'E_TRANSFORM_PARKED')).not.toEqual([]);

    // Restarted, with the code mended, it is still parked: nothing runs until somebody says so.
    p.write('hungry.js', GOOD);
    p.write('in.ndjson', ndjson(numbered(25)));
    expect((await p.run('--until-idle', '2s')).code).toBe(0);
    const [again] = (await p.status()) as readonly (Awaited<ReturnType<typeof p.status>>[number] & Shown)[];
    expect(again!.parked).toMatchObject([{ id: 'hungry' }]);
    expect(again!.ledger.dead_lettered).toBe(bad!.ledger.dead_lettered + 5);

    const resumed = await p.sluice(['resume', 'sluice.json', '--stream', 'bad', '--json']);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ stream: 'bad', resumed: [{ kind: 'transform', id: 'hungry' }] });
    p.write('in.ndjson', ndjson(numbered(30)));
    expect((await p.run('--until-idle', '2s')).code).toBe(0);
    const [after] = (await p.status()) as readonly (Awaited<ReturnType<typeof p.status>>[number] & Shown)[];
    expect(after!.parked).toEqual([]);
    expect(after!.ledger).toMatchObject({ in: 30, delivered: bad!.ledger.delivered + 5 });
    const { results } = await p.replay('--stream', 'bad');
    expect(results.every((result) => result.outcome === 'delivered')).toBe(true);
    expect(p.rows('bad.ndjson')).toHaveLength(30);
  });

  it('is resumed in the running stream', async () => {
    await using p = await pipeline(manifest, files);
    const running = p.start(['run', 'sluice.json', '--stream', 'bad']);
    await until('the transformation is parked', async () => {
      const [bad] = (await p.status()) as readonly (Awaited<ReturnType<typeof p.status>>[number] & Shown)[];
      return (bad?.parked.length ?? 0) > 0 && bad!.ledger.in === 20 && bad!.ledger.pending === 0;
    });
    const resumed = await p.sluice(['resume', 'sluice.json', '--stream', 'bad', '--transform', 'hungry']);
    expect(resumed.code).toBe(0);
    expect(resumed.stderr).toContain('transform hungry is resumed');
    appendFileSync(p.path('in.ndjson'), ndjson(numbered(24).slice(20)));
    await until(
      'the new rows are covered',
      async () => (await p.status())[0]!.ledger.in === 24 && (await p.status())[0]!.ledger.pending === 0,
    );
    const [after] = (await p.status()) as readonly (Awaited<ReturnType<typeof p.status>>[number] & Shown)[];
    expect(after!.parked).toEqual([]);
    expect(p.rows<{ id: number }>('bad.ndjson').map((row) => row.id)).toEqual(expect.arrayContaining([21, 22, 23, 24]));
    await running.kill('SIGTERM');
  });

  it('that is not parked cannot be resumed by name', async () => {
    await using p = await pipeline(manifest, files);
    const named = await p.sluice(['resume', 'sluice.json', '--stream', 'good', '--transform', 'calm']);
    expect(named.code).toBe(2);
    expect(named.stderr).toContain('E_NOT_PARKED');
    const unknown = await p.sluice(['resume', 'sluice.json', '--stream', 'good', '--transform', 'cal']);
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain('its transformations are: calm');
  });
});
