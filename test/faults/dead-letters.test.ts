// Dead letters from the command line: found by filters, shown, ignored, tried without writing, and replayed with the files as
// they are now, by a verb alone and by a running process. A replay changes a letter's status and never the ledger.

import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  expectTold,
  fileToFile,
  ndjson,
  numbered,
  type Pipeline,
  parsed,
  pipeline,
  type Replayed,
  until,
} from './pipeline.ts';

const CODE = 'code.js';
const REFUSES = (ids: readonly number[]): string =>
  `export default (row) => {\n  if ([${ids.join(', ')}].includes(row.id)) throw new Error('no ' + row.id);\n  return { ...row, ok: true };\n};\n`;
const FIXED = 'export default (row) => ({ ...row, ok: true });\n';

const toFile = (more: { source?: object; stream?: object } = {}): object =>
  fileToFile({ transformations: [{ id: 'code', type: 'javascript', file: `./${CODE}` }], ...more });
const toSqlite = (more: { source?: object } = {}): object =>
  fileToFile({
    transformations: [{ id: 'code', type: 'javascript', file: `./${CODE}` }],
    sinks: [{ id: 'db', type: 'sqlite', path: './out.db' }],
    ...more,
  });

/** Six rows, of which 2 and 4 became dead letters 1 and 2. */
async function withLetters(manifest: object): Promise<Pipeline> {
  const p = await pipeline(manifest, { 'in.ndjson': ndjson(numbered(6)), [CODE]: REFUSES([2, 4]) });
  const ran = await p.run();
  expect(ran.code, ran.stderr).toBe(0);
  return p;
}

const table = (p: Pipeline): unknown[] => p.query('out.db', 'select * from items order by id');

const verb = (p: Pipeline, ...args: string[]) => p.sluice(['dead-letters', args[0]!, 'sluice.json', ...args.slice(1)]);

describe.concurrent('dead-letters list and show', () => {
  it('give every field, for people and as JSON', async () => {
    await using p = await withLetters(toFile());
    const letters = await p.letters();
    expect(letters).toHaveLength(2);
    expect(letters[0]).toMatchObject({
      id: 1,
      stream: 's',
      event_id: expect.any(String),
      status: 'pending',
      error: {
        code: 'E_TRANSFORM_RUNTIME',
        message: expect.stringContaining('no 2'),
        at: { file: p.path(CODE), line: 2 },
      },
    });
    const listed = await verb(p, 'list');
    expect(listed.stdout).toMatch(/1 +pending +s +transform code .*E_TRANSFORM_RUNTIME +code\.js:2:\d+ +.*no 2/);
    const shown = JSON.parse((await verb(p, 'show', '2')).stdout);
    expect(shown).toMatchObject({
      id: 2,
      event: { op: 'c', after: { id: 4 } },
      attempts: 1,
      transform: { id: 'code' },
    });
  });

  it('go by each filter', async () => {
    await using p = await withLetters(toFile());
    const [first, second] = await p.letters();
    const matching: readonly (readonly [readonly string[], readonly number[]])[] = [
      [['--status', 'resolved'], []],
      [
        [
          '--status',
          'pending',
          '--place',
          'code',
          '--table',
          'items',
          '--stream',
          's',
          '--code',
          'E_TRANSFORM_RUNTIME',
        ],
        [1, 2],
      ],
      [['--code', 'E_SINK_KEY'], []],
      [['--place', 'out'], []],
      [['--table', 'others'], []],
      [['--event', second!.event_id], [2]],
      [
        ['--since', '2001-01-01T00:00:00Z'],
        [1, 2],
      ],
      [['--since', '2999-01-01T00:00:00Z'], []],
      [['--limit', '1'], [1]],
      [['2'], [2]],
    ];
    for (const [filter, ids] of matching) {
      expect(
        (await p.letters(...filter)).map(({ id }) => id),
        filter.join(' '),
      ).toEqual(ids);
    }
    expect(first!.id).toBe(1);
  });

  it.for([
    ['show', '99', 'E_DEAD_LETTER_NOT_FOUND'],
    ['list', '--status', 'lost', 'E_USAGE'],
    ['show', 'E_USAGE'],
    ['ignore', 'E_USAGE'],
    ['list', '--stream', 'nobody', 'E_USAGE'],
    ['lst', 'E_USAGE'],
  ])('refuse what is wrong: %s', async (args) => {
    await using p = await pipeline(toFile(), { 'in.ndjson': '', [CODE]: FIXED });
    expectTold(await verb(p, ...args.slice(0, -1)), args.at(-1)!, 2);
  });
});

describe.concurrent('more dead letters than a page holds', () => {
  it('are listed, counted, tried and ignored to the last one', async () => {
    const ids = numbered(1203).map((row) => (row as { id: number }).id);
    await using p = await pipeline(toFile(), { 'in.ndjson': ndjson(numbered(1203)), [CODE]: REFUSES(ids) });
    expect((await p.run()).code).toBe(0);
    expect((await p.letters()).map(({ id }) => id)).toEqual(ids);
    expect(await p.letters('--limit', '501')).toHaveLength(501);
    expect((await p.status())[0]).toMatchObject({ dead_letters_pending: 1203 });
    const listed = (await verb(p, 'list')).stdout.trimEnd().split('\n');
    expect(listed.filter((line) => /^\d+ +pending +s +.* E_TRANSFORM_RUNTIME /.test(line))).toHaveLength(1203);
    expect(listed).toHaveLength(1204);
    p.write(CODE, REFUSES([1203]));
    const { results } = await p.replay('--dry-run');
    expect(results.map(({ outcome }) => outcome)).toEqual([...new Array(1202).fill('would_pass'), 'failed']);
    expect((await verb(p, 'replay', '--dry-run', '1202', '1203')).stdout).toMatch(/1 of 2 would pass\n$/);
    const ignored = JSON.parse((await verb(p, 'ignore', '--status', 'pending', '--json')).stdout);
    expect(ignored).toEqual({ ignored: ids });
    expect((await p.status())[0]).toMatchObject({ dead_letters_pending: 0 });
  });
});

describe.concurrent('dead-letters ignore', () => {
  it('marks the pending ones with a note, and leaves the ledger', async () => {
    await using p = await withLetters(toFile());
    const before = (await p.status())[0]!.ledger;
    expect((await verb(p, 'ignore', '1', '--note', 'known')).code).toBe(0);
    expect(await p.letters()).toMatchObject([
      { id: 1, status: 'ignored', note: 'known' },
      { id: 2, status: 'pending' },
    ]);
    expect((await p.status())[0]!.ledger).toEqual(before);
    p.write(CODE, FIXED);
    expect((await p.replay()).results.map(({ id }) => id)).toEqual([2]);
  });
});

describe.concurrent('a replay with no process running', () => {
  it('after a fix delivers and resolves, and leaves the ledger as it was', async () => {
    await using p = await withLetters(toFile());
    const before = (await p.status())[0]!.ledger;
    p.write(CODE, FIXED);
    const replayed = await p.replay('1');
    expect(replayed).toMatchObject({ dry_run: false, results: [{ id: 1, outcome: 'delivered', code_changed: true }] });
    expect(await p.letters()).toMatchObject([
      { id: 1, status: 'resolved' },
      { id: 2, status: 'pending' },
    ]);
    expect(p.rows('out.ndjson').map((row) => row['id'])).toEqual([1, 3, 5, 6, 2]);
    const after = (await p.status())[0]!;
    expect(after.ledger).toEqual(before);
    // again: it is resolved, and is not written a second time; nor does the next run cut it off
    expect((await p.replay('1')).results).toMatchObject([{ id: 1, outcome: 'refused' }]);
    expect((await p.run()).code).toBe(0);
    expect(p.rows('out.ndjson').map((row) => row['id'])).toEqual([1, 3, 5, 6, 2]);
  });

  it('that fails again leaves the letter pending, and says why', async () => {
    await using p = await withLetters(toFile());
    const result = await p.sluice(['dead-letters', 'replay', 'sluice.json', '1', '--json']);
    expect(result.code).toBe(1);
    expect(parsed<Replayed>(result).results).toMatchObject([
      { id: 1, outcome: 'failed', error: { code: 'E_TRANSFORM_RUNTIME' } },
    ]);
    expect(await p.letters('1')).toMatchObject([{ status: 'pending' }]);
    expect(p.rows('out.ndjson')).toHaveLength(4);
  });

  it('of an event that the transform drops now is resolved, and writes nothing', async () => {
    await using p = await withLetters(toFile());
    p.write(CODE, 'export default () => null;\n');
    expect((await p.replay()).results.map(({ outcome }) => outcome)).toEqual(['filtered', 'filtered']);
    expect(await p.letters()).toMatchObject([{ status: 'resolved' }, { status: 'resolved' }]);
    expect(p.rows('out.ndjson')).toHaveLength(4);
  });

  it('with broken code on disk is a finding, and changes nothing', async () => {
    await using p = await withLetters(toFile());
    p.write(CODE, 'export default (row) => {');
    expectTold(await verb(p, 'replay'), 'E_TRANSFORM_SYNTAX', 2);
    expect(await p.letters('--status', 'pending')).toHaveLength(2);
  });

  it('of a line that the source could not read is refused with what to do', async () => {
    await using p = await pipeline(toFile(), { 'in.ndjson': '{"id":1}\n{oops\n', [CODE]: FIXED });
    expect((await p.run()).code).toBe(0);
    const { results } = await p.replay();
    expect(results).toMatchObject([{ outcome: 'refused', message: expect.stringContaining('mend it at the source') }]);
    expect(await p.letters()).toMatchObject([{ status: 'pending' }]);
  });
});

describe.concurrent('a dry run', () => {
  it('shows what would pass, what still fails and what changes, and writes nothing', async () => {
    await using p = await withLetters(toFile());
    p.write(CODE, REFUSES([4]));
    const status = await p.status();
    const letters = await p.letters();
    const out = p.read('out.ndjson');
    const shown = await verb(p, 'replay', '--dry-run');
    expect(shown.code).toBe(1);
    expect(shown.stdout).toMatch(/✓ would pass +1 /);
    expect(shown.stdout).toMatch(/\+.*ok.*true/);
    expect(shown.stdout).toMatch(/✗ fails again +2 [\s\S]*E_TRANSFORM_RUNTIME .*no 4.*code\.js:2:/);
    const { dry_run, results } = await p.replay('--dry-run');
    expect(dry_run).toBe(true);
    expect(results).toMatchObject([
      { id: 1, outcome: 'would_pass', code_changed: true },
      { id: 2, outcome: 'failed' },
    ]);
    expect(JSON.parse(results[0]!.before!).after).toEqual({ id: 2 });
    expect(JSON.parse(results[0]!.after[0]!).after).toEqual({ id: 2, ok: true });
    expect(await p.letters()).toEqual(letters);
    expect(p.read('out.ndjson')).toBe(out);
    expect((await p.status()).map(({ ledger, position }) => ({ ledger, position }))).toEqual(
      status.map(({ ledger, position }) => ({ ledger, position })),
    );
  });
});

describe.concurrent('a superseded letter', () => {
  it('is not replayed over the later event, but with --force', async () => {
    await using p = await withLetters(toSqlite());
    p.write(CODE, FIXED);
    writeFileSync(p.path('in.ndjson'), ndjson([{ id: 2, later: 1 }]), { flag: 'a' });
    expect((await p.run()).code).toBe(0);
    expect(await p.letters()).toMatchObject([
      { id: 1, status: 'superseded' },
      { id: 2, status: 'pending' },
    ]);
    expect((await p.replay('1')).results).toMatchObject([
      { outcome: 'refused', message: expect.stringContaining('--force') },
    ]);
    const later = table(p);
    expect(later).toContainEqual({ id: 2, ok: 1, later: 1 });
    expect((await p.replay('1', '--force')).results).toMatchObject([{ outcome: 'delivered' }]);
    expect(await p.letters('1')).toMatchObject([{ status: 'resolved' }]);
    expect(table(p)).toHaveLength(5);
  });
});

describe('a replay while the stream runs', () => {
  it.for(['file', 'sqlite'])(
    'is carried out by the running process, into a %s, with the code on disk',
    async (sink) => {
      const following = { source: { follow: true } };
      await using p = await pipeline(sink === 'file' ? toFile(following) : toSqlite(following), {
        'in.ndjson': ndjson(numbered(6)),
        [CODE]: REFUSES([2, 4]),
      });
      const ids = (): unknown[] =>
        sink === 'file'
          ? p.rows('out.ndjson').map((row) => row['id'])
          : table(p).map((row) => (row as { id: number }).id);
      const running = p.start(['run', 'sluice.json']);
      await until('the letters are there', async () => (await p.letters()).length === 2);
      const before = await until('the ledger', async () => {
        const [stream] = await p.status();
        return stream?.ledger.in === 6 ? stream : null;
      });
      p.write(CODE, REFUSES([4]));
      const { results } = await p.replay();
      expect(results).toMatchObject([
        { id: 1, outcome: 'delivered', code_changed: true },
        { id: 2, outcome: 'failed' },
      ]);
      expect(await p.letters()).toMatchObject([
        { id: 1, status: 'resolved' },
        { id: 2, status: 'pending' },
      ]);
      expect(ids()).toEqual(sink === 'file' ? [1, 3, 5, 6, 2] : [1, 2, 3, 5, 6]);
      // the stream itself keeps the code that it started with
      writeFileSync(p.path('in.ndjson'), ndjson([{ id: 7 }]), { flag: 'a' });
      await until('it goes on', () => ids().includes(7));
      const ended = await running.kill('SIGTERM');
      expect(ended.code, ended.stderr).toBe(143);
      const [after] = await p.status();
      expect(after!.ledger).toEqual({ ...before.ledger, in: 7, delivered: 5, pending: 0 });
    },
  );
});
