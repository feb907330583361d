// Opens what a stream is made of: its sinks as slots, its transforms as a chain, its checkpoint as a writer starts with it.

import { capturing } from '../capture/capturing.ts';
import { type Checkpoint, emptyLedger, seal } from '../checkpoint.ts';
import { sluiceError, toSluiceError } from '../errors.ts';
import type { Languages } from '../languages.ts';
import type { StreamConfig, TransformRule } from '../manifest/model.ts';
import type { Auth, Context, Logger, Source } from '../plugin.ts';
import type { Place, StateStore } from '../state/store.ts';
import type { Chain, Step } from './chain.ts';
import { isNeeded } from './commit-policy.ts';
import { StreamFailed } from './ends.ts';
import { type Role, type Slot, slotOf } from './slot.ts';

export interface Opening {
  readonly config: StreamConfig;
  readonly store: StateStore;
  readonly languages: Languages | null;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export function contextOf(opening: Opening, auth: Auth | null, tap = false): Context {
  const { batch } = opening.config;
  return {
    stream: opening.config.id,
    log: opening.log,
    signal: opening.signal,
    auth,
    tap,
    batch: {
      maxEvents: batch.max_events,
      maxBytes: batch.max_bytes,
      maxWait: batch.max_wait,
      respectSourceTx: batch.respect_source_tx,
    },
  };
}

export async function openSource(opening: Opening, chain: Chain): Promise<Source> {
  const { source } = opening.config;
  const made = await source.plugin.source!.create(source.config, contextOf(opening, source.auth));
  return opening.config.capture === undefined ? made : capturing(made, opening, chain.steps);
}

export async function openSlots(opening: Opening): Promise<Slot[]> {
  const { config } = opening;
  const letterSinks = destinations(config);
  const slots: Slot[] = [];
  try {
    for (const sink of config.sinks) {
      const role: Role = sink.id === config.home ? 'home' : letterSinks.has(sink.id) ? 'letters' : 'data';
      const made = await sink.plugin.sink!.create(sink.config, contextOf(opening, sink.auth));
      slots.push(slotOf(sink, made, role, role === 'letters' || isNeeded(config.commit_policy, sink, role === 'home')));
    }
    return slots;
  } catch (thrown) {
    for (const slot of slots) await slot.sink[Symbol.asyncDispose]();
    throw thrown;
  }
}

export async function openChain(opening: Opening, slots: readonly Slot[]): Promise<Chain> {
  const { config } = opening;
  warnOfOldKeys(opening, slots);
  const takesObjects = slots.some((slot) => slot.role !== 'letters' && slot.sink.text !== true);
  const steps: Step[] = [];
  try {
    for (const [i, rule] of config.transformations.entries()) {
      const next = config.transformations[i + 1];
      // a language looks at the numbers that it gets; a plugin's transform takes what it gets
      const textAfter = next === undefined ? slots.length > 0 && !takesObjects : next.plugin?.transform === undefined;
      steps.push(await openStep(opening, rule, textAfter));
    }
  } catch (thrown) {
    for (const step of steps) await step.transform[Symbol.asyncDispose]();
    throw thrown;
  }
  const firstIsPlugin = config.transformations[0]?.plugin !== undefined;
  return {
    stream: config.id,
    sourcePolicy: config.source.error_handling,
    steps,
    verify: firstIsPlugin || (steps.length === 0 && (config.source.verify || takesObjects)),
  };
}

// A sink that writes by columns of the transformed row can see that they changed only if the old image went through the
// transform too. Said, not refused: most rows keep such a key for life.
function warnOfOldKeys({ config, log }: Opening, slots: readonly Slot[]): void {
  const rules = config.transformations.filter((rule) => rule.scope === 'row' && rule.images === 'key');
  for (const slot of slots) {
    if (!Array.isArray(slot.sink.key) || rules.length === 0) continue;
    const fix = `set \`images: both\` on ${rules.map((rule) => rule.id).join(', ')} if a row may change it`;
    log.warn(
      { stream: config.id, sink: slot.id, fix },
      `sink ${slot.id} writes by columns of its own key: an update that changes them leaves the old row, because old images are cut to the source's key`,
    );
  }
}

async function openStep(opening: Opening, rule: TransformRule, textAfter: boolean): Promise<Step> {
  const keepsKeys = rule.plugin?.transform === undefined && rule.scope === 'row';
  const step = { id: rule.id, policy: rule.error_handling, keepsKeys };
  if (rule.plugin?.transform !== undefined) {
    const transform = await rule.plugin.transform.create(rule.config, contextOf(opening, null));
    return { ...step, transform, loaded: null };
  }
  if (opening.languages === null) {
    throw sluiceError('E_NOT_BUILT', {
      message: `no languages were given, and transformation ${rule.id} needs ${rule.type}`,
    });
  }
  const loaded = await opening.languages.create(rule, { stream: opening.config.id, log: opening.log, textAfter });
  return { ...step, transform: loaded, loaded };
}

/** The sink ids that are named as a dead_letter_destination: they get dead letters only. */
function destinations(config: StreamConfig): Set<string> {
  const named = [config.source, ...config.transformations, ...config.sinks].flatMap(
    (part) => part.error_handling.dead_letter_destination ?? [],
  );
  return new Set(named);
}

export function destinationOf(config: StreamConfig, place: Place): string | null {
  const part =
    place.kind === 'source'
      ? config.source
      : place.kind === 'transform'
        ? config.transformations.find((rule) => rule.id === place.id)
        : config.sinks.find((sink) => sink.id === place.id);
  return part?.error_handling.dead_letter_destination ?? null;
}

/**
 * The checkpoint to start from, or null for a stream that never ran. The home wins over the state store's copy; a home
 * without one while the store has one means that somebody took the home away, and starting would read everything again.
 * @throws StreamFailed with E_CHECKPOINT_HOME
 */
export async function loadCheckpoint(
  config: StreamConfig,
  slots: readonly Slot[],
  store: StateStore,
): Promise<Checkpoint | null> {
  const copy = await store.loadCheckpoint(config.id);
  const home = slots.find((slot) => slot.role === 'home');
  if (home === undefined) return copy;
  const own = await atHome(home.sink.transactional!.load(config.id));
  if (own === null && copy !== null) {
    throw new StreamFailed(
      sluiceError('E_CHECKPOINT_HOME', {
        message: `sink ${home.id} is the checkpoint's home and holds none for stream ${config.id}, while the state store does`,
        fix: `run \`sluice checkpoint clear --stream ${config.id}\` to start again from the beginning, or \`sluice checkpoint set\` to go on from a position you know`,
      }),
    );
  }
  return own;
}

/** What a driver throws while it asks the home means that it is not there. */
export async function atHome<T>(asked: Promise<T>): Promise<T> {
  return await asked.catch((thrown: unknown) => {
    throw thrown instanceof StreamFailed ? thrown : toSluiceError(thrown, 'E_SINK_WRITE');
  });
}

/** The checkpoint as the new writer holds it: its position in today's format, its epoch raised. */
export function takeOver(config: StreamConfig, saved: Checkpoint | null, raiseEpoch: boolean): Checkpoint {
  const source = config.source.plugin.source!;
  if (saved === null) {
    return seal({
      stream: config.id,
      epoch: 1,
      position: null,
      position_version: source.positionVersion,
      ledger: emptyLedger,
      sinks: {},
      gaps: [],
      parked: [],
      request: 0,
      saved_at: new Date().toISOString(),
    });
  }
  const { checksum: _, ...rest } = saved;
  let { position } = saved;
  if (saved.position_version > source.positionVersion) {
    throw new StreamFailed(
      sluiceError('E_CHECKPOINT_VERSION', {
        message: `the position of stream ${config.id} was saved in version ${saved.position_version} of its format, and this ${config.source.type} plugin knows ${source.positionVersion}`,
        fix: 'run the version of Sluice that saved it, or a newer one',
      }),
    );
  }
  if (saved.position_version < source.positionVersion && position !== null) {
    if (source.upgradePosition === undefined) {
      throw new StreamFailed(
        sluiceError('E_SOURCE_POSITION', {
          message: `the ${config.source.type} plugin cannot upgrade the saved position`,
        }),
      );
    }
    position = source.upgradePosition(position, saved.position_version);
  }
  return seal({
    ...rest,
    position,
    position_version: source.positionVersion,
    epoch: saved.epoch + (raiseEpoch ? 1 : 0),
  });
}
