// The state store in trouble: held by another process, damaged, not writable, on a full disk, or parted from the home of the
// checkpoint. Each is told with its way out, and after it nothing is lost and nothing stands twice.

import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { expectTold, fileToFile, ndjson, numbered, type Pipeline, pipeline, until } from './pipeline.ts';

const STORE = '.sluice/state.db';

/** A small disk of memory, mounted for one test; null where we may not mount. Returns what takes it away again. */
function smallDisk(dir: string, kib: number): (() => void) | null {
  mkdirSync(dir, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kib}k`, 'none', dir], { stdio: 'ignore' });
  } catch {
    return null;
  }
  return () => execFileSync('umount', ['-l', dir], { stdio: 'ignore' });
}

const canMount = ((): boolean => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const dir = mkdtempSync(join(tmpdir(), 'sluice-faults-mount-'));
  const unmount = smallDisk(dir, 64);
  unmount?.();
  rmSync(dir, { recursive: true, force: true });
  return unmount !== null;
})();

describe.concurrent('a state store that is deleted while a stream runs', () => {
  it('ends it with exit code 3: what it would write from then on is lost', async () => {
    await using p = await pipeline(fileToFile({ source: { follow: true } }), { 'in.ndjson': ndjson(numbered(3)) });
    const running = p.start(['run', 'sluice.json']);
    await until('the first rows are covered', async () => (await p.status())[0]?.ledger.delivered === 3);
    rmSync(p.path(STORE));
    appendFileSync(p.path('in.ndjson'), ndjson(numbered(5).slice(3)));
    const { code, stderr } = await running.exited;
    expect(code).toBe(3);
    expect(stderr).toContain('E_STATE_GONE');
  });
});

describe.concurrent('two processes on one stream', () => {
  it('are one too many: the second is refused with exit code 3, and the first does not notice', async () => {
    await using p = await pipeline(fileToFile({ source: { follow: true } }), { 'in.ndjson': ndjson(numbered(3)) });
    const first = p.start(['run', 'sluice.json']);
    await until('the first writes', () => p.rows('out.ndjson').length === 3);
    const second = await p.run();
    expect(second.code).toBe(3);
    expect(second.stderr).toMatch(/E_STATE_LOCKED[\s\S]*another process[\s\S]*→/);
    writeFileSync(p.path('in.ndjson'), ndjson([{ id: 4 }]), { flag: 'a' });
    await until('the first goes on', () => p.rows('out.ndjson').length === 4);
    expect((await p.status())[0]).toMatchObject({ state: 'streaming', ledger: { in: 4 } });
    expectTold(await p.sluice(['checkpoint', 'clear', 'sluice.json']), 'E_STATE_LOCKED', 3);
    expect((await first.kill('SIGINT')).code).toBe(130);
    expect((await p.status())[0]).toMatchObject({ state: 'stopped', ledger: { in: 4, pending: 0 } });
    expect(p.rows('out.ndjson')).toEqual(numbered(4));
  });
});

describe.concurrent('a damaged state store', () => {
  it('that is no database is told by every verb, and is not overwritten', async () => {
    await using p = await pipeline(fileToFile({}), {
      'in.ndjson': ndjson(numbered(3)),
      [STORE]: 'garbage '.repeat(2000),
    });
    for (const verb of ['run', 'status', 'check'])
      expectTold(await p.sluice([verb, 'sluice.json']), 'E_STATE_CORRUPT', 3);
    expect(p.read(STORE)).toBe('garbage '.repeat(2000));
    expect(p.rows('out.ndjson')).toEqual([]);
  });

  it('whose database is of something else is told so, and left alone', async () => {
    await using p = await pipeline(fileToFile({}), { 'in.ndjson': ndjson(numbered(3)), [STORE]: '' });
    const db = new DatabaseSync(p.path(STORE));
    db.exec('create table mine (a); insert into mine values (1)');
    db.close();
    expectTold(await p.run(), 'E_STATE_OPEN', 3);
    const again = new DatabaseSync(p.path(STORE), { readOnly: true });
    expect(again.prepare('select count(*) as n from sqlite_schema').get()).toEqual({ n: 1 });
    again.close();
  });

  it('with one byte flipped in the checkpoint is refused, and clearing the checkpoint is the way out', async () => {
    await using p = await pipeline(fileToFile({}), { 'in.ndjson': ndjson(numbered(3)) });
    expect((await p.run()).code).toBe(0);
    const db = new DatabaseSync(p.path(STORE));
    db.exec(`update checkpoint set text = replace(text, '"delivered":3', '"delivered":7')`);
    db.close();
    for (const args of [['run'], ['status'], ['checkpoint', 'show']]) {
      const result = await p.sluice([...args, 'sluice.json']);
      expect(result.code, `${args.join(' ')} ${result.stderr}`).toBe(3);
      expect(result.stderr).toContain('E_STATE_CORRUPT');
    }
    expect(p.rows('out.ndjson')).toEqual(numbered(3));
    expect((await p.sluice(['checkpoint', 'clear', 'sluice.json'])).code).toBe(0);
    rmSync(p.path('out.ndjson'));
    expect((await p.run()).code).toBe(0);
    expect(p.rows('out.ndjson')).toEqual(numbered(3));
  });

  it('of a newer Sluice is refused', async () => {
    await using p = await pipeline(fileToFile({}), { 'in.ndjson': ndjson(numbered(3)) });
    expect((await p.run()).code).toBe(0);
    const db = new DatabaseSync(p.path(STORE));
    db.exec('pragma user_version = 999');
    db.close();
    expectTold(await p.run(), 'E_STATE_VERSION', 3);
  });
});

describe.concurrent('a state store that cannot be written', () => {
  it('(a file where its folder should be) is told before anything is read', async () => {
    await using p = await pipeline(fileToFile({}), { 'in.ndjson': ndjson(numbered(3)), '.sluice': 'a file' });
    expectTold(await p.run(), 'E_STATE_OPEN', 3);
    expect(p.rows('out.ndjson')).toEqual([]);
  });

  it.runIf(canMount)('(a read-only disk) is told before anything is read', async () => {
    await using p = await pipeline(fileToFile({ service: { state: { path: './disk/state.db' } } }), {
      'in.ndjson': ndjson(numbered(3)),
    });
    const unmount = smallDisk(p.path('disk'), 200)!;
    try {
      execFileSync('mount', ['-o', 'remount,ro', p.path('disk')]);
      expectTold(await p.run(), 'E_STATE_OPEN', 3);
      expect(p.rows('out.ndjson')).toEqual([]);
    } finally {
      unmount();
    }
  });
});

describe.runIf(canMount)('a full disk', () => {
  async function filled<T>(p: Pipeline, kib: number, work: (free: () => void) => Promise<T>): Promise<T> {
    const unmount = smallDisk(p.path('disk'), kib)!;
    try {
      const ballast = p.path('disk/ballast');
      return await work(() => rmSync(ballast));
    } finally {
      unmount();
    }
  }

  /** Fills the disk to its last block. */
  function fill(p: Pipeline): void {
    for (let block = 64 * 1024; block >= 1024; ) {
      try {
        writeFileSync(p.path('disk/ballast'), Buffer.alloc(block), { flag: 'a' });
      } catch {
        block /= 2;
      }
    }
  }

  const away = { retry_policy: { initial_delay: '50ms', max_delay: '100ms' } };

  it('under the state store holds the stream with its reason, and nothing is lost when there is room again', async () => {
    await using p = await pipeline(
      fileToFile({ service: { state: { path: './disk/state.db' } }, source: { follow: true }, stream: away }),
      { 'in.ndjson': ndjson(numbered(3)) },
    );
    await filled(p, 2_000, async (free) => {
      const running = p.start(['run', 'sluice.json']);
      await until('the first rows', () => p.rows('out.ndjson').length === 3);
      await until('their checkpoint', async () => (await p.status())[0]!.ledger.in === 3);
      fill(p);
      // enough checkpoints to need room in the log
      for (let id = 4; id <= 60; id++) {
        writeFileSync(p.path('in.ndjson'), ndjson([{ id, text: 'x'.repeat(2000) }]), { flag: 'a' });
        await until(
          'it was read',
          () => p.rows('out.ndjson').length >= id || /E_STATE_WRITE/.test(running.said().stderr),
        );
      }
      await until('it is told', () => /E_STATE_WRITE[^\n]*full/.test(running.said().stderr));
      free();
      await until('all is there', () => p.rows('out.ndjson').length === 60);
      await until('all is covered', async () => (await p.status())[0]!.ledger.in === 60);
      expect((await running.kill('SIGTERM')).code).toBe(143);
      expect(p.rows('out.ndjson').map((row) => row['id'])).toEqual(numbered(60).map(({ id }) => id));
      expect((await p.status())[0]!.ledger).toMatchObject({ in: 60, delivered: 60 });
    });
  });

  it('under a file sink is an absent sink: it waits, and every row stands there once, in order, when there is room', async () => {
    const rows = numbered(100).map((row) => ({ ...row, text: 'x'.repeat(2000) }));
    await using p = await pipeline(
      fileToFile({
        sinks: [{ id: 'out', type: 'file', path: './disk/out.ndjson' }],
        stream: { ...away, batch: { max_events: 10 } },
      }),
      { 'in.ndjson': ndjson(rows) },
    );
    await filled(p, 400, async (free) => {
      writeFileSync(p.path('disk/ballast'), Buffer.alloc(300 * 1024));
      const running = p.start(['run', 'sluice.json']);
      const shown = await until('it waits', async () => {
        const [stream] = await p.status();
        return stream?.state === 'waiting' ? stream : null;
      });
      expect(shown.reason).toMatchObject({ code: 'E_SINK_WRITE', message: 'the disk is full' });
      expect(await p.letters()).toEqual([]);
      free();
      const ended = await running.exited;
      expect(ended.code, ended.stderr).toBe(0);
      expect(p.rows('disk/out.ndjson')).toEqual(rows);
      expect((await p.status())[0]!.ledger).toMatchObject({ in: 100, delivered: 100 });
    });
  });
});

describe.concurrent('a home that was deleted', () => {
  const toHome = fileToFile({ sinks: [{ id: 'db', type: 'sqlite', path: './home.db' }] });
  const ids = (p: Pipeline): unknown[] =>
    p.query('home.db', 'select id from items order by id').map((row) => Number(row['id']));
  const lose = (p: Pipeline): void => {
    for (const end of ['', '-wal', '-shm', '-journal']) rmSync(p.path(`home.db${end}`), { force: true });
  };

  it('is not started over in silence, and `checkpoint clear` reads everything again', async () => {
    await using p = await pipeline(toHome, { 'in.ndjson': ndjson(numbered(3)) });
    expect((await p.run()).code).toBe(0);
    lose(p);
    const refused = await p.run();
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/E_CHECKPOINT_HOME[\s\S]*checkpoint clear --stream s[\s\S]*checkpoint set/);
    expect((await p.sluice(['checkpoint', 'clear', 'sluice.json'])).code).toBe(0);
    expect((await p.run()).code).toBe(0);
    expect(ids(p)).toEqual([1, 2, 3]);
  });

  it('goes on from the position that `checkpoint set` gives', async () => {
    await using p = await pipeline(toHome, { 'in.ndjson': ndjson(numbered(3)) });
    expect((await p.run()).code).toBe(0);
    const [before] = await p.status();
    lose(p);
    expect((await p.run()).code).toBe(1);
    const set = await p.sluice(['checkpoint', 'set', 'sluice.json', '--position', JSON.stringify(before!.position)]);
    expect(set.code, set.stderr).toBe(0);
    writeFileSync(p.path('in.ndjson'), ndjson([{ id: 4 }]), { flag: 'a' });
    const ran = await p.run();
    expect(ran.code, ran.stderr).toBe(0);
    expect(ids(p)).toEqual([4]);
    expect((await p.status())[0]!.ledger).toMatchObject({ in: 4, delivered: 4 });
  });
});

describe.concurrent('checkpoint', () => {
  it('show, set and clear do what they say, and `set` to an earlier position reads from there again', async () => {
    await using p = await pipeline(fileToFile({}), { 'in.ndjson': ndjson(numbered(2)) });
    expect((await p.run()).code).toBe(0);
    const shown = await p.json<{ checkpoints: { stream: string; checkpoint: { position: unknown } }[] }>([
      'checkpoint',
      'show',
    ]);
    expect(shown.checkpoints).toMatchObject([{ stream: 's', checkpoint: { stream: 's', ledger: { in: 2 } } }]);
    const { position } = shown.checkpoints[0]!.checkpoint;
    writeFileSync(p.path('in.ndjson'), ndjson([{ id: 3 }]), { flag: 'a' });
    expect((await p.run()).code).toBe(0);
    expect(p.rows('out.ndjson')).toEqual(numbered(3));
    const set = await p.json(['checkpoint', 'set'], '--position', JSON.stringify(position));
    expect(set).toMatchObject({ stream: 's', after: position });
    expect((await p.run()).code).toBe(0);
    expect(p.rows('out.ndjson').map((row) => row['id'])).toEqual([1, 2, 3, 3]);
    expect(await p.json(['checkpoint', 'clear'])).toMatchObject({ stream: 's', after: null });
    expect((await p.status())[0]).toMatchObject({ position: null, ledger: { in: 0 } });
  });

  it('refuses a position that is no JSON, and one that the source cannot take', async () => {
    await using p = await pipeline(fileToFile({}), { 'in.ndjson': ndjson(numbered(2)) });
    expect((await p.run()).code).toBe(0);
    expectTold(await p.sluice(['checkpoint', 'set', 'sluice.json', '--position', '{oops']), 'E_USAGE', 2);
    expectTold(await p.sluice(['checkpoint', 'set', 'sluice.json']), 'E_USAGE', 2);
    const before = await p.status();
    for (const position of ['{"x":1}', '{"offset":-1}', '{"offset":"0"}', '[]', '7', '"x"']) {
      expectTold(await p.sluice(['checkpoint', 'set', 'sluice.json', '--position', position]), 'E_SOURCE_POSITION', 2);
    }
    expect((await p.status())[0]!.position).toEqual(before[0]!.position);
    expect((await p.run()).code).toBe(0);
    expect(p.rows('out.ndjson')).toEqual(numbered(2));
  });
});

it('the state store and what belongs to it can be read by their owner only', async () => {
  await using p = await pipeline(fileToFile({}), { 'in.ndjson': ndjson(numbered(2)) });
  expect((await p.run()).code).toBe(0);
  expect(statSync(p.path('.sluice')).mode & 0o077).toBe(0);
  expect(statSync(p.path(STORE)).mode & 0o077).toBe(0);
  expect(readFileSync(p.path(STORE)).subarray(0, 6).toString()).toBe('SQLite');
});
