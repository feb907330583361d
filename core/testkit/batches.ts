// The events that the kit writes to sinks, and what it demands of the batches that sources give.
// Guarantee: the kit's own events are frozen deep down, so a sink that changes its input fails.

import assert from 'node:assert/strict';
import { batchOf, batchOfText, tableOf } from '../batch.ts';
import type { ChangeEvent, Column, EventBatch, Op } from '../event.ts';
import { isRow, type Row } from '../values.ts';
import type { SinkStage } from './model.ts';

const COLUMNS: readonly Column[] = [
  { name: 'id', type: 'int', native: 'INTEGER', key: 1, nullable: false },
  { name: 'name', type: 'text', native: 'TEXT' },
  { name: 'note', type: 'text', native: 'TEXT' },
];

function stageColumns(stage: SinkStage): ReadonlyMap<string, readonly Column[]> {
  return new Map([[stage.table ?? 'kit', stage.columns ?? COLUMNS]]);
}

/** An event for a sink: row n in a version, under an id that says both. */
export function kitEvent(stage: SinkStage, n: number, version = 1, op: Op = version === 1 ? 'c' : 'u'): ChangeEvent {
  const row = (v: number): Row =>
    stage.row?.(n, v) ?? { id: n, name: `name ${n} "ü" ${v}`, note: v % 2 === 0 ? null : '' };
  const bare = op === 't' || op === 's' || op === 'm';
  return freeze({
    id: `kit-${n}-${version}-${op}`,
    op,
    key: bare ? null : { id: n },
    before: op === 'd' || (op === 'u' && version > 1) ? row(version - 1) : null,
    after: op === 'd' || bare ? null : row(version),
    source: {
      plugin: 'kit',
      stream: 'kit',
      db: 'kit',
      table: stage.table ?? 'kit',
      snapshot: op === 'r',
      ts_ms: 1000 + n,
    },
    ts_ms: 2000 + n,
  });
}

export function objectBatch(stage: SinkStage, events: readonly ChangeEvent[]): EventBatch {
  return batchOf(events, { columns: stageColumns(stage) });
}

/** The same batch with texts given and objects made on demand. */
export function textBatch(stage: SinkStage, events: readonly ChangeEvent[]): EventBatch {
  const columns = stageColumns(stage);
  const textOf = (row: Row | null): string | null => (row === null ? null : JSON.stringify(row));
  return batchOfText({
    length: events.length,
    bytes: 100 * events.length,
    typed: true,
    readAt: 2000,
    id: (i) => events[i]!.id,
    op: (i) => events[i]!.op,
    key: (i) => events[i]!.key,
    source: (i) => events[i]!.source,
    before: (i) => textOf(events[i]!.before),
    after: (i) => textOf(events[i]!.after),
    columns: (table) => columns.get(table) ?? [],
  });
}

/** Every event of the batch, checked; those that cannot be read as `{ id, unreadable }`. */
export function eventsOf(batch: EventBatch): (ChangeEvent | { readonly id: string; readonly unreadable: true })[] {
  assert.equal(typeof batch.length, 'number');
  const objects = batch.events();
  assert.equal(objects.length, batch.length, 'events() has another length than the batch');
  for (const i of batch.unreadable?.keys() ?? []) {
    assert.ok(
      Number.isInteger(i) && i >= 0 && i < batch.length,
      `an unreadable event stands at ${i}, outside of its batch`,
    );
  }
  return Array.from({ length: batch.length }, (_, i) => {
    const bad = batch.unreadable?.get(i);
    if (bad === undefined) return checkedEvent(batch, i, objects[i]!);
    assert.ok(typeof bad.id === 'string' && bad.id !== '', 'an unreadable event has no id');
    assert.equal(batch.id(i), bad.id, 'id(i) is not the id of the unreadable event');
    assert.equal(typeof bad.raw, 'string', `the unreadable event ${bad.id} has no raw text`);
    assert.match(String(bad.error?.code), /^E_[A-Z_]+$/, `the error of the unreadable event ${bad.id} has no code`);
    return { id: bad.id, unreadable: true as const };
  });
}

function checkedEvent(batch: EventBatch, i: number, event: ChangeEvent): ChangeEvent {
  const { id, op, key, before, after, source, ts_ms } = event;
  assert.ok(typeof id === 'string' && id !== '', `event ${i} has no id`);
  const at = `event ${id}`;
  assert.match(String(op), /^[cudrtms]$/, `${at}: op`);
  for (const [name, row] of Object.entries({ key, before, after })) {
    assert.ok(row === null || isRow(row), `${at}: ${name} is neither a row nor null`);
  }
  if (op === 'c' || op === 'r' || op === 'u') assert.ok(after !== null, `${at}: op ${op} without after`);
  if (op === 'c' || op === 'r') assert.equal(before, null, `${at}: op ${op} with before`);
  if (op === 'd')
    assert.ok(after === null && (before !== null || key !== null), `${at}: a delete needs before or key, and no after`);
  if (after !== null && key !== null && op !== 'd') {
    for (const column of Object.keys(key)) assert.deepEqual(after[column], key[column], `${at}: key column ${column}`);
  }
  assert.equal(typeof ts_ms, 'number', `${at}: ts_ms`);
  for (const field of ['plugin', 'stream', 'db', 'table'] as const) {
    assert.equal(typeof source[field], 'string', `${at}: source.${field}`);
  }
  assert.equal(typeof source.snapshot, 'boolean', `${at}: source.snapshot`);
  assert.ok(Number.isFinite(source.ts_ms) && source.ts_ms >= 0, `${at}: source.ts_ms`);
  if (op === 'r') assert.equal(source.snapshot, true, `${at}: an r event is of a snapshot`);
  // Invariant 6: what is no JSON (a Date, a bigint, undefined, NaN) would change its meaning on the way
  assert.deepEqual(
    JSON.parse(JSON.stringify(event)),
    JSON.parse(JSON.stringify(event, exactly(at))),
    `${at}: no plain JSON`,
  );
  for (const column of source.unchanged ?? []) {
    assert.ok(after === null || !Object.hasOwn(after, column), `${at}: unchanged column ${column} stands in after`);
  }
  facesAgree(batch, i, event, at);
  return event;
}

function exactly(at: string): (name: string, value: unknown) => unknown {
  return (name, value) => {
    assert.ok(value !== undefined, `${at}: "${name}" is undefined; leave it out`);
    assert.ok(typeof value !== 'number' || Number.isFinite(value), `${at}: "${name}" is ${String(value)}`);
    assert.ok(!['bigint', 'function', 'symbol'].includes(typeof value), `${at}: "${name}" is a ${typeof value}`);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      const proto = Object.getPrototypeOf(value) as object | null;
      assert.ok(proto === Object.prototype || proto === null, `${at}: "${name}" is no plain object`);
    }
    return value;
  };
}

function facesAgree(batch: EventBatch, i: number, event: ChangeEvent, at: string): void {
  assert.equal(batch.id(i), event.id, `${at}: id(i)`);
  assert.equal(batch.op(i), event.op, `${at}: op(i)`);
  assert.equal(batch.table(i), tableOf(event.source), `${at}: table(i)`);
  assert.equal(batch.ts(i), event.source.ts_ms, `${at}: ts(i)`);
  assert.deepEqual(batch.key(i), event.key, `${at}: key(i)`);
  const parsed = (text: string | null): unknown => (text === null ? null : JSON.parse(text));
  assert.deepEqual(parsed(batch.before(i)), event.before, `${at}: before(i)`);
  assert.deepEqual(parsed(batch.after(i)), event.after, `${at}: after(i)`);
  const { before: _b, after: _a, ts_ms: _t, ...head } = event;
  assert.deepEqual(JSON.parse(batch.head(i)), JSON.parse(JSON.stringify(head)), `${at}: head(i)`);
  for (const column of batch.columns(batch.table(i))) {
    assert.ok(column.name !== '' && typeof column.type === 'string', `${at}: a column without name or type`);
  }
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) freeze(inner);
    Object.freeze(value);
  }
  return value;
}
