// `sluice dead-letters list|show|replay|ignore`: what could not pass, and trying it again with the files as they are now.

import { basename } from 'node:path';
import { redactedLetter, redactedReplay } from '../../capture/redacted-letter.ts';
import { defaultRedact, type Redaction, redactionOf } from '../../capture/redaction.ts';
import { replayAlone } from '../../engine/attend.ts';
import type { Chain } from '../../engine/chain.ts';
import { type Opening, openChain, openSlots } from '../../engine/open.ts';
import { type ReplayResult, tryLetter } from '../../engine/replay.ts';
import type { Slot } from '../../engine/slot.ts';
import { sluiceError } from '../../errors.ts';
import type { Manifest } from '../../manifest/model.ts';
import type { DeadLetter, StateStore } from '../../state/store.ts';
import { type Command, flag, type Invocation, isSet } from '../command.ts';
import { jsonDiff } from '../diff.ts';
import { demandAll, isNarrowed, pagesOf, type Selection, selectionOf } from '../letters.ts';
import { placeText, printData, printJson, printJsonList, say, shownError, table, widthsOf } from '../output.ts';
import { byRequestOr } from '../requests.ts';
import { takeSubverb } from '../subverb.ts';
import { chosenStreams, findingsExit, manifestOf, type Opened, openStore, openWorkspace } from '../workspace.ts';

const SUBVERBS = ['list', 'show', 'replay', 'ignore'] as const;

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
    limit: { type: 'string', help: 'at most so many, of all streams together' },
    'dry-run': { type: 'boolean', help: 'replay: only show what would pass, what would fail, and what changed' },
    force: { type: 'boolean', help: 'replay: superseded letters too' },
    note: { type: 'string', help: 'ignore: why' },
    raw: { type: 'boolean', help: 'show events as they came; without it they are redacted' },
  },
  async run(given) {
    const { subverb, invocation } = takeSubverb(given, SUBVERBS, 'dead-letters');
    await using opened = await openWorkspace(invocation, { inspect: subverb !== 'replay', words: true });
    const manifest = await manifestOf(opened, invocation);
    if (manifest === null) return findingsExit(opened.loaded.findings);
    await using store = await openStore(manifest, opened.log);
    const selection = selectionOf(opened.rest, chosenStreams(manifest, invocation), invocation);
    if ((subverb === 'show' || subverb === 'ignore') && !isNarrowed(selection)) {
      throw sluiceError('E_USAGE', {
        message: `${subverb} needs the numbers of dead letters, or a filter`,
        fix: `write \`sluice dead-letters ${subverb} 3\``,
      });
    }
    await demandAll(store, selection);
    const redactions = redactionsOf(manifest, store, invocation);
    if (subverb === 'list') return await list(shownPages(pagesOf(store, selection), redactions), invocation);
    if (subverb === 'show') return await show(shownPages(pagesOf(store, selection), redactions), invocation);
    // Without numbers, replay and ignore take what is pending.
    const pending = selection.ids.length > 0 ? {} : { status: 'pending' as const };
    const open = { ...selection, filter: { ...pending, ...selection.filter } };
    if (subverb === 'ignore') return await ignore(pagesOf(store, open), store, invocation);
    return await replay(open, store, opened, redactions, invocation);
  },
};

type Pages = AsyncIterable<readonly DeadLetter[]>;
/** By stream; none with --raw. */
type Redactions = ReadonlyMap<string, Redaction>;

function redactionsOf(manifest: Manifest, store: StateStore, invocation: Invocation): Redactions {
  if (isSet(invocation, 'raw')) return new Map();
  const key = store.redactionKey();
  return new Map(manifest.streams.map(({ id, redact }) => [id, redactionOf(redact ?? defaultRedact, key)]));
}

async function* shownPages(pages: Pages, redactions: Redactions): AsyncGenerator<readonly DeadLetter[]> {
  for await (const page of pages) {
    yield page.map((letter) => {
      const redaction = redactions.get(letter.stream);
      return redaction === undefined ? letter : redactedLetter(letter, redaction);
    });
  }
}

async function list(pages: Pages, invocation: Invocation): Promise<number> {
  if (invocation.json) return await printJsonList({}, 'dead_letters', pages);
  let widths: readonly number[] = []; // of a later page, wider where it must be
  for await (const page of pages) {
    const rows = page.map(rowOf);
    if (widths.length === 0) rows.unshift(['id', 'status', 'stream', 'place', 'event', 'code', 'at', 'message']);
    const before = widths;
    widths = widthsOf(rows).map((width, k) => Math.max(width, before[k] ?? 0));
    await printData(table(rows, widths));
  }
  if (widths.length === 0) say('no dead letters');
  return 0;
}

function rowOf(letter: DeadLetter): string[] {
  const { at } = letter.error;
  return [
    String(letter.id),
    letter.status,
    letter.stream,
    `${letter.place.kind} ${letter.place.id}`,
    letter.event_id,
    letter.error.code,
    at?.file === undefined ? '' : placeText({ ...at, file: basename(at.file) }),
    letter.error.message.split('\n')[0]!.slice(0, 80),
  ];
}

async function show(pages: Pages, invocation: Invocation): Promise<number> {
  if (invocation.json) return await printJsonList({}, 'dead_letters', pages);
  for await (const page of pages)
    for (const letter of page)
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

async function ignore(pages: Pages, store: StateStore, invocation: Invocation): Promise<number> {
  const note = flag(invocation, 'note');
  const ignored: number[] = [];
  let looked = 0;
  for await (const page of pages) {
    const ids = page.filter((letter) => letter.status === 'pending').map((letter) => letter.id);
    if (ids.length > 0)
      await store.write({ marks: [{ status: 'ignored', ids, ...(note === undefined ? {} : { note }) }] });
    ignored.push(...ids);
    looked += page.length;
  }
  if (invocation.json) await printJson({ ignored });
  else say(`✓ ignored ${ignored.length} of ${looked} dead letters`);
  return 0;
}

async function replay(
  selection: Selection,
  store: StateStore,
  opened: Opened,
  redactions: Redactions,
  invocation: Invocation,
): Promise<number> {
  const dry = isSet(invocation, 'dry-run');
  let tried = 0;
  let passed = 0;
  const results = async function* (): AsyncGenerator<readonly ReplayResult[]> {
    const opening = { store, languages: opened.languages, log: opened.log, signal: new AbortController().signal };
    let left = selection.limit;
    for (const config of selection.streams) {
      const own = { ...selection, streams: [config], limit: left };
      const work = dry ? dryRun : write;
      for await (const page of work(pagesOf(store, own), { ...opening, config }, isSet(invocation, 'force'))) {
        tried += page.length;
        left -= page.length;
        passed += page.filter((result) => PASSED.has(result.outcome)).length;
        const shown: ReplayResult[] = [];
        for (const result of page) shown.push(await shownResult(result, redactions.get(config.id), store));
        yield shown;
      }
    }
  };
  if (invocation.json) {
    const exit = await printJsonList({ dry_run: dry }, 'results', results());
    return Math.max(exit, passed === tried ? 0 : 1);
  }
  for await (const page of results()) for (const result of page) await printData(resultText(result, dry));
  const account = `\n${passed} of ${tried} ${dry ? 'would pass' : 'settled'}`;
  await printData(tried === 0 ? 'no pending dead letters' : account);
  return passed === tried ? 0 : 1;
}

const PASSED: ReadonlySet<ReplayResult['outcome']> = new Set(['delivered', 'would_pass', 'filtered']);

async function shownResult(
  result: ReplayResult,
  redaction: Redaction | undefined,
  store: StateStore,
): Promise<ReplayResult> {
  let shown = result;
  if (redaction !== undefined) {
    // What a message tells of the event is known by the event alone.
    const needed = result.before === null && result.message !== undefined;
    const [letter] = needed ? await store.listDeadLetters({ ids: [result.id] }) : [];
    shown = redactedReplay(result, redaction, letter?.event ?? null);
  }
  if (shown.error === undefined) return shown;
  const error = shownError(shown.error);
  return { ...shown, error, message: error.message };
}

async function* write(pages: Pages, opening: Opening, force: boolean): AsyncGenerator<readonly ReplayResult[]> {
  const ids: number[] = [];
  for await (const page of pages) ids.push(...page.map((letter) => letter.id));
  if (ids.length === 0) return;
  const body = { ids, force };
  const results = await byRequestOr(opening.store, { stream: opening.config.id, type: 'replay', body }, () =>
    replayAlone(opening, body),
  );
  if (results === null) {
    throw sluiceError('E_REQUEST_FAILED', {
      message: 'the letters were replayed, and the process that did it ended before it could say what became of each',
      fix: 'look with `sluice dead-letters list`; what still stands there as pending can be replayed again',
    });
  }
  yield results;
}

/** Opened only once there is a letter to try. */
async function* dryRun(pages: Pages, opening: Opening, force: boolean): AsyncGenerator<readonly ReplayResult[]> {
  let slots: readonly Slot[] = []; // only asked what kind of rows they take; nothing connects before a write
  let chain: Chain | null = null;
  try {
    for await (const page of pages) {
      if (chain === null) {
        slots = await openSlots(opening);
        chain = await openChain(opening, slots);
      }
      for (const letter of page)
        yield [(await tryLetter(letter, { chain, slots, force, signal: opening.signal })).result];
    }
  } finally {
    for (const step of chain?.steps ?? []) await step.transform[Symbol.asyncDispose]();
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

function resultText(result: ReplayResult, dryRun: boolean): string {
  const head = `${MARKS[result.outcome]}  ${result.id}  ${result.event_id}${result.code_changed ? '  (the code has changed since it failed)' : ''}`;
  const at = result.error?.at;
  const place = at?.file === undefined ? '' : ` (${placeText(at)})`;
  const why = result.message === undefined ? [] : [`    ${result.error?.code ?? ''} ${result.message}${place}`];
  const diff = dryRun
    ? result.after.flatMap((after) => jsonDiff(result.before, after).map((line) => `    ${line}`))
    : [];
  return [head, ...why, ...diff].join('\n');
}
