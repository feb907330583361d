// The manifest after loading: interpolated, validated, defaults filled in, durations in ms, sizes in bytes, paths absolute,
// references resolved. What the engine reads; schemas/manifest.schema.json is what people write.

import type { ErrorPlace } from '../errors.ts';
import type { Auth, PluginDefinition } from '../plugin.ts';
import type { Json } from '../values.ts';

export type OnError = 'skip' | 'retry' | 'dead_letter' | 'fail_stream';

/** What happens to an event that fails. `retry` tries max_retries times, retry_delay ms apart, then does `then`. */
export interface ErrorHandling {
  readonly on_error: OnError;
  readonly max_retries: number;
  readonly retry_delay: number;
  readonly then: Exclude<OnError, 'retry'>;
  /** The id of a sink of the same stream that gets a copy of the dead letter. */
  readonly dead_letter_destination?: string;
}

/** For absence only (a source, a sink or the network is not there). Without max_attempts it never ends. Delays in ms. */
export interface RetryPolicy {
  readonly max_attempts?: number;
  readonly initial_delay: number;
  readonly max_delay: number;
  readonly backoff_multiplier: number;
  readonly permanent_error_codes: readonly string[];
}

/** All of them are enforced. Times in ms, sizes in bytes. */
export interface TransformLimits {
  readonly timeout: number;
  readonly memory: number;
  readonly output: number;
  readonly fan_out: number;
  readonly logs: number;
  readonly load: number;
  readonly input: number;
  readonly depth: number;
  /** Isolates that may die in a minute before the transform is parked. */
  readonly deaths: number;
}

/** A transformation that runs user code in the sandbox, or one of a plugin (`plugin` is set and `config` is its own). */
export interface TransformRule {
  readonly id: string;
  readonly name?: string;
  /** javascript, typescript, jsonata, kazaam, or the name of a plugin. */
  readonly type: string;
  readonly scope: 'row' | 'event';
  readonly images: 'key' | 'both';
  readonly state: 'reset' | 'keep';
  /** What the author wrote: the text of `file`, or `code`, `expression`, `specification`. */
  readonly source: string;
  /** The file as it stands in errors; for inline code the manifest itself. */
  readonly file: string;
  /** Where inline code begins in the manifest, from 1, so that errors point into it. 1 and 1 for a file. */
  readonly offset: { readonly line: number; readonly column: number };
  /** Absolute: imports of helper modules are relative to it. */
  readonly dir: string;
  /** Absolute: helper modules outside of it are refused. Absent, as in every manifest: they may stand anywhere. */
  readonly within?: string;
  readonly limits: TransformLimits;
  readonly error_handling: ErrorHandling;
  readonly plugin?: PluginDefinition;
  readonly config?: Json;
  readonly at: ErrorPlace;
}

export interface SourceConfig {
  readonly type: string;
  readonly plugin: PluginDefinition;
  readonly auth: Auth | null;
  readonly error_handling: ErrorHandling;
  /** Parse every row, also where nobody needs it parsed. */
  readonly verify: boolean;
  /** Validated by the plugin's own schema. */
  readonly config: unknown;
  readonly at: ErrorPlace;
}

export interface SinkConfig {
  readonly id: string;
  readonly type: string;
  readonly plugin: PluginDefinition;
  readonly auth: Auth | null;
  readonly required: boolean;
  /** For a sink that the commit policy does not need: how long a batch waits for it, in ms. */
  readonly write_timeout: number;
  readonly error_handling: ErrorHandling;
  readonly config: unknown;
  readonly at: ErrorPlace;
}

/** What stands in no capture: columns (`email`, `orders.email`), paths into a row (`address.street`, `*` for any), patterns. */
export interface RedactConfig {
  readonly columns: readonly string[];
  readonly paths: readonly string[];
  readonly patterns: readonly string[];
}

/** A sample of what passes, kept in the state store: at most so many events a second, and the newest of them. */
export interface CaptureConfig {
  readonly per_second: number;
  readonly max_events: number;
  /** Bytes. */
  readonly max_bytes: number;
  /** ms. */
  readonly max_age: number;
}

/** A table of which more than this is rejected is parked. */
export interface TableBudget {
  readonly rejects: number;
  /** ms. */
  readonly per: number;
}

export interface StreamConfig {
  readonly id: string;
  readonly name?: string;
  readonly enabled: boolean;
  readonly source: SourceConfig;
  readonly transformations: readonly TransformRule[];
  readonly sinks: readonly SinkConfig[];
  readonly batch: {
    readonly max_events: number;
    readonly max_bytes: number;
    readonly max_wait: number;
    readonly respect_source_tx: boolean;
  };
  readonly commit_policy: 'all' | 'required' | { readonly quorum: number };
  readonly retry_policy: RetryPolicy;
  /** Absent: no table is parked for what sinks reject. */
  readonly park_after?: TableBudget;
  /** The id of the sink that is the checkpoint's home, or null for the state store. */
  readonly home: string | null;
  readonly dead_letters: { readonly max_bytes: number };
  /** Absent: no captures are taken while the stream runs. */
  readonly capture?: CaptureConfig;
  /** Absent: the defaults of core/capture/redaction.ts. */
  readonly redact?: RedactConfig;
  readonly at: ErrorPlace;
}

export interface ServiceConfig {
  readonly log_level: 'debug' | 'info' | 'warn' | 'error';
  readonly log_format: 'json' | 'text' | 'auto';
  readonly state: { readonly type: 'sqlite'; readonly path: string } | { readonly type: 'memory' };
  readonly metrics_port?: number;
  readonly health_port?: number;
  /** ms. */
  readonly graceful_shutdown_timeout: number;
  readonly max_concurrent_streams: number;
}

export interface Manifest {
  readonly file: string;
  readonly dir: string;
  readonly service: ServiceConfig;
  readonly transformations: readonly TransformRule[];
  readonly streams: readonly StreamConfig[];
  /** Every value that must never be shown: what ${env:…} and ${file:…} gave, and fields that a schema marks secret. */
  readonly secrets: readonly string[];
}
