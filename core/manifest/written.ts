// The manifest as schemas/manifest.schema.json decodes it: what was written, with defaults filled in and units resolved.
// A value that was wrong is absent or stands as its default; model.ts is what comes out at the end. Types only, but for
// the schema itself.

import schema from '../../schemas/manifest.schema.json' with { type: 'json' };
import type { Json } from '../values.ts';
import { type AnySchema, lowered } from './keywords.ts';
import type { CaptureConfig, OnError, ServiceConfig, TransformLimits } from './model.ts';

export const manifestSchema: AnySchema = lowered(schema);

export interface WrittenHandling {
  readonly on_error: OnError;
  readonly max_retries?: number;
  readonly retry_delay: number;
  readonly then: Exclude<OnError, 'retry'>;
  readonly dead_letter_destination?: string;
}

export interface WrittenTransformation {
  readonly id?: string;
  readonly name?: string;
  readonly type?: string;
  readonly file?: string;
  readonly code?: string;
  readonly expression?: string;
  readonly specification?: unknown;
  readonly scope: 'row' | 'event';
  readonly images: 'key' | 'both';
  readonly state: 'reset' | 'keep';
  readonly limits: TransformLimits;
  readonly error_handling: WrittenHandling;
  readonly engine?: string;
  readonly lane?: 'fast' | 'reference';
  readonly constants?: Readonly<Record<string, Json>>;
  readonly packages?: readonly (string | undefined)[];
}

export interface WrittenSource {
  readonly type?: string;
  readonly auth_id?: string;
  readonly error_handling: Pick<WrittenHandling, 'on_error' | 'dead_letter_destination'>;
  readonly verify: boolean;
}

export interface WrittenSink {
  readonly id?: string;
  readonly type?: string;
  readonly auth_id?: string;
  readonly required: boolean;
  readonly write_timeout: number;
  readonly error_handling: WrittenHandling;
}

export interface WrittenStream {
  readonly id?: string;
  readonly name?: string;
  readonly enabled: boolean;
  readonly source?: WrittenSource;
  readonly transformations: readonly (string | undefined)[];
  readonly sinks?: readonly (WrittenSink | undefined)[];
  readonly batch: { max_events: number; max_bytes: number; max_wait: number; respect_source_tx: boolean };
  readonly commit_policy: 'all' | 'required' | { readonly quorum?: number };
  readonly retry_policy: {
    readonly max_attempts?: number;
    readonly initial_delay: number;
    readonly max_delay: number;
    readonly backoff_multiplier: number;
    readonly permanent_error_codes: readonly (string | undefined)[];
  };
  readonly checkpoint?: string;
  readonly dead_letters: { readonly max_bytes: number };
  readonly park_after?: { readonly rejects: number; readonly per: number };
  readonly capture?: CaptureConfig;
  readonly redact?: {
    readonly columns: readonly (string | undefined)[];
    readonly paths: readonly (string | undefined)[];
    readonly patterns: readonly (string | undefined)[];
  };
}

export interface WrittenManifest {
  readonly service: ServiceConfig;
  readonly authentication?: readonly (
    | { readonly id?: string; readonly type?: string; readonly config?: Readonly<Record<string, string>> }
    | undefined
  )[];
  readonly transformations?: readonly (WrittenTransformation | undefined)[];
  readonly streams?: readonly (WrittenStream | undefined)[];
}

/** Keys that the engine takes for itself; all others of a source, sink or plugin transform are the plugin's. */
export const engineKeys = {
  source: ['type', 'auth_id', 'error_handling', 'verify'],
  sink: ['id', 'type', 'auth_id', 'required', 'write_timeout', 'error_handling'],
  transform: ['id', 'name', 'type', 'error_handling'],
} as const;
