// Starts test-process.ts and listens to it.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Other extends AsyncDisposable {
  readonly child: ChildProcess;
  /** The next thing it says, or null when it has ended. */
  next(): Promise<unknown>;
  /** Ends its input and waits for it. */
  end(): Promise<{ readonly code: number | null; readonly stderr: string }>;
  kill(): Promise<void>;
}

export function otherProcess(verb: 'lock' | 'look' | 'write', path: string, stream: string, count = 0): Other {
  const script = fileURLToPath(new URL('./test-process.ts', import.meta.url));
  const args = ['--conditions=source', '--no-warnings', script, verb, path, stream, String(count)];
  const child = spawn(process.execPath, args, { stdio: 'pipe', env: { ...process.env, NODE_OPTIONS: '' } });
  const ended = once(child, 'close');
  let stderr = '';
  child.stderr.on('data', (text: Buffer) => {
    stderr += text.toString();
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const kill = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
  };
  return {
    child,
    async next() {
      const { done, value } = await lines.next();
      return done === true ? null : JSON.parse(value);
    },
    async end() {
      child.stdin.end();
      await ended;
      return { code: child.exitCode, stderr };
    },
    kill,
    [Symbol.asyncDispose]: kill,
  };
}
