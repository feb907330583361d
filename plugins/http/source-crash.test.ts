// The webhook in a process of its own that is killed at any moment.

import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { inAChild } from '../in-a-child.ts';
import { defaults, post } from './a-webhook.ts';

test('a process killed at any moment loses nothing that was answered 202', { timeout: 120_000 }, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-http-'));
  const file = join(dir, 'kept.ndjson');
  // Does what the engine does: writes the batch, makes it durable together with the position, and only then acks.
  const script = `
    import { openSync, writeSync, fsyncSync, readFileSync } from 'node:fs';
    const { default: plugin } = await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)});
    const file = process.argv.at(-1);
    const out = openSync(file, 'a');
    const saved = readFileSync(file, 'utf8').split('\\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
    const from = saved.length === 0 ? null : JSON.parse(saved.at(-1)).position;
    const log = (fields) => console.log(JSON.stringify(fields));
    const source = await plugin.source.create(${JSON.stringify(defaults)}, {
      stream: 's', log: { debug: log, info: log, warn: log, error: log }, signal: new AbortController().signal,
      batch: { maxEvents: 5, maxBytes: 1e6, maxWait: 50, respectSourceTx: true }, auth: null, tap: false });
    for await (const { batch, position } of source.read(from, new AbortController().signal)) {
      const rows = Array.from({ length: batch.length }, (_, i) => [batch.id(i), JSON.parse(batch.after(i)).id]);
      await new Promise((resolve) => setImmediate(resolve));
      writeSync(out, JSON.stringify({ rows, position }) + '\\n');
      fsyncSync(out);
      await source.ack(position);
    }`;
  const answered = new Set<number>();
  let next = 0;
  let open: number[] = []; // not answered 202 yet: sent again under the same key
  try {
    for (let life = 0; life < 8; life++) {
      const child = inAChild(script, [file]);
      const exited = once(child, 'close');
      const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
      const url = `http://127.0.0.1:${(JSON.parse(line) as { port: number }).port}/in`;
      while (open.length < 40) open.push(next++);
      const killAfter = 3 + ((life * 7) % 20);
      let seen = 0;
      await Promise.all(
        open.map(async (id) => {
          const response = await post(url, JSON.stringify({ id }), { 'idempotency-key': `k${id}` }).catch(() => null);
          if (response?.status !== 202) return;
          answered.add(id);
          if (++seen === killAfter) child.kill('SIGKILL');
        }),
      );
      open = open.filter((id) => !answered.has(id));
      child.kill('SIGKILL');
      await exited;
    }
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    const kept = lines.flatMap((line) => (JSON.parse(line) as { rows: [string, number][] }).rows);
    const keptIds = new Set(kept.map(([, id]) => id));
    expect([...answered].filter((id) => !keptIds.has(id))).toEqual([]);
    for (const [name, id] of kept) expect(name).toBe(`k${id}:0`); // duplicates have one id, so a target can tell them
    expect(answered.size).toBeGreaterThan(30);
    expect(open.length).toBeGreaterThan(0); // the kills did cut requests off
  } finally {
    await rm(dir, { recursive: true });
  }
});
