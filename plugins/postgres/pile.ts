// What was decoded and waits to be given: changes become batches here, which end where transactions end, or are parts of one that is
// not finished yet.
// Guarantees: a batch holds no more than the limits and one event; its position covers exactly what was given with it and before it.

import type { BatchLimits, SnapshotRange, SourceItem } from 'sluice/sdk';
import { type BatchNames, batchOfDrafts, type Draft } from './drafts.ts';
import type { Layout } from './layout.ts';
import type { PostgresPosition } from './position.ts';
import { type Progress, position } from './progress.ts';

export type Item = SourceItem<PostgresPosition>;

export interface Ready {
  readonly item: Item;
  /** Where reading goes on after it, should the connection be lost. */
  readonly after: Progress;
}

/** The transaction that is being read: where it commits, and how many of its changes were read. */
export interface OpenTransaction {
  readonly lsn: bigint;
  order: number;
}

const NONE: Progress['parked'] = [];

export class Pile {
  readonly ready: Ready[] = [];
  readonly #limits: BatchLimits;
  readonly #names: BatchNames;
  readonly #progress: Progress;
  #drafts: Draft[] = [];
  #bytes = 0;
  /** Up to here the drafts are of finished transactions. */
  #whole = 0;
  #wholeBytes = 0;
  #since = 0;
  /** Parts of a transaction were given, and not its end. */
  #parts = false;
  /** The list of parked tables that was said last. */
  #parked: Progress['parked'];

  constructor(limits: BatchLimits, names: BatchNames, progress: Progress) {
    this.#limits = limits;
    this.#names = names;
    this.#progress = progress;
    this.#parked = NONE;
  }

  get length(): number {
    return this.#drafts.length;
  }

  /** When the first of what waits came, as performance.now() says. */
  get since(): number {
    return this.#since;
  }

  push(draft: Draft, bytes: number, open: OpenTransaction | null): void {
    if (this.#drafts.length === 0) this.#since = performance.now();
    this.#drafts.push(draft);
    this.#bytes += bytes;
    const { maxEvents, maxBytes } = this.#limits;
    if (this.#drafts.length < maxEvents && this.#bytes < maxBytes) return;
    if (this.#whole > 0) this.#giveWhole();
    else this.#giveRest(open);
  }

  /** Everything up to here is of finished transactions; the progress stands after it. */
  boundary(): void {
    this.#whole = this.#drafts.length;
    this.#wholeBytes = this.#bytes;
    if (this.#parts) this.#giveWhole(); // what was given as parts is over: that is said at once, if only by a position
  }

  /** Makes items of all that is there. */
  close(open: OpenTransaction | null): void {
    if (this.#whole > 0) this.#giveWhole();
    if (this.#drafts.length > 0) this.#giveRest(open);
  }

  /** An item of its own, after everything else: a heartbeat, an answer, rows of a snapshot. */
  add(item: Item): void {
    this.ready.push({ item: this.#withParked(item), after: { ...this.#progress } });
  }

  /** A batch of rows, with the position as the progress says it now. */
  addRows(layout: Layout, drafts: readonly Draft[], bytes: number, range: SnapshotRange | null): void {
    const batch = batchOfDrafts(drafts, bytes, this.#names, { layout, ranges: range === null ? [] : [range] });
    this.add({ batch, position: position(this.#progress), phase: 'snapshot' });
  }

  /** A batch without events. */
  nothing(): Item['batch'] {
    return batchOfDrafts([], 0, this.#names);
  }

  /** What was not given is read again. */
  clear(): void {
    this.ready.length = 0;
    this.#parked = NONE;
    this.#drafts = [];
    this.#bytes = this.#whole = this.#wholeBytes = 0;
    this.#parts = false;
  }

  #take(count: number, bytes: number): Item['batch'] {
    const taken = count === this.#drafts.length ? this.#drafts : this.#drafts.slice(0, count);
    this.#drafts = count === this.#drafts.length ? [] : this.#drafts.slice(count);
    this.#bytes -= bytes;
    this.#whole = this.#wholeBytes = 0;
    return batchOfDrafts(taken, bytes, this.#names);
  }

  #giveWhole(): void {
    this.#parts = false;
    const batch = this.#take(this.#whole, this.#wholeBytes);
    const after = { ...this.#progress };
    this.ready.push({ item: this.#withParked({ batch, position: position(after), phase: this.#phase() }), after });
  }

  #giveRest(open: OpenTransaction | null): void {
    const batch = this.#take(this.#drafts.length, this.#bytes);
    const after = { ...this.#progress };
    if (open !== null) after.within = { lsn: open.lsn, given: open.order };
    const phase = this.#phase();
    if (open === null || !this.#limits.respectSourceTx) {
      this.ready.push({ item: this.#withParked({ batch, position: position(after), phase }), after });
    } else {
      this.#parts = true;
      this.ready.push({ item: { batch, open: true, phase }, after });
    }
  }

  /** The list of parked tables goes with the next position after it changed. */
  #withParked(item: Item): Item {
    const { parked } = this.#progress;
    if (item.open === true || parked === this.#parked) return item;
    this.#parked = parked;
    return { ...item, parked };
  }

  #phase(): 'snapshot' | 'streaming' {
    return this.#progress.todo.length > 0 ? 'snapshot' : 'streaming';
  }
}
