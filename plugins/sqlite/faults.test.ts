// Faults of the machine, each in a process of its own: a limit on file size stands for the full disk, another user for
// files that may not be written.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Connection } from './driver.ts';
import { type Bench, bench, dump } from './fixture.ts';

let at: Bench;
let db: Connection;
beforeEach(async () => {
  at = await bench();
  db = await at.open('data.db');
  await db.exec(`CREATE TABLE o (id INTEGER PRIMARY KEY, n BLOB); INSERT INTO o VALUES (1, x'00')`);
});
afterEach(() => at[Symbol.asyncDispose]());

const file = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);
const HOOK = `import { registerHooks } from 'node:module';
registerHooks({ resolve: (name, context, next) => name === 'sluice/sdk' ? { url: ${file('../../core/sdk.ts')}, shortCircuit: true } : next(name, context) });`;

/** Runs a module, whose last line prints what it found as JSON. */
async function inAnother(script: string, options: { shell?: string } = {}): Promise<unknown> {
  const node = [
    process.execPath,
    '--no-warnings',
    '--import',
    `data:text/javascript,${encodeURIComponent(HOOK)}`,
    '--input-type=module',
    '-e',
    script,
  ];
  const path = at.path('data.db');
  const command =
    options.shell === undefined
      ? [...node, '--', path]
      : ['sh', '-c', `${options.shell}; exec "$@"`, 'sh', ...node, '--', path];
  const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  expect(err).toBe('');
  return JSON.parse(out);
}

const IMPORTS = `
  import { createSink } from ${file('./sink.ts')};
  import { createSource } from ${file('./source.ts')};
  import { batch, contextOf, never } from ${file('./fixture.ts')};
  const path = process.argv.at(-1);
  const told = (error) => ({ code: error.code, message: error.message, permanent: error.permanent });
  const sinkOf = () => createSink({ path, auto_create: true, auto_evolve: true, busy_timeout: 100 }, contextOf());`;

describe('a full disk', () => {
  test('stops a write, of which nothing is there afterwards, and the sink goes on once there is room', async () => {
    const script = `${IMPORTS}
      const sink = sinkOf();
      const results = [];
      for (const size of [1000, 3_000_000, 1000]) {
        const rows = Array.from({ length: 4 }, (_, i) => ({ op: 'c', after: { id: size + i, n: Buffer.alloc(size, 7).toString('base64') } }));
        results.push(await sink.write(batch(rows), never).then((all) => all.map((one) => one.status).join(' '), told));
      }
      process.stdout.write(JSON.stringify(results));`;
    // 4 MB for any file: the second write does not fit, the others do
    const results = await inAnother(script, { shell: `trap '' XFSZ; ulimit -f 8192` });
    expect(results).toEqual([
      'ok ok ok ok',
      { code: 'E_SINK_WRITE', message: expect.any(String), permanent: false },
      'ok ok ok ok',
    ]);
    expect(await db.all('SELECT count(*) AS n FROM o')).toEqual([{ n: 1 + 4 }]); // the third write is of the first one's keys
  });
});

describe.skipIf(process.getuid?.() !== 0)('a database that may not be written', () => {
  const NOBODY = 65_534;

  test('stops the source and the sink with a message that says so', async () => {
    await db.close();
    await chmod(at.folder, 0o755);
    await chmod(at.path('data.db'), 0o444);
    // The rights are given up only after all code is loaded: the project may lie in a folder that only its owner may enter.
    const script = `${IMPORTS}
      const { connect } = await import(${file('./driver.ts')});
      await (await connect(path, 'read', 100)).close(); // its thread stays
      process.setuid(${NOBODY});
      const settings = { path, snapshot: 'initial', follow: false, poll: 5, heartbeat: 1000, integers: 'exact', busy_timeout: 100 };
      const read = async () => { for await (const _ of createSource(settings, contextOf()).read(null, never)); };
      const found = [await read().catch(told), await sinkOf().write(batch([{ op: 'c', after: { id: 2, n: null } }]), never).catch(told)];
      process.stdout.write(JSON.stringify(found));`;
    expect(await inAnother(script)).toEqual([
      { code: 'E_SOURCE_CONNECT', message: expect.stringContaining('cannot be written'), permanent: false },
      { code: 'E_SINK_CONNECT', message: expect.stringContaining('cannot be written'), permanent: false },
    ]);
    db = await at.open('data.db');
    expect(await dump(db, 'o')).toEqual(['i:1 b:00']);
  });
});
