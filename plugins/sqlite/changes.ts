// Reads the change table: one page of changes within one read transaction, each made into the texts of an event.
// Guarantees: changes come in the order of their commits; a page ends before its bytes exceed the limit (but for one
// event); a change whose values do not fit stands in its place as unreadable.

import { type Column, type ColumnType, type SluiceError, sluiceError } from 'sluice/sdk';
import { base64, isUtf8, type Raw, type RowReader, rowReader, selectList, sizeSql, unfitError } from './cells.ts';
import { CHANGES, newColumn, oldColumn, readShapes, type Shape } from './change-log.ts';
import type { Connection, Param } from './driver.ts';
import { affinityOf } from './kinds.ts';

/** An event on its way into a batch. Rows and keys are JSON texts. */
export interface Draft {
  readonly id: string;
  readonly op: 'c' | 'u' | 'd' | 'r' | 's';
  readonly table: string;
  readonly ts: number;
  readonly seq: number | null;
  readonly key: string | null;
  readonly oldKey: string | null;
  readonly before: string | null;
  readonly after: string | null;
  readonly unreadable?: { readonly raw: string; readonly error: SluiceError };
}

export interface Page {
  readonly drafts: readonly Draft[];
  /** The seq of the last change that was looked at. */
  readonly last: number;
  /** True when nothing is left up to the end that was asked for. */
  readonly done: boolean;
  /** The columns of the tables that have events here. */
  readonly columns: ReadonlyMap<string, readonly Column[]>;
  /** Tables whose rows must all be read again (triggers.ts, needsRefill). */
  readonly refill: readonly { readonly table: string; readonly keyed: boolean }[];
}

export type KindOf = (table: string, column: string, declared: string) => ColumnType;

interface KnownShape extends Shape {
  readonly kinds: ReadonlyMap<string, ColumnType>;
  readonly columnsOut: readonly Column[];
  readonly sql: string;
  readonly now: RowReader;
  readonly was: RowReader;
}

interface ChangeRow extends Readonly<Record<string, Raw>> {
  readonly seq: number;
  readonly op: 'c' | 'u' | 'd' | 's';
  readonly ts: number;
  /** As text: a rowid may be beyond 2^53. */
  readonly rid: string | null;
}

export interface PageRequest {
  readonly after: number;
  readonly end: number;
  readonly maxEvents: number;
  readonly maxBytes: number;
  /** Tables whose changes are wanted. */
  readonly wants: (table: string) => boolean;
  /** A change of a row without a key that a snapshot will bring anyway (snapshot.ts). */
  readonly skips: ((table: string, rid: string | null, keyless: () => boolean) => boolean) | null;
}

export interface ChangeReader {
  /** Within a read transaction. */
  page(db: Connection, request: PageRequest): Promise<Page>;
}

/** `tag` is the database's own, for ids. */
export function changeReader(tag: string, kindOf: KindOf): ChangeReader {
  const shapes = new Map<number, KnownShape>();

  async function shapeOf(db: Connection, id: number): Promise<KnownShape> {
    if (!shapes.has(id)) {
      for (const shape of await readShapes(db)) if (!shapes.has(shape.id)) shapes.set(shape.id, known(shape, kindOf));
    }
    const found = shapes.get(id);
    if (found === undefined)
      throw sluiceError('E_SOURCE_READ', {
        message: 'the change table refers to a shape that is not there',
        permanent: true,
      });
    return found;
  }

  return {
    async page(db, request) {
      const plan = await planPage(db, request, async (id) => request.wants((await shapeOf(db, id)).table));
      const columns = new Map<string, readonly Column[]>();
      const refill: { table: string; keyed: boolean }[] = [];
      const drafts: Draft[] = [];
      for (const id of plan.shapes) {
        const shape = await shapeOf(db, id);
        columns.set(shape.table, shape.columnsOut);
        const rows = await db.all<ChangeRow>(shape.sql, [request.after, plan.last, id]);
        for (const row of rows) {
          if (row.op === 's') {
            if (row['flag'] === 1) refill.push({ table: shape.table, keyed: shape.columns.some(({ key }) => key > 0) });
          } else if (request.skips?.(shape.table, row.rid, () => isKeyless(shape, row))) {
            continue;
          }
          const broken = isSuspicious(shape, row) ? await brokenText(db, shape, row.seq) : null;
          drafts.push(draftOf(tag, shape, row, broken));
        }
      }
      return {
        drafts: plan.shapes.size > 1 ? drafts.sort((a, b) => a.seq! - b.seq!) : drafts,
        last: plan.last,
        done: plan.done,
        columns,
        refill,
      };
    },
  };
}

interface PagePlan {
  readonly last: number;
  readonly done: boolean;
  /** The wanted shapes that have changes in the page. */
  readonly shapes: ReadonlySet<number>;
}

// First only how large each change is, so that no page of large values is ever read whole.
async function planPage(
  db: Connection,
  request: PageRequest,
  wants: (shape: number) => Promise<boolean>,
): Promise<PagePlan> {
  const { after, end, maxEvents, maxBytes } = request;
  const width = await valueColumns(db);
  const rows = await db.all<{ seq: number; shape: number; op: string; size: number }>(
    `SELECT seq, shape, op, ${sizeSql(width)} AS size FROM ${CHANGES} WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?`,
    [after, end, maxEvents],
  );
  const wanted = new Map<number, boolean>();
  const shapes = new Set<number>();
  let bytes = 0;
  let last = after;
  let cut = false;
  for (const row of rows) {
    if (!wanted.has(row.shape)) wanted.set(row.shape, await wants(row.shape));
    if (wanted.get(row.shape)) {
      // A schema change begins a page of its own, so that a batch knows one set of columns per table.
      if (shapes.size > 0 && (bytes >= maxBytes || row.op === 's')) {
        cut = true;
        break;
      }
      bytes += row.size + 100;
      shapes.add(row.shape);
    }
    last = row.seq;
  }
  const done = !cut && rows.length < maxEvents;
  return { last: done ? end : last, done: done || last === end, shapes };
}

async function valueColumns(db: Connection): Promise<string[]> {
  const rows = await db.all<{ name: string }>(
    `SELECT name FROM pragma_table_info('${CHANGES}') WHERE name GLOB 'v[0-9]*'`,
  );
  return rows.map((row) => row.name);
}

function known(shape: Shape, kindOf: KindOf): KnownShape {
  const n = shape.columns.length;
  const columns = shape.columns.map((column) => ({
    ...column,
    kind: kindOf(shape.table, column.name, column.declared),
    affinity: affinityOf(column.declared),
  }));
  const now = selectList(
    columns,
    columns.map((_, i) => newColumn(i)),
    'n',
  );
  const was = selectList(
    columns,
    columns.map((_, i) => oldColumn(i, n)),
    'o',
  );
  return {
    ...shape,
    kinds: new Map(columns.map((column) => [column.name, column.kind])),
    columnsOut: columns.map((column) => ({
      name: column.name,
      type: column.kind,
      native: column.declared,
      ...(column.key > 0 ? { key: column.key } : {}),
      nullable: !column.notNull,
    })),
    sql: `SELECT seq, op, ts, CAST(rid AS TEXT) AS rid, iif(op = 's', v0, 0) AS flag, ${now.sql}, ${was.sql}
          FROM ${CHANGES} WHERE seq > ? AND seq <= ? AND shape = ? ORDER BY seq`,
    now: rowReader(columns, now.names),
    was: rowReader(columns, was.names),
  };
}

function isKeyless(shape: KnownShape, row: ChangeRow): boolean {
  return (row.op === 'd' ? shape.was : shape.now).key(row) === null;
}

function isSuspicious(shape: KnownShape, row: ChangeRow): boolean {
  return (row.op !== 'd' && shape.now.suspicious(row)) || (row.op !== 'c' && shape.was.suspicious(row));
}

function draftOf(tag: string, shape: KnownShape, row: ChangeRow, broken: BrokenText | null): Draft {
  const { op, seq, ts } = row;
  const head = { id: `${tag}:${seq}`, op, table: shape.table, ts, seq };
  if (op === 's') {
    const after = JSON.stringify({ columns: shape.columnsOut });
    return { ...head, key: null, oldKey: null, before: null, after };
  }
  const hasNow = op !== 'd';
  const hasWas = op !== 'c';
  const now = hasNow ? shape.now.read(row) : null;
  const was = hasWas ? shape.was.read(row) : null;
  const unfit = now?.unfit ?? was?.unfit ?? broken?.column ?? null;
  if (unfit !== null) {
    const raw = {
      op,
      table: shape.table,
      ...(hasWas ? { before: shape.was.raw(row) } : {}),
      ...(hasNow ? { after: shape.now.raw(row) } : {}),
      ...(broken === null ? {} : { bytes: { [broken.column]: broken.bytes } }),
    };
    const error = unfitError(shape.table, unfit, shape.kinds.get(unfit));
    return {
      ...head,
      key: null,
      oldKey: null,
      before: null,
      after: null,
      unreadable: { raw: JSON.stringify(raw), error },
    };
  }
  const nowKey = hasNow ? shape.now.key(row) : null;
  const wasKey = hasWas ? shape.was.key(row) : null;
  return {
    ...head,
    key: op === 'd' ? wasKey : nowKey,
    oldKey: op === 'u' && wasKey !== nowKey && nowKey !== null ? wasKey : null,
    before: was?.text ?? null,
    after: now?.text ?? null,
  };
}

/** The column of a change whose text is no UTF-8, if there is one: the driver has put replacement characters into it. */
async function brokenText(db: Connection, shape: KnownShape, seq: number): Promise<BrokenText | null> {
  const n = shape.columns.length;
  const places = shape.columns.flatMap((_, i) => [newColumn(i), oldColumn(i, n)]);
  const names = shape.columns.flatMap(({ name }) => [name, name]);
  return findBroken(db, places, names, `FROM ${CHANGES} WHERE seq = ?`, [seq]);
}

export interface BrokenText {
  readonly column: string;
  /** The bytes as they are, for the dead letter. */
  readonly bytes: string;
}

/** The first of `refs` that is a text and no UTF-8. Of no use where the database's own encoding is another. */
export async function findBroken(
  db: Connection,
  refs: readonly string[],
  names: readonly string[],
  from: string,
  params: readonly Param[],
): Promise<BrokenText | null> {
  const [encoding] = await db.all<{ encoding: string }>('PRAGMA encoding');
  if (encoding?.encoding !== 'UTF-8') return null;
  const list = refs.map((ref, i) => `iif(typeof(${ref}) = 'text', CAST(${ref} AS BLOB), NULL) AS b${i}`).join(', ');
  const [row] = await db.all<Record<string, Raw>>(`SELECT ${list} ${from}`, params);
  for (const [i, column] of names.entries()) {
    const bytes = row?.[`b${i}`];
    if (bytes instanceof Uint8Array && !isUtf8(bytes)) return { column, bytes: `base64:${base64(bytes)}` };
  }
  return null;
}
