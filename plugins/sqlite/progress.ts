// Where one reading of the source stands: what moves while it reads, and the position that is saved of it.

import type { SqlitePosition, TodoTable } from './position.ts';

/** Where one reading stands; position() is what is saved of it. */
export interface Progress {
  readonly tag: string;
  seq: number;
  tables: readonly string[];
  number: number;
  todo: readonly TodoTable[];
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
    since: from?.since ?? Date.now(),
    verified: seq,
    schema,
    log,
  };
}

export function position(progress: Progress): SqlitePosition {
  const { tag, seq, tables, number, todo, since } = progress;
  return { db: tag, seq, tables, number, ...(todo.length > 0 ? { todo, since } : {}) };
}

/** Puts tables at the end of the list, to be read from their start. A new snapshot has a new number. */
export function addTodo(progress: Progress, tables: readonly string[]): void {
  if (tables.length === 0) return;
  progress.number = Math.max(progress.number + 1, progress.seq);
  if (progress.todo.length === 0) progress.since = Date.now();
  progress.todo = [
    ...progress.todo.filter((todo) => !tables.includes(todo.table)),
    ...tables.map((table) => ({ table })),
  ];
}

export function verified(progress: Progress, end: number): number {
  progress.verified = end;
  return end;
}
