// The pool: shares slices out over the children, puts answers back in their places, and decides what a death means.
// A death is never blamed on an event until that event has failed alone in a fresh isolate: healthy code dies on memory
// limits too (facts/perf.md, 3.2). What was answered before a death is kept; other programs' slices are only started again.
// Long because deaths, queues and answers change the same few lists, and each must see the others' changes at once.

import { availableParallelism } from 'node:os';
import { type Collector, encodeSlice, finished, readAnswers, refused } from './answers.ts';
import { afterLoss, type Range } from './blame.ts';
import { type Breaker, createBreaker } from './breaker.ts';
import {
  type Answers,
  type Loaded,
  LoadFailure,
  type Program,
  type Refused,
  type Sandbox,
  type SandboxOptions,
  type Slice,
} from './index.ts';
import { type SandboxProcess, startProcess } from './process.ts';
import type { ChildRights, FromChild, LossReason, Needs, Wear } from './protocol.ts';

const DEPTH = 3; // slices at one child at a time, so that it never waits for the next
const TICK = 20; // ms between two looks of the watchdog
const SILENCE = 1500; // ms beyond a call's limit without a word before a child is ended
const MiB = 1 << 20;
const HOUR = 3_600_000;
const LIFE: Life = { isolate: { slices: 20_000, age: HOUR, heap: 0.85 }, childIsolates: 10_000, childAge: HOUR };
const BASE_MEMORY = 160 * MiB; // a child without isolates, and what strings in passing take

/** When isolates and children are replaced though nothing is wrong with them. */
export interface Life {
  readonly isolate: Wear;
  /** Isolates that a child makes. */
  readonly childIsolates: number;
  /** ms. */
  readonly childAge: number;
}

/** What only the sandbox itself and its tests set. */
export interface PoolOptions extends SandboxOptions {
  readonly life?: Life;
  /** Texts pass through pipes even where there is shared memory. */
  readonly pipes?: boolean;
  /** A child that waits to take the place of one that ended; true by default. */
  readonly spare?: boolean;
  /** The first child is there, and this is what it may do. */
  readonly onReady?: (process: SandboxProcess, rights: ChildRights) => void;
}

interface Job {
  readonly program: Entry;
  readonly slice: Slice;
  readonly collector: Collector;
  left: number;
  readonly fresh: boolean;
  resolve(answers: Answers): void;
  reject(error: unknown): void;
  over: boolean;
}

/** A run of a job's events on its way to a child. */
interface Work extends Range {
  readonly job: Job;
}

interface Entry {
  readonly number: number;
  readonly program: Program;
  heads: boolean;
  /** A call for each event. */
  apart: boolean;
  jobs: Set<Job>;
  readonly breaker: Breaker;
}

interface Sent {
  readonly run: number;
  readonly work: Work;
  readonly slot: number;
  readonly base: number;
  /** What it has of what a program may ask for. */
  readonly heads: boolean;
  readonly apart: boolean;
  /** Nothing ran in its process before. */
  readonly first: boolean;
}

interface Loading {
  resolve(error: string): void;
}

interface Child {
  readonly process: SandboxProcess;
  readonly loaded: Set<number>;
  readonly loading: Map<number, Loading>;
  readonly sent: Sent[];
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

export function createPool(options: PoolOptions): Sandbox {
  const life = options.life ?? LIFE;
  const size = Math.max(1, options.children ?? availableParallelism());
  const children: Child[] = [];
  const programs = new Map<number, Entry>();
  const waiting: Work[] = [];
  let numbers = 0;
  let runs = 0;
  let ended = false;
  let watchdog: NodeJS.Timeout | undefined;

  // A child that is ready to take the place of one that died. Started after the first answers, which it would only slow down.
  let spare: Child | undefined;
  let spareFailed = false; // it ended by itself: another would, too
  let observed = false;

  function start(): Child {
    const child = spare ?? create();
    spare = undefined;
    children.push(child);
    return child;
  }

  function create(): Child {
    const child: Child = {
      process: startProcess(
        { slots: DEPTH, pipes: options.pipes === true },
        {
          onReady: (rights) => onReady(child, rights),
          onMessage: (message) => onMessage(child, message),
          onEnd: (why, detail, again) => onEnd(child, why, detail, again),
        },
      ),
      loaded: new Set(),
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

  function onReady(child: Child, rights: ChildRights): void {
    child.heard = performance.now();
    if (observed) return;
    observed = true;
    options.onReady?.(child.process, rights);
  }

  function keepSpare(): void {
    if (options.spare !== false && !ended && !spareFailed) spare ??= create();
  }

  function dispatch(): void {
    while (waiting.length > 0 && !ended) {
      // the child with the least to do; a new one only when all that are there have something
      let best: Child | undefined;
      for (const child of children) {
        if (child.dead || child.retired || child.free.length === 0) continue;
        if (best === undefined || child.sent.length < best.sent.length) best = child;
      }
      if ((best === undefined || best.sent.length > 0) && children.length < size) best = start();
      if (best === undefined) return;
      give(best, waiting.shift()!);
    }
  }

  function give(child: Child, work: Work): void {
    const { job } = work;
    if (job.over) return;
    const { program } = job.program;
    ensureLoaded(child, job.program);
    const slot = child.free.pop()!;
    const { heads, apart } = job.program;
    const pieces = encodeSlice(job.slice, work.from, work.to, heads);
    const { bytes, inline } = child.process.put(slot, pieces);
    child.runs++;
    const run = ++runs;
    if (child.sent.length === 0) {
      child.heard = performance.now();
      child.patience = patienceFor(program);
    }
    child.sent.push({ run, work, slot, base: work.from, heads, apart, first: child.runs === 1 });
    child.process.send({
      t: 'run',
      r: run,
      p: job.program.number,
      slot,
      bytes,
      inline,
      n: work.to - work.from,
      fresh: work.alone || job.fresh,
      single: work.single || apart,
    });
    busy(child);
  }

  function patienceFor(program: Program): number {
    return Math.max(program.limits.timeout, program.limits.load) * 8 + SILENCE;
  }

  function ensureLoaded(child: Child, entry: Entry): void {
    if (child.loaded.has(entry.number)) return;
    child.loaded.add(entry.number);
    const { guest, text, limits } = entry.program;
    child.process.send({ t: 'load', p: entry.number, guest, text, limits, wear: life.isolate });
  }

  function busy(child: Child): void {
    child.process.hold(child.sent.length > 0 || child.loading.size > 0);
    const anyone = children.some((one) => one.sent.length > 0 || one.loading.size > 0);
    if (anyone && watchdog === undefined) watchdog = setInterval(watch, TICK);
    if (!anyone && watchdog !== undefined) {
      clearInterval(watchdog);
      watchdog = undefined;
    }
  }

  function watch(): void {
    const now = performance.now();
    for (const child of children) {
      if (child.dead || (child.sent.length === 0 && child.loading.size === 0)) continue;
      let cap = BASE_MEMORY;
      for (const number of child.loaded) cap += (programs.get(number)?.program.limits.memory ?? 0) + 64 * MiB;
      if (child.process.resident() > cap) child.process.kill('memory');
      else if (now - child.heard > child.patience) child.process.kill('timeout');
    }
  }

  function onMessage(child: Child, message: Exclude<FromChild, { t: 'ready' | 'text' }>): void {
    child.heard = performance.now();
    switch (message.t) {
      case 'loaded': {
        const loading = child.loading.get(message.p);
        child.loading.delete(message.p);
        if (message.error !== '') child.loaded.delete(message.p);
        busy(child);
        loading?.resolve(message.error);
        return;
      }
      case 'hung':
        child.lastAt = message.at;
        child.void = child.sent[0] !== undefined && provided(child.sent[0], message.needs);
        child.process.kill(message.why);
        return;
      default:
        break;
    }
    const sent = child.sent[0];
    if (sent === undefined || sent.run !== message.r) {
      child.process.kill('crash');
      return;
    }
    const { work } = sent;
    const { job } = work;
    if (message.t === 'part') {
      const answers = child.process.take(sent.slot, message);
      const first = sent.base + message.from;
      if (answers === null || first !== work.from || first + message.count > work.to) {
        child.process.kill('crash');
        return;
      }
      if (job.over) {
        work.from += message.count;
        return;
      }
      if (!readAnswers(answers, first, message.count, sent.base, job.collector)) {
        child.process.kill('crash');
        return;
      }
      work.from += message.count;
      job.left -= message.count;
      return;
    }
    if (message.t === 'done' && work.from !== work.to && !job.over) {
      child.process.kill('crash'); // silence is no answer
      return;
    }
    if (message.t === 'again' && !provided(sent, message.needs)) {
      child.process.kill('crash'); // it would ask for ever
      return;
    }
    child.sent.shift();
    child.process.clear(sent.slot);
    child.free.push(sent.slot);
    child.patience = child.sent[0] === undefined ? 0 : patienceFor(child.sent[0].work.job.program.program);
    if (message.t === 'again') {
      if (work.from < work.to) waiting.unshift({ ...work });
    } else if (message.t === 'lost') {
      lost(work, message.at < 0 ? null : sent.base + message.at, message.why);
    }
    if (message.t === 'done') child.made = message.made;
    finish(job);
    retireWorn(child);
    busy(child);
    dispatch();
    keepSpare();
  }

  // A process that has lived long is replaced between two slices: what it holds on to goes with it.
  function retireWorn(child: Child): void {
    child.retired ||= child.made >= life.childIsolates || performance.now() - child.born >= life.childAge;
    if (child.retired && child.sent.length === 0 && child.loading.size === 0) child.process.kill('crash');
  }

  /** False: it asks for nothing that this run did not have already. */
  function provided({ work, heads, apart }: Sent, needs: Needs | null): boolean {
    const { program } = work.job;
    const more = { heads: !heads && needs?.heads === true, apart: !apart && needs?.apart === true };
    program.heads ||= more.heads;
    program.apart ||= more.apart;
    return more.heads || more.apart;
  }

  function finish(job: Job): void {
    if (job.over || job.left > 0) return;
    job.over = true;
    job.program.jobs.delete(job);
    job.resolve(finished(job.collector));
  }

  // Events [work.from, work.to) are not answered, and one of them (`at`, where it is known) ended its isolate.
  function lost(work: Work, at: number | null, why: LossReason): void {
    const { job, from, to } = work;
    if (job.over || from >= to) return;
    if (work.alone) {
      job.collector.answers[from] = refused({ why });
      job.left--;
      return;
    }
    if (job.program.breaker.died(why)) park(job.program);
    if (job.over) return;
    waiting.unshift(...afterLoss(work, at).map((range) => ({ ...range, job })));
  }

  // What is not answered yet is refused, and so is what comes from now on.
  function park(entry: Entry): void {
    const { reason, since } = entry.breaker.parked!;
    options.log?.warn({ reason, since }, 'a transform is parked: too many of its isolates died');
    for (const job of [...entry.jobs]) {
      const { answers } = job.collector;
      for (let i = 0; i < answers.length; i++) answers[i] ??= parkedAnswer(entry);
      job.left = 0;
      withdraw(job);
      job.resolve(finished(job.collector));
    }
  }

  function onEnd(child: Child, why: LossReason, detail: string, again: boolean): void {
    child.dead = true;
    if (child === spare) {
      spare = undefined;
      spareFailed = true;
    }
    const index = children.indexOf(child);
    if (index >= 0) children.splice(index, 1);
    if (again && !ended)
      options.log?.warn(
        { detail },
        'a sandbox child did not start with the rights of the system taken away, and starts without that',
      );
    for (const loading of child.loading.values()) loading.resolve(JSON.stringify({ why, message: detail, again }));
    child.loading.clear();
    if (ended) return;
    // What other events left in the process may have killed it: an event that ran alone gets a process of its own, too.
    let apart: Work | undefined;
    const [running, ...queued] = child.sent.splice(0);
    // those that had not begun are innocent: they start again as they were
    for (const sent of queued.reverse()) if (!sent.work.job.over) waiting.unshift(sent.work);
    if (running !== undefined) {
      options.log?.warn({ why }, 'a sandbox child ended, and its events are taken up by another');
      if (child.void || again) waiting.unshift(running.work);
      else if (running.work.alone && child.lastAt === null && !running.first) apart = running.work;
      else lost(running.work, child.lastAt === null || child.lastAt < 0 ? null : running.base + child.lastAt, why);
      finish(running.work.job);
    }
    busy(child);
    if (apart !== undefined && children.length < size) give(start(), apart);
    else if (apart !== undefined) waiting.unshift(apart);
    dispatch();
    if (running !== undefined) {
      spareFailed = false;
      keepSpare();
    }
  }

  async function load(program: Program): Promise<Loaded> {
    const heads = program.heads === 'always';
    const breaker = createBreaker(program.limits.deaths);
    const entry: Entry = { number: ++numbers, program, heads, apart: false, jobs: new Set(), breaker };
    programs.set(entry.number, entry);
    // A death while loading is tried once more: it may have been another program's doing.
    let error = '';
    for (let attempt = 0; attempt < 2; attempt++) {
      const child =
        children.find((one) => !one.dead && !one.retired && one.sent.length === 0) ??
        (children.length < size ? start() : children[0]!);
      error = await new Promise<string>((resolve) => {
        if (child.sent.length === 0) {
          child.heard = performance.now();
          child.patience = patienceFor(program);
        }
        child.loading.set(entry.number, { resolve });
        ensureLoaded(child, entry);
        busy(child);
      });
      if (error === '' || ended) break;
      const { why, again } = JSON.parse(error) as { readonly why: string; readonly again?: boolean };
      if (why === 'runtime') break;
      if (again === true) attempt--;
    }
    if (error !== '') {
      forget(entry);
      const found = refused(JSON.parse(error));
      throw new LoadFailure(found);
    }
    return {
      run: (slice, runOptions = {}) => run(entry, slice, runOptions),
      get parked() {
        return breaker.parked;
      },
      park: (parked) => breaker.park(parked),
      resume: () => breaker.resume(),
      async [Symbol.asyncDispose]() {
        for (const job of entry.jobs) cancel(job, new Error('the program was disposed'));
        forget(entry);
      },
    };
  }

  function forget(entry: Entry): void {
    programs.delete(entry.number);
    for (const child of children) {
      if (child.loaded.delete(entry.number)) child.process.send({ t: 'drop', p: entry.number });
    }
  }

  function cancel(job: Job, reason: unknown): void {
    if (job.over) return;
    withdraw(job);
    job.reject(reason);
  }

  /** Nobody waits for its answers any more. */
  function withdraw(job: Job): void {
    job.over = true;
    job.program.jobs.delete(job);
    for (let i = waiting.length - 1; i >= 0; i--) if (waiting[i]!.job === job) waiting.splice(i, 1);
    for (const child of children) {
      for (const sent of child.sent) if (sent.work.job === job) child.process.send({ t: 'stop', r: sent.run });
    }
  }

  function run(
    entry: Entry,
    slice: Slice,
    { fresh = false, signal }: { readonly fresh?: boolean; readonly signal?: AbortSignal },
  ): Promise<Answers> {
    return new Promise<Answers>((resolve, reject) => {
      signal?.throwIfAborted();
      if (ended) throw new Error('the sandbox was disposed');
      const collector: Collector = {
        inBytes: slice.lines !== undefined,
        answers: new Array(slice.length).fill(undefined),
        logs: [],
        dropped: 0,
      };
      if (entry.breaker.parked !== null) collector.answers.fill(parkedAnswer(entry));
      if (slice.length === 0 || entry.breaker.parked !== null) return resolve(finished(collector));
      const onAbort = (): void => cancel(job, signal!.reason);
      const job: Job = {
        program: entry,
        slice,
        collector,
        left: slice.length,
        fresh,
        over: false,
        resolve(answers) {
          signal?.removeEventListener('abort', onAbort);
          resolve(answers);
        },
        reject,
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      entry.jobs.add(job);
      waiting.push({ job, from: 0, to: slice.length, single: false, alone: false });
      dispatch();
    });
  }

  return {
    children: size,
    processes: () => children.flatMap(({ process }) => process.pid ?? []),
    warm() {
      if (children.length === 0 && !ended) start();
    },
    load,
    async [Symbol.asyncDispose]() {
      ended = true;
      clearInterval(watchdog);
      const gone = [...children, ...(spare === undefined ? [] : [spare])].map((child) => {
        child.process.hold(true);
        child.process.kill('crash');
        return child.process.ended;
      });
      for (const entry of programs.values()) {
        for (const job of entry.jobs) cancel(job, new Error('the sandbox was disposed'));
      }
      await Promise.all(gone);
    },
  };
}

function parkedAnswer({ breaker }: Entry): Refused {
  return refused({ why: 'parked', message: `the transform is parked: ${breaker.parked!.reason}` });
}
