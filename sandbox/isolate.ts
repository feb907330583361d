// One program in one isolate, inside the sandbox child: builds the hardened realm, loads the program, and runs calls with
// time limits. The only file that imports isolated-vm.
// Guarantee: only strings and numbers cross; the guest never holds anything of isolated-vm.

import { createRequire } from 'node:module';
import type IVM from 'isolated-vm';
import { harness } from './guest/harness.ts';
import { realm } from './guest/realm.ts';
import type { LossReason, Needs, ProgramLimits } from './protocol.ts';

const ivm = createRequire(import.meta.url)(process.argv[2] ?? 'isolated-vm') as typeof IVM;

export const AT = 0;
export const STATE = 1;
export const VOID = 2;
export const LATE = 3;
export const STATE_WAITS = 2;

export interface Cell {
  /**
   * progress[AT] is the running event, progress[STATE] where the loop stands, progress[LATE] tells of log lines that were written
   * after the answers.
   */
  readonly progress: Int32Array;
  /** What the call needs to be run again with, if it is void. */
  needs(): Needs | null;
  /**
   * CPU time in ms: tells a slow guest from a busy machine. The process's, which runs one call at a time: what isolated-vm calls an
   * isolate's `cpuTime` goes on while its thread waits for a core.
   */
  cpu(): number;
  /** Bytes of its heap that are taken, garbage that is not collected yet with them. */
  heap(): number;
  /** Evaluates the guest of the program that will be loaded. */
  prepare(guest: string): Promise<string>;
  /** `guest`: that of `prepare`, where that was called. */
  load(guest: string, text: string): Promise<string>;
  /** `slice`: the texts from here on; empty: those of the last call. */
  go(from: number, to: number, timeout: number, slice: string): Promise<string>;
  collect(timeout: number): Promise<string>;
  take(upto: number, timeout: number): Promise<string>;
  dispose(): void;
}

/** What a call ended with, when it did not end well. */
export class CallFailure extends Error {
  /** `rejection`: a promise was rejected, and nobody handles it. */
  readonly why: LossReason | 'rejection';
  constructor(why: LossReason | 'rejection', message: string) {
    super(message);
    this.why = why;
  }
}

/** `onCatastrophe`: V8 gave up (out of memory, a script that does not stop); the isolate's thread never comes back. */
export function createCell(limits: ProgramLimits, onCatastrophe: (message: string) => void): Cell {
  const isolate = new ivm.Isolate({
    memoryLimit: Math.max(8, Math.ceil(limits.memory / (1 << 20))),
    onCatastrophicError: onCatastrophe,
  });
  const context = isolate.createContextSync();
  const shared = new SharedArrayBuffer(16);
  const progress = new Int32Array(shared);
  const { timeout, output, fan_out, logs, depth } = limits;
  const made = context.evalClosureSync(
    `"use strict"; return (${harness})((${realm})(), new Int32Array($0), ${JSON.stringify({ timeout, output, fan_out, logs, depth })})`,
    [new ivm.ExternalCopy(shared).copyInto({ release: true })],
    { result: { reference: true }, filename: 'sluice-harness' },
  ) as IVM.Reference<Record<string, unknown>>;
  const reference = (name: string): IVM.Reference<(...args: unknown[]) => unknown> =>
    made.getSync(name, { reference: true }) as IVM.Reference<(...args: unknown[]) => unknown>;
  const refs = {
    prepare: reference('prepare'),
    load: reference('load'),
    go: reference('go'),
    collect: reference('collect'),
    take: reference('take'),
  };
  const call = async (name: keyof typeof refs, args: (string | number)[], limit: number): Promise<string> => {
    try {
      return (await refs[name].apply(undefined, args, { timeout: limit })) as string;
    } catch (error) {
      throw failure(error, isolate.isDisposed);
    }
  };
  return {
    progress,
    needs() {
      const bits = progress[VOID]!;
      return bits === 0 ? null : { heads: (bits & 1) !== 0, apart: (bits & 2) !== 0 };
    },
    cpu() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    heap: () => (isolate.isDisposed ? 0 : isolate.getHeapStatisticsSync().used_heap_size),
    prepare: (guest) => call('prepare', [guest], limits.load),
    load: (guest, text) => call('load', [guest, text], limits.load),
    go: (from, to, limit, slice) => call('go', [from, to, slice], limit),
    collect: (limit) => call('collect', [], limit),
    take: (upto, limit) => call('take', [upto], limit),
    dispose() {
      // By hand: until this process's own collector finds them, handles keep what the isolate was made of.
      for (const handle of [...Object.values(refs), made, context]) handle.release();
      if (!isolate.isDisposed) isolate.dispose();
    },
  };
}

function failure(error: unknown, disposed: boolean): CallFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (/timed out/.test(message)) return new CallFailure('timeout', message);
  if (disposed || /memory limit|disposed/i.test(message)) return new CallFailure('memory', message);
  // The harness itself never throws, so this is what isolated-vm makes of a rejection without a handler.
  const name = error instanceof Error ? error.name : 'Error';
  return new CallFailure('rejection', `${name}: ${message}`.slice(0, 2000));
}
