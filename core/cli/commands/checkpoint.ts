// `sluice checkpoint show|set|clear`: where a stream resumes, and the two ways to change it by hand.

import { createInterface } from 'node:readline/promises';
import { clearCheckpoint, setPosition } from '../../engine/attend.ts';
import type { Opening } from '../../engine/open.ts';
import { sluiceError, toSluiceError } from '../../errors.ts';
import type { Manifest, StreamConfig } from '../../manifest/model.ts';
import type { StateStore } from '../../state/store.ts';
import type { Json } from '../../values.ts';
import { type Command, count, flag, type Invocation } from '../command.ts';
import { printData, printJson, say } from '../output.ts';
import { byRequestOr } from '../requests.ts';
import { takeSubverb } from '../subverb.ts';
import {
  chosenStreams,
  findingsExit,
  manifestOf,
  type Opened,
  oneStream,
  openStore,
  openWorkspace,
} from '../workspace.ts';

const SUBVERBS = ['show', 'set', 'clear'] as const;

export const command: Command = {
  name: 'checkpoint',
  summary: 'Shows, sets or clears where a stream resumes.',
  usage: 'checkpoint show|set|clear [manifest] [--stream id] [--position json]',
  examples: [
    'checkpoint show examples/quickstart/sluice.yaml',
    'checkpoint clear examples/quickstart/sluice.yaml --yes',
  ],
  options: {
    stream: { type: 'string', help: 'the stream; needed where the manifest has several' },
    position: { type: 'string', help: 'set: the position, as JSON' },
    history: { type: 'string', help: 'show: so many older checkpoints too' },
    yes: { type: 'boolean', short: 'y', help: 'do not ask' },
  },
  async run(given) {
    const { subverb, invocation } = takeSubverb(given, SUBVERBS, 'checkpoint');
    await using opened = await openWorkspace(invocation, { inspect: subverb === 'show' });
    const manifest = await manifestOf(opened, invocation);
    if (manifest === null) return findingsExit(opened.loaded.findings);
    await using store = await openStore(manifest, opened.log);
    if (subverb === 'show') return await show(manifest, store, invocation);
    const stream = oneStream(manifest, invocation);
    const opening: Opening = {
      config: stream,
      store,
      languages: opened.languages,
      log: opened.log,
      signal: new AbortController().signal,
    };
    return subverb === 'set' ? await set(opening, invocation) : await clear(opening, invocation, opened, stream);
  },
};

async function show(manifest: Manifest, store: StateStore, invocation: Invocation): Promise<number> {
  const limit = count(invocation, 'history') ?? 0;
  const checkpoints = await Promise.all(
    chosenStreams(manifest, invocation).map(async (stream) => ({
      stream: stream.id,
      checkpoint: await store.loadCheckpoint(stream.id),
      ...(limit > 0 ? { history: await store.history(stream.id, limit) } : {}),
    })),
  );
  if (invocation.json) await printJson({ checkpoints });
  else {
    for (const entry of checkpoints) {
      await printData(
        `${entry.stream}: ${entry.checkpoint === null ? 'no checkpoint' : JSON.stringify(entry.checkpoint, null, 2)}`,
      );
      for (const older of entry.history ?? []) await printData(`${older.saved_at} ${JSON.stringify(older.position)}`);
    }
  }
  return 0;
}

async function set(opening: Opening, invocation: Invocation): Promise<number> {
  const text = flag(invocation, 'position');
  if (text === undefined) {
    throw sluiceError('E_USAGE', {
      message: 'checkpoint set needs --position',
      fix: 'write for example --position \'{"seq": 10}\'',
    });
  }
  let position: Json;
  try {
    position = JSON.parse(text) as Json;
  } catch {
    throw sluiceError('E_USAGE', { message: '--position is no JSON', fix: 'quote it for the shell' });
  }
  const { store, config } = opening;
  try {
    if (position !== null) config.source.plugin.source!.checkPosition?.(position);
  } catch (thrown) {
    const { message, fix } = toSluiceError(thrown);
    throw sluiceError('E_SOURCE_POSITION', { message, ...(fix === undefined ? {} : { fix }), class: 'invalid' });
  }
  const before = await store.loadCheckpoint(config.id).catch(() => null); // a damaged one is what this mends
  if (
    !(await sure(
      `set the position of ${config.id} from ${JSON.stringify(before?.position ?? null)} to ${text}`,
      invocation,
    ))
  )
    return 1;
  await byRequestOr(store, { stream: config.id, type: 'checkpoint-set', body: { position } }, () =>
    setPosition(opening, position),
  );
  const result = { stream: config.id, before: before?.position ?? null, after: position };
  if (invocation.json) await printJson(result);
  else say(`✓ ${config.id} resumes at ${text}`);
  return 0;
}

async function clear(opening: Opening, invocation: Invocation, opened: Opened, stream: StreamConfig): Promise<number> {
  const before = await opening.store.loadCheckpoint(stream.id).catch(() => null); // a damaged one can be cleared too
  if (!(await sure(`forget the checkpoint of ${stream.id}: the next run starts from the beginning`, invocation)))
    return 1;
  await clearCheckpoint(opening);
  opened.log.debug({ stream: stream.id }, 'checkpoint cleared');
  if (invocation.json) await printJson({ stream: stream.id, before: before?.position ?? null, after: null });
  else say(`✓ ${stream.id} starts from the beginning; it was at ${JSON.stringify(before?.position ?? null)}`);
  return 0;
}

/** Asks on a terminal; in a script the verb itself is the answer. */
async function sure(what: string, invocation: Invocation): Promise<boolean> {
  if (invocation.flags['yes'] === true || process.stdin.isTTY !== true || invocation.json) return true;
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await prompt.question(`This will ${what}. Go on? [y/N] `);
  prompt.close();
  return /^y(es)?$/i.test(answer.trim());
}
