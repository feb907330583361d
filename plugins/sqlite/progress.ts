// Where one reading of the source stands: what moves while it reads, and the position that is saved of it.

import type { ParkedTable } from 'sluice/sdk';
import type { SqlitePosition, TodoTable } from './position.ts';

/** Where one reading stands; position() is what is saved of it. */
export interface Progress {
  readonly tag: string;
  seq: number;
  tables: readonly string[];
  number: number;
  todo: readonly TodoTable[];
  parked: readonly ParkedTable[];
  /** When the snapshot began: the time of its rows, the same however often they are read. */
  since: number;
  /** Up to here changes were logged by triggers that fit their tables. */
  verified: number;
  schema: number;
  /** false for a tap of a database without a change table: there is nothing to follow. */
  readonly log: boolean;
}

export function progressFrom(
  tag: string,
  seq: number,
  tables: readonly string[],
  from: SqlitePosition | null,
  schema: number,
  log: boolean,
): Progress {
  return {
    tag,
    seq,
    tables,
    number: from?.number ?? seq,
    todo: from?.todo ?? [],
    parked: from?.parked ?? [],
    since: from?.since ?? Date.now(),
    verified: seq,
    schema,
    log,
  };
}

export function position(progress: Progress): SqlitePosition {
  const { tag, seq, tables, number, todo, since, parked } = progress;
  return {
    db: tag,
    seq,
    tables,
    number,
    ...(todo.length > 0 ? { todo, since } : {}),
    ...(parked.length > 0 ? { parked } : {}),
  };
}

/** Puts tables at the end of the list, to be read from their start. A new snapshot has a new number. */
export function addTodo(progress: Progress, all: readonly string[], where?: string): void {
  const tables = all.filter((table) => !isParked(progress, table));
  if (tables.length === 0) return;
  progress.number = Math.max(progress.number + 1, progress.seq);
  if (progress.todo.length === 0) progress.since = Date.now();
  progress.todo = [
    ...progress.todo.filter((todo) => !tables.includes(todo.table)),
    ...tables.map((table) => ({ table, ...(where === undefined ? {} : { where }) })),
  ];
}

export function park(progress: Progress, table: string, reason: string): void {
  if (isParked(progress, table)) return;
  progress.parked = [...progress.parked, { table, reason, since: new Date().toISOString() }];
  progress.todo = progress.todo.filter((todo) => todo.table !== table);
}

/** What has changed meanwhile is not known, so the table begins again with its rows. */
export function unpark(progress: Progress, table: string): void {
  if (!isParked(progress, table)) return;
  progress.parked = progress.parked.filter((one) => one.table !== table);
  addTodo(progress, [table]);
}

export function isParked({ parked }: Progress, table: string): boolean {
  return parked.some((one) => one.table === table);
}

export function verified(progress: Progress, end: number): number {
  progress.verified = end;
  return end;
}
