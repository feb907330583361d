// Random histories through the real engine with in-memory plugins: events, transforms, policies, sink answers, absences, stops
// and crashes are generated, and the invariants of DESIGN.md (1 to 5) and the rules of DELIVERY.md (2 to 5) are checked
// against the model of testing-history.ts. A crash lets no effect happen after it, and then a new engine starts on what was
// durable.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Checkpoint } from '../checkpoint.ts';
import { sluiceError } from '../errors.ts';
import type { ChangeEvent, EventBatch } from '../event.ts';
import type { WriteResult } from '../plugin.ts';
import { memoryStore } from '../state/memory.ts';
import type { StateStore } from '../state/store.ts';
import { newStatus } from './status.ts';
import { runStream, type StreamEnd } from './stream.ts';
import { type MemoryLog, type MemoryTarget, quickRetry, quietLog, target, testStream } from './testing.ts';
import {
  batchesOf,
  countsForEvents,
  type History,
  history,
  isNeededSink,
  keysAt,
  numberOf,
  possible,
  quorumOf,
  rootOf,
  stepAnswer,
} from './testing-history.ts';
import { storeWith } from './testing-run.ts';

const HISTORIES = 1_000;

/** One process after another on the same durable things. */
async function play(h: History): Promise<World> {
  const world = makeWorld(h);
  for (let life = 0; life <= h.ends.length; life++) {
    world.endAt = h.ends[life] ?? null;
    world.effects = 0;
    world.crashed = new AbortController();
    world.soft = new AbortController();
    world.session = life * 1_000;
    const signal = world.crashed.signal;
    const store = crashingStore(world);
    const soft = world.soft.signal;
    const parts = { config: world.config, store, languages: null, log: quietLog, signal, soft, hard: signal };
    world.end = await runStream({ ...parts, status: newStatus('s') });
    if (signal.aborted) world.deaths++;
    else if (soft.aborted) world.stops++;
    else break;
  }
  return world;
}

interface World {
  readonly h: History;
  readonly log: MemoryLog;
  readonly targets: MemoryTarget[];
  /** Per sink, per applied row: the session in which it was applied. */
  readonly sessions: number[][];
  readonly store: StateStore;
  readonly config: ReturnType<typeof testStream>;
  /** How many source events each position covers. */
  readonly covers: Map<number, number>;
  readonly problems: string[];
  endAt: History['ends'][number] | null;
  crashed: AbortController;
  soft: AbortController;
  deaths: number;
  stops: number;
  effects: number;
  session: number;
  end: StreamEnd | null;
}

/** An effect on something durable: it happens, or the process dies before or after it. */
async function effect<T>(world: World, happen: () => T | Promise<T>): Promise<T> {
  if (world.crashed.signal.aborted) throw new Error('dead');
  const how = nextEnd(world);
  if (how === 'dies before') throw died(world);
  const result = await happen();
  if (how === 'dies after') throw died(world);
  return result;
}

/** How the process ends at the effect that comes now, if it does. A stop is asked for at once. */
function nextEnd(world: World): History['ends'][number]['how'] | null {
  if (world.endAt === null || world.effects++ !== world.endAt.at) return null;
  if (world.endAt.how === 'stops') world.soft.abort();
  return world.endAt.how;
}

function died(world: World): Error {
  world.crashed.abort();
  return new Error('dead');
}

function makeWorld(h: History): World {
  const { batches, covers } = batchesOf(h);
  const targets = h.sinks.map((sink, k) => target({ stateful: sink.stateful && !(h.home && k === 0) }));
  const flaky = new Set<string>();
  const world: World = {
    h,
    log: { batches, acked: [], reads: 0 },
    targets,
    sessions: targets.map(() => []),
    store: memoryStore(),
    covers,
    problems: [],
    endAt: null,
    crashed: new AbortController(),
    soft: new AbortController(),
    deaths: 0,
    stops: 0,
    effects: 0,
    session: 0,
    end: null,
    config: undefined as never,
  };
  let reads = 0;
  world.log.hook = (i) => {
    if (i === (world.h.breaks[reads] ?? -1)) {
      reads++;
      throw new Error('the source broke off');
    }
  };
  for (const [k, to] of targets.entries()) wireSink(world, to, k, flaky);
  const config = testStream({
    source: world.log,
    sourcePolicy: { on_error: h.sourcePolicy, max_retries: 0, retry_delay: 0, then: 'dead_letter' },
    sinks: h.sinks.map((sink, k) => ({
      id: `k${k}`,
      to: targets[k]!,
      keyed: sink.keyed,
      error_handling: sink.policy,
      required: sink.required,
      write_timeout: 3,
      ...(h.home && k === 0 ? { home: true } : {}),
    })),
    transforms: h.steps.map((step, k) => ({
      id: `t${k}`,
      policy: step.policy,
      map(e: ChangeEvent) {
        const answer = stepAnswer(h, k, e);
        if (answer === 'fail' || (answer === 'flaky' && !flaky.has(`t${k} ${e.id}`))) {
          flaky.add(`t${k} ${e.id}`);
          throw new Error('no');
        }
        if (answer === 'filter') return null;
        return answer === 'fan' ? [e.after!, e.after!] : [e.after!];
      },
    })),
    maxLetterBytes: h.letterRoom,
    commit: h.commit === 'quorum' ? { quorum: quorumOf(h) } : h.commit,
    retry: { ...quickRetry, initial_delay: 0.01, max_delay: 0.1 },
  });
  const source = config.source.plugin.source!;
  const create = source.create;
  (world as { config: unknown }).config = {
    ...config,
    source: {
      ...config.source,
      plugin: {
        ...config.source.plugin,
        source: {
          ...source,
          async create(...args: Parameters<typeof create>) {
            const made = await create(...args);
            return {
              ...made,
              read: (from: unknown, signal: AbortSignal) => {
                world.session++;
                return made.read(from as never, signal);
              },
              ack: (position: never) =>
                effect(world, async () => {
                  await checkAck(world, position);
                  await made.ack(position);
                }),
            };
          },
        },
      },
    },
  };
  return world;
}

function wireSink(world: World, to: MemoryTarget, k: number, flaky: Set<string>): void {
  const sink = world.h.sinks[k]!;
  const isHome = world.h.home && k === 0;
  to.beforeWrite = async () => {
    await effect(world, () => undefined);
    if (sink.absent.includes(to.writes++)) throw new Error('not there');
    to.writes--;
  };
  to.answer = (batch: EventBatch, i: number): WriteResult | undefined => {
    const n = numberOf(batch.id(i));
    const answer = sink.answers[n % sink.answers.length]!;
    const name = `k${k} ${batch.id(i)}`;
    const error = sluiceError('E_SINK_REJECT', { message: 'no' });
    if (answer === 'reject') return { status: 'reject', error };
    if (answer === 'flaky' && !flaky.has(name)) {
      flaky.add(name);
      return { status: 'reject', error };
    }
    if (answer === 'retry' && !flaky.has(name)) {
      flaky.add(name);
      return { status: 'retry', error };
    }
    return undefined;
  };
  let flushes = 0;
  to.beforeFlush = () => {
    if (world.crashed.signal.aborted) throw new Error('dead');
    if (sink.unflushed.includes(flushes++)) throw new Error('no room on the disk');
  };
  to.observe = (length) => {
    const sessions = world.sessions[k]!;
    sessions.length = Math.min(sessions.length, length);
    while (sessions.length < length) sessions.push(world.session);
  };
  if (isHome) {
    to.beforeCommit = () => {
      if (world.crashed.signal.aborted) throw new Error('dead');
      const how = nextEnd(world);
      if (how === 'dies before') throw died(world);
      if (how === 'dies after') world.crashed.abort(); // it commits, and nobody hears of it
    };
    to.onCommit = (checkpoint) => checkCovered(world, checkpoint);
  }
}

function crashingStore(world: World): StateStore {
  return storeWith(world.store, {
    write: (change) =>
      effect(world, async () => {
        await world.store.write(change);
        if (change.checkpoint !== undefined && !world.h.home) await checkCovered(world, change.checkpoint);
      }),
  });
}

// Invariant 1: what is acked is covered by a durable checkpoint.
async function checkAck(world: World, position: number): Promise<void> {
  const durable = world.h.home ? world.targets[0]!.checkpoint : await world.store.loadCheckpoint('s');
  if (((durable?.position as number | null) ?? 0) < position)
    world.problems.push(`acked ${position} before its checkpoint`);
}

// Invariant 2: every output of every covered event is settled at every sink: applied there, dead-lettered, or skipped; at a
// sink that is not needed it may be counted as missed. Of a quorum, so many sinks took it or refused it themselves.
async function checkCovered(world: World, checkpoint: Checkpoint): Promise<void> {
  const covered = world.covers.get((checkpoint.position as number | null) ?? 0) ?? 0;
  const letters = await world.store.listDeadLetters({ stream: 's' });
  const lettered = new Set(
    letters.map((letter) => `${letter.place.kind === 'sink' ? letter.place.id : 'chain'} ${letter.event_id}`),
  );
  const absent = new Set(
    letters.flatMap((l) => (l.error.code === 'E_SINK_ABSENT' ? [`${l.place.id} ${rootOf(l.event_id)}`] : [])),
  );
  const missed = world.targets.map(() => 0);
  for (let n = 0; n < covered; n++) {
    let settled = 0;
    const fates = possible(world.h, n);
    if (fates.atSinks === null) continue;
    world.targets.forEach((to, k) => {
      const applied = to.applied.some((row) => rootOf(row.id) === `e${n}`);
      const here = [...lettered].some(
        (name) => name.startsWith(`k${k} e${n}`) && rootOf(name.split(' ')[1]!) === `e${n}`,
      );
      const before = [...lettered].some((name) => name.startsWith('chain ') && rootOf(name.slice(6)) === `e${n}`);
      if (!applied && !here && !before && !fates.maySkip(k)) missed[k]!++;
      if (applied || before || fates.maySkip(k) || (here && !absent.has(`k${k} e${n}`))) settled++;
    });
    if (world.h.commit === 'quorum' && settled < quorumOf(world.h))
      world.problems.push(`e${n} is covered with ${settled} of ${quorumOf(world.h)} sinks`);
  }
  missed.forEach((count, k) => {
    const allowed = isNeededSink(world.h, k) ? 0 : (checkpoint.sinks[`k${k}`]?.counts.missed ?? 0);
    if (count > allowed)
      world.problems.push(`${count} covered events are not settled at k${k}, and ${allowed} counted`);
  });
  const { in: entered, delivered, filtered, skipped, dead_lettered } = checkpoint.ledger;
  if (entered !== covered)
    world.problems.push(`the ledger counts ${entered} events and the position covers ${covered}`);
  if (entered !== delivered + filtered + skipped + dead_lettered) world.problems.push('the ledger does not add up');
}

/** The events that were applied at a sink and touch a key of event n, each with its place in the order. */
function appliedBeside(world: World, k: number, n: number): number[] {
  const keys = keysAt(world.h, n);
  return world.targets[k]!.applied.map(({ id }) => numberOf(id)).filter((m) => {
    const others = keysAt(world.h, m);
    return keys === null || others === null || others.some((key) => keys.includes(key));
  });
}

test(`invariants hold over ${HISTORIES} random histories`, async () => {
  let deaths = 0;
  let stops = 0;
  let letters = 0;
  let full = 0;
  await fc.assert(
    fc.asyncProperty(history, async (h) => {
      const world = await play(h);
      deaths += world.deaths;
      stops += world.stops;
      expect(world.problems).toEqual([]);
      if (h.letterRoom < 1 << 30 && world.end?.state === 'failed') {
        expect(world.end.error.code).toBe('E_DEAD_LETTERS_FULL');
        full++;
        return;
      }
      expect(world.end).toEqual({ state: 'ended' });
      const checkpoint = (world.h.home ? world.targets[0]!.checkpoint : await world.store.loadCheckpoint('s'))!;
      expect(checkpoint.ledger.in).toBe(h.events.length);
      letters += await checkLetters(world, checkpoint);
      world.targets.forEach((to, k) => {
        checkOrder(world, to, k);
        checkOnce(world, to, k);
        checkCounts(checkpoint, k);
      });
      await checkNewest(world, checkpoint);
    }),
    { numRuns: HISTORIES, endOnFailure: true, timeout: 5_000 },
  );
  expect(deaths).toBeGreaterThan(HISTORIES / 10); // the generator does reach what it is for
  expect(stops).toBeGreaterThan(HISTORIES / 20);
  expect(letters).toBeGreaterThan(HISTORIES / 10);
  expect(full).toBeLessThan(HISTORIES / 5);
}, 600_000);

// A dead-lettered fate and a letter that is not resolved are the same thing, event by event.
async function checkLetters(world: World, checkpoint: Checkpoint): Promise<number> {
  const letters = await world.store.listDeadLetters({ stream: 's' });
  const counting = letters.filter((letter) => letter.status !== 'resolved' && countsForEvents(world.h, letter.place));
  const roots = new Set(counting.map((letter) => rootOf(letter.event_id)));
  if (world.h.commit === 'quorum') expect(checkpoint.ledger.dead_lettered).toBeLessThanOrEqual(roots.size);
  else expect(checkpoint.ledger.dead_lettered).toBe(roots.size);
  return roots.size;
}

// Invariant 3: within a session, events of one key are applied in source order, and nothing of the table passes a truncate.
function checkOrder(world: World, to: MemoryTarget, k: number): void {
  const last = new Map<number | 'all', number>();
  let session = -1;
  to.applied.forEach((row, j) => {
    if (world.sessions[k]![j] !== session) {
      session = world.sessions[k]![j]!;
      last.clear();
    }
    const n = numberOf(row.id);
    const keys = keysAt(world.h, n);
    const met: Iterable<number | 'all'> = keys === null ? last.keys() : [...keys, 'all'];
    for (const key of met) expect(n).toBeGreaterThanOrEqual(last.get(key) ?? -1);
    for (const key of keys ?? (['all'] as const)) last.set(key, n);
  });
}

// What a keyed sink has of a key is never older than what it took, and a letter that is still pending is not older either: its
// replay would take a row back. One that nobody needs may miss, after a crash, what it had taken and no checkpoint covered: then
// there is a letter of it, or it is counted.
async function checkNewest(world: World, checkpoint: Checkpoint): Promise<void> {
  const letters = await world.store.listDeadLetters({ stream: 's' });
  const open = letters.filter(({ status }) => status === 'pending');
  world.h.sinks.forEach((sink, k) => {
    if (!sink.keyed) return;
    const mayMiss = (n: number): boolean =>
      !isNeededSink(world.h, k) &&
      (checkpoint.sinks[`k${k}`]!.counts.missed > 0 ||
        letters.some((letter) => letter.place.id === `k${k}` && rootOf(letter.event_id) === `e${n}`));
    world.h.events.forEach(({ kind }, n) => {
      if (kind === 'unreadable' || mayMiss(n)) return;
      const beside = appliedBeside(world, k, n);
      const at = beside.lastIndexOf(n);
      if (at >= 0) for (const m of beside.slice(at)) expect(m).toBeGreaterThanOrEqual(n);
    });
    for (const letter of open) {
      const n = numberOf(letter.event_id);
      if (world.h.events[n]!.kind === 'unreadable') continue;
      if (letter.place.kind === 'sink' && letter.place.id !== `k${k}`) continue;
      const later = appliedBeside(world, k, n).filter((m) => m > n && !mayMiss(m));
      expect({ pending: letter.event_id, later }).toEqual({ pending: letter.event_id, later: [] });
    }
  });
}

// Invariant 7, and DESIGN section 5: a home, and a sink that keeps its state in the checkpoint, are effectively once.
function checkOnce(world: World, to: MemoryTarget, k: number): void {
  if (!isNeededSink(world.h, k)) return; // what it missed is written again by a probe: at least once
  if (!(world.h.home && k === 0) && to.stateful !== true) return;
  const ids = to.applied.map((row) => row.id);
  expect(ids).toEqual([...new Set(ids)]);
}

function checkCounts(checkpoint: Checkpoint, k: number): void {
  const { out, delivered, skipped, dead_lettered, missed } = checkpoint.sinks[`k${k}`]!.counts;
  expect(out).toBe(delivered + skipped + dead_lettered + missed);
}
