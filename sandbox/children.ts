// The children of a pool: started when there is work, watched while they work, replaced when they are old, and one kept ready to
// take the place of one that ends. Knows nothing of answers; who runs what, and what a death means, is pool.ts.
// Guarantee: onEnd is called once for each child, when it is in no list any more.

import { type Again, type SandboxProcess, startEarly, startProcess } from './process.ts';
import type { ChildRights, EndReason, FromChild, Wear } from './protocol.ts';
import type { Entry, Loading, Sent } from './work.ts';

/** Slices at one child at a time, so that it never waits for the next. */
const DEPTH = 3;
const SPARE_AFTER = 3000; // ms from the first answers to the first spare: until then what starts is slowed down by it, and a short run needs none
const TICK = 20; // ms between two looks of the watchdog
const SILENCE = 1500; // ms beyond a call's limit without a word before a child is ended
const MiB = 1 << 20;
const HOUR = 3_600_000;
export const LIFE: Life = { isolate: { slices: 20_000, age: HOUR, heap: 0.85 }, childIsolates: 10_000, childAge: HOUR };
const BASE_MEMORY = 160 * MiB; // a child without isolates, and what strings in passing take

/** When isolates and children are replaced though nothing is wrong with them. */
export interface Life {
  readonly isolate: Wear;
  /** Isolates that a child makes. */
  readonly childIsolates: number;
  /** ms. */
  readonly childAge: number;
}

export interface Child {
  readonly process: SandboxProcess;
  readonly loaded: Map<number, Entry>;
  /** Of the program that it was given last. */
  guest: string | null;
  /** By the number of the program, the oldest first: those that somebody waits for. */
  readonly loading: Map<number, Loading>;
  /** The first is the one that runs, once what is loaded before it is loaded. */
  readonly sent: Sent[];
  /** Slots that are free. */
  readonly free: number[];
  readonly born: number;
  /** Isolates that it has made. */
  made: number;
  /** Runs that it was given. */
  runs: number;
  /** It gets nothing more, and ends when what it has is done. */
  retired: boolean;
  heard: number;
  /** The longest silence that is right for what it does now. */
  patience: number;
  lastAt: number | null;
  /** Its last run is void: what happened in it counts for nothing. */
  void: boolean;
  dead: boolean;
}

export interface ChildrenOptions {
  readonly size: number;
  readonly life: Life;
  /** Texts pass through pipes even where there is shared memory. */
  readonly pipes: boolean;
  readonly spare: boolean;
}

export interface ChildrenEvents {
  onReady(process: SandboxProcess, rights: ChildRights): void;
  onMessage(child: Child, message: Exclude<FromChild, { t: 'ready' | 'text' }>): void;
  onEnd(child: Child, why: EndReason, detail: string, again: Again): void;
}

export interface Children {
  /** Those that get work; not the spare. */
  readonly all: readonly Child[];
  readonly ended: boolean;
  /** There may be one more. */
  hasRoom(): boolean;
  start(): Child;
  /** Sees to it that there is a spare. `anew`: also if the last one ended by itself. */
  keepSpare(anew?: boolean): void;
  /** What it does now begins now. */
  begins(child: Child): void;
  /** To be called when what a child has to do has changed. */
  busy(child: Child): void;
  /** Ends a child that is old, once it has nothing to do. */
  retireWorn(child: Child): void;
  end(): Promise<void>;
}

/** Starts the first child of the first pool of this process, before the pool is there. */
export function headStart(): void {
  startEarly({ slots: DEPTH, pipes: false });
}

export function toDo(child: Child): number {
  return child.sent.length + child.loading.size;
}

/** What is being loaded now, and not only waits behind a run: a child does everything in the order in which it was sent. */
export function loadingNow({ loading, sent }: Child): Loading | undefined {
  const [first] = loading.values();
  return first !== undefined && (sent[0] === undefined || sent[0].run > first.after) ? first : undefined;
}

export function createChildren(
  { size, life, pipes, spare: wantSpare }: ChildrenOptions,
  events: ChildrenEvents,
): Children {
  const children: Child[] = [];
  let ended = false;
  let watchdog: NodeJS.Timeout | undefined;
  let spare: Child | undefined;
  let settling: NodeJS.Timeout | undefined;
  let settled = false; // the start is over
  let spareFailed = false; // it ended by itself: another would, too

  function create(): Child {
    const child: Child = {
      process: startProcess(
        { slots: DEPTH, pipes },
        {
          onReady(rights) {
            child.heard = performance.now();
            events.onReady(child.process, rights);
          },
          onMessage(message) {
            child.heard = performance.now();
            events.onMessage(child, message);
          },
          onEnd: (why, detail, again) => gone(child, why, detail, again),
        },
      ),
      loaded: new Map(),
      guest: null,
      loading: new Map(),
      sent: [],
      free: Array.from({ length: DEPTH }, (_, i) => i),
      born: performance.now(),
      made: 0,
      runs: 0,
      retired: false,
      heard: performance.now(),
      patience: 0,
      lastAt: null,
      void: false,
      dead: false,
    };
    child.process.hold(false);
    return child;
  }

  function gone(child: Child, why: EndReason, detail: string, again: Again): void {
    child.dead = true;
    if (child === spare) {
      spare = undefined;
      spareFailed = again === null;
    }
    const index = children.indexOf(child);
    if (index >= 0) children.splice(index, 1);
    events.onEnd(child, why, detail, again);
  }

  const works = (child: Child): boolean => toDo(child) > 0;

  function patienceFor({ program }: Entry): number {
    return Math.max(program.limits.timeout, program.limits.load) * 8 + SILENCE;
  }

  function watch(): void {
    const now = performance.now();
    for (const child of children) {
      if (child.dead || !works(child)) continue;
      let cap = BASE_MEMORY;
      for (const { program } of child.loaded.values()) cap += program.limits.memory + 64 * MiB;
      if (child.process.resident() > cap) child.process.kill('memory');
      else if (now - child.heard > child.patience) child.process.kill('timeout');
    }
  }

  return {
    all: children,
    get ended() {
      return ended;
    },
    hasRoom: () => children.length < size,
    start() {
      const child = spare ?? create();
      spare = undefined;
      children.push(child);
      return child;
    },
    keepSpare(anew = false) {
      if (anew) {
        spareFailed = false;
        settled = true;
      }
      if (!wantSpare || ended || spareFailed) return;
      if (settled) spare ??= create();
      else settling ??= setTimeout(() => this.keepSpare(true), SPARE_AFTER).unref();
    },
    begins(child) {
      const entry = loadingNow(child)?.entry ?? child.sent[0]?.work.job.program;
      child.heard = performance.now();
      child.patience = entry === undefined ? 0 : patienceFor(entry);
    },
    busy(child) {
      child.process.hold(works(child));
      const anyone = children.some(works);
      if (anyone && watchdog === undefined) watchdog = setInterval(watch, TICK);
      if (!anyone && watchdog !== undefined) {
        clearInterval(watchdog);
        watchdog = undefined;
      }
    },
    retireWorn(child) {
      child.retired ||= child.made >= life.childIsolates || performance.now() - child.born >= life.childAge;
      if (child.retired && !works(child)) child.process.kill('crash');
    },
    async end() {
      ended = true;
      clearInterval(watchdog);
      clearTimeout(settling);
      await Promise.all(
        [...children, ...(spare === undefined ? [] : [spare])].map((child) => {
          child.process.hold(true);
          child.process.kill('crash');
          return child.process.ended;
        }),
      );
    },
  };
}
