// For tests only: runs a script in a process of its own, where `sluice/sdk` is the sources of this checkout, as it is for
// plugins in the engine. Needed where the process itself is what is tested: its standard output, its death.

import { type ChildProcess, spawn } from 'node:child_process';

const oneSdk = new URL('../core/registry/one-sdk.ts', import.meta.url).href;

/** `script` is the text of a module; standard input, output and errors are pipes. */
export function inAChild(script: string, args: readonly string[] = []): ChildProcess {
  const options = ['--no-warnings', '--import', oneSdk, '--input-type=module', '-e', script, '--', ...args];
  return spawn(process.execPath, options, { stdio: ['pipe', 'pipe', 'pipe'] });
}
