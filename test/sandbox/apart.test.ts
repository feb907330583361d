// Nothing passes from one event to the next, from one transform to another, or between two streams: three streams in one process
// run hostile transforms that leave what they can and look for what others left, through the whole engine.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { sluice } from '../cli.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-apart-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const at = (name: string): string => join(dir, name);

const ROWS = 300;

// Leaves its mark wherever it can, and tells what marks it found.
const spy = `
let inModule = '';
const table = new Map();
class Static { static mark = ''; }
function own() { return own.mark ?? ''; }
export default async (row, ctx) => {
  const mark = 'from ' + row.stream + row.id;
  const found = [];
  const see = (name, value) => { if (typeof value === 'string' && value.startsWith('from')) found.push(name + ' ' + value); };
  see('module', inModule);
  see('map', [...table.values()].join());
  see('static', Static.mark);
  see('function', own());
  for (const name of ['mark', 'leak']) {
    for (const target of [globalThis, Object.prototype, Array.prototype, Function.prototype, Promise.prototype, Math, JSON, Reflect, Intl, ctx, ctx.log, console, Symbol.prototype, RegExp, Error, Date]) see(name, target[name]);
  }
  see('JSON', JSON.parse('"x"'));
  see('registry', Symbol.for('mark').description.mark);
  inModule = mark; table.set(1, mark); Static.mark = mark; own.mark = mark;
  for (const target of [globalThis, Object.prototype, Array.prototype, Function.prototype, Promise.prototype, Math, JSON, Reflect, Intl, ctx, ctx.log, console, Symbol.prototype, RegExp, Error, Date]) {
    try { target.mark = mark } catch {}
    try { Object.defineProperty(target, 'leak', { value: mark, configurable: true }) } catch {}
  }
  try { JSON.parse = () => mark } catch {}
  try { JSON.stringify = () => '{"forged":"' + mark + '"}' } catch {}
  try { Array.prototype.join = () => mark } catch {}
  try { (0, eval)('var mark = "' + mark + '"') } catch {}
  Promise.resolve().then(() => { row.late = mark; try { globalThis.mark = mark } catch {} });
  await null;
  return { id: row.id, stream: row.stream, found };
};`;

test('no event finds anything of another one, of another transform, or of another stream', async () => {
  writeFileSync(at('spy.js'), spy);
  const streams = ['a', 'b', 'c'];
  const transformation = (id: string) => ({
    id,
    type: 'javascript',
    file: './spy.js',
    limits: { timeout: '2s', load: '5s' },
  });
  for (const stream of streams) {
    const lines = Array.from({ length: ROWS }, (_, id) => JSON.stringify({ id, stream }));
    writeFileSync(at(`${stream}.ndjson`), `${lines.join('\n')}\n`);
  }
  const manifest = {
    version: 1,
    service: { state: { type: 'sqlite', path: './state.db' } },
    // one and the same transform for a and b, and the same code under another id for c
    transformations: [transformation('one'), transformation('two')],
    streams: streams.map((id) => ({
      id,
      source: { type: 'file', path: `./${id}.ndjson`, key: ['id'] },
      transformations: [id === 'c' ? 'two' : 'one'],
      sinks: [{ id: `out-${id}`, type: 'file', path: `./${id}.out.ndjson` }],
    })),
  };
  writeFileSync(at('sluice.json'), JSON.stringify(manifest));
  const { code, stderr } = await sluice(['run', at('sluice.json')], { cwd: dir });
  expect(code, stderr).toBe(0);
  for (const stream of streams) {
    const rows = readFileSync(at(`${stream}.out.ndjson`), 'utf8')
      .trimEnd()
      .split('\n');
    expect(rows).toEqual(Array.from({ length: ROWS }, (_, id) => JSON.stringify({ id, stream, found: [] })));
  }
});

test('with state: keep a module keeps what is its own stream’s, and no more', async () => {
  const source = `let seen = new Set(); export default (row) => { seen.add(row.stream); return { id: row.id, seen: [...seen] } };`;
  writeFileSync(at('keep.js'), source);
  const manifest = {
    version: 1,
    service: { state: { type: 'sqlite', path: './keep.db' } },
    transformations: [
      { id: 'keep', type: 'javascript', file: './keep.js', state: 'keep', limits: { timeout: '2s', load: '5s' } },
    ],
    streams: ['a', 'b'].map((id) => ({
      id,
      source: { type: 'file', path: `./${id}.ndjson`, key: ['id'] },
      transformations: ['keep'],
      sinks: [{ id: `kept-${id}`, type: 'file', path: `./${id}.kept.ndjson` }],
    })),
  };
  writeFileSync(at('keep.json'), JSON.stringify(manifest));
  const { code, stderr } = await sluice(['run', at('keep.json')], { cwd: dir });
  expect(code, stderr).toBe(0);
  for (const stream of ['a', 'b']) {
    const rows = readFileSync(at(`${stream}.kept.ndjson`), 'utf8')
      .trimEnd()
      .split('\n');
    expect(rows).toEqual(Array.from({ length: ROWS }, (_, id) => JSON.stringify({ id, seen: [stream] })));
  }
});
