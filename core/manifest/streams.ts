// A stream of the manifest: its ends built, its references looked up, and the rules that no schema can say.

import { type Auths, sinkOf, sourceOf } from './ends.ts';
import { homeOf } from './home.ts';
import { checkReference, uniqueIds } from './ids.ts';
import type { RetryPolicy, SinkConfig, SourceConfig, StreamConfig, TransformRule } from './model.ts';
import { redactOf } from './redact.ts';
import type { StreamEnds } from './topology.ts';
import type { Work } from './work.ts';
import type { WrittenStream } from './written.ts';

export interface Declared {
  readonly auths: Auths;
  /** Ids as declared, also of those that have findings. */
  readonly ruleIds: readonly string[];
  readonly rules: ReadonlyMap<string, TransformRule>;
}

export interface BuiltStream {
  /** null when it has findings of its own. */
  readonly stream: StreamConfig | null;
  readonly ends: StreamEnds;
}

export async function streamOf(
  work: Work,
  written: WrittenStream,
  pointer: string,
  declared: Declared,
): Promise<BuiltStream> {
  const sinkIds = uniqueIds(work, `${pointer}/sinks`, 'sink of the stream');
  const rules = transformationsOf(work, written, pointer, declared);
  const letterSinks = letterDestinations(work, written, pointer, sinkIds, rules);
  checkRetry(work, written, pointer);

  const source =
    written.source === undefined ? null : await sourceOf(work, written.source, `${pointer}/source`, declared.auths);
  checkBatch(work, written, pointer, source);
  checkParking(work, written, pointer, source);
  const built = await sinksOf(work, written, pointer, declared);
  const sinks = built.map(({ sink }) => sink);
  const needed = sinkIds.filter((id) => !letterSinks.has(id));
  if (sinkIds.length > 0 && needed.length === 0) {
    const message = 'every sink of the stream gets dead letters only';
    work.error('E_MANIFEST_INVALID', `${pointer}/sinks`, message, 'add a sink for the events', 'key');
  }
  const policy = commitPolicy(work, written, pointer, needed.length);
  const whole = built.length === written.sinks?.length;
  const home = homeOf(work, pointer, written.checkpoint, sinks, { letterSinks, ids: sinkIds, whole });
  checkNeeded(work, written, pointer, policy, home, letterSinks);
  const redact = redactOf(work, written.redact, `${pointer}/redact`);
  const ends = { pointer, id: written.id ?? '', enabled: written.enabled, home, source, sinks: built };
  if (!whole || source === null || written.id === undefined) return { stream: null, ends };
  const stream: StreamConfig = {
    id: written.id,
    ...(written.name === undefined ? {} : { name: written.name }),
    enabled: written.enabled,
    source,
    transformations: rules.flatMap(({ rule }) => rule ?? []),
    sinks,
    batch: written.batch,
    commit_policy: policy,
    retry_policy: retryOf(written),
    home,
    dead_letters: written.dead_letters,
    ...(written.park_after === undefined ? {} : { park_after: written.park_after }),
    ...(written.capture === undefined ? {} : { capture: written.capture }),
    ...(redact === undefined ? {} : { redact }),
    at: work.doc.places.at(pointer, 'value'),
  };
  return { stream, ends };
}

async function sinksOf(
  work: Work,
  written: WrittenStream,
  pointer: string,
  declared: Declared,
): Promise<StreamEnds['sinks']> {
  const built: { pointer: string; sink: SinkConfig }[] = [];
  for (const [i, sink] of (written.sinks ?? []).entries()) {
    const at = `${pointer}/sinks/${i}`;
    if (sink === undefined) continue;
    if (sink.id === 'state') {
      const message = '`state` means the state store in `checkpoint`';
      work.error('E_MANIFEST_INVALID', `${at}/id`, message, 'give the sink another id');
    }
    const config = await sinkOf(work, sink, at, declared.auths);
    if (config !== null) built.push({ pointer: at, sink: config });
  }
  return built;
}

interface UsedRule {
  readonly id: string;
  readonly rule: TransformRule | undefined;
}

function transformationsOf(work: Work, written: WrittenStream, pointer: string, declared: Declared): UsedRule[] {
  return written.transformations.flatMap((id, j) => {
    const at = `${pointer}/transformations/${j}`;
    if (id === undefined || !work.isResolved(at)) return [];
    return checkReference(work, at, id, declared.ruleIds, 'transformation')
      ? [{ id, rule: declared.rules.get(id) }]
      : [];
  });
}

/** The sinks that a dead_letter_destination of the stream names: they get dead letters and nothing else. */
function letterDestinations(
  work: Work,
  written: WrittenStream,
  pointer: string,
  sinkIds: readonly string[],
  rules: readonly UsedRule[],
): Set<string> {
  const named = new Set<string>();
  const look = (id: string | undefined, at: string): void => {
    if (id === undefined || !work.isResolved(at)) return;
    if (checkReference(work, at, id, sinkIds, 'sink of the stream')) named.add(id);
  };
  look(
    written.source?.error_handling.dead_letter_destination,
    `${pointer}/source/error_handling/dead_letter_destination`,
  );
  for (const [i, sink] of (written.sinks ?? []).entries()) {
    const at = `${pointer}/sinks/${i}/error_handling/dead_letter_destination`;
    const id = sink?.error_handling.dead_letter_destination;
    if (id !== undefined && id === sink?.id)
      work.error('E_MANIFEST_REFERENCE', at, 'a sink cannot take its own dead letters', 'name another sink');
    else look(id, at);
  }
  for (const { rule } of rules) {
    const id = rule?.error_handling.dead_letter_destination;
    if (id === undefined || rule?.at.pointer === undefined) continue;
    const at = `${rule.at.pointer}/error_handling/dead_letter_destination`;
    if (sinkIds.includes(id)) named.add(id);
    else if (work.isResolved(at)) {
      // at the transformation, since it may be used by several streams: the message says which one lacks the sink
      const line = work.doc.places.at(`${pointer}/id`, 'value').line;
      const message = `the stream at line ${line}, which uses this transformation, has no sink of this id`;
      work.error('E_MANIFEST_REFERENCE', at, message, 'add the sink to that stream, or name one that it has');
    }
  }
  return named;
}

function commitPolicy(
  work: Work,
  written: WrittenStream,
  pointer: string,
  sinks: number,
): StreamConfig['commit_policy'] {
  const policy = written.commit_policy;
  if (typeof policy === 'string') return policy;
  const quorum = policy.quorum ?? 1;
  if (sinks > 0 && quorum > sinks) {
    const message = `\`quorum\` must be at most ${sinks}, the number of sinks that get events`;
    work.error('E_MANIFEST_INVALID', `${pointer}/commit_policy/quorum`, message, 'lower it, or add sinks');
  }
  return { quorum };
}

// `required` and `write_timeout` are for sinks that may be missed: said where they would silently do nothing.
function checkNeeded(
  work: Work,
  written: WrittenStream,
  pointer: string,
  policy: StreamConfig['commit_policy'],
  home: string | null,
  letterSinks: ReadonlySet<string>,
): void {
  for (const [i, sink] of (written.sinks ?? []).entries()) {
    if (sink?.id === undefined) continue;
    const at = `${pointer}/sinks/${i}`;
    const always =
      sink.id === home
        ? 'the home of the checkpoint is always needed'
        : letterSinks.has(sink.id)
          ? 'a sink for dead letters is always needed'
          : null;
    if (!sink.required && (always !== null || policy !== 'required')) {
      const why = always ?? `it counts only under \`commit_policy: required\``;
      const fix = always === null ? 'set `commit_policy: required` in the stream, or leave it out' : 'leave it out';
      work.noEffect(`${at}/required`, `\`required: false\` has no effect: ${why}`, fix);
    }
    const needed = always !== null || policy === 'all' || (policy === 'required' && sink.required);
    if (needed && work.raw(`${at}/write_timeout`) !== undefined) {
      const message = '`write_timeout` has no effect: the stream waits for a sink that it needs';
      work.noEffect(`${at}/write_timeout`, message, 'leave it out, or make the sink one that is not needed');
    }
  }
}

// A source that gives what it has at once, or knows no transactions, keeps these two whatever they say.
function checkBatch(work: Work, written: WrittenStream, pointer: string, source: SourceConfig | null): void {
  const kept = source?.plugin.source?.batch ?? [];
  const idle = {
    max_wait: 'this source never waits: it gives what it has',
    ...(written.batch.respect_source_tx ? {} : { respect_source_tx: 'this source knows no transactions' }),
  };
  if (source === null) return;
  for (const [key, why] of Object.entries(idle)) {
    const at = `${pointer}/batch/${key}`;
    if (kept.some((one) => one === key) || work.raw(at) === undefined) continue;
    work.noEffect(at, `\`${key}\` has no effect: ${why}`, 'leave it out');
  }
}

function checkParking(work: Work, written: WrittenStream, pointer: string, source: SourceConfig | null): void {
  if (written.park_after === undefined || source === null) return;
  if (source.plugin.source?.requests?.includes('park') === true) return;
  const message = `the ${source.type} source cannot park single tables`;
  work.error('E_MANIFEST_INVALID', `${pointer}/park_after`, message, 'leave it out', 'key');
}

function checkRetry(work: Work, written: WrittenStream, pointer: string): void {
  const { initial_delay, max_delay } = written.retry_policy;
  if (max_delay >= initial_delay) return;
  const at = `${pointer}/retry_policy`;
  const key = work.raw(`${at}/max_delay`) === undefined ? 'initial_delay' : 'max_delay';
  work.error(
    'E_MANIFEST_INVALID',
    `${at}/${key}`,
    '`max_delay` must not be less than `initial_delay`',
    'raise the one or lower the other',
  );
}

function retryOf(written: WrittenStream): RetryPolicy {
  const { permanent_error_codes: codes, ...rest } = written.retry_policy;
  return { ...rest, permanent_error_codes: codes.filter((code) => code !== undefined) };
}
