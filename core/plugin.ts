// The contracts of plugins: what a source, a sink and a transform promise the engine, and what they get from it.
// Written as consequences: each comment says what the engine will do. Everything here is exported from sluice/sdk.
// Long because it is the one page that a publisher has to read.

import type { Checkpoint } from './checkpoint.ts';
import type { ErrorPlace, SluiceError } from './errors.ts';
import type { EventBatch } from './event.ts';
import type { FromSchema, ObjectSchema } from './schema.ts';
import type { Json } from './values.ts';

/** The version of this contract. A plugin's package.json says which it was written for (`sluice.api`). */
export const apiVersion = '1.0.0';

/** Structured log. Fields come first; known secrets are masked whatever is logged. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What a batch that a source gives may hold. It may be exceeded by one event. */
export interface BatchLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
  /** How long a source may wait for more before it gives what it has, in ms. */
  readonly maxWait: number;
  /** Never end a batch within a source transaction (unless the part is marked `open`). */
  readonly respectSourceTx: boolean;
}

/** `max_wait`: it waits for more, so that batches are larger. `respect_source_tx`: it knows where transactions end. */
export type BatchSetting = 'max_wait' | 'respect_source_tx';

/** A declared authentication, with its secrets in clear: never log it. */
export interface Auth {
  readonly type: 'username_password' | 'certificate';
  readonly config: Readonly<Record<string, string>>;
}

export interface Context {
  /** The stream's id. */
  readonly stream: string;
  readonly log: Logger;
  /** Aborted when the stream stops; what still runs then has the drain time-out to end. */
  readonly signal: AbortSignal;
  readonly batch: BatchLimits;
  readonly auth: Auth | null;
  /** The source is only looked at (capture, playground): it must leave nothing behind and take no lock. */
  readonly tap: boolean;
}

/** A setting that has no effect where it stands, for a warning: no setting is accepted in silence that does nothing. */
export interface NoEffect {
  /** The key at the top of the configuration. */
  readonly key: string;
  readonly message: string;
  readonly fix: string;
}

/** One finding of a `check`: can it connect here, has it the rights. */
export interface CheckResult {
  readonly ok: boolean;
  /** What was looked at, for example `connect`. */
  readonly name: string;
  readonly message: string;
  readonly fix?: string;
}

// ---- sources ----

/** What a source gives: a batch and where to resume after it, or a part of a transaction that is not finished yet. */
export type SourceItem<P extends Json = Json> =
  | ({ readonly batch: EventBatch; readonly position: P; readonly open?: undefined } & SourceNews)
  | ({ readonly batch: EventBatch; readonly open: true; readonly position?: undefined } & SourceNews);

/** What an item says besides its events. `taken` and `parked` stand in items with a position only: they hold from it on. */
export interface SourceNews {
  readonly phase?: Phase;
  /** The number of the last request whose effect this position holds: read again from here, it need not be asked again. */
  readonly taken?: number;
  /** All tables that are parked at this position; absent: the same as before. */
  readonly parked?: readonly ParkedTable[];
}

export type Phase = 'snapshot' | 'streaming';

/** A table whose changes do not enter any more, until a `resume` begins it again with a snapshot. */
export interface ParkedTable {
  readonly table: string;
  readonly reason: string;
  /** ISO 8601. */
  readonly since: string;
}

/**
 * What a running source is asked to do. It answers in the stream: an item with `taken: number`, whose position holds the effect
 * (which snapshots are still to be done, which tables are parked). Until that item is covered by a checkpoint the same
 * request may come again, after a crash or a lost connection, so the second time it must change nothing.
 */
export type SourceRequest = { readonly number: number } & (
  | {
      /** Reads a table (none: all) again, in chunks, while streaming goes on. `where` is SQL of the source. */
      readonly type: 'snapshot';
      readonly table?: string;
      readonly where?: string;
    }
  | { readonly type: 'park'; readonly table: string; readonly reason: string }
  | { readonly type: 'resume'; readonly table: string }
);

export interface Source<P extends Json = Json> extends AsyncDisposable {
  /**
   * Connects and reads from a position (null: from the beginning). An empty batch is a heartbeat. When the iteration ends,
   * the source has ended. When it throws, the engine waits with back-off and calls read again with the last checkpoint:
   * so ids and order must be the same on every read of the same events. Must end within 5 s after `signal` aborts.
   */
  read(from: P | null, signal: AbortSignal): AsyncIterable<SourceItem<P>>;
  /** Everything up to `position` is durable here: the upstream may forget it. Cumulative, in order (invariant 1). */
  ack(position: P): Promise<void>;
  /**
   * Called while read() runs. Absent: the source knows no requests, and the verbs say so.
   * @throws SluiceError E_REQUEST_FAILED when it cannot be done (no such table, it is not parked): that is the verb's answer
   */
  control?(request: SourceRequest): Promise<void>;
  /**
   * While read() runs: whether there is something to give that is no item yet, because the source still connects, or rows of a snapshot
   * wait. Such a stream is not idle (`--until-idle`). Absent: what is there is given at once.
   */
  isBusy?(): boolean;
}

// ---- sinks ----

/**
 * What became of one event at a sink. `retry`: not now; `reject`: this event will never fit; `held`: not tried, because
 * an earlier event of its key in this write is not settled. There is no other answer, and silence is never success.
 */
export type WriteResult =
  | { readonly status: 'ok' }
  | { readonly status: 'retry'; readonly error: SluiceError; readonly retryAfterMs?: number }
  | { readonly status: 'reject'; readonly error: SluiceError }
  | { readonly status: 'held' };

export interface Sink extends AsyncDisposable {
  /** Writes by key (a second write of an event leaves the same state), or appends. */
  readonly keyed: boolean;
  /** Columns that this sink writes by, when its configuration says so (sink-key.ts). */
  readonly key?: readonly string[] | Readonly<Record<string, string>>;
  /** Takes the text face of a batch: its rows need not be parsed before. */
  readonly text?: boolean;
  /**
   * Writes the events in order; result[i] is for event i. A throw, or `retry` for every event, means that the sink is not
   * there: the engine waits with back-off and writes the same batch again. While event i is not `ok`, no later event of its
   * key may be applied in this write (answer `held`); events without a key, truncates and schema changes are barriers
   * for their table. inKeyOrder() does all of this for a sink that writes event by event.
   */
  write(batch: EventBatch, signal: AbortSignal): Promise<readonly WriteResult[]>;
  /** For a sink that keeps something in the checkpoint (a file's length). */
  readonly state?: {
    /** Called whenever reading starts from a checkpoint, before the first write. null: nothing saved; append, never cut. */
    restore(saved: Json | null): Promise<void>;
    /** Makes all that was written durable and says what to save. Called after a batch settled, before the checkpoint. */
    flush(): Promise<Json>;
  };
  /** For a sink that can be the checkpoint's home: rows and checkpoint in one transaction of its own. */
  readonly transactional?: {
    /** Reads the stream's checkpoint, and changes nothing. */
    load(stream: string): Promise<Checkpoint | null>;
    /** Takes over: raises the epoch so that an older writer's commit fails with E_CHECKPOINT_EPOCH. */
    open(stream: string): Promise<void>;
    begin(stream: string): Promise<HomeTransaction>;
    /** Forgets the stream's checkpoint (`sluice checkpoint clear`). */
    clear(stream: string): Promise<void>;
  };
}

/** A throw from any of these means that the transaction is lost: nothing of it was applied. */
export interface HomeTransaction {
  write(batch: EventBatch, signal: AbortSignal): Promise<readonly WriteResult[]>;
  commit(checkpoint: Checkpoint): Promise<void>;
  rollback(): Promise<void>;
}

// ---- transforms ----

export interface TransformFailure {
  readonly index: number;
  readonly error: SluiceError;
}

/** Every index of the input stands in exactly one of `from`, `filtered` and `failed`. */
export interface TransformResult {
  readonly out: EventBatch;
  /** out's event j came from input from[j]; ascending, equal neighbours are a fan-out. */
  readonly from: Uint32Array;
  readonly filtered: Uint32Array;
  /** E_EVENT_PARSE and E_EVENT_NUMBER mean that the source's row could not be read: its policy decides, not the transform's. */
  readonly failed: readonly TransformFailure[];
}

export interface Transform extends AsyncDisposable {
  /** Never changes its input; the same event always gives the same bytes. `fresh`: in a state that no event has touched. */
  apply(batch: EventBatch, signal: AbortSignal, options?: { readonly fresh?: boolean }): Promise<TransformResult>;
}

// ---- languages ----

/**
 * A language: makes of what an author wrote a program of the sandbox. The host side compiles and checks, and never runs the
 * author's code; the guest side is one self-contained script.
 */
export interface Language {
  /** What a manifest says as `type`. */
  readonly name: string;
  /** The settings of a transformation that are the language's own; absent: none. */
  readonly config?: ObjectSchema;
  /** @throws SluiceError E_TRANSFORM_SYNTAX with line and column in the author's file */
  compile(source: LanguageSource): CompiledSource | Promise<CompiledSource>;
  /** For `sluice test --coverage`; absent: the language cannot say which of its lines ran. Only of a source that compiles. */
  instrument?(source: LanguageSource): Promise<Instrumented>;
}

/** The same program, which logs `mark` and the number of a point the first time that it is reached. */
export interface Instrumented {
  readonly source: string;
  readonly mark: string;
  /** Where each point stands in the source as the author wrote it; lines from 1. */
  readonly points: readonly { readonly line: number }[];
}

export interface LanguageSource {
  readonly source: string;
  /** The author's file, as it should stand in errors: the manifest for inline code. */
  readonly file: string;
  /** Where the source begins in that file, both from 1. */
  readonly offset: { readonly line: number; readonly column: number };
  /** Absolute: what relative paths in the source begin at. */
  readonly dir: string;
  /** Absolute: what the source names by path outside of it is refused. Absent: it may stand anywhere. */
  readonly within?: string;
  readonly scope: 'row' | 'event';
  /** Decoded by the language's own `config`. */
  readonly config: Json;
}

export interface CompiledSource {
  /** A script that evaluates to a GuestLanguage. It may use nothing from outside of itself. */
  readonly guest: string;
  /** What that function is given. */
  readonly text: string;
  /** Of the language: another version may give other results. Stored with dead letters and captures. */
  readonly version: string;
  /** Everything that the author wrote, helper files too: with the version it is the transform's identity. */
  readonly code: readonly string[];
  /** Numbers stay the text that they are: one that no double holds may go through, where nobody after it parses it. */
  readonly numbers?: 'text';
  /** Which of the language's ways of running was taken, where it has several. */
  readonly lane?: Lane;
  /** From a place in the guest (a module's number, line, column) to the author's file. Absent: module 0 is the source. */
  place?(module: number, line: number, column: number): ErrorPlace;
}

/** A way of running that a language chose for one transform. */
export interface Lane {
  readonly name: string;
  /** Why it is not the fastest one. */
  readonly why?: string;
}

/** What a guest script is given besides the compiled text; the author's code never sees it. */
export interface LanguageHost {
  /** Makes the error that fails the event; `place` is module, line and column, as CompiledSource.place takes them. */
  refuse(why: string, message: string, more?: RefusalDetails): Error;
  /** Throws the event's dice from the start again. */
  reseed(): void;
  /** Counts the running event as one that had to leave the transform's lane. */
  deopt(): void;
}

export interface RefusalDetails {
  readonly place?: readonly [module: number, line: number, column: number];
  /** The language's own code of the error. */
  readonly code?: string;
}

/**
 * From the compiled text to a body, which is run anew for each event (once with `state: keep`) and gives the function.
 * `values`: it takes the parsed row or event and gives a value, an array of them, or null or undefined.
 * `texts`: it takes JSON text and gives JSON text (several: an array of texts), for languages that keep the bytes of what they
 * do not touch. Each text is parsed once to see that it is JSON, and put on one line; `sound` says that both are so for sure.
 */
export type GuestLanguage = (
  text: string,
  host: LanguageHost,
) =>
  | (() => unknown)
  | { readonly values: () => ValueFunction }
  | { readonly texts: () => TextFunction; readonly sound?: true };

export interface GuestContext {
  readonly event: unknown;
  readonly log: unknown;
}

/** Where an input came from: for a second try after one that may have changed it. */
export interface GuestSource {
  /** The texts that the input and the context were, or are, parsed from. */
  readonly texts: readonly (string | null)[];
  again(): { readonly input: unknown; readonly context: GuestContext };
}

export type ValueFunction = (input: unknown, context: GuestContext, source: GuestSource) => unknown;

export type TextFunction = (
  input: string,
  context: GuestContext,
) => null | string | readonly string[] | Promise<null | string | readonly string[]>;

// ---- the definition ----

interface Part<S extends ObjectSchema, T> {
  /** The only definition of the configuration: types, defaults, docs and forms come from it. */
  readonly config: S;
  create(config: FromSchema<S>, context: Context): T | Promise<T>;
  check?(config: FromSchema<S>, context: Context): Promise<readonly CheckResult[]>;
  /** The authentications it takes; absent: none, and then `auth_id` is refused. */
  readonly auth?: readonly Auth['type'][];
  /** What of a configuration, as it was written and before defaults, has no effect beside the rest of it. */
  noEffect?(given: Readonly<Record<string, unknown>>): readonly NoEffect[];
  /** The place that this end reads or writes, as text that is equal exactly when the place is (two ends on one place is a finding). */
  place?(config: FromSchema<S>): string | readonly string[] | undefined;
}

export interface SourcePart<S extends ObjectSchema = ObjectSchema, P extends Json = Json> extends Part<S, Source<P>> {
  /** The version of the position's format, saved with every checkpoint. */
  readonly positionVersion: number;
  /** The settings of `batch` that it can keep beside the limits; the manifest warns of others, which would do nothing. */
  readonly batch?: readonly BatchSetting[];
  /** The requests that its sources take (Source.control); absent: none, and verbs and settings that need one say so. */
  readonly requests?: readonly SourceRequest['type'][];
  upgradePosition?(position: Json, fromVersion: number): P;
  /**
   * Asked of a position that somebody wrote by hand, before it is saved. Throws E_SOURCE_POSITION for what is no position of
   * this source at all; whether it fits the place (this file, this database) is for read() to say.
   */
  checkPosition?(position: Json): void;
}

export interface SinkPart<S extends ObjectSchema = ObjectSchema> extends Part<S, Sink> {
  /** True when the sink this configuration makes has `transactional` and so can be the checkpoint's home. */
  home?(config: FromSchema<S>): boolean;
}

export type TransformPart<S extends ObjectSchema = ObjectSchema> = Part<S, Transform>;

/** A part as the engine holds it: its configuration was validated by `config`, so its type is known to the part alone. */
interface LoadedPart<T> {
  readonly config: ObjectSchema;
  create(config: unknown, context: Context): T | Promise<T>;
  check?(config: unknown, context: Context): Promise<readonly CheckResult[]>;
  readonly auth?: readonly Auth['type'][];
  noEffect?(given: Readonly<Record<string, unknown>>): readonly NoEffect[];
  place?(config: unknown): string | readonly string[] | undefined;
}

export interface LoadedSourcePart extends LoadedPart<Source> {
  readonly positionVersion: number;
  readonly batch?: readonly BatchSetting[];
  readonly requests?: readonly SourceRequest['type'][];
  upgradePosition?(position: Json, fromVersion: number): Json;
  checkPosition?(position: Json): void;
}

export interface LoadedSinkPart extends LoadedPart<Sink> {
  home?(config: unknown): boolean;
}

export interface PluginDefinition {
  readonly name: string;
  readonly source?: LoadedSourcePart;
  readonly sink?: LoadedSinkPart;
  readonly transform?: LoadedPart<Transform>;
  readonly language?: Language;
}

const BRAND = Symbol.for('sluice.plugin');

/**
 * Types, brands and freezes a plugin's definition. The default export of a plugin.
 *
 * @example
 * export default definePlugin({
 *   name: 'blackhole',
 *   sink: {
 *     config: { type: 'object', additionalProperties: false, properties: {} },
 *     create: () => ({ keyed: false, write: async (batch) => allOk(batch.length), async [Symbol.asyncDispose]() {} }),
 *   },
 * });
 */
export function definePlugin<
  const SourceSchema extends ObjectSchema,
  const SinkSchema extends ObjectSchema,
  const TransformSchema extends ObjectSchema,
  P extends Json,
>(definition: {
  readonly name: string;
  readonly source?: SourcePart<SourceSchema, P>;
  readonly sink?: SinkPart<SinkSchema>;
  readonly transform?: TransformPart<TransformSchema>;
  readonly language?: Language;
}): PluginDefinition {
  return Object.freeze({ ...definition, [BRAND]: true }) as unknown as PluginDefinition;
}

export function isPluginDefinition(value: unknown): value is PluginDefinition {
  return typeof value === 'object' && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true;
}
