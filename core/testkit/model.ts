// What a plugin's author gives to the conformance kit: stages, which are fresh places to read or write, made for each check.
// Types only.

import type { ChangeEvent, Column, Op } from '../event.ts';
import type { Auth } from '../plugin.ts';
import type { Json, Row } from '../values.ts';

/** vitest's or node:test's own functions: the kit needs no more of a test runner. */
export interface TestTools {
  describe(name: string, body: () => void): unknown;
  test: ((name: string, body: () => Promise<void>) => unknown) & {
    skip(name: string, body: () => Promise<void>): unknown;
  };
}

/** A configuration that cannot work (nobody listens there) and holds a secret that must not come out. */
export interface Broken {
  readonly config: unknown;
  readonly auth?: Auth;
  readonly secret: string;
}

interface Stage extends AsyncDisposable {
  /** As a manifest would say it, with absolute paths; checked and decoded by the part's own schema. */
  readonly config: unknown;
  readonly auth?: Auth;
  readonly broken?: Broken;
}

export interface SourceStage extends Stage {
  /** How many events a read from the beginning gives, those that cannot be read with them. At least 5, better 20. */
  readonly events: number;
  /** How many of them the source cannot read. */
  readonly unreadable?: number;
  /** Whether reading ends by itself after them. */
  readonly ends: boolean;
  /** Makes n more events in the real system, for a source that does not end. */
  change?(n: number): Promise<void>;
}

export interface SinkStage extends Stage {
  /** What stands in the sink now: equal exactly when the content is equal. */
  readBack(): Promise<Json>;
  /** The source table of the events; `kit` by default. */
  readonly table?: string;
  /** Row n in a version; its key is `{ id: n }`. By default `{ id, name, note }`. */
  row?(n: number, version: number): Row;
  readonly columns?: readonly Column[];
  /** The ops that it takes: `c`, `u`, `d` by default. */
  readonly ops?: readonly Op[];
  /** Makes of a good event one that this sink must reject. */
  rejected?(event: ChangeEvent): ChangeEvent;
}

export interface ConformanceOptions {
  /** The plugin's folder: its package.json, its README and the module that package.json names are looked at. */
  readonly folder: string | URL;
  readonly source?: () => Promise<SourceStage>;
  readonly sink?: () => Promise<SinkStage>;
  /** Packages that it may load as soon as it is imported. A driver is none of them. */
  readonly eager?: readonly string[];
  /** How long a check waits for an event or an answer before it fails, in ms: 20000. */
  readonly patience?: number;
  /** The sink writes its data to standard output, so that its writes there are no mistake. */
  readonly writesStdout?: boolean;
  /** Checks that it does not pass, each with its reason: shown as skipped. */
  readonly waive?: Readonly<Record<string, string>>;
}
