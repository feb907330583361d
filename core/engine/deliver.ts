// The third stage: one group of outputs to all sinks, until the commit policy is satisfied.
// The sinks write side by side, the home after them (DESIGN.md, section 5). A sink that is needed holds the group for as
// long as it takes; one that is not has write_timeout, and then the group goes on without it (DELIVERY.md, section 3).

import { type SluiceError, toSluiceError } from '../errors.ts';
import type { RetryPolicy } from '../manifest/model.ts';
import type { HomeTransaction } from '../plugin.ts';
import { attempt, type GivenUp, hold, passedBy, policyOf } from './attempt.ts';
import type { CommitPolicy } from './commit-policy.ts';
import { duplicateOutputs } from './duplicates.ts';
import { Interrupted, SessionLost, StreamFailed } from './ends.ts';
import { deliverToQuorum } from './quorum.ts';
import { noProgress, type Progress, settle } from './settle.ts';
import type { Missed, Slot } from './slot.ts';
import type { Group } from './work.ts';

export interface DeliverParts {
  readonly slots: readonly Slot[];
  readonly policy: CommitPolicy;
  readonly retry: RetryPolicy;
  /** Stop was asked for: waiting for something absent ends. */
  readonly soft: AbortSignal;
  /** Everything ends. */
  readonly hard: AbortSignal;
  /** A replay: an event that fails is a dead letter again, whatever the sink's policy. */
  readonly replay?: boolean;
  /** The home's open transaction. */
  transaction(): Promise<HomeTransaction>;
  /** True when a request waits to be carried out. Asked while a sink is away. */
  requestWaits(): Promise<boolean>;
  /** The stream waits for `whom`, a sink or a quorum (or, with null, does no longer). */
  waiting(whom: string, error: SluiceError | null): void;
  /** How many source events had entered before the group that is delivered. */
  entered(): number;
  /** A sink that nobody waits for went away. */
  left(slot: Slot, error: SluiceError): void;
  /** A sink that was away took its probe: it is back, and these of the outputs that it had missed are delivered. */
  returned(slot: Slot, missed: Missed, delivered: ReadonlySet<number>): void;
}

/** What became of the group at one sink. */
export interface SlotOutcome {
  readonly slot: Slot;
  readonly progress: Progress;
  readonly missed: readonly number[];
  /** Why they were missed. */
  readonly error: SluiceError | null;
}

/** `only`: the sinks that a replay writes to; absent: all that take data. */
export async function deliver(group: Group, given: DeliverParts, only?: ReadonlySet<string>): Promise<SlotOutcome[]> {
  const replay = only !== undefined;
  const slots = given.slots.filter((slot) => slot.role !== 'letters' && (!replay || only.has(slot.id)));
  if (group.out.length === 0 && group.out.ranges === undefined) return slots.map(nothingToDo);
  const over = new AbortController(); // one sink ended it for all
  const parts: DeliverParts = {
    ...given,
    ...(replay ? { replay, retry: { ...given.retry, max_attempts: 1 } } : {}),
    hard: AbortSignal.any([given.hard, over.signal]),
  };
  const others = slots.filter((slot) => slot.role === 'data');
  const home = slots.find((slot) => slot.role === 'home');
  const running =
    typeof parts.policy === 'object' && !replay
      ? deliverToQuorum(others, group, parts, parts.policy.quorum - (home === undefined ? 0 : 1))
      : others.map((slot) => deliverAt(slot, group, parts));
  const outcomes = await allOrFirstError(running, over);
  if (home !== undefined) outcomes.push(await deliverHome(home, group, parts));
  return outcomes;
}

// Waits for all, so that no write is under way when an error is seen: the first error ends the others. A failed stream wins.
async function allOrFirstError<T>(promises: readonly Promise<T>[], over: AbortController): Promise<T[]> {
  const errors: unknown[] = [];
  const results = await Promise.allSettled(
    promises.map((promise) =>
      promise.catch((thrown: unknown) => {
        errors.push(thrown);
        over.abort();
        throw thrown;
      }),
    ),
  );
  if (errors.length > 0) throw errors.find((error) => error instanceof StreamFailed) ?? errors[0];
  return results.map((result) => (result as PromiseFulfilledResult<T>).value);
}

function nothingToDo(slot: Slot): SlotOutcome {
  return { slot, progress: noProgress(), missed: [], error: null };
}

const NOBODY_WAITS: GivenUp = {
  enough: AbortSignal.abort(),
  overdue() {},
  isShort: () => false,
  isWaiting: () => false,
  interrupted: async () => undefined,
};

async function deliverAt(slot: Slot, group: Group, parts: DeliverParts): Promise<SlotOutcome> {
  if (slot.needed || parts.replay === true) return await hold(slot, group, parts);
  if (slot.away !== null) return passedBy(slot, group, parts, slot.away.error);
  return await attempt(slot, group, parts, NOBODY_WAITS);
}

async function deliverHome(slot: Slot, group: Group, parts: DeliverParts): Promise<SlotOutcome> {
  const progress = noProgress();
  const lost = (thrown: unknown): never => {
    if (parts.hard.aborted) throw new Interrupted();
    const error = toSluiceError(thrown, 'E_SINK_WRITE');
    throw error.permanent ? new StreamFailed(error) : new SessionLost(error);
  };
  const transaction = await parts.transaction().catch(lost);
  await settle(
    group.out,
    {
      sinkId: slot.id,
      policy: policyOf(slot, parts),
      signal: parts.hard,
      progress,
      write: (batch, signal) => transaction.write(batch, signal),
      present() {},
      // A throw from the home's transaction means that it is lost (DELIVERY.md, section 2.5).
      absent: async (error) => lost(error),
    },
    duplicateOutputs(slot, group),
  );
  return { slot, progress, missed: [], error: null };
}
