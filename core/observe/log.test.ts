// No secret leaves by the log, in whatever it is hidden, and every line stays JSON.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sluiceError } from '../errors.ts';
import { createLog } from './log.ts';
import { secretMask } from './mask.ts';

function logged(secrets: readonly string[], level: 'debug' | 'info' = 'debug') {
  const lines: string[] = [];
  const log = createLog({ level, format: 'json', secrets, write: (line) => lines.push(line) });
  return { log, lines, last: () => JSON.parse(lines.at(-1)!) as Record<string, unknown> };
}

test('a secret is masked in the message, in fields, in keys, in lists, in errors, their causes, codes and stacks', () => {
  const secret = 'hunter2-sesam';
  const { log, lines, last } = logged([secret]);
  const inner = Object.assign(new Error(`password ${secret} refused`), { code: `X${secret}` });
  const outer = new Error(`connect: ${secret}`, { cause: inner });
  const error = sluiceError('E_SINK_CONNECT', {
    message: `no ${secret}`,
    fix: `change ${secret}`,
    at: { file: `/home/${secret}/x.yaml`, line: 3 },
    cause: outer,
  });
  log.error({ error, err: outer, list: [{ [secret]: 1 }], map: new Map([['k', secret]]) }, `failed with ${secret}`);
  log.info(outer, 'an error as the fields');
  expect(lines.join('')).not.toContain(secret);
  log.error({ error }, 'again');
  expect(last()).toMatchObject({
    level: 'error',
    message: 'again',
    error: {
      code: 'E_SINK_CONNECT',
      message: 'no ***',
      fix: 'change ***',
      at: { file: '/home/***/x.yaml', line: 3 },
      cause: { message: 'connect: ***', cause: { message: 'password *** refused', code: 'X***' } },
    },
  });
});

test('other forms of a secret are masked: in a URL, in JSON text, in base64, and the password of a secret URL', () => {
  const secret = 'p@ss "word"/ü';
  const mask = secretMask([secret, 'postgres://shop:s3cret%2Fpw@db:5432/x', 'file-secret\n']);
  for (const text of [
    `postgres://u:${encodeURIComponent(secret)}@db`,
    JSON.stringify({ row: { secret } }),
    `Basic ${Buffer.from(secret).toString('base64')}`,
    'password s3cret%2Fpw was refused',
    'password s3cret/pw was refused',
    'token file-secret.',
  ]) {
    expect(mask.text(text), text).toContain('***');
    expect(mask.text(text), text).not.toMatch(/s3cret|file-secret|ss "word/);
  }
});

test('one line of a long secret is masked alone, and the frame around a key is not', () => {
  const mask = secretMask(['-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nshort\n-----END KEY-----\n']);
  expect(mask.text('bad line MIIEvQIBADANBgkqhkiG after -----BEGIN KEY-----')).toBe(
    'bad line *** after -----BEGIN KEY-----',
  );
});

test('a short secret is masked as a whole value only', () => {
  const mask = secretMask(['.', '1']);
  expect(mask.value({ a: '.', b: 1, c: 'one. two.', d: 21 })).toEqual({ a: '***', b: '***', c: 'one. two.', d: 21 });
});

test('no secret survives in any record, and every record is one line of JSON', () => {
  const secret = fc.string({ minLength: 4, maxLength: 12, unit: 'binary' }).filter((text) => !'***'.includes(text));
  fc.assert(
    fc.property(secret, fc.jsonValue(), fc.string({ unit: 'binary' }), (text, value, around) => {
      const { log, lines } = logged([text]);
      log.info({ value, nested: { [around + text]: [around + text + around] } }, around + text);
      expect(lines).toHaveLength(1);
      expect(lines[0]!.indexOf('\n')).toBe(lines[0]!.length - 1);
      const { message, nested } = JSON.parse(lines[0]!) as { message: string; nested: object };
      expect(message).not.toContain(text);
      expect(Object.keys(nested)[0]).not.toContain(text);
      expect((Object.values(nested)[0] as string[])[0]).not.toContain(text);
    }),
    { numRuns: 500 },
  );
});

test('levels are kept, children add their fields, and secrets that come later are masked in children too', () => {
  const { log, lines, last } = logged([], 'info');
  const child = log.child({ stream: 'orders' });
  log.debug({}, 'not shown');
  child.addSecrets(['late-secret']);
  log.warn({ at: 'late-secret' }, 'shown');
  expect(last()).toMatchObject({ level: 'warn', at: '***', message: 'shown' });
  child.info({ n: 1 }, 'late-secret');
  expect(last()).toMatchObject({ stream: 'orders', n: 1, message: '***' });
  expect(Date.parse(last()['time'] as string)).toBeGreaterThan(0);
  expect(lines).toHaveLength(2);
});

test('a circle, a deep value, bytes and a getter that throws do not stop the log', () => {
  const { log, lines } = logged([]);
  const circle: Record<string, unknown> = { big: 2n ** 64n, bytes: Buffer.alloc(9), when: new Date(0) };
  circle['self'] = circle;
  log.info({ circle }, 'circle');
  log.info(
    {
      get bad() {
        throw new Error('no');
      },
    },
    'bad',
  );
  expect(JSON.parse(lines[0]!)['circle']).toEqual({
    big: '18446744073709551616',
    bytes: '9 bytes',
    when: '1970-01-01T00:00:00.000Z',
    self: '…',
  });
  expect(lines[1]).toContain('could not be written');
});

test('the readable form has time, level, message and fields on one line', () => {
  const lines: string[] = [];
  const log = createLog({ level: 'info', format: 'text', color: false, write: (line) => lines.push(line) });
  log.warn({ stream: 'orders', note: 'two words' }, 'waiting');
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} warn {2}waiting stream=orders note="two words"\n$/);
});

test('in a pipe lines go to stderr, all of them before the process ends, and none to stdout', () => {
  const program = `
    const { createLog } = await import(${JSON.stringify(fileURLToPath(new URL('./log.ts', import.meta.url)))});
    const log = createLog({ level: 'info', secrets: ['planted-secret'] });
    for (let i = 0; i < 5000; i++) log.info({ i, s: 'planted-secret' }, 'line');
    process.kill(process.pid, 'SIGKILL');
  `;
  const run = spawnSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', program], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  expect(run.stdout).toBe('');
  expect(run.stderr.trimEnd().split('\n')).toHaveLength(5000);
  expect(run.stderr).not.toContain('planted-secret');
});
