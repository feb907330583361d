// SQLite as the checkpoint's home: one transaction, epochs, kills.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { type Checkpoint, seal } from 'sluice/sdk';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inAChild } from '../in-a-child.ts';
import type { Connection } from './driver.ts';
import { type Bench, batch, bench, dump, never, statuses } from './fixture.ts';

let at: Bench;
let db: Connection;
beforeEach(async () => {
  at = await bench();
  db = await at.open('target.db');
});
afterEach(() => at[Symbol.asyncDispose]());

const ledger = { in: 0, delivered: 0, filtered: 0, skipped: 0, dead_lettered: 0 };
function checkpoint(position: number): Checkpoint {
  const rest = {
    position_version: 1,
    ledger,
    sinks: {},
    gaps: [],
    parked: [],
    request: 0,
    saved_at: '2026-01-01T00:00:00Z',
  };
  return seal({ stream: 'orders', epoch: 1, position, ...rest });
}
const row = (id: number, n = 'x') => batch([{ op: 'c', after: { id, n } }]);

describe('the home', () => {
  test('holds rows and checkpoint together, or neither', async () => {
    const sink = at.sink();
    const home = sink.transactional!;
    expect(await home.load('orders')).toBeNull();
    await home.open('orders');
    const first = await home.begin('orders');
    expect(statuses(await first.write(row(1), never))).toBe('ok');
    expect(statuses(await first.write(row(2), never))).toBe('ok');
    expect(await db.all(`SELECT name FROM sqlite_master WHERE name = 'o'`)).toEqual([]); // not visible yet
    await first.commit(checkpoint(7));
    expect(await dump(db, 'o')).toEqual(['i:1 t:x', 'i:2 t:x']);
    expect((await home.load('orders'))?.position).toBe(7);

    const second = await home.begin('orders');
    await second.write(row(3), never);
    await second.rollback();
    await second.rollback(); // twice does no harm
    await expect(second.commit(checkpoint(8))).rejects.toMatchObject({ code: 'E_SINK_WRITE' });
    expect(await dump(db, 'o')).toHaveLength(2);
    expect((await home.load('orders'))?.position).toBe(7);
  });

  test('makes a table again that a rollback took away', async () => {
    const home = at.sink().transactional!;
    await home.open('orders');
    const lost = await home.begin('orders');
    await lost.write(row(1), never);
    await lost.rollback();
    const kept = await home.begin('orders');
    await kept.write(row(1), never);
    await kept.commit(checkpoint(1));
    expect(await dump(db, 'o')).toEqual(['i:1 t:x']);
  });

  test('shuts out an older writer, which then changes nothing', async () => {
    const [older, newer] = [at.sink().transactional!, at.sink().transactional!];
    await older.open('orders');
    const first = await older.begin('orders');
    await first.write(row(1), never);
    await first.commit(checkpoint(1));
    await newer.open('orders');
    const late = await older.begin('orders');
    await late.write(row(2), never);
    await expect(late.commit(checkpoint(2))).rejects.toMatchObject({ code: 'E_CHECKPOINT_EPOCH', permanent: true });
    expect(await dump(db, 'o')).toEqual(['i:1 t:x']);
    const good = await newer.begin('orders');
    await good.write(row(3), never);
    await good.commit(checkpoint(3));
    expect((await newer.load('orders'))?.position).toBe(3);
  });

  test('does not read half a checkpoint', async () => {
    const home = at.sink().transactional!;
    await home.open('orders');
    const tx = await home.begin('orders');
    await tx.commit(checkpoint(5));
    await db.exec(`UPDATE _sluice_checkpoint SET checkpoint = replace(checkpoint, '"position":5', '"position":6')`);
    await expect(home.load('orders')).rejects.toMatchObject({ code: 'E_STATE_CORRUPT' });
    await db.exec('UPDATE _sluice_checkpoint SET checkpoint = substr(checkpoint, 1, 40)');
    await expect(home.load('orders')).rejects.toMatchObject({ code: 'E_STATE_CORRUPT' });
  });

  test('forgets a checkpoint on request, and lets the older writer in no more', async () => {
    const home = at.sink().transactional!;
    await home.open('orders');
    await (await home.begin('orders')).commit(checkpoint(5));
    await at.sink().transactional!.clear('orders');
    expect(await home.load('orders')).toBeNull();
    await expect((await home.begin('orders')).commit(checkpoint(6))).rejects.toMatchObject({
      code: 'E_CHECKPOINT_EPOCH',
    });
  });

  test('begins again after its transaction was lost', async () => {
    const home = at.sink({ busy_timeout: 20 }).transactional!;
    await home.open('orders');
    await db.exec('BEGIN IMMEDIATE');
    await expect(home.begin('orders')).rejects.toMatchObject({ code: 'E_SINK_WRITE', permanent: false });
    await db.exec('ROLLBACK');
    const tx = await home.begin('orders');
    await expect(tx.write(row(1), AbortSignal.abort())).rejects.toThrow();
    await expect(tx.write(row(1), never)).rejects.toMatchObject({ code: 'E_SINK_WRITE' });
    await tx.rollback();
    const next = await home.begin('orders');
    await next.write(row(1), never);
    await next.commit(checkpoint(1));
    expect(await dump(db, 'o')).toEqual(['i:1 t:x']);
  });

  test('has WAL and synchronous=FULL, without which a power cut could part rows and checkpoint', async () => {
    await at.sink().write(row(1), never);
    expect(await db.all('PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }]);
  });
});

// Writes batch after batch: version v of 40 rows and checkpoint v, in one transaction. Says each commit on standard output.
const writer = (how: 'home' | 'write'): string => `
  import { createSink } from ${JSON.stringify(new URL('./sink.ts', import.meta.url).href)};
  import { batch, contextOf, never } from ${JSON.stringify(new URL('./fixture.ts', import.meta.url).href)};
  import { seal } from 'sluice/sdk';
  const sink = createSink({ path: process.argv.at(-1), auto_create: true, auto_evolve: true, busy_timeout: 5000 }, contextOf());
  const home = sink.transactional;
  await home.open('orders');
  let v = (await home.load('orders'))?.position ?? Number(process.argv.at(-2));
  const ledger = { in: 0, delivered: 0, filtered: 0, skipped: 0, dead_lettered: 0 };
  const rest = { position_version: 1, ledger, sinks: {}, gaps: [], parked: [], request: 0, saved_at: '' };
  for (;;) {
    v++;
    const rows = batch(Array.from({ length: 40 }, (_, id) => ({ op: 'c', after: { id, v, pad: 'x'.repeat(500) } })));
    if (${JSON.stringify(how)} === 'write') {
      await sink.write(rows, never);
    } else {
      const tx = await home.begin('orders');
      await tx.write(rows, never);
      await tx.commit(seal({ stream: 'orders', epoch: 1, position: v, ...rest }));
    }
    process.stdout.write(v + '\\n');
  }`;

async function killAfter(child: ChildProcess, commits: number, more: number): Promise<number> {
  let said = '';
  let failed = '';
  child.stderr!.on('data', (chunk) => (failed += String(chunk)));
  const exited = once(child, 'exit');
  const lines = (): string[] => said.trim().split('\n').filter(Boolean);
  await new Promise<void>((resolve) => {
    child.stdout!.on('data', (chunk) => {
      said += String(chunk);
      if (lines().length >= commits) resolve();
    });
    child.once('exit', () => resolve());
  });
  for (let i = 0; i < more; i++) await new Promise((resolve) => setImmediate(resolve)); // somewhere within the next one
  child.kill('SIGKILL');
  await exited;
  expect(failed).toBe('');
  return Number(lines().at(-1));
}

describe('kill -9 in the middle of writing', () => {
  test('leaves rows and checkpoint of one batch, whole, and nothing older than what was said to be committed', async () => {
    let moved = 0;
    for (let kill = 0; kill < 12; kill++) {
      const said = await killAfter(inAChild(writer('home'), ['0', at.path('target.db')]), 1 + (kill % 4), kill * 37);
      const saved = (await at.sink().transactional!.load('orders'))!.position as number;
      expect(saved).toBeGreaterThanOrEqual(said);
      expect(await db.all('SELECT count(*) AS n, min(v) AS low, max(v) AS high FROM o')).toEqual([
        { n: 40, low: saved, high: saved },
      ]);
      expect(saved).toBeGreaterThan(moved);
      moved = saved;
    }
  });

  test('leaves the rows of whole batches where the sink is not the home', async () => {
    let from = 0;
    for (let kill = 0; kill < 6; kill++) {
      const said = await killAfter(inAChild(writer('write'), [String(from), at.path('target.db')]), 2, kill * 53);
      const [found] = await db.all<{ n: number; low: number; high: number }>(
        'SELECT count(*) AS n, min(v) AS low, max(v) AS high FROM o',
      );
      expect(found).toMatchObject({ n: 40, low: found!.high });
      expect(found!.high).toBeGreaterThanOrEqual(said);
      from = found!.high;
    }
  });
});
