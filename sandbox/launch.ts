// How a sandbox child is started: Node's flags and rights, an environment with nothing in it, and the programs of the system
// that take rights away before Node begins. What the system does not offer is left out here, and said by measures.ts.
// Guarantee: whatever is tried and refused costs one attempt, and never the start of the sandbox.

import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Flags that the realm's safety rests on (facts/sandbox.md, 4.1), and one; canaries.ts proves them. */
export const FLAGS = [
  '--no-node-snapshot',
  '--expose-gc', // to the child itself, which takes it away before there is an isolate (collect.ts)
  '--no-turboshaft-loop-unrolling',
  '--enable-experimental-regexp-engine-on-excessive-backtracks',
  '--no-warnings',
];

// Nothing of the parent's. The last two keep glibc from giving the memory of each slice back and taking it anew page by
// page, which costs a tenth of the time of a small transform; other C libraries do not look at them.
export const ENVIRONMENT = {
  TZ: 'UTC',
  LANG: 'en_US.UTF-8',
  MALLOC_MMAP_THRESHOLD_: String(16 << 20),
  MALLOC_TRIM_THRESHOLD_: String(64 << 20),
};

const LARGEST_FILE = 1 << 30; // bytes: what a child may make of a slot file

/** What programs of the system take away. Each runs the next one in its own place, so the process id stays. */
const WRAPPERS = {
  /** No core files, which would hold customers' rows; no slot file without end. */
  limits: [['prlimit', '--core=0', `--fsize=${LARGEST_FILE}`]],
  /** A user without rights to anything, a network without interfaces, no shared memory or host name of others. */
  namespaces: [['unshare', '-U', '-n', '-i', '-u']],
  /** No program it starts may have more rights; ends with its parent even when it is stuck (not in every setpriv). */
  privileges: [
    ['setpriv', '--no-new-privs', '--pdeathsig', 'KILL'],
    ['setpriv', '--no-new-privs'],
  ],
} as const;

export type WrapperName = keyof typeof WRAPPERS;

export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly wrappers: ReadonlySet<WrapperName>;
  readonly endsWithParent: boolean;
  /** Starts that failed one after the other before it. */
  readonly failures: number;
}

type Wrapped = readonly (readonly [WrapperName, readonly string[]])[];

const MOST_FAILURES = 2;

let found: Wrapped | undefined; // those of the next child; until one has failed, all of them
let asked = false; // the system, what it offers
let failures = 0; // one after the other

/** With all that the system may offer: asking it takes 10 ms of each start, so it is asked when a child does not start. */
export function howToLaunch(): Launch {
  const entry = entryFile();
  // Told where it is: on its own way there the child might pass links that it may not read, node_modules itself for one.
  const addon = folders('isolated-vm', entry);
  found ??= process.platform === 'linux' ? everything() : [];
  const prefix = found.flatMap(([, words]) => words);
  const node = [process.execPath, ...FLAGS, ...rights(entry, addon), entry, ...addon.slice(-1)];
  const [command, ...args] = [...prefix, ...node];
  return {
    command: command!,
    args,
    wrappers: new Set(found.map(([name]) => name)),
    endsWithParent: prefix.includes('--pdeathsig'),
    failures,
  };
}

/** A child that was started this way is ready. */
export function launchWorked(): void {
  failures = 0;
}

/**
 * A child ended by itself before it was ready. Of what the system does not offer the next one does without (`less`, which is nothing
 * to worry about: what is missing is said by measures.ts). Else it is started once more as it was, since that may have been chance; after a second
 * time in a row all of them start without the programs of the system, so that there is a sandbox at all. `null`: there is nothing
 * that could be left out.
 */
export function launchFailed(launch: Launch): 'less' | 'once_more' | 'bare' | null {
  if (launch.wrappers.size === 0) return null;
  if (!asked) {
    asked = true;
    const all = found;
    found = offered(entryFile());
    if (JSON.stringify(found) !== JSON.stringify(all)) return 'less';
  }
  if (found !== undefined && found.length < launch.wrappers.size) return 'less'; // it was started before that was known
  // Several that were started together fail together, and count once.
  if (launch.failures === failures) failures++;
  if (failures < MOST_FAILURES) return 'once_more';
  found = [];
  failures = 0;
  return 'bare';
}

function entryFile(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'cjs';
  return fileURLToPath(new URL(`./child.${extension}`, import.meta.url));
}

const names = Object.keys(WRAPPERS) as WrapperName[];

function everything(): Wrapped {
  return names.map((name) => [name, located(WRAPPERS[name][0])]);
}

function offered(entry: string): Wrapped {
  const all = everything();
  if (runs(all, entry)) return all;
  const some: (readonly [WrapperName, readonly string[]])[] = [];
  for (const name of names) {
    const way = WRAPPERS[name]
      .map((words) => [name, located(words)] as const)
      .find((one) => runs([...some, one], entry));
    if (way !== undefined) some.push(way);
  }
  return some;
}

// The child's own file must still be readable: root without its rights may not pass another user's folders.
function runs(wrapped: Wrapped, entry: string): boolean {
  const [command, ...args] = [...wrapped.flatMap(([, words]) => words), ...located(['cat', entry])];
  return spawnSync(command!, args, { stdio: 'ignore', timeout: 5000, env: ENVIRONMENT }).status === 0;
}

// By its whole path, because the child's environment has no PATH.
function located([name, ...rest]: readonly string[]): string[] {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (!folder.startsWith('/')) continue;
    const path = join(folder, name!);
    try {
      accessSync(path, constants.X_OK);
      return [path, ...rest];
    } catch {
      // the next folder
    }
  }
  return [`/nowhere/${name}`, ...rest];
}

// Node's permission model: no files but the child's own code, no network, no processes, no workers. (An addon is needed, and an
// addon can do anything: this stops JavaScript that has got out of its isolate, not machine code.)
function rights(entry: string, addon: readonly string[]): string[] {
  const read = [dirname(entry), '/etc/alpine-release', ...addon];
  // what the addon is loaded with may stand beside it only, where packages are links
  for (const from of [entry, ...addon.map((folder) => join(folder, 'package.json'))]) {
    read.push(...folders('node-gyp-build', from));
  }
  // package.json above the child's code says that it is made of ES modules, where it is (in a checkout)
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
