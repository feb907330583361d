// Runs a candidate as a process of its own, start-up and end included, and says how long it took and how much of the
// processors it and the processes that it started used: on a shared machine the second figure is the steadier one.

import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export interface Cost {
  /** Seconds on the clock. */
  readonly wall: number;
  /** Seconds of processor time, user and system, of all its processes. */
  readonly cpu: number;
  readonly stdout: string;
}

/** @throws when it ends with anything but 0 */
export async function costOf(args: readonly string[]): Promise<Cost> {
  // the shell's own account of what its children used: Node has none of a child's
  const script = '"$@" && times >&3';
  const began = performance.now();
  const shell = spawn('sh', ['-c', script, 'sh', process.execPath, ...args], {
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
  });
  const [stdout, times, code] = await Promise.all([
    textOf(shell.stdout!),
    textOf(shell.stdio[3] as NodeJS.ReadableStream),
    new Promise<number | null>((resolve, reject) => shell.on('error', reject).on('exit', resolve)),
  ]);
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`);
  const children = times.trim().split('\n').at(-1)!.split(' ').map(secondsOf);
  return { wall: (performance.now() - began) / 1000, cpu: children[0]! + children[1]!, stdout };
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

// `0m1.230000s`
function secondsOf(text: string): number {
  const [minutes, seconds] = text.slice(0, -1).split('m');
  return Number(minutes) * 60 + Number(seconds);
}

/**
 * Has the proof of the sandbox made for runs whose state is `state.db` in this folder: else the first ones would make it, beside
 * their work.
 */
export function checkSandbox(cli: string, dir: string): void {
  const file = join(dir, 'check.json');
  const manifest = {
    version: 1,
    service: { state: { type: 'sqlite', path: join(dir, 'state.db') } },
    transformations: [{ id: 'same', type: 'javascript', code: 'export default (row) => row;' }],
    streams: [
      {
        id: 'check',
        source: { type: 'file', path: file },
        transformations: ['same'],
        sinks: [{ id: 'out', type: 'console' }],
      },
    ],
  };
  writeFileSync(file, JSON.stringify(manifest));
  check(cli, file);
}

/** `sluice check`, which makes the proof of the sandbox. @throws when something does not hold */
export function check(cli: string, file: string): void {
  const ran = spawnSync(process.execPath, [cli, 'check', file], { encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(`${ran.stdout}${ran.stderr}`);
}
