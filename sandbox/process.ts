// The parent's side of one sandbox child: starts it, writes frames to it, watches it and ends it. The only end is SIGKILL,
// because a child with a stuck isolate cannot end itself.
// Guarantee: onEnd is called exactly once, whatever the child does.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type FromChild, type LossReason, lineReader, type ToChild } from './protocol.ts';
import { openSlots, type Slot } from './slots.ts';

/** Flags that the realm's safety rests on (facts/sandbox.md, 4.1). */
const FLAGS = [
  '--no-node-snapshot',
  '--no-turboshaft-loop-unrolling',
  '--enable-experimental-regexp-engine-on-excessive-backtracks',
  '--no-warnings',
];

// Nothing of the parent's. The last two keep glibc from giving the memory of each slice back and taking it anew page by
// page, which costs a tenth of the time of a small transform; other C libraries do not look at them.
const ENVIRONMENT = {
  TZ: 'UTC',
  LANG: 'en_US.UTF-8',
  MALLOC_MMAP_THRESHOLD_: String(16 << 20),
  MALLOC_TRIM_THRESHOLD_: String(64 << 20),
};

const STDERR_KEPT = 4096;
const PAGE = 4096;

export interface SandboxProcess {
  readonly slots: readonly Slot[];
  readonly pid: number | undefined;
  send(message: ToChild): void;
  /** Ends it at once; `why` is what its running event is told. */
  kill(why: LossReason): void;
  /** Resident memory in bytes; 0 where the system does not say. */
  resident(): number;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  /** A busy child keeps the pipeline process alive, an idle one does not. */
  hold(busy: boolean): void;
}

export interface ProcessEvents {
  onMessage(message: Exclude<FromChild, { t: 'ready' }>): void;
  onEnd(why: LossReason, detail: string): void;
}

export function startProcess(slotCount: number, events: ProcessEvents): SandboxProcess {
  const slots = openSlots(slotCount);
  const cwd = mkdtempSync(join(tmpdir(), 'sluice-sandbox-'));
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const entry = fileURLToPath(new URL(`./child.${extension}`, import.meta.url));
  // Told where it is: on its own way there the child might pass links that it may not read, node_modules itself for one.
  const addon = folders('isolated-vm', entry);
  const command = [...FLAGS, ...rights(entry, addon), entry, ...addon.slice(-1)];
  const child: ChildProcess = spawn(process.execPath, command, {
    cwd,
    env: ENVIRONMENT,
    stdio: ['pipe', 'pipe', 'pipe', ...slots.map((slot) => slot.fd)],
  });
  let ended = false;
  const gone = Promise.withResolvers<void>();
  let cause: LossReason | null = null;
  let stderr = '';
  const end = (detail: string): void => {
    if (ended) return;
    ended = true;
    for (const slot of slots) slot.close();
    rmSync(cwd, { recursive: true, force: true });
    const memory = /out of memory|heap limit|allocation fail/i.test(stderr);
    events.onEnd(cause ?? (memory ? 'memory' : 'crash'), detail);
    gone.resolve();
  };
  child.on('error', (error) => end(error.message));
  // 'close', not 'exit': what it still said before its end counts
  child.on('close', (code, signal) => end(stderr === '' ? `ended with ${signal ?? code}` : stderr.slice(0, 500)));
  child.stdin!.on('error', () => {}); // it is gone; 'close' tells
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(0, STDERR_KEPT);
  });
  const kill = (why: LossReason): void => {
    cause ??= why;
    child.kill('SIGKILL');
  };
  child.stdout!.setEncoding('utf8').on(
    'data',
    lineReader(
      (line) => {
        const message = parseLine(line);
        if (message === null) kill('crash');
        else if (message.t === 'ready') {
          // A folder that is gone is as empty as can be, and nobody has to remove it when this process is killed.
          rmSync(cwd, { recursive: true, force: true });
        } else if (!ended && cause === null) events.onMessage(message);
      },
      () => kill('crash'),
    ),
  );
  const sockets = [child.stdin, child.stdout, child.stderr] as unknown as { ref(): void; unref(): void }[];
  return {
    slots,
    ended: gone.promise,
    pid: child.pid,
    send(message) {
      if (!ended) child.stdin!.write(`${JSON.stringify(message)}\n`);
    },
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

// Node's permission model: no files but the child's own code, no network, no processes, no workers. (An addon is needed, and an
// addon can do anything: this stops JavaScript that has got out of its isolate, not machine code.)
function rights(entry: string, addon: readonly string[]): string[] {
  const read = [dirname(entry), '/etc/alpine-release', ...addon];
  // what the addon is loaded with may stand beside it only, where packages are links
  for (const from of [entry, ...addon.map((folder) => join(folder, 'package.json'))]) {
    read.push(...folders('node-gyp-build', from));
  }
  // package.json above the child's code says that it is made of ES modules
  for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    if (existsSync(file)) read.push(file);
  }
  return ['--permission', '--allow-addons', ...[...new Set(read)].map((path) => `--allow-fs-read=${path}`)];
}

// A package's folder as the module `from` finds it, and as it is on the disk: node_modules, or the package, may be a link, and
// Node asks for the right to each of the two. None: the child says so when it cannot load its addon.
function folders(name: string, from: string): string[] {
  for (const modules of createRequire(from).resolve.paths(name) ?? []) {
    const folder = join(modules, name);
    if (existsSync(folder)) return [folder, realpathSync(folder)];
  }
  return [];
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
