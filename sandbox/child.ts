// The sandbox child: a process that holds isolates and runs slices in them, one slice at a time. It has no environment, no
// files and no rights beyond its inherited descriptors; whatever happens in here costs the parent one SIGKILL and a respawn.
// Guarantee: answers are handed over as soon as a call has returned, so a later death loses only what was not answered.

import { isAscii } from 'node:buffer';
import { readSync, writeSync } from 'node:fs';
import { createAhead, type Load } from './ahead.ts';
import { createCollector } from './collect.ts';
import { AT, CallFailure, type Cell, createCell, LATE, STATE, STATE_WAITS } from './isolate.ts';
import {
  type ChildRights,
  type FromChild,
  type LoadMessage,
  type LossReason,
  lineReader,
  type Needs,
  type ProgramLimits,
  type RunMessage,
  type ToChild,
} from './protocol.ts';
import { scratchFor } from './slots.ts';

const FIRST_SLOT = 3; // descriptors 3, 4, … are the slot files
const HUNG_AFTER = 150; // ms beyond a call's limit after which its isolate will not come back
const AFTER = 1000; // ms for fetching what a call left ready
const PIECE = 256 << 10; // characters of a text that one frame carries
const QUIET = 40; // ms without work until an isolate is made ahead
const AGES = 3; // a call that the machine, not the guest, made slow gets more time this often

interface Program {
  readonly load: Load;
  cell: Cell | null;
  /** True when no event has run in the cell. */
  clean: boolean;
  /** Slices that ran in the cell. */
  slices: number;
  /** When it was made, in ms. */
  born: number;
}

const garbage = createCollector();
const ahead = createAhead(newCell);
const programs = new Map<number, Program>();
let guest = ''; // of the load before
let wanted: Load | null = null; // the load that the next one will likely resemble
let waiting: NodeJS.Timeout | undefined; // until there was no work for a while
const queue: ToChild[] = [];
const stopped = new Set<number>();
let busy = false;
let made = 0; // isolates, for the parent: a process that has made many is replaced
let pieces: string[] = []; // of the slice of a run that is still to come
const texts = new Map<number, string>(); // slices that were read while an earlier one was running
let unsent: (() => void) | null = null; // answers that are handed over while the next slice is running
const running: { cell: Cell | null } = { cell: null };

function send(message: FromChild): void {
  handOver();
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`);
  let sent = 0;
  while (sent < bytes.length) {
    try {
      sent += writeSync(1, bytes, sent);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') process.kill(process.pid, 'SIGKILL');
    }
  }
}

function handOver(): void {
  const now = unsent;
  unsent = null;
  now?.();
  if (now !== null) garbage.collect(); // beside the isolate, which has its own thread
}

function catastrophe(message: string): void {
  const why: LossReason = /memory|heap|alloc/i.test(message) ? 'memory' : 'timeout';
  send({ t: 'hung', at: running.cell?.progress[AT] ?? -1, why, needs: running.cell?.needs() ?? null });
  process.kill(process.pid, 'SIGKILL'); // its thread is parked for ever: no other end would work
}

async function build(program: Program): Promise<string> {
  const { text, limits } = program.load;
  program.cell?.dispose();
  program.cell = ahead.take(program.load) ?? newCell(limits);
  program.clean = true;
  program.slices = 0;
  program.born = performance.now();
  running.cell = program.cell;
  return guarded(program.cell, limits.load, () => program.cell!.load(program.load.guest, text));
}

function newCell(limits: ProgramLimits): Cell {
  made++;
  garbage.note({ isolates: 1 });
  running.cell = createCell(limits, catastrophe);
  return running.cell;
}

/** A call, watched: when isolated-vm cannot end it, the parent is told which event it was and ends the process. */
async function guarded<T>(cell: Cell, limit: number, call: () => Promise<T>): Promise<T> {
  const cpu = cell.cpu();
  let waits = 0;
  const check = (): void => {
    // Where the machine is busy the isolate may simply not have run: give it its time before it is called hung.
    if (cell.cpu() - cpu < limit && ++waits < 8) {
      timer = setTimeout(check, HUNG_AFTER);
      return;
    }
    const inLoop = cell.progress[STATE] === 0 || cell.progress[STATE] === STATE_WAITS;
    send({ t: 'hung', at: inLoop ? cell.progress[AT]! : -1, why: 'timeout', needs: cell.needs() });
  };
  let timer = setTimeout(check, limit + HUNG_AFTER);
  try {
    const called = call();
    handOver(); // the isolate works in a thread of its own
    return await called;
  } finally {
    clearTimeout(timer);
  }
}

async function load(message: LoadMessage): Promise<void> {
  guest = message.guest ?? guest;
  const own = { ...message, guest };
  const program: Program = { load: own, cell: null, clean: true, slices: 0, born: 0 };
  programs.set(message.p, program);
  let error = '';
  try {
    error = await build(program);
    if (message.ahead) wanted = own;
  } catch (thrown) {
    error = JSON.stringify({ why: thrown instanceof CallFailure ? thrown.why : 'crash' });
    program.cell?.dispose();
    program.cell = null;
  }
  send({ t: 'loaded', p: message.p, error });
}

function retireWorn(program: Program): void {
  const { cell, load, born } = program;
  if (cell === null) return;
  program.slices++;
  const { wear, limits } = load;
  const old = program.slices >= wear.slices || performance.now() - born >= wear.age;
  if (!old && cell.heap() < limits.memory * wear.heap) return;
  cell.dispose();
  program.cell = null;
}

function readSlice({ slot, bytes, inline }: RunMessage): string {
  if (inline) {
    const text = pieces.join('');
    pieces = [];
    return text;
  }
  const input = scratchFor(bytes);
  for (let read = 0; read < bytes; ) {
    const got = readSync(FIRST_SLOT + slot, input, read, bytes - read, read);
    if (got === 0) throw new Error('the slot is shorter than its slice');
    read += got;
  }
  // most texts are ASCII, which is decoded several times as fast as such
  return input.toString(isAscii(input.subarray(0, bytes)) ? 'latin1' : 'utf8', 0, bytes);
}

async function run(message: RunMessage): Promise<void> {
  const program = programs.get(message.p)!;
  const fd = FIRST_SLOT + message.slot;
  const slice = texts.get(message.r) ?? readSlice(message);
  texts.delete(message.r);
  garbage.note({ text: slice.length });
  const { timeout } = program.load.limits;

  let offset = 0;
  let { inline } = message;
  let single = message.single || message.measured;
  let next = 0;
  let begun = false; // the isolate has the slice
  const part = (text: string, count: number, cost?: readonly [number, number], last = false): void => {
    let bytes = 0;
    if (!inline) {
      try {
        const buffer = scratchFor(text.length * 3);
        bytes = buffer.write(text, Buffer.byteLength(text) === text.length ? 'latin1' : 'utf8');
        for (let sent = 0; sent < bytes; ) sent += writeSync(fd, buffer, sent, bytes - sent, offset + sent);
      } catch {
        inline = true; // shared memory is full
      }
    }
    if (inline) for (let at = 0; at < text.length; at += PIECE) send({ t: 'text', text: text.slice(at, at + PIECE) });
    send({
      t: 'part',
      r: message.r,
      from: next,
      count,
      offset,
      bytes,
      inline,
      ...(cost === undefined ? {} : { cost }),
      ...(last ? { made } : {}),
    });
    garbage.note({ text: text.length });
    offset += bytes;
    next += count;
  };
  const done = (): void => {
    send({ t: 'done', r: message.r, made });
  };
  const discard = (): void => {
    program.cell?.dispose();
    program.cell = null;
  };
  const again = (needs: Needs): void => {
    if (needs.apart) discard(); // a kept state must not see an event twice
    send({ t: 'again', r: message.r, needs });
  };
  const ready = async (fresh: boolean): Promise<Cell> => {
    if (program.cell === null || (fresh && !program.clean)) {
      const error = await build(program);
      if (error !== '') throw new CallFailure('crash', 'the program does not load again');
      begun = false;
    }
    running.cell = program.cell;
    return program.cell!;
  };

  try {
    let cell = await ready(message.fresh);
    let alone = 0; // how often the event at `next` was cut off while it had a call of its own
    while (next < message.n && !stopped.has(message.r)) {
      const to = single || alone > 0 ? next + 1 : message.n;
      // A call of several events that is cut off costs nothing but time; one of its own has the full limit.
      const limit = timeout * 2 ** Math.max(0, alone - 1);
      const cpu = cell.cpu();
      const heap = message.measured ? cell.heap() : 0;
      const began = performance.now();
      const cost = (of: Cell): readonly [number, number] | undefined =>
        message.measured ? [performance.now() - began, of.heap() - heap] : undefined;
      let text: string;
      program.clean = false;
      try {
        const given = begun ? '' : slice;
        begun = true;
        text = await guarded(cell, limit, () => cell.go(next, to, limit, given));
        while (text === '?') text = await guarded(cell, limit, () => cell.collect(limit));
        // Lines of the event's own microtasks: where several events share a call, those make it void.
        if (cell.progress[LATE] === 1) text += await guarded(cell, AFTER, () => cell.take(-1, AFTER));
      } catch (error) {
        if (!(error instanceof CallFailure)) throw error;
        const needs = cell.needs();
        if (needs !== null) {
          discard();
          return again(needs);
        }
        if (error.why === 'rejection') {
          cell = await ready(true);
          if (to === next + 1)
            part(`1\n${JSON.stringify({ why: 'runtime', message: `unhandled rejection: ${error.message}` })}`, 1);
          else single = true;
          continue;
        }
        if (error.why !== 'timeout') throw error;
        const state = cell.progress[STATE]!;
        const at = cell.progress[AT]!;
        const used = cell.cpu() - cpu;
        if (to === next + 1) {
          // Its own call, so it is exactly this event, unless the machine did not let it run.
          alone++;
          if (used < limit * 0.7 && alone <= AGES) {
            cell = await ready(true);
            continue;
          }
          const lines = await guarded(cell, AFTER, () => cell.take(next + 1, AFTER));
          part(`1\n${JSON.stringify({ why: 'timeout' })}${lines}`, 1, cost(cell));
          alone = 0;
          if (state !== 0) cell = await ready(true); // nothing it left running may touch the next event
          continue;
        }
        if (state === 0) {
          // Cut off within an event: keep what was answered before it, and give it a call of its own.
          const kept = await guarded(cell, AFTER, () => cell.take(-1, AFTER));
          const count = kept.indexOf('\n') < 0 ? kept.length : kept.indexOf('\n');
          if (count > 0) part(kept, count);
          if (next !== at) throw new CallFailure('crash', 'answers and progress differ');
          alone = 1;
        } else {
          // Cut off in what events left running behind them: whose it was is known only when each runs alone.
          cell = await ready(true);
          if (state === STATE_WAITS) alone = 0;
          single = true;
        }
        continue;
      }
      const needs = cell.needs();
      // Of a call that several events' microtasks had a part in nothing is kept: their log lines are not known.
      if (needs?.apart === true) return again(needs);
      const head = text.indexOf('\n');
      const count = head < 0 ? text.length : head;
      const spent = cost(cell);
      alone = 0;
      if (next + count === message.n && needs === null) {
        unsent = () => part(text, count, spent, true);
        return;
      }
      if (count > 0) part(text, count, spent);
      if (needs !== null) return again(needs);
    }
    done();
  } catch (error) {
    const needs = program.cell?.needs() ?? null;
    const at = program.cell?.progress[STATE] === 1 ? -1 : (program.cell?.progress[AT] ?? -1);
    discard();
    if (needs !== null) return again(needs);
    const why = error instanceof CallFailure && error.why !== 'rejection' ? error.why : 'crash';
    send({ t: 'lost', r: message.r, at, why });
  }
}

async function pump(): Promise<void> {
  if (busy) return;
  busy = true;
  clearTimeout(waiting);
  garbage.rest(false);
  for (let message = queue.shift(); message !== undefined; message = queue.shift()) {
    if (message.t === 'load') {
      await load(message);
    } else if (message.t === 'run') {
      await run(message);
      retireWorn(programs.get(message.p)!);
      stopped.delete(message.r);
    } else if (message.t === 'drop') {
      programs.get(message.p)?.cell?.dispose();
      programs.delete(message.p);
    } else if (message.t === 'ahead') {
      await ahead.make(message);
    }
    running.cell = null;
    if (queue.length === 0) handOver();
  }
  busy = false;
  garbage.rest(true);
  if (wanted === null || ahead.has(wanted)) return;
  const { guest: own, limits } = wanted;
  waiting = setTimeout(() => {
    queue.push({ t: 'ahead', guest: own, limits });
    void pump();
  }, QUIET);
}

const onChunk = lineReader(
  (line) => {
    const message = JSON.parse(line) as ToChild;
    if (message.t === 'stop') {
      stopped.add(message.r);
      return;
    }
    if (message.t === 'text') {
      pieces.push(message.text);
      return;
    }
    queue.push(message);
    if (message.t === 'run' && (busy || message.inline)) texts.set(message.r, readSlice(message));
    void pump();
  },
  () => process.kill(process.pid, 'SIGKILL'),
  Number.POSITIVE_INFINITY,
);
process.stdin.setEncoding('utf8');
process.stdin.on('data', onChunk);
process.stdin.on('end', () => process.kill(process.pid, 'SIGKILL')); // the parent is gone
send({ t: 'ready', rights: rights() });

function rights(): ChildRights {
  const has = (name: string): boolean => process.permission?.has(name) ?? true;
  return {
    read: has('fs.read'),
    write: has('fs.write'),
    child: has('child'),
    worker: has('worker'),
    // not known to a Node that does not deny it
    net: !process.allowedNodeEnvironmentFlags.has('--allow-net') || has('net'),
  };
}
