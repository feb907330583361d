// Lines that a file source cannot read: each is one event with its line number, the source's policy decides about it alone,
// and its neighbours pass unchanged.

import { describe, expect, it } from 'vitest';
import { expectSum, fileToFile, javascript, ndjson, pipeline } from './pipeline.ts';
import { sideBySide } from './side-by-side.ts';

const through = javascript('export default (row) => row');
const same = [through];

interface Case {
  readonly name: string;
  readonly line: string | Uint8Array;
  readonly code: string;
  readonly says?: RegExp;
}

const cases: readonly Case[] = [
  { name: 'no JSON', line: '{"id":2,,}', code: 'E_EVENT_PARSE' },
  { name: 'half a line', line: '{"id":2', code: 'E_EVENT_PARSE' },
  { name: 'an array', line: '[1,2]', code: 'E_EVENT_PARSE' },
  { name: 'a number', line: '17', code: 'E_EVENT_PARSE' },
  { name: 'null', line: 'null', code: 'E_EVENT_PARSE' },
  { name: 'two objects on a line', line: '{"id":2}{"id":3}', code: 'E_EVENT_PARSE' },
  {
    name: 'no UTF-8',
    line: Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0xc0, 0x22, 0x7d]),
    code: 'E_EVENT_ENCODING',
  },
  {
    name: 'an integer beyond 2^53',
    line: '{"id":2,"n":9007199254740993}',
    code: 'E_EVENT_NUMBER',
    says: /9007199254740993|double/,
  },
  { name: 'more digits than a double has', line: '{"id":2,"n":0.12345678901234567890}', code: 'E_EVENT_NUMBER' },
  { name: 'a number that is infinite', line: '{"id":2,"n":1e400}', code: 'E_EVENT_NUMBER' },
];

const whole = (line: string | Uint8Array): Buffer =>
  Buffer.concat([Buffer.from('{"id":1}\n'), Buffer.from(line), Buffer.from('\n{"id":4}\n{"id":5}\n')]);

describe('a line that is', () => {
  const became = sideBySide(cases.map(({ line }) => ({ transformation: through, input: whole(line) })));

  it.for([...cases.entries()].map(([n, one]) => ({ ...one, n })))(
    '$name is one dead letter with its number, and its neighbours pass',
    ({ n, code, says }) => {
      const { out, letters, shown } = became(n);
      expect(out).toEqual([{ id: 1 }, { id: 4 }, { id: 5 }]);
      expect(letters).toHaveLength(1);
      expect(letters[0]).toMatchObject({
        place: { kind: 'source' },
        status: 'pending',
        error: { code, at: { line: 2 } },
      });
      if (says !== undefined) expect(letters[0]!.error.message).toMatch(says);
      expect(shown.ledger).toMatchObject({ in: 4, delivered: 3, dead_lettered: 1 });
    },
  );
});

describe.concurrent('a line that is', () => {
  it('no JSON is found without a transform too, where `verify` asks for it', async () => {
    await using p = await pipeline(fileToFile({ source: { verify: true } }));
    p.write('in.ndjson', whole('{"id":2,,}'));
    expect((await p.run()).code).toBe(0);
    expect(p.rows('out.ndjson')).toEqual([{ id: 1 }, { id: 4 }, { id: 5 }]);
    expect(await p.letters()).toMatchObject([{ error: { code: 'E_EVENT_PARSE', at: { line: 2 } } }]);
  });

  it('too long is one dead letter', async () => {
    await using p = await pipeline(fileToFile({ source: { max_line: '1KiB' }, transformations: same }));
    p.write('in.ndjson', whole(`{"id":2,"text":"${'x'.repeat(5000)}"}`));
    expect((await p.run()).code).toBe(0);
    expect(p.rows('out.ndjson')).toEqual([{ id: 1 }, { id: 4 }, { id: 5 }]);
    expect(await p.letters()).toMatchObject([{ error: { code: 'E_EVENT_SIZE', at: { line: 2 } } }]);
  });

  it('a number beyond 2^53 passes with `numbers: double`, and untouched where nobody parses it', async () => {
    const big = '{"id":2,"n":9007199254740993}';
    await using rounded = await pipeline(fileToFile({ source: { numbers: 'double' }, transformations: same }));
    rounded.write('in.ndjson', whole(big));
    expect((await rounded.run()).code).toBe(0);
    expect(rounded.read('out.ndjson')).toContain('"n":9007199254740992');
    await using exact = await pipeline(fileToFile({}));
    exact.write('in.ndjson', whole(big));
    expect((await exact.run()).code).toBe(0);
    expect(exact.read('out.ndjson')).toContain(big);
  });
});

describe.concurrent('lines that end in other ways', () => {
  it('(CRLF, blank lines, a byte order mark, no newline at the end) are all read', async () => {
    await using p = await pipeline(fileToFile({ transformations: same }));
    p.write('in.ndjson', '\uFEFF{"id":1}\r\n\r\n{"id":2}\n\n   \n{"id":3}');
    const ran = await p.run();
    expect(ran.code).toBe(0);
    expect(p.rows('out.ndjson')).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
    expect((await p.status())[0]!.ledger.in).toBe(3);
  });

  it('(an empty file, a file of blank lines) are no events', async () => {
    for (const text of ['', '\n\r\n\n']) {
      await using p = await pipeline(fileToFile({}), { 'in.ndjson': text });
      expect((await p.run()).code).toBe(0);
      expect((await p.status())[0]!.ledger.in).toBe(0);
    }
  });
});

describe.concurrent('the policy of the source', () => {
  const handled = (on_error: string): object =>
    fileToFile({
      source: { error_handling: { on_error } },
      transformations: same,
      stream: { batch: { max_events: 1 } },
    });

  it('`skip` leaves the line out and counts it', async () => {
    await using p = await pipeline(handled('skip'));
    p.write('in.ndjson', whole('oops'));
    expect((await p.run()).code).toBe(0);
    expect(p.rows('out.ndjson')).toEqual([{ id: 1 }, { id: 4 }, { id: 5 }]);
    expect(await p.letters()).toEqual([]);
    expect((await p.status())[0]!.ledger).toMatchObject({ in: 4, delivered: 3, skipped: 1 });
  });

  it('`fail_stream` stops at the line with exit code 1, and goes on when the file is mended', async () => {
    await using p = await pipeline(handled('fail_stream'));
    p.write('in.ndjson', whole('{oops}'));
    const ran = await p.run();
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/E_STREAM_FAILED.*/);
    expect(ran.stderr).toContain('line');
    p.write('in.ndjson', whole('{"id"}')); // still broken, of the same length
    expect((await p.run()).code).toBe(1);
    p.write('in.ndjson', whole('{"i":1'.slice(0, 5) + '}')); // {"i":}
    expect((await p.run()).code).toBe(1);
    p.manifest(handled('dead_letter'));
    expect((await p.run()).code).toBe(0);
    expect(p.rows('out.ndjson')).toEqual([{ id: 1 }, { id: 4 }, { id: 5 }]);
    const [shown] = await p.status();
    expectSum(shown!.ledger);
    expect(shown!.ledger.in).toBe(4);
  });
});

describe.concurrent('a source file', () => {
  it('that is not there fails the stream, and is read when it comes', async () => {
    await using p = await pipeline(fileToFile({}));
    const ran = await p.run();
    expect(ran.code).toBe(3);
    expect(ran.stderr).toContain('E_SOURCE_CONNECT');
    p.write('in.ndjson', ndjson([{ id: 1 }]));
    expect((await p.run()).code).toBe(0);
    expect(p.rows('out.ndjson')).toEqual([{ id: 1 }]);
  });

  it('that is a folder is told so', async () => {
    await using p = await pipeline(fileToFile({ source: { path: '.' } }));
    const ran = await p.run();
    expect(ran.code).toBe(3);
    expect(ran.stderr).toMatch(/E_SOURCE_CONNECT.*folder/);
  });

  it('that was replaced by another since the checkpoint is refused, not read in its middle', async () => {
    await using p = await pipeline(fileToFile({}), { 'in.ndjson': ndjson([{ id: 1 }, { id: 2 }]) });
    expect((await p.run()).code).toBe(0);
    p.write('in.ndjson', ndjson([{ id: 7 }, { id: 8 }, { id: 9 }]));
    const ran = await p.run();
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('E_SOURCE_POSITION');
    expect(p.rows('out.ndjson')).toHaveLength(2);
    expect((await p.sluice(['checkpoint', 'clear', 'sluice.json'])).code).toBe(0);
    expect((await p.run()).code).toBe(0);
    expect(p.rows('out.ndjson').map((row) => row['id'])).toEqual([1, 2, 7, 8, 9]);
  });
});
