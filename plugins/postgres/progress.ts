// Where one reading of the source stands: what moves while it reads, and the position that is saved of it.
// Its parts are never changed in place, so a copy of it is a few words: reading goes back to one after a lost connection.

import type { ParkedTable } from 'sluice/sdk';
import { lsnOf, lsnText } from './lsn.ts';
import type { PostgresPosition, TodoTable } from './position.ts';

export interface Progress {
  readonly server: string;
  readonly database: string;
  readonly timeline: number;
  readonly publication: number;
  readonly origin: string;
  /** Everything that was committed before this has been read. */
  lsn: bigint;
  /** Of an open transaction: where it commits, and how many of its changes were given. */
  within: { readonly lsn: bigint; readonly given: number } | null;
  tables: Readonly<Record<string, string>>;
  /** The partitions of partitioned tables, as partitions.ts writes them. */
  partitions: Readonly<Record<string, string>>;
  snapshots: number;
  todo: readonly TodoTable[];
  since: number;
  parked: readonly ParkedTable[];
}

export function position(progress: Progress): PostgresPosition {
  const {
    server,
    database,
    timeline,
    publication,
    origin,
    lsn,
    within,
    tables,
    partitions,
    snapshots,
    todo,
    since,
    parked,
  } = progress;
  return {
    server,
    database,
    timeline,
    publication,
    lsn: lsnText(lsn),
    ...(within === null ? {} : { within: { lsn: lsnText(within.lsn), given: within.given } }),
    tables,
    ...(Object.keys(partitions).length > 0 ? { partitions } : {}),
    origin,
    snapshots,
    ...(todo.length > 0 ? { todo, since } : {}),
    ...(parked.length > 0 ? { parked } : {}),
  };
}

/** What a saved position says, for a server that calls itself as `now` does. */
export function progressFrom(
  saved: PostgresPosition,
  now: Pick<Progress, 'server' | 'database' | 'timeline' | 'publication'>,
): Progress {
  const { within } = saved;
  return {
    ...now,
    origin: saved.origin,
    lsn: lsnOf(saved.lsn),
    within: within === undefined ? null : { lsn: lsnOf(within.lsn), given: within.given },
    tables: saved.tables,
    partitions: saved.partitions ?? {},
    snapshots: saved.snapshots,
    todo: saved.todo ?? [],
    since: saved.since ?? Date.now(),
    parked: saved.parked ?? [],
  };
}

/** Puts tables at the end of the list, to be read from their start. A new snapshot has a new number. */
export function addTodo(progress: Progress, tables: readonly string[], where?: string): void {
  if (tables.length === 0) return;
  progress.snapshots++;
  if (progress.todo.length === 0) progress.since = Date.now();
  const number = progress.snapshots;
  progress.todo = [
    ...progress.todo.filter(({ table }) => !tables.includes(table)),
    ...tables.map((table) => ({ table, number, ...(where === undefined ? {} : { where }) })),
  ];
}

/** The next state of the table that is being read; null: it is done. */
export function moveTodo(progress: Progress, next: TodoTable | null): void {
  const [, ...rest] = progress.todo;
  progress.todo = next === null ? rest : [next, ...rest];
}

export function park(progress: Progress, table: string, reason: string): void {
  if (progress.parked.some((one) => one.table === table)) return;
  progress.parked = [...progress.parked, { table, reason, since: new Date().toISOString() }];
  progress.todo = progress.todo.filter((todo) => todo.table !== table);
}

export function unpark(progress: Progress, table: string): void {
  progress.parked = progress.parked.filter((one) => one.table !== table);
}
