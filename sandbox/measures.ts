// What stands between a child and the system, as it is in force in a child that runs: looked at from outside (/proc) and told by
// the child before any other code has run in it. What is missing is said by name, with what it means.

import { readFileSync, readlinkSync } from 'node:fs';
import type { SandboxProcess } from './process.ts';
import type { ChildRights } from './protocol.ts';

export interface Measure {
  readonly name: string;
  readonly in_force: boolean;
  /** What it gives, or what its absence means. */
  readonly message: string;
}

/** `process`: one that is ready. */
export function measuresOf(process: SandboxProcess, rights: ChildRights): readonly Measure[] {
  const { launch, sharedMemory, oomFirst } = process;
  const pid = process.pid!;
  const files = !rights.read && !rights.write && !rights.child && !rights.worker;
  const netless = ownNetwork(pid);
  return [
    measure('node-permissions', files, [
      'Node denies it files, processes and workers',
      'Node does not deny it files, processes or workers',
    ]),
    measure('node-network', !rights.net, [
      'Node denies it the network',
      `this version of Node does not deny it the network${netless ? '; its network namespace does' : ''}`,
    ]),
    measure('namespaces', netless, [
      'it has a network without interfaces, and no rights of its user',
      'unshare is refused or not there: machine code in it would have the network and the rights of its user',
    ]),
    measure('no-new-privileges', procField(pid, 'status', /^NoNewPrivs:\s+1$/m), [
      'programs it might start gain no rights',
      'setpriv is not there: programs it might start could gain rights (setuid)',
    ]),
    measure('ends-with-parent', launch.endsWithParent, [
      'the system ends it with its parent',
      'it ends itself when its parent is gone, which a stuck process cannot',
    ]),
    measure('no-core-files', procField(pid, 'limits', /^Max core file size\s+0\s/m), [
      'a crash leaves no file with rows in it',
      'prlimit is not there: a crash may leave a core file with rows in it',
    ]),
    measure('first-to-go', oomFirst, [
      'when the system is out of memory, it is ended before the pipeline',
      'when the system is out of memory, it may end the pipeline first',
    ]),
    measure('memory-watch', procField(pid, 'statm', /^\d/), [
      'its resident memory is watched',
      'its resident memory cannot be seen: only V8 counts what it takes',
    ]),
    measure('shared-memory', sharedMemory, [
      'events pass through shared memory',
      'there is no shared memory: events pass through pipes, which is slower',
    ]),
  ];
}

function measure(name: string, inForce: boolean, [there, missing]: readonly [string, string]): Measure {
  return { name, in_force: inForce, message: inForce ? there : missing };
}

function procField(pid: number, file: string, pattern: RegExp): boolean {
  try {
    return pattern.test(readFileSync(`/proc/${pid}/${file}`, 'latin1'));
  } catch {
    return false;
  }
}

function ownNetwork(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`) !== readlinkSync('/proc/self/ns/net');
  } catch {
    return false;
  }
}
