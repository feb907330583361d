// `sluice test --against`: runs the stream's transformations as they were and as they are on captures, dead letters or a file
// of events, and prints what changes. Exit code 1 when an event fails now that did not before; a change alone is no failure.

import { readFile } from 'node:fs/promises';
import { basename, dirname, extname, resolve } from 'node:path';
import { type Comparison, compare, type Sample } from '../authoring/compare.ts';
import { eventFile, plainEvent, shapeError } from '../authoring/given-events.ts';
import { treeOfHead } from '../authoring/old-code.ts';
import type { Surroundings } from '../authoring/target.ts';
import { openTriedChain, type TriedChain } from '../authoring/try-chain.ts';
import { defaultRedact, type Redaction, redactionOf } from '../capture/redaction.ts';
import { sluiceError } from '../errors.ts';
import type { Column } from '../event.ts';
import { renderFindings } from '../manifest/frame.ts';
import type { Finding, Loaded } from '../manifest/load.ts';
import type { StreamConfig, TransformRule } from '../manifest/model.ts';
import type { StateStore } from '../state/store.ts';
import { canonical, isRow, type Json } from '../values.ts';
import { flag, type Invocation } from './command.ts';
import { jsonDiff } from './diff.ts';
import { placeText, printData, printJson, say } from './output.ts';
import { findingsExit, type Opened, oneStream, openStore } from './workspace.ts';

const MOST = 1000;
const SAMPLES = 3;

export async function against(invocation: Invocation, around: Surroundings, log: Opened['log']): Promise<number> {
  const file = resolve(invocation.positionals[0] ?? 'sluice.yaml');
  const loaded = await around.load(file);
  if (loaded.manifest === null) return refuse(loaded, invocation);
  const stream = oneStream(loaded.manifest, invocation);
  await using store = await openStore(loaded.manifest, log);
  const redaction = redactionOf(stream.redact ?? defaultRedact, store.redactionKey());
  const about = flag(invocation, 'against')!;
  const given = await samplesOf(about, stream, store, redaction);
  const samples = given.filter((one): one is Sample => 'event' in one);
  const unread = given.filter((one): one is Unread => 'why' in one);
  if (samples.length === 0) throw nothingRead(about, unread[0]?.why);
  const named = flag(invocation, 'old');
  await using tree = named === undefined ? await treeOfHead(file) : null;
  const old =
    named === undefined
      ? await streamIn(tree!.pathOf(file), stream.id, around)
      : await namedOld(resolve(named), stream, around);

  const parts = { languages: around.languages, log };
  await using before = await openTriedChain(old.transformations, old, parts);
  await using after = await openTriedChain(stream.transformations, stream, parts);
  const codes = codesOf(before, after);
  const compared = await compare(samples, before, after);
  if (compared.events === 0) throw nothingRead(about, undefined);
  const result = { ...compared, unreadable: compared.unreadable + unread.length };
  const from = named === undefined ? `commit ${tree!.commit}` : named;
  if (invocation.json) await printJson({ stream: stream.id, old: from, transformations: codes, ...jsonOf(result) });
  else await printData(textOf(result, codes, from));
  return result.counts.fails_now > 0 ? 1 : 0;
}

/** A comparison of nothing would look like one that found no difference. */
function nothingRead(from: string, why: string | undefined) {
  return sluiceError('E_USAGE', {
    message: `none of the events of ${from} can be read${why === undefined ? '' : `; ${why}`}`,
    fix: 'an event is written as { "after": { … } }, with the fields of change-event.schema.json',
  });
}

function refuse(loaded: Loaded, invocation: Invocation): number {
  say(renderFindings(loaded.findings, { sources: loaded.sources, colour: invocation.color, again: 'test' }));
  return findingsExit(loaded.findings);
}

/** What stands where an event should, and why it is none. */
interface Unread {
  readonly id: string;
  readonly why: string;
}

/** Redacted whatever they come from: their values are printed. */
async function samplesOf(
  from: string,
  stream: StreamConfig,
  store: StateStore,
  redaction: Redaction,
): Promise<readonly (Sample | Unread)[]> {
  const none = (message: string, fix: string) => sluiceError('E_USAGE', { message, fix });
  if (from === 'captures') {
    const captures = await store.captures(stream.id, MOST);
    if (captures.length === 0) throw none(`stream ${stream.id} has no captures`, 'run `sluice capture` first');
    const byId = new Map(captures.map((one) => [one.event_id, one])); // an event that came again was captured again
    return [...byId.values()].reverse().map(({ event_id, event, details }) => {
      return { id: event_id, event, columns: details.columns, typed: details.typed };
    });
  }
  if (from === 'dead-letters') {
    const letters = await store.listDeadLetters({ stream: stream.id, status: 'pending', limit: MOST });
    if (letters.length === 0)
      throw none(`stream ${stream.id} has no pending dead letters`, 'nothing is to be compared');
    return letters.map((letter) => {
      const event = redaction.event(letter.event);
      const columns = letter.columns === null ? [] : (JSON.parse(letter.columns) as Column[]);
      return { id: letter.source_event_id, event: event ?? '', columns, typed: letter.error.code !== 'E_EVENT_NUMBER' };
    });
  }
  const fix = 'name captures, dead-letters, or a file of events (NDJSON or JSON): { "after": { … } } is one';
  const values = await eventFile(resolve(from));
  if (typeof values === 'string') throw none(`${from}: ${values}`, fix);
  if (values.length === 0) throw none(`${from} holds no events`, fix);
  return values.map((value, i) => {
    const event = isRow(value) ? plainEvent(value, i + 1) : null;
    const why = event === null ? 'an event is an object' : shapeError(event);
    if (event === null || why !== null) return { id: `event-${i + 1}`, why: `event ${i + 1}: ${why}` };
    return { id: event.id, event: redaction.event(JSON.stringify(event)) ?? '', columns: [], typed: true };
  });
}

async function streamIn(path: string, id: string, around: Surroundings): Promise<StreamConfig> {
  const { manifest, findings } = await around.load(path);
  const stream = manifest?.streams.find((one) => one.id === id);
  if (stream !== undefined) return stream;
  throw sluiceError('E_TEST_TARGET', {
    message:
      manifest === null
        ? `the old manifest cannot be loaded: ${firstError(findings)}`
        : `the old manifest has no stream ${id}`,
    fix: 'name the old code with --old',
  });
}

function firstError(findings: readonly Finding[]): string {
  return findings.find((finding) => finding.severity === 'error')?.message ?? 'unknown';
}

/** An old manifest, or an old file of one transformation: the one whose file has this name, or the only one of its language. */
async function namedOld(path: string, stream: StreamConfig, around: Surroundings): Promise<StreamConfig> {
  if (/\.ya?ml$/.test(path)) return await streamIn(path, stream.id, around);
  const source = await readFile(path, 'utf8').catch((thrown: NodeJS.ErrnoException) => {
    throw sluiceError('E_USAGE', {
      message: `--old ${path} cannot be read (${thrown.code ?? 'unknown'})`,
      fix: 'check its path',
    });
  });
  const { transformations: rules } = stream;
  const same = (pick: (rule: TransformRule) => string): TransformRule[] =>
    rules.filter((rule) => rule.plugin?.transform === undefined && pick(rule) === pick({ ...rule, file: path }));
  const fitting = [same((rule) => basename(rule.file)), same((rule) => extname(rule.file)), rules].find(
    (one) => one.length === 1,
  );
  if (fitting === undefined) {
    throw sluiceError('E_USAGE', {
      message: `it is not clear which transformation ${basename(path)} is the old code of`,
      fix: 'give it the name that the file has in the manifest',
    });
  }
  const rule = fitting[0]!;
  const was: TransformRule = { ...rule, source, file: path, dir: dirname(path), offset: { line: 1, column: 1 } };
  return { ...stream, transformations: rules.map((one) => (one === rule ? was : one)) };
}

interface CodePair {
  readonly id: string;
  readonly old: string | null;
  readonly now: string | null;
}

function codesOf(before: TriedChain, after: TriedChain): CodePair[] {
  const hash = ({ chain }: TriedChain, id: string): string | null =>
    chain.steps.find((step) => step.id === id)?.loaded?.identity.hash ?? null;
  const ids = new Set([...before.chain.steps, ...after.chain.steps].map((step) => step.id));
  return [...ids].map((id) => ({ id, old: hash(before, id), now: hash(after, id) }));
}

const WORDS = {
  changed: 'give something else',
  fails_now: 'fail now',
  mended: 'failed before, and pass now',
  fails_otherwise: 'fail with another error',
  filtered_now: 'are filtered now',
  passes_now: 'were filtered before, and pass now',
  same: 'give the same',
} as const;

function textOf(result: Comparison, codes: readonly CodePair[], from: string): string {
  const lines: string[] = [];
  for (const { id, old, now } of codes) {
    const same = old === now ? '  (the same code)' : '';
    lines.push(`${id}: ${old?.slice(0, 8) ?? 'not there'} (${from}) → ${now?.slice(0, 8) ?? 'not there'}${same}`);
  }
  lines.push('', `${result.events} events:`);
  for (const [change, words] of Object.entries(WORDS)) {
    const n = result.counts[change as keyof typeof WORDS];
    if (n > 0) lines.push(`  ${String(n).padStart(6)} ${words}`);
  }
  if (result.unreadable > 0) lines.push(`  ${String(result.unreadable).padStart(6)} cannot be read`);
  if (result.fields.length > 0) {
    lines.push('', 'fields that differ:');
    for (const { path, events } of result.fields.slice(0, 20)) lines.push(`  ${String(events).padStart(6)} ${path}`);
  }
  for (const { id, change, before, after } of samplesShown(result)) {
    lines.push('', `${id}: ${WORDS[change]}`);
    for (const [words, { error }] of [
      ['before', before],
      ['now', after],
    ] as const) {
      if (error === null) continue;
      const at = error.at?.line === undefined ? '' : ` (${placeText(error.at)})`;
      lines.push(`    ${words}: ${error.code} ${error.message.split('\n')[0]}${at}`);
    }
    if (before.error === null && after.error === null) {
      const parts = differingParts(before.outputs, after.outputs);
      lines.push(...jsonDiff(...parts).map((line) => `    ${line}`));
    }
  }
  return lines.join('\n');
}

/** The first few of each kind. */
function samplesShown({ changed }: Comparison): Comparison['changed'] {
  const seen = new Map<string, number>();
  return changed.filter(({ change }) => {
    const n = seen.get(change) ?? 0;
    seen.set(change, n + 1);
    return n < SAMPLES;
  });
}

/** The outputs of both, without the fields of their envelopes that are the same. */
function differingParts(before: readonly Json[], after: readonly Json[]): [string, string] {
  const sides = [before, after].map((outputs, side) =>
    outputs.map((output, k) => {
      const other = (side === 0 ? after : before)[k];
      if (!isRow(output)) return output;
      const differs = ([name, value]: [string, Json]): boolean =>
        isRow(other) ? canonical(value) !== canonical(other[name]) : name === 'after';
      return Object.fromEntries(Object.entries(output).filter(differs));
    }),
  );
  const text = (side: readonly Json[]): string => JSON.stringify(side.length === 1 ? side[0] : side);
  return [text(sides[0]!), text(sides[1]!)];
}

function jsonOf(result: Comparison): object {
  const { changed: _, ...rest } = result;
  return { ...rest, samples: samplesShown(result) };
}
