// The pool: shares slices out over the children, puts answers back in their places, and decides what a death means.
// A death is never blamed on an event until that event has failed alone in a fresh isolate: healthy code dies on memory
// limits too (facts/perf.md, 3.2). What was answered before a death is kept; other programs' slices are only started again.
// The processes themselves are children.ts, what goes through here is work.ts.

import { availableParallelism } from 'node:os';
import { type Collector, encodeSlice, finished, noteCost, readAnswers, refused } from './answers.ts';
import { afterLoss } from './blame.ts';
import { createBreaker } from './breaker.ts';
import { type Child, createChildren, LIFE, type Life, loadingNow, toDo } from './children.ts';
import { createEndings } from './endings.ts';
import {
  type Answers,
  type Loaded,
  LoadFailure,
  type Program,
  type RunOptions,
  type Sandbox,
  type SandboxOptions,
  type Slice,
} from './index.ts';
import { AGAIN, type Again, type SandboxProcess } from './process.ts';
import type { ChildRights, EndReason, FromChild, Needs } from './protocol.ts';
import { type Entry, type Job, type Loading, labelOf, parkedAnswer, type Sent, type Work } from './work.ts';

/** What only the sandbox itself and its tests set. */
export interface PoolOptions extends SandboxOptions {
  readonly life?: Life;
  /** Texts pass through pipes even where there is shared memory. */
  readonly pipes?: boolean;
  /** A child that waits to take the place of one that ended; true by default. */
  readonly spare?: boolean;
  /** A child is there, and this is what it may do. */
  readonly onReady?: (process: SandboxProcess, rights: ChildRights) => void;
}

/** Ends of a child by somebody else's SIGKILL that an event is not blamed for: the next may be the system's, for its memory. */
const KILLS_BORNE = 3;

export function createPool(options: PoolOptions): Sandbox {
  const life = options.life ?? LIFE;
  const size = Math.max(1, options.children ?? availableParallelism());
  const children = createChildren(
    { size, life, pipes: options.pipes === true, spare: options.spare !== false },
    { onReady: (process, rights) => options.onReady?.(process, rights), onMessage, onEnd },
  );
  const programs = new Map<number, Entry>();
  const waiting: Work[] = [];
  const endings = createEndings(options.log);
  let numbers = 0;
  let runs = 0;

  function dispatch(): void {
    while (waiting.length > 0 && !children.ended) {
      // the child with the least to do; a new one only when all that are there have something
      let best: Child | undefined;
      for (const child of children.all) {
        if (child.dead || child.retired || child.free.length === 0) continue;
        if (best === undefined || toDo(child) < toDo(best)) best = child;
      }
      if ((best === undefined || toDo(best) > 0) && children.hasRoom()) best = children.start();
      if (best === undefined) return;
      give(best, waiting.shift()!);
    }
  }

  function give(child: Child, work: Work): void {
    const { job } = work;
    if (job.over) return;
    ensureLoaded(child, job.program);
    const slot = child.free.pop()!;
    const { heads, apart } = job.program;
    const pieces = encodeSlice(job.slice, work.from, work.to, heads);
    const { bytes, inline } = child.process.put(slot, pieces);
    child.runs++;
    const run = ++runs;
    child.sent.push({ run, work, slot, base: work.from, heads, apart, first: child.runs === 1 });
    if (toDo(child) === 1) children.begins(child);
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
      measured: job.measured,
    });
    children.busy(child);
  }

  function ensureLoaded(child: Child, entry: Entry): void {
    if (child.loaded.has(entry.number)) return;
    child.loaded.set(entry.number, entry);
    const { guest, text, limits } = entry.program;
    const isKnown = child.guest === guest;
    child.guest = guest;
    child.process.send({
      t: 'load',
      p: entry.number,
      guest: isKnown ? null : guest,
      text,
      limits,
      wear: life.isolate,
      ahead: options.ahead === true,
    });
  }

  function onMessage(child: Child, message: Exclude<FromChild, { t: 'ready' | 'text' }>): void {
    switch (message.t) {
      case 'loaded': {
        const loading = child.loading.get(message.p);
        child.loading.delete(message.p);
        if (message.error !== '') child.loaded.delete(message.p);
        if (loading === undefined) return; // nobody waits: it goes before a run
        children.begins(child);
        children.retireWorn(child);
        children.busy(child);
        if (message.error === '') loading.tell('');
        else notLoaded(loading, message.error);
        return;
      }
      case 'hung':
        if (loadingNow(child) === undefined) {
          child.lastAt = message.at;
          child.void = child.sent[0] !== undefined && provided(child.sent[0], message.needs);
        }
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
      if (!job.over) {
        if (!readAnswers(answers, first, message.count, sent.base, job.collector)) {
          child.process.kill('crash');
          return;
        }
        if (Array.isArray(message.cost)) noteCost(job.collector, first, message.cost);
        job.left -= message.count;
      }
      work.from += message.count;
      if (message.made === undefined) return;
    }
    const done = message.t === 'done' || message.t === 'part';
    if (done && work.from !== work.to && !job.over) {
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
    children.begins(child);
    if (message.t === 'again') {
      if (work.from < work.to) waiting.unshift({ ...work });
    } else if (message.t === 'lost') {
      lost(work, message.at < 0 ? null : sent.base + message.at, message.why);
    }
    if (done) child.made = message.made!;
    finish(job);
    children.retireWorn(child);
    children.busy(child);
    dispatch();
    children.keepSpare();
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
  function lost(work: Work, at: number | null, why: EndReason): void {
    const { job, from, to, killed = 0 } = work;
    if (job.over || from >= to) return;
    if (work.alone && why === 'killed' && killed < KILLS_BORNE) {
      waiting.unshift({ ...work, killed: killed + 1 });
      return;
    }
    if (work.alone) {
      job.collector.answers[from] = refused({ why: why === 'killed' ? 'crash' : why });
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
    const name = entry.program.label === undefined ? 'a transform' : entry.program.label;
    options.log?.warn({ ...labelOf(entry), reason, since }, `${name} is parked: too many of its isolates died`);
    for (const job of [...entry.jobs]) {
      const { answers } = job.collector;
      for (let i = 0; i < answers.length; i++) answers[i] ??= parkedAnswer(entry);
      job.left = 0;
      withdraw(job);
      job.resolve(finished(job.collector));
    }
  }

  function onEnd(child: Child, why: EndReason, detail: string, again: Again): void {
    const told = again === null ? null : AGAIN[again];
    if (told !== null && !children.ended) options.log?.warn({ detail }, told);
    const loading = loadingNow(child);
    const loads = [...child.loading.values()];
    child.loading.clear();
    const died = JSON.stringify({ why, message: detail });
    if (children.ended) {
      for (const { tell } of loads) tell(died);
      return;
    }
    // What other events left in the process may have killed it: an event that ran alone gets a process of its own, too.
    let apart: Work | undefined;
    const sent = child.sent.splice(0);
    const running = loading === undefined ? sent.shift() : undefined;
    // those that had not begun are innocent: they start again as they were, loads before all that could end their child again
    for (const { work } of sent.reverse()) if (!work.job.over) waiting.unshift(work);
    for (const load of loads) if (load !== loading) place(load);
    if (loading !== undefined && again !== null) place(loading);
    else if (loading !== undefined) {
      endings.add(loading.entry, why);
      notLoaded(loading, died);
    }
    if (running !== undefined) {
      if (again === null) endings.add(running.work.job.program, why);
      if (child.void || again !== null) waiting.unshift(running.work);
      else if (running.work.alone && child.lastAt === null && !running.first) apart = running.work;
      else lost(running.work, child.lastAt === null || child.lastAt < 0 ? null : running.base + child.lastAt, why);
      finish(running.work.job);
    }
    children.busy(child);
    if (apart !== undefined && children.hasRoom()) give(children.start(), apart);
    else if (apart !== undefined) waiting.unshift(apart);
    dispatch();
    if (running !== undefined) children.keepSpare(true);
  }

  async function load(program: Program): Promise<Loaded> {
    const heads = program.heads === 'always';
    const breaker = createBreaker(program.limits.deaths);
    const entry: Entry = { number: ++numbers, program, heads, apart: false, jobs: new Set(), breaker };
    if (children.ended) throw new Error('the sandbox was disposed');
    programs.set(entry.number, entry);
    const refusal = await new Promise<string>((tell) => place({ entry, after: 0, failures: 0, tell }));
    if (refusal !== '') {
      forget(entry);
      throw new LoadFailure(refused(JSON.parse(refusal)));
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

  /** Has it loaded by the child with the fewest runs. */
  function place(loading: Loading): void {
    const { entry } = loading;
    const [best] = children.all
      .filter((one) => !one.dead && !one.retired)
      .sort((a, b) => a.sent.length - b.sent.length || toDo(a) - toDo(b));
    const full = best === undefined || best.sent.length > 0; // what only loads is soon done
    const child = full && children.hasRoom() ? children.start() : (best ?? children.all[0]!);
    loading.after = runs;
    child.loading.set(entry.number, loading);
    ensureLoaded(child, entry);
    if (toDo(child) === 1) children.begins(child);
    children.busy(child);
  }

  // What is no throw of the code itself is tried once more: it may have been another program's doing.
  function notLoaded(loading: Loading, refusal: string): void {
    const { why } = JSON.parse(refusal) as { readonly why: string };
    const tries = ['timeout', 'memory', 'crash'].includes(why) ? 2 : 1;
    if (++loading.failures < tries && !children.ended) place(loading);
    else loading.tell(refusal);
  }

  function forget(entry: Entry): void {
    programs.delete(entry.number);
    for (const child of children.all) {
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
    for (const child of children.all) {
      for (const sent of child.sent) if (sent.work.job === job) child.process.send({ t: 'stop', r: sent.run });
    }
  }

  function run(entry: Entry, slice: Slice, { fresh = false, measured = false, signal }: RunOptions): Promise<Answers> {
    return new Promise<Answers>((resolve, reject) => {
      signal?.throwIfAborted();
      if (children.ended) throw new Error('the sandbox was disposed');
      const collector: Collector = {
        inBytes: slice.lines !== undefined,
        answers: new Array(slice.length).fill(undefined),
        logs: [],
        dropped: 0,
        ...(measured ? { costs: new Map() } : {}),
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
        measured,
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
    processes: () => children.all.flatMap(({ process }) => process.pid ?? []),
    warm(limits) {
      if (children.all.length > 0 || children.ended) return;
      const { process } = children.start();
      if (limits !== undefined) process.send({ t: 'ahead', guest: null, limits });
    },
    load,
    async [Symbol.asyncDispose]() {
      const gone = children.end();
      endings.flush();
      for (const entry of programs.values()) {
        for (const job of entry.jobs) cancel(job, new Error('the sandbox was disposed'));
      }
      await gone;
    },
  };
}
