// `sluice dead-letters list|show|replay|ignore`: what could not pass, and trying it again with the files as they are now.

import { basename } from 'node:path';
import { replayAlone } from '../../engine/attend.ts';
import { type Opening, openChain, openSlots } from '../../engine/open.ts';
import { type ReplayResult, tryLetter } from '../../engine/replay.ts';
import { sluiceError } from '../../errors.ts';
import type { Manifest, StreamConfig } from '../../manifest/model.ts';
import type { DeadLetter, DeadLetterFilter, DeadLetterStatus, StateStore } from '../../state/store.ts';
import { type Command, count, flag, type Invocation, isSet } from '../command.ts';
import { jsonDiff } from '../diff.ts';
import { placeText, printData, printJson, say, shownError, table } from '../output.ts';
import { byRequestOr } from '../requests.ts';
import { takeSubverb } from '../subverb.ts';
import { chosenStreams, findingsExit, manifestOf, type Opened, openStore, openWorkspace } from '../workspace.ts';

const SUBVERBS = ['list', 'show', 'replay', 'ignore'] as const;
const STATUSES: readonly string[] = ['pending', 'resolved', 'ignored', 'superseded'];

export const command: Command = {
  name: 'dead-letters',
  summary: 'Lists, shows, replays or ignores the events that could not pass.',
  usage: 'dead-letters list|show|replay|ignore [manifest] [number …] [filters]',
  examples: [
    'dead-letters list examples/quickstart/sluice.yaml',
    'dead-letters replay examples/quickstart/sluice.yaml --dry-run',
  ],
  options: {
    stream: { type: 'string', multiple: true, help: 'only of this stream' },
    status: { type: 'string', help: 'pending, resolved, ignored or superseded' },
    code: { type: 'string', help: 'only with this error code' },
    place: { type: 'string', help: 'only of this transformation or sink' },
    table: { type: 'string', help: 'only of this table' },
    event: { type: 'string', help: 'only of this event id' },
    since: { type: 'string', help: 'only those that failed at or after this time (ISO 8601)' },
    limit: { type: 'string', help: 'list at most so many' },
    'dry-run': { type: 'boolean', help: 'replay: only show what would pass, what would fail, and what changed' },
    force: { type: 'boolean', help: 'replay: superseded letters too' },
    note: { type: 'string', help: 'ignore: why' },
  },
  async run(given) {
    const { subverb, invocation } = takeSubverb(given, SUBVERBS, 'dead-letters');
    await using opened = await openWorkspace(invocation, { inspect: subverb !== 'replay', words: true });
    const manifest = await manifestOf(opened, invocation);
    if (manifest === null) return findingsExit(opened.loaded.findings);
    await using store = await openStore(manifest, opened.log);
    const letters = await select(store, manifest, opened, invocation, subverb);
    if (subverb === 'list') return await list(letters, invocation);
    if (subverb === 'show') return await show(letters, invocation);
    if (subverb === 'ignore') return await ignore(letters, store, invocation);
    return await replay(letters, manifest, store, opened, invocation);
  },
};

async function select(
  store: StateStore,
  manifest: Manifest,
  opened: Opened,
  invocation: Invocation,
  subverb: (typeof SUBVERBS)[number],
): Promise<readonly DeadLetter[]> {
  const ids = opened.rest.map((word) => {
    const id = Number(word);
    if (!Number.isInteger(id) || id < 1) {
      throw sluiceError('E_USAGE', {
        message: `"${word}" is no number of a dead letter`,
        fix: 'see `sluice dead-letters list`',
      });
    }
    return id;
  });
  const status = flag(invocation, 'status');
  if (status !== undefined && !STATUSES.includes(status)) {
    throw sluiceError('E_USAGE', { message: '--status is not known', fix: `one of: ${STATUSES.join(', ')}` });
  }
  if (subverb !== 'list' && subverb !== 'replay' && ids.length === 0 && !hasFilter(invocation)) {
    throw sluiceError('E_USAGE', {
      message: `${subverb} needs the numbers of dead letters, or a filter`,
      fix: `write \`sluice dead-letters ${subverb} 3\``,
    });
  }
  const filter: DeadLetterFilter = {
    ...(ids.length > 0 ? { ids } : {}),
    ...(status === undefined ? {} : { status: status as DeadLetterStatus }),
    // Without numbers, replay and ignore take what is pending.
    ...(status === undefined && ids.length === 0 && subverb !== 'list' && subverb !== 'show'
      ? { status: 'pending' as const }
      : {}),
    ...textFilter(invocation),
  };
  const found: DeadLetter[] = [];
  for (const stream of chosenStreams(manifest, invocation))
    found.push(...(await store.listDeadLetters({ ...filter, stream: stream.id })));
  const missing = ids.filter((id) => !found.some((letter) => letter.id === id));
  if (missing.length > 0)
    throw sluiceError('E_DEAD_LETTER_NOT_FOUND', { message: `there is no dead letter ${missing.join(', ')}` });
  return found;
}

function textFilter(invocation: Invocation): DeadLetterFilter {
  const pairs = [
    ['code', flag(invocation, 'code')],
    ['place', flag(invocation, 'place')],
    ['table', flag(invocation, 'table')],
    ['event_id', flag(invocation, 'event')],
    ['since', flag(invocation, 'since')],
  ].filter(([, value]) => value !== undefined);
  const limit = count(invocation, 'limit');
  return { ...Object.fromEntries(pairs), ...(limit === undefined ? {} : { limit }) };
}

function hasFilter(invocation: Invocation): boolean {
  return flag(invocation, 'status') !== undefined || Object.keys(textFilter(invocation)).length > 0;
}

async function list(letters: readonly DeadLetter[], invocation: Invocation): Promise<number> {
  if (invocation.json) {
    await printJson({ dead_letters: letters });
    return 0;
  }
  if (letters.length === 0) {
    say('no dead letters');
    return 0;
  }
  const rows = letters.map((letter) => [
    String(letter.id),
    letter.status,
    letter.stream,
    `${letter.place.kind} ${letter.place.id}`,
    letter.event_id,
    letter.error.code,
    letter.error.at?.file === undefined ? '' : placeText({ ...letter.error.at, file: basename(letter.error.at.file) }),
    letter.error.message.split('\n')[0]!.slice(0, 80),
  ]);
  await printData(table([['id', 'status', 'stream', 'place', 'event', 'code', 'at', 'message'], ...rows]));
  return 0;
}

async function show(letters: readonly DeadLetter[], invocation: Invocation): Promise<number> {
  if (invocation.json) await printJson({ dead_letters: letters });
  else
    for (const letter of letters)
      await printData(JSON.stringify({ ...letter, event: parsed(letter.event), input: parsed(letter.input) }, null, 2));
  return 0;
}

function parsed(text: string | null): unknown {
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function ignore(letters: readonly DeadLetter[], store: StateStore, invocation: Invocation): Promise<number> {
  const ids = letters.filter((letter) => letter.status === 'pending').map((letter) => letter.id);
  const note = flag(invocation, 'note');
  if (ids.length > 0)
    await store.write({ marks: [{ status: 'ignored', ids, ...(note === undefined ? {} : { note }) }] });
  if (invocation.json) await printJson({ ignored: ids });
  else say(`✓ ignored ${ids.length} of ${letters.length} dead letters`);
  return 0;
}

async function replay(
  letters: readonly DeadLetter[],
  manifest: Manifest,
  store: StateStore,
  opened: Opened,
  invocation: Invocation,
): Promise<number> {
  const results: ReplayResult[] = [];
  for (const stream of chosenStreams(manifest, invocation)) {
    const own = letters.filter((letter) => letter.stream === stream.id);
    if (own.length === 0) continue;
    const opening: Opening = {
      config: stream,
      store,
      languages: opened.languages,
      log: opened.log,
      signal: new AbortController().signal,
    };
    results.push(
      ...(isSet(invocation, 'dry-run')
        ? await dryRun(own, opening, invocation)
        : await write(own, opening, stream, invocation)),
    );
  }
  const shown = results.map((result) =>
    result.error === undefined
      ? result
      : { ...result, error: shownError(result.error), message: shownError(result.error).message },
  );
  if (invocation.json) await printJson({ dry_run: isSet(invocation, 'dry-run'), results: shown });
  else await printData(resultsText(shown, isSet(invocation, 'dry-run')));
  return results.every((result) => ['delivered', 'would_pass', 'filtered'].includes(result.outcome)) ? 0 : 1;
}

async function write(
  letters: readonly DeadLetter[],
  opening: Opening,
  stream: StreamConfig,
  invocation: Invocation,
): Promise<readonly ReplayResult[]> {
  const body = { ids: letters.map((letter) => letter.id), force: isSet(invocation, 'force') };
  return await byRequestOr(opening.store, { stream: stream.id, type: 'replay', body }, () =>
    replayAlone(opening, body),
  );
}

async function dryRun(
  letters: readonly DeadLetter[],
  opening: Opening,
  invocation: Invocation,
): Promise<ReplayResult[]> {
  const slots = await openSlots(opening); // only asked what kind of rows they take; nothing connects before a write
  const chain = await openChain(opening, slots);
  try {
    const parts = { chain, slots, force: isSet(invocation, 'force'), signal: opening.signal };
    const results: ReplayResult[] = [];
    for (const letter of letters) results.push((await tryLetter(letter, parts)).result);
    return results;
  } finally {
    for (const step of chain.steps) await step.transform[Symbol.asyncDispose]();
    for (const slot of slots) await slot.sink[Symbol.asyncDispose]();
  }
}

const MARKS: Readonly<Record<ReplayResult['outcome'], string>> = {
  delivered: '✓ delivered',
  would_pass: '✓ would pass',
  filtered: '✓ filtered now',
  failed: '✗ fails again',
  nothing: '✗ nothing to write',
  refused: '– not tried',
  away: '✗ a sink is away',
};

function resultsText(results: readonly ReplayResult[], dryRun: boolean): string {
  if (results.length === 0) return 'no pending dead letters';
  const blocks = results.map((result) => {
    const head = `${MARKS[result.outcome]}  ${result.id}  ${result.event_id}${result.code_changed ? '  (the code has changed since it failed)' : ''}`;
    const at = result.error?.at;
    const place = at?.file === undefined ? '' : ` (${placeText(at)})`;
    const why = result.message === undefined ? [] : [`    ${result.error?.code ?? ''} ${result.message}${place}`];
    const diff = dryRun
      ? result.after.flatMap((after) => jsonDiff(result.before, after).map((line) => `    ${line}`))
      : [];
    return [head, ...why, ...diff].join('\n');
  });
  const passed = results.filter((result) => result.outcome !== 'failed' && result.outcome !== 'refused').length;
  return [...blocks, '', `${passed} of ${results.length} ${dryRun ? 'would pass' : 'settled'}`].join('\n');
}
