// `sluice capture`: events of a stream's source, redacted, for tests, types and the playground. A look that leaves nothing
// behind at the source: nothing is acked, no checkpoint is saved, a stream that runs is not disturbed.

import { open } from 'node:fs/promises';
import { captureOf } from '../../capture/capture-of.ts';
import { defaultRedact, redactionOf } from '../../capture/redaction.ts';
import { tap } from '../../capture/tap.ts';
import { sluiceError } from '../../errors.ts';
import { durationMs } from '../../manifest/units.ts';
import type { Capture } from '../../state/store.ts';
import { type Command, count, flag, type Invocation } from '../command.ts';
import { printData, printJson, say } from '../output.ts';
import { onSignals } from '../signals.ts';
import { findingsExit, manifestOf, oneStream, openStore, openWorkspace } from '../workspace.ts';

const MAX = 100;
const DURATION = '30s';

export const command: Command = {
  name: 'capture',
  summary: 'Captures events of a stream, redacted, without leaving a trace at its source.',
  usage: 'capture [manifest] [--stream id] [--max n] [--out file]',
  examples: [
    'capture examples/sample-to-console/sluice.yaml --max 20',
    'capture examples/file-to-file/sluice.yaml --max 5 --out -',
  ],
  options: {
    stream: { type: 'string', help: 'which stream, where the manifest has several' },
    max: { type: 'string', help: `end after so many events; by default ${MAX}` },
    for: { type: 'string', help: `end after this long; by default ${DURATION}` },
    out: { type: 'string', help: 'write them to this file (NDJSON, - for stdout), not to the state store' },
  },
  async run(invocation) {
    const max = count(invocation, 'max') ?? MAX;
    const ms = timeOf(invocation);
    await using opened = await openWorkspace(invocation);
    const manifest = await manifestOf(opened, invocation);
    if (manifest === null) return findingsExit(opened.loaded.findings);
    const config = oneStream(manifest, invocation);
    await using store = await openStore(manifest, opened.log);
    const redaction = redactionOf(config.redact ?? defaultRedact, store.redactionKey());
    const stop = new AbortController();
    const signals = onSignals(() => stop.abort(), 'ending with what has come');
    const timer = setTimeout(() => stop.abort(), ms);
    const captures: Capture[] = [];
    try {
      for await (const batch of tap({ config, store, log: opened.log, max, signal: stop.signal })) {
        for (let i = 0; i < batch.length && captures.length < max; i++) {
          const capture = captureOf(batch, i, config.id, redaction, []);
          if (capture !== null) captures.push(capture);
        }
      }
    } finally {
      clearTimeout(timer);
      signals.end();
    }
    const out = flag(invocation, 'out');
    if (out !== undefined) await writeTo(out, captures);
    else {
      const kept = { max_events: 1000, max_bytes: 16 << 20, max_age: durationMs('7d')!, ...config.capture };
      const since = new Date(Date.now() - kept.max_age).toISOString();
      await store.addCaptures(captures, { ...kept, max_events: Math.max(kept.max_events, captures.length), since });
    }
    const where = out === undefined ? 'the state store' : out;
    if (invocation.json && out !== '-') await printJson({ stream: config.id, captured: captures.length, to: where });
    else if (!invocation.quiet)
      say(`✓ captured ${captures.length} events of stream ${config.id}, redacted, to ${where}`);
    return signals.code;
  },
};

function timeOf(invocation: Invocation): number {
  const ms = durationMs(flag(invocation, 'for') ?? DURATION);
  if (ms === null || ms <= 0) {
    throw sluiceError('E_USAGE', {
      message: '--for takes a duration with its unit',
      fix: 'write for example --for 10s',
    });
  }
  return ms;
}

async function writeTo(out: string, captures: readonly Capture[]): Promise<void> {
  const text = captures.map(({ event }) => `${event}\n`).join('');
  if (out === '-') {
    if (text !== '') await printData(text);
    return;
  }
  // Redacted, and still of real events: for the owner alone.
  await using file = await open(out, 'w', 0o600).catch((thrown: NodeJS.ErrnoException) => {
    throw sluiceError('E_USAGE', {
      message: `the file cannot be written (${thrown.code ?? 'unknown'})`,
      fix: 'check its path',
    });
  });
  await file.writeFile(text);
}
