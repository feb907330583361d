// `sluice types`: the types of a stream's rows, for authors of transforms. From its captures, or where there are none from a
// look at its source, which leaves nothing behind.

import { writeFile } from 'node:fs/promises';
import { declarationsOf } from '../../authoring/declarations.ts';
import { captureOf } from '../../capture/capture-of.ts';
import { defaultRedact, redactionOf } from '../../capture/redaction.ts';
import { tap } from '../../capture/tap.ts';
import { sluiceError } from '../../errors.ts';
import type { StreamConfig } from '../../manifest/model.ts';
import type { Capture, StateStore } from '../../state/store.ts';
import { type Command, flag } from '../command.ts';
import { printData, printJson, say } from '../output.ts';
import { findingsExit, manifestOf, type Opened, oneStream, openStore, openWorkspace } from '../workspace.ts';

/** How many events are looked at, and for how long a source is. */
const MOST = 1000;
const LOOK_MS = 5_000;

export const command: Command = {
  name: 'types',
  summary: 'Writes the types of a stream’s rows and events as TypeScript declarations.',
  usage: 'types [manifest] [--stream id] [--from captures|source] [--out file.d.ts]',
  examples: [
    'types examples/sample-to-console/sluice.yaml',
    'types examples/file-to-file/sluice.yaml --from source --out orders.d.ts',
  ],
  options: {
    stream: { type: 'string', help: 'which stream, where the manifest has several' },
    from: { type: 'string', help: 'captures or source; by default captures, if there are any' },
    out: { type: 'string', short: 'o', help: 'write to this file; by default, and for -, to stdout' },
  },
  async run(invocation) {
    const from = flag(invocation, 'from');
    if (from !== undefined && from !== 'captures' && from !== 'source') {
      throw sluiceError('E_USAGE', { message: '--from is not known', fix: 'write captures or source' });
    }
    await using opened = await openWorkspace(invocation);
    const manifest = await manifestOf(opened, invocation);
    if (manifest === null) return findingsExit(opened.loaded.findings);
    const config = oneStream(manifest, invocation);
    await using store = await openStore(manifest, opened.log);
    const stored = from === 'source' ? [] : (await store.captures(config.id, MOST)).toReversed(); // the oldest first
    if (stored.length === 0 && from === 'captures') {
      const fix = 'run `sluice capture` first, or write --from source';
      throw sluiceError('E_USAGE', { message: `stream ${config.id} has no captures`, fix });
    }
    const captures = stored.length > 0 ? stored : await looked(config, store, opened);
    const words = stored.length > 0 ? `${stored.length} captured events` : `${captures.length} events of its source`;
    const text = declarationsOf(config.id, captures, words);
    const out = flag(invocation, 'out');
    if (out === undefined || out === '-')
      await (invocation.json ? printJson({ stream: config.id, declarations: text }) : printData(text));
    else {
      await writeFile(out, text).catch((thrown: NodeJS.ErrnoException) => {
        const message = `the file cannot be written (${thrown.code ?? 'unknown'})`;
        throw sluiceError('E_USAGE', { message, fix: 'check its path' });
      });
      if (!invocation.quiet) say(`✓ wrote ${out}, from ${words} of stream ${config.id}`);
    }
    return 0;
  },
};

// Redacted like all that is captured: only kinds and names are wanted, and a key of nested data may be a value.
async function looked(config: StreamConfig, store: StateStore, { log }: Opened): Promise<readonly Capture[]> {
  const redaction = redactionOf(config.redact ?? defaultRedact, store.redactionKey());
  const captures: Capture[] = [];
  const signal = AbortSignal.timeout(LOOK_MS);
  for await (const batch of tap({ config, store, log, max: MOST, signal })) {
    for (let i = 0; i < batch.length && captures.length < MOST; i++) {
      const capture = captureOf(batch, i, config.id, redaction, []);
      if (capture !== null) captures.push(capture);
    }
  }
  return captures;
}
