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
  const slots: readonly Slot[] = (options.pipes ? null : openSlots(options.slots)) ?? [];
  const cwd = mkdtempSync(join(tmpdir(), 'sluice-sandbox-'));
  const launch = howToLaunch();
  const child: ChildProcess = spawn(launch.command, launch.args, {
    cwd,
    env: ENVIRONMENT,
    stdio: ['pipe', 'pipe', 'pipe', ...slots.map((slot) => slot.fd)],
  });
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
  child.on('error', (error) => end(error.message, true));
  // 'close', not 'exit': what it still said before its end counts
  child.on('close', (code, signal) => {
    end(stderr === '' ? `ended with ${signal ?? code}` : stderr.slice(0, 500), code !== null, signal === 'SIGKILL');
  });
  child.stdin!.on('error', () => {}); // it is gone; 'close' tells
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
  const sockets = [child.stdin, child.stdout, child.stderr] as unknown as { ref(): void; unref(): void }[];
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
    hold(busy) {
      for (const handle of [child as unknown as { ref(): void; unref(): void }, ...sockets]) {
        if (busy) handle.ref();
        else handle.unref();
      }
    },
  };
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
