// Dead letters in SQLite: upserts, marks, lists, and the bytes that the pending ones take.
// Guarantee: pending_bytes changes in the same transaction as the letters that it counts.
// `write` parts are called inside a transaction of sqlite-tables.ts and never begin one.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { DeadLetter, DeadLetterFilter, DeadLetterMark, PendingLetter, Place } from './store.ts';
import { letterBytes, normalFilter } from './tables.ts';
import { FIELDS, keysOf, parseStored } from './wire.ts';

type Value = string | number | null;

interface LetterRow extends PendingRow {
  readonly id: number;
  readonly stream: string;
  readonly event: string;
  readonly input: string | null;
  readonly columns: string | null;
  readonly transform: string | null;
  readonly error: string;
  readonly attempts: number;
  readonly failed_at: string;
  readonly first_failed_at: string;
  readonly status: DeadLetter['status'];
  readonly status_at: string;
  readonly note: string | null;
}

interface Counted {
  readonly stream: string;
  readonly place_kind: string;
  readonly place_id: string;
  readonly bytes: number;
}

interface PendingRow {
  readonly place_kind: Place['kind'];
  readonly place_id: string;
  readonly event_id: string;
  readonly source_event_id: string;
  readonly table_name: string;
  readonly key: string | null;
  readonly entered: number;
}

const IDENTITY = 'stream = ? and event_id = ? and place_kind = ? and place_id = ?';

export interface Letters {
  upsert(fields: readonly Value[]): void;
  mark(marks: readonly DeadLetterMark[], at: string): void;
  list(filter: DeadLetterFilter): DeadLetter[];
  count(filter: DeadLetterFilter): number;
  pending(stream: string): PendingLetter[];
  bytes(stream: string, place?: Place): number;
  revive(stream: string, covered: number, at: string): void;
  restartOrder(stream: string): void;
  inOrder(stream: string, ids: readonly number[]): number[];
}

export function letters(db: DatabaseSync): Letters {
  const insert = db.prepare(`insert into dead_letter
    (stream, event_id, place_kind, place_id, source_event_id, table_name, key, event, input, transform, code, error,
     attempts, failed_at, columns, entered, first_failed_at, status, status_at, bytes)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?14, 'pending', ?14, ?17)
    on conflict (stream, event_id, place_kind, place_id) do nothing`);
  const find = db.prepare(`select id, status, bytes from dead_letter where ${IDENTITY}`);
  const renew = db.prepare(`update dead_letter set
    source_event_id = ?5, table_name = ?6, key = ?7, event = ?8, input = ?9, transform = ?10, code = ?11, error = ?12,
    attempts = attempts + ?13, failed_at = ?14, status = 'pending', status_at = ?14, note = null, superseded_by = 0,
    columns = ?15, entered = ?16, bytes = ?17
    where stream = ?1 and event_id = ?2 and place_kind = ?3 and place_id = ?4`);
  const set = 'update dead_letter set status = ?, status_at = ?, note = ?, superseded_by = ?';
  const marking = `${set} where status = 'pending'`;
  const unsupersede = `${set} where status = 'superseded'`;
  const counted = 'returning stream, place_kind, place_id, bytes';
  const markId = db.prepare(`${marking} and id = ? ${counted}`);
  const markEvent = db.prepare(`${marking} and ${IDENTITY} ${counted}`);
  const resolveId = db.prepare(`${unsupersede} and id = ?`); // superseded letters are not counted
  const resolveEvent = db.prepare(`${unsupersede} and ${IDENTITY}`);
  const ordered = db.prepare(`select id from dead_letter
    where stream = ? and id in (select value from json_each(?)) order by entered, id`);
  const revival = db.prepare(`update dead_letter set status = 'pending', status_at = ?, superseded_by = 0
    where stream = ? and status = 'superseded' and superseded_by > ? ${counted}`);
  const unorder = db.prepare(`update dead_letter set superseded_by = 0,
    entered = entered - (select max(entered) from dead_letter where stream = ?1) where stream = ?1`);
  const count = db.prepare(`insert into pending_bytes values (?, ?, ?, ?)
    on conflict do update set bytes = bytes + excluded.bytes`);
  const bytesAt = db.prepare('select bytes from pending_bytes where stream = ? and place_kind = ? and place_id = ?');
  const bytesOf = db.prepare('select coalesce(sum(bytes), 0) as bytes from pending_bytes where stream = ?');
  const pending = db.prepare(`select place_kind, place_id, event_id, source_event_id, table_name, key, entered
    from dead_letter where stream = ? and status = 'pending' order by id`);

  return {
    upsert(fields) {
      const deltas = new Deltas();
      for (let i = 0; i < fields.length; i += FIELDS) {
        const row = fields.slice(i, i + FIELDS);
        const bytes = letterBytes(
          row[7] as string,
          row[8] as string | null,
          row[6] as string | null,
          row[11] as string,
          row[14] as string | null,
        );
        row.push(bytes);
        const [stream, event, kind, place] = row as [string, string, string, string];
        deltas.add(stream, kind, place, bytes);
        if (insert.run(...row).changes === 1) continue;
        const old = find.get(stream, event, kind, place) as { status: string; bytes: number };
        if (old.status === 'pending') deltas.add(stream, kind, place, -old.bytes);
        renew.run(...row);
      }
      deltas.write(count);
    },

    mark(marks, at) {
      const deltas = new Deltas();
      const done = (row: unknown): void => {
        if (row === undefined) return; // no such letter, or not pending any more
        const { stream, place_kind, place_id, bytes } = row as Counted;
        deltas.add(stream, place_kind, place_id, -bytes);
      };
      for (const mark of marks) {
        const to = [mark.status, at, mark.note ?? null, mark.superseded_by ?? 0] as const;
        if (mark.ids !== undefined) {
          for (const id of mark.ids) {
            done(markId.get(...to, id));
            if (mark.status === 'resolved') resolveId.run(...to, id);
          }
        } else {
          const { stream, place, event_ids } = mark;
          for (const id of event_ids) {
            done(markEvent.get(...to, stream, id, place.kind, place.id));
            if (mark.status === 'resolved') resolveEvent.run(...to, stream, id, place.kind, place.id);
          }
        }
      }
      deltas.write(count);
    },

    revive(stream, covered, at) {
      const deltas = new Deltas();
      for (const row of revival.all(at, stream, covered) as unknown as Counted[])
        deltas.add(row.stream, row.place_kind, row.place_id, row.bytes);
      deltas.write(count);
    },

    restartOrder: (stream) => void unorder.run(stream),

    inOrder: (stream, ids) => (ordered.all(stream, JSON.stringify(ids)) as { id: number }[]).map(({ id }) => id),

    list(filter) {
      const { where, values } = conditionOf(filter);
      const sql = `select * from dead_letter ${where} order by id limit ?`;
      return (db.prepare(sql).all(...values, filter.limit ?? -1) as unknown as LetterRow[]).map(letterOf);
    },

    count(filter) {
      const { where, values } = conditionOf(filter);
      return (db.prepare(`select count(*) as n from dead_letter ${where}`).get(...values) as { n: number }).n;
    },

    pending: (stream) => (pending.all(stream) as unknown as PendingRow[]).map(pendingOf),

    bytes(stream, place) {
      const row = place === undefined ? bytesOf.get(stream) : bytesAt.get(stream, place.kind, place.id);
      return (row as { bytes: number } | undefined)?.bytes ?? 0;
    },
  };
}

/** A filter as SQL. `status` stands in it as text, since an index on pending letters is used only where that can be seen. */
function conditionOf(asked: DeadLetterFilter): { readonly where: string; readonly values: readonly Value[] } {
  const filter = normalFilter(asked);
  const parts: string[] = [];
  const values: Value[] = [];
  const and = (part: string, value: Value | undefined): void => {
    if (value === undefined) return;
    parts.push(part);
    values.push(value);
  };
  and('stream = ?', filter.stream);
  and('event_id = ?', filter.event_id);
  if (filter.status === 'pending') parts.push("status = 'pending'");
  else and('status = ?', filter.status);
  and('code = ?', filter.code);
  and('place_id = ?', filter.place);
  and('table_name = ?', filter.table);
  and('failed_at >= ?', filter.since);
  and('id > ?', filter.after);
  and('id in (select value from json_each(?))', filter.ids && JSON.stringify(filter.ids));
  return { where: parts.length > 0 ? `where ${parts.join(' and ')}` : '', values };
}

// The changes of pending_bytes in one write, summed by place, so that 500 letters of one place cost one statement.
class Deltas {
  readonly #byPlace = new Map<string, { readonly place: readonly [string, string, string]; bytes: number }>();

  add(stream: string, kind: string, id: string, bytes: number): void {
    const name = `${kind} ${stream.length} ${stream} ${id}`;
    const found = this.#byPlace.get(name);
    if (found === undefined) this.#byPlace.set(name, { place: [stream, kind, id], bytes });
    else found.bytes += bytes;
  }

  write(count: StatementSync): void {
    for (const { place, bytes } of this.#byPlace.values()) if (bytes !== 0) count.run(...place, bytes);
  }
}

function pendingOf(row: PendingRow): PendingLetter {
  return {
    place: { kind: row.place_kind, id: row.place_id },
    event_id: row.event_id,
    source_event_id: row.source_event_id,
    table: row.table_name,
    keys: keysOf(row.key),
    entered: row.entered,
  };
}

function letterOf(row: LetterRow): DeadLetter {
  const what = `dead letter ${row.id}`;
  return {
    ...pendingOf(row),
    id: row.id,
    stream: row.stream,
    event: row.event,
    input: row.input,
    columns: row.columns,
    transform: row.transform === null ? null : parseStored(row.transform, what),
    error: parseStored(row.error, what),
    attempts: row.attempts,
    failed_at: row.failed_at,
    status: row.status,
    first_failed_at: row.first_failed_at,
    status_at: row.status_at,
    note: row.note,
  };
}
