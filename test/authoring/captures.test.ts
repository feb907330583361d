// Captures of a real stream by the real command line: what is stored is redacted, and the raw values are nowhere but where
// the stream itself has them: in its source, in its sink, and in dead letters, which only their owner may read.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openSqliteStore } from '../../core/state/index.ts';
import { fileToFile, javascript, ndjson, parsed, pipeline } from '../faults/pipeline.ts';

const RAW = ['jane.doe@example.org', 'Jane Middlename Doe', '4111111111111111', 'hunter2hunter2', 'Main Street 5'];
const rows = Array.from({ length: 30 }, (_, i) => ({
  id: i + 1,
  name: RAW[1],
  mail: RAW[0],
  card: RAW[2],
  login: { password: RAW[3] },
  address: JSON.stringify({ street: RAW[4], city: 'X' }),
  note: `${RAW[1]} of ${RAW[4]} wrote from ${RAW[0]}`,
}));
const REDACT = { columns: ['name'], paths: ['address.street'] };

/** Every file of a folder that holds one of the raw values. */
function holdRaw(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => RAW.some((raw) => readFileSync(path).includes(raw)))
    .map((path) => path.slice(dir.length + 1))
    .sort();
}

const noRaw = (text: string): void => {
  for (const raw of RAW) expect(text).not.toContain(raw);
};

it('a stream keeps a sample of what passes, with the code that ran, and no raw value gets out of it', async () => {
  const code = 'export default (row, ctx) => { ctx.log.info("seen", row.id); return row; };';
  await using p = await pipeline(
    fileToFile({
      transformations: [javascript(code)],
      stream: { capture: { per_second: 2, max_events: 15 }, redact: REDACT },
    }),
    { 'in.ndjson': ndjson(rows) },
  );
  const ran = await p.sluice(['run', 'sluice.json', '--verbose']);
  expect(ran.code, ran.stderr).toBe(0);
  noRaw(ran.stdout + ran.stderr);
  expect(holdRaw(p.dir)).toEqual(['in.ndjson', 'out.ndjson']);

  await using store = await openSqliteStore({ path: p.path('.sluice/state.db') });
  const captures = await store.captures('s', 100);
  expect(captures).toHaveLength(15); // 20 were let through (10 s worth of 2), 15 are kept
  expect(captures[0]!.details).toMatchObject({
    typed: false,
    transforms: [{ id: 'code', language: 'javascript', hash: expect.stringMatching(/^[0-9a-f]{64}$/) }],
  });
  const after = captures.map((one) => (JSON.parse(one.event) as { after: (typeof rows)[number] }).after);
  expect(new Set(after.map((row) => row.mail)).size).toBe(1); // equal values have equal tokens
  expect(after[0]!.mail).toMatch(/^[a-z]{4}\.[a-z]{3}@[a-z]{7}\.org$/);
  expect(after[0]!.note).toContain(after[0]!.name);
  expect(new Set(captures.map((one) => one.event_id)).size).toBe(15);
  expect(statSync(p.path('.sluice/state.db.redact-key')).mode & 0o777).toBe(0o600);
});

it('the verb taps the source, leaves nothing behind, and stores or writes what it saw, redacted', async () => {
  await using p = await pipeline(fileToFile({ stream: { redact: REDACT } }), { 'in.ndjson': ndjson(rows) });
  const stored = await p.sluice(['capture', 'sluice.json', '--max', '7', '--json']);
  expect([stored.code, JSON.parse(stored.stdout)]).toEqual([0, { stream: 's', captured: 7, to: 'the state store' }]);
  const written = await p.sluice(['capture', 'sluice.json', '--max', '3', '--out', 'events.ndjson']);
  expect(written.code).toBe(0);
  expect(statSync(p.path('events.ndjson')).mode & 0o777).toBe(0o600);
  const shown = await p.sluice(['capture', 'sluice.json', '--max', '3', '--out', '-']);
  expect(shown.stdout).toBe(p.read('events.ndjson')); // the same tokens, every time
  expect(shown.stdout.trim().split('\n')).toHaveLength(3);
  expect(holdRaw(p.dir)).toEqual(['in.ndjson']);
  expect(await p.status()).toMatchObject([{ position: null, ledger: { in: 0 } }]);
  expect(await p.run()).toMatchObject({ code: 0 });
  expect(p.rows('out.ndjson')).toHaveLength(30); // the tap took nothing from the stream
});

it('a tap ends by its time, by a signal, and where a source cannot be tapped it says what to do', async () => {
  await using p = await pipeline(fileToFile({ source: { follow: true } }), {
    'in.ndjson': ndjson(rows),
    'hook.json': JSON.stringify({
      version: 1,
      streams: [{ id: 'h', source: { type: 'http', port: 18_123 }, sinks: [{ id: 'o', type: 'console' }] }],
    }),
  });
  const timed = await p.sluice(['capture', 'sluice.json', '--for', '1s', '--json']);
  expect(parsed<object>(timed)).toMatchObject({ captured: 30 });
  const hook = await p.sluice(['capture', 'hook.json']);
  expect(hook).toMatchObject({ code: 1, stderr: expect.stringMatching(/E_SOURCE_TAP[\s\S]*`capture:`/) });
});

it('a dead letter is kept as it came, for its owner alone, and redacted wherever it is shown', async () => {
  const code = 'export default (row) => { throw new Error(`cannot take ${row.name} of ${row.mail}`); };';
  await using p = await pipeline(
    fileToFile({ transformations: [javascript(code)], stream: { redact: REDACT }, source: { key: ['name'] } }),
    { 'in.ndjson': ndjson(rows.slice(0, 1)) + `{"broken": "${RAW[1]}` },
  );
  const ran = await p.sluice(['run', 'sluice.json', '--verbose']);
  expect(ran.code).toBe(0);
  noRaw(ran.stdout + ran.stderr);
  expect(holdRaw(p.dir).filter((name) => name.startsWith('.sluice'))).not.toEqual([]); // or it could not be tried again
  for (const name of readdirSync(p.path('.sluice'))) expect(statSync(p.path(`.sluice/${name}`)).mode & 0o077).toBe(0);
  for (const args of [
    ['list'],
    ['list', '--json'],
    ['show', '1', '2'],
    ['show', '1', '2', '--json'],
    ['replay', '--dry-run'],
    ['replay', '--json'],
  ]) {
    const [verb, ...rest] = args;
    const shown = await p.sluice(['dead-letters', verb!, 'sluice.json', ...rest]);
    noRaw(shown.stdout + shown.stderr);
    expect([args, shown.stdout]).toEqual([args, expect.stringContaining('cannot take')]);
  }
  const [letter] = await p.letters();
  const event = JSON.parse(letter!.event) as { after: { name: string; mail: string } };
  expect(letter!.error.message).toContain(`cannot take ${event.after.name} of ${event.after.mail}`);
  const raw = await p.sluice(['dead-letters', 'show', 'sluice.json', '1', '--raw', '--json']);
  expect(raw.stdout).toContain(RAW[1]);
});
