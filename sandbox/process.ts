// The parent's side of one sandbox child: starts it, writes frames to it, watches it and ends it. The only end is SIGKILL,
// because a child with a stuck isolate cannot end itself.
// Guarantee: onEnd is called exactly once, whatever the child does.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ENVIRONMENT, howToLaunch, type Launch, launchFailed, launchWorked } from './launch.ts';
import {
  type ChildRights,
  type EndReason,
  type FromChild,
  type LossReason,
  lineReader,
  type ToChild,
} from './protocol.ts';
import { openSlots, type Slot } from './slots.ts';

const STDERR_KEPT = 4096;
const PAGE = 4096;
const PIECE = 256 << 10; // characters of a text that one frame carries
const MOST_HELD = 256 << 20; // characters of answers that a child may send ahead of their frame

export interface SandboxProcess {
  readonly pid: number | undefined;
  readonly launch: Launch;
  /** Texts pass through shared memory; else, or when there is no room left in it, through the pipes. */
  readonly sharedMemory: boolean;
  /** Whether the system ends it before others when memory runs out. */
  readonly oomFirst: boolean;
  send(message: ToChild): void;
  /** Hands a slice over, into the slot of that number or through the pipe. */
  put(slot: number, pieces: readonly (string | Buffer)[]): { readonly bytes: number; readonly inline: boolean };
  /** The answers that a `part` speaks of. @returns null: they are not there, and the child lies */
  take(
    slot: number,
    part: { readonly offset: number; readonly bytes: number; readonly inline: boolean },
  ): Buffer | null;
  /** The slot is free again. */
  clear(slot: number): void;
  /** Ends it at once; `why` is what its running event is told. */
  kill(why: LossReason): void;
  /** Resident memory in bytes; 0 where the system does not say. */
  resident(): number;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  /** A busy child keeps the pipeline process alive, an idle one does not. */
  hold(busy: boolean): void;
}

/** It ended before it was ready, and the next one is there for the same: started as it was, or without the system's programs. */
export type Again = ReturnType<typeof launchFailed>;

/** What the log says of it. */
export const AGAIN = {
  less: null,
  once_more: 'a sandbox child ended before it was ready, and is started once more',
  bare: 'a sandbox child did not start with the rights of the system taken away, and starts without that',
} as const;

export interface ProcessEvents {
  onReady(rights: ChildRights): void;
  onMessage(message: Exclude<FromChild, { t: 'ready' | 'text' }>): void;
  onEnd(why: EndReason, detail: string, again: Again): void;
}

export interface ProcessOptions {
  readonly slots: number;
  /** Pass texts through pipes even where there is shared memory. */
  readonly pipes: boolean;
}

export function startProcess(options: ProcessOptions, events: ProcessEvents): SandboxProcess {
  const { child, launch, slots, cwd, closed } = takeEarly(options) ?? spawned(options);
  let ready = false;
  let ended = false;
  let oomFirst = false;
  const gone = Promise.withResolvers<void>();
  let cause: LossReason | null = null;
  let stderr = '';
  let held: string[] = [];
  let heldSize = 0;
  const end = (detail: string, byItself: boolean, killed = false): void => {
    if (ended) return;
    ended = true;
    for (const slot of slots) slot.close();
    rmSync(cwd, { recursive: true, force: true });
    const memory = /out of memory|heap limit|allocation fail/i.test(stderr);
    const again = byItself && !ready && cause === null ? launchFailed(launch) : null;
    events.onEnd(cause ?? (memory ? 'memory' : killed ? 'killed' : 'crash'), detail, again);
    gone.resolve();
  };
  void closed.then(({ code, signal, error }) => {
    if (error !== null) end(error.message, true);
    else
      end(stderr === '' ? `ended with ${signal ?? code}` : stderr.slice(0, 500), code !== null, signal === 'SIGKILL');
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(0, STDERR_KEPT);
  });
  const kill = (why: LossReason): void => {
    cause ??= why;
    child.kill('SIGKILL');
  };
  const send = (message: ToChild): void => {
    if (!ended) child.stdin!.write(`${JSON.stringify(message)}\n`);
  };
  child.stdout!.setEncoding('utf8').on(
    'data',
    lineReader(
      (line) => {
        const message = parseLine(line);
        if (message === null) kill('crash');
        else if (message.t === 'ready') {
          ready = true;
          launchWorked();
          // A folder that is gone is as empty as can be, and nobody has to remove it when this process is killed.
          rmSync(cwd, { recursive: true, force: true });
          oomFirst = goFirst(child.pid!);
          if (!ended) events.onReady(message.rights);
        } else if (message.t === 'text') {
          held.push(message.text);
          heldSize += message.text.length;
          if (heldSize > MOST_HELD) kill('memory');
        } else if (!ended && cause === null) events.onMessage(message);
      },
      () => kill('crash'),
    ),
  );
  return {
    launch,
    sharedMemory: slots.length > 0,
    get oomFirst() {
      return oomFirst;
    },
    ended: gone.promise,
    pid: child.pid,
    send,
    put(slot, pieces) {
      const file = slots[slot];
      if (file !== undefined) {
        try {
          return { bytes: file.write(pieces), inline: false };
        } catch (error) {
          if (!isFull(error)) throw error;
        }
      }
      const text = pieces.join('');
      for (let at = 0; at < text.length; at += PIECE) send({ t: 'text', text: text.slice(at, at + PIECE) });
      return { bytes: 0, inline: true };
    },
    take(slot, part) {
      if (!part.inline) return slots[slot]?.read(part.offset, part.bytes) ?? null;
      const text = held.join('');
      held = [];
      heldSize = 0;
      return Buffer.from(`${text}\n`);
    },
    clear: (slot) => slots[slot]?.clear(),
    kill,
    resident() {
      if (process.platform !== 'linux') return 0;
      try {
        return Number(readFileSync(`/proc/${child.pid}/statm`, 'latin1').split(' ')[1]) * PAGE;
      } catch {
        return 0;
      }
    },
    hold: (busy) => hold(child, busy),
  };
}

/** A child as the system has started it. */
interface Spawned {
  readonly options: ProcessOptions;
  readonly child: ChildProcess;
  readonly launch: Launch;
  readonly slots: readonly Slot[];
  readonly cwd: string;
  readonly closed: Promise<{
    readonly code: number | null;
    readonly signal: NodeJS.Signals | null;
    readonly error: Error | null;
  }>;
}

let early: Spawned | null = null;

/**
 * Starts a child before what will use it is loaded: the first startProcess() takes it. One that nobody takes ends with this
 * process.
 */
export function startEarly(options: ProcessOptions): void {
  if (early !== null) return;
  early = spawned(options);
  hold(early.child, false);
  process.once('exit', () => {
    if (early !== null) rmSync(early.cwd, { recursive: true, force: true });
  });
}

function takeEarly({ slots, pipes }: ProcessOptions): Spawned | null {
  const found = early;
  if (found === null || found.options.slots !== slots || found.options.pipes !== pipes) return null;
  early = null;
  return found;
}

function spawned(options: ProcessOptions): Spawned {
  const slots: readonly Slot[] = (options.pipes ? null : openSlots(options.slots)) ?? [];
  const cwd = mkdtempSync(join(tmpdir(), 'sluice-sandbox-'));
  const launch = howToLaunch();
  const child = spawn(launch.command, launch.args, {
    cwd,
    env: ENVIRONMENT,
    stdio: ['pipe', 'pipe', 'pipe', ...slots.map((slot) => slot.fd)],
  });
  child.stdin!.on('error', () => {}); // it is gone; 'close' tells
  const closed: Spawned['closed'] = new Promise((resolve) => {
    child.on('error', (error) => resolve({ code: null, signal: null, error }));
    // 'close', not 'exit': what it still said before its end counts
    child.on('close', (code, signal) => resolve({ code, signal, error: null }));
  });
  return { options, child, launch, slots, cwd, closed };
}

function hold(child: ChildProcess, busy: boolean): void {
  for (const handle of [child, child.stdin, child.stdout, child.stderr] as unknown as {
    ref(): void;
    unref(): void;
  }[]) {
    if (busy) handle.ref();
    else handle.unref();
  }
}

/** No room in shared memory (a container gives it 64 MB), or a file as large as the child may make it. */
export function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EFBIG', 'EDQUOT', 'ENOMEM'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function goFirst(pid: number): boolean {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, '1000');
    return true;
  } catch {
    return false;
  }
}

// A child that the author's code has taken over could say anything: a line of no known form ends it.
function parseLine(line: string): FromChild | null {
  try {
    const value = JSON.parse(line) as FromChild;
    return typeof value === 'object' && value !== null && typeof value.t === 'string' ? value : null;
  } catch {
    return null;
  }
}
