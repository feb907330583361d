// `sluice playground`: transforms written in the browser, against events of the manifest's streams or of a sample shop. Prints
// its address, and runs until it is stopped. Listens on this machine alone, unless it is told otherwise twice.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import type { Listening, Replay, SampleProject } from '../../../playground/server/index.ts';
import { replayAlone } from '../../engine/attend.ts';
import type { ReplayResult } from '../../engine/replay.ts';
import { isSluiceError, sluiceError } from '../../errors.ts';
import type { Languages } from '../../languages.ts';
import type { Log } from '../../observe/log.ts';
import type { StateStore } from '../../state/store.ts';
import { type Command, flag, type Invocation, isSet } from '../command.ts';
import { printData, printJson, say } from '../output.ts';
import { byRequestOr } from '../requests.ts';
import { onSignals } from '../signals.ts';
import { version } from '../version.ts';
import { findingsExit, manifestOf, type Opened, openStore, openWorkspace } from '../workspace.ts';

const PORT = 4747;

export const command: Command = {
  name: 'playground',
  summary: 'Opens the playground: transforms written in the browser, against real events, with their tests.',
  usage: 'playground [manifest] [--port n] [--no-open]',
  examples: ['playground', 'playground examples/file-to-file/sluice.yaml --no-open'],
  options: {
    port: { type: 'string', help: `the port; 0 takes any that is free. By default ${PORT}, or any if that is taken` },
    'no-open': { type: 'boolean', help: 'do not open the browser' },
    host: { type: 'string', help: 'the address to listen on; by default 127.0.0.1, this machine alone' },
    expose: { type: 'boolean', help: 'with --host: whoever reaches it and has the token can run code and write files' },
  },
  async run(invocation) {
    const server = await import('../../../playground/server/index.ts');
    const host = hostOf(invocation, server.isLoopback);
    const port = portOf(invocation);
    await using sample = invocation.positionals.length === 0 ? await server.sampleProject() : null;
    const positionals = sample === null ? invocation.positionals : [sample.file];
    await using opened = await openWorkspace({ ...invocation, positionals }, { inspect: true, edits: true });
    const manifest = await manifestOf(opened, invocation);
    if (manifest === null) return findingsExit(opened.loaded.findings);
    await using store = await openStore(manifest, opened.log);
    await using bench = await server.openWorkbench({ ...partsOf(opened, store, sample), version: version() });
    const token = randomBytes(24).toString('base64url');
    const parts = { bench, token, web: await server.webFolder(), host };
    const begin = (on: number): Promise<Listening> => server.listen({ ...parts, port: on });
    await using listening = await begin(port ?? PORT).catch((thrown: unknown) => {
      if (port !== null || !isSluiceError(thrown)) throw thrown;
      return begin(0);
    });
    const stop = new AbortController();
    const signals = onSignals(() => stop.abort(), 'closing the playground');
    try {
      if (invocation.json) await printJson({ address: listening.address });
      else await printData(listening.address);
      if (!server.isLoopback(host)) say(exposed(host, opened.file));
      if (!isSet(invocation, 'no-open') && process.stdout.isTTY === true) openBrowser(listening.address);
      await Promise.race([listening.failed, aborted(stop.signal)]);
    } finally {
      signals.end();
    }
    return signals.code;
  },
};

function partsOf({ file, registry, languages, log }: Opened, store: StateStore, sample: SampleProject | null) {
  return { file, sample, registry, languages, log, store, replay: replayWith(store, languages, log) };
}

/** A replay of one letter as `sluice dead-letters replay` does it: by the process that runs the stream, else here. */
export function replayWith(store: StateStore, languages: Languages, log: Log): Replay {
  return async (config, id, force, signal) => {
    const body = { ids: [id], force };
    const opening = { config, store, languages, log, signal };
    const request = { stream: config.id, type: 'replay', body };
    const results = await byRequestOr<readonly ReplayResult[]>(store, request, () => replayAlone(opening, body));
    return results?.[0] ?? null;
  };
}

function hostOf(invocation: Invocation, isLoopback: (host: string) => boolean): string {
  const host = flag(invocation, 'host') ?? '127.0.0.1';
  if (isLoopback(host) || isSet(invocation, 'expose')) return host;
  throw sluiceError('E_USAGE', {
    message: `--host ${host} would let other machines run code on this one, and read and write what the manifest names`,
    fix: 'leave it out; or add --expose if that is what you want',
  });
}

function portOf(invocation: Invocation): number | null {
  const text = flag(invocation, 'port');
  if (text === undefined) return null;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw sluiceError('E_USAGE', {
    message: '--port takes a number from 0 to 65535',
    fix: 'write for example --port 4747',
  });
}

function exposed(host: string, file: string): string {
  return [
    `! The playground listens on ${host}, without encryption. Whoever reaches it and has the token can`,
    '    run code in the sandbox on this machine',
    `    read the code and the tests of ${resolve(file)}, and write them`,
    '    read events of its sources (redacted), and write dead letters to its sinks',
  ].join('\n');
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((done) => signal.addEventListener('abort', () => done(), { once: true }));
}

/** On a desktop. Where there is none, the address is on the screen. */
function openBrowser(address: string): void {
  const [tool, ...args] =
    process.platform === 'darwin'
      ? ['open', address]
      : process.platform === 'win32'
        ? ['cmd', '/c', 'start', '', address]
        : ['xdg-open', address];
  const child = spawn(tool!, args, { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}
