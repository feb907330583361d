// For tests only: runs a script in a process of its own, where `sluice/sdk` is the sources of this checkout, as the
// registry arranges it for plugins. Needed where the process itself is what is tested: its standard output, its death.

import { type ChildProcess, spawn } from 'node:child_process';

const sdk = new URL('../core/sdk.ts', import.meta.url).href;

const HOOK = `
import { registerHooks } from 'node:module';
registerHooks({
  resolve: (name, context, next) =>
    name === 'sluice/sdk' ? { url: ${JSON.stringify(sdk)}, shortCircuit: true } : next(name, context),
});`;

/** `script` is the text of a module; standard input, output and errors are pipes. */
export function inAChild(script: string, args: readonly string[] = []): ChildProcess {
  const hook = `data:text/javascript,${encodeURIComponent(HOOK)}`;
  const options = ['--no-warnings', '--import', hook, '--input-type=module', '-e', script, '--', ...args];
  return spawn(process.execPath, options, { stdio: ['pipe', 'pipe', 'pipe'] });
}
