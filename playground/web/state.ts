// All that the page knows, as plain data: what it looks like at the start, and what is read off it. Every way in which it
// changes is in reduce.ts, and what is done in work.ts.

import type {
  Body,
  GivenEvent,
  PlaygroundError,
  PlaygroundEvent,
  PlaygroundLetter,
  PlaygroundReplay,
  PlaygroundTestResult,
  Response,
  RunResult,
} from '../server/api.ts';
import type { Comparison } from './compare.ts';
import type { HistoryEntry } from './history.ts';
import type { Step } from './steps.ts';

export type Session = Response<'session'>;
export type Transformation = Session['transformations'][number];
export type RunAnswer = Response<'run'>;
export type TestsAnswer = Response<'tests'>;
export type Preview = Response<'preview'>;
export type DraftStep = NonNullable<Body<'run'>['steps']>[number];
export type Scope = 'row' | 'event';

/** An event of the list. `ref` is the page's own name for it where the server has none (pasted, shared). */
export interface Item {
  readonly ref: string;
  readonly given: GivenEvent;
  readonly origin: PlaygroundEvent['origin'] | 'pasted';
  readonly op: string;
  readonly table: string;
  readonly key: string;
  readonly text: string;
  readonly pinned: boolean;
  readonly letter: number | null;
}

export interface RunState {
  readonly running: boolean;
  /** By the ref of the item. */
  readonly results: ReadonlyMap<string, RunResult>;
  readonly problem: { readonly error: PlaygroundError; readonly step: string } | null;
  readonly stopped: PlaygroundError | null;
  /** The results are of an earlier text: the one of now does not load, or nobody answers. */
  readonly stale: boolean;
  readonly ms: { readonly compile: number; readonly run: number } | null;
  /** The results say what each event took. */
  readonly measured: boolean;
  readonly logsDropped: number;
}

export interface TestsState {
  readonly transform: string;
  readonly answer: TestsAnswer | null;
  readonly results: ReadonlyMap<string, PlaygroundTestResult>;
  readonly running: boolean;
}

export interface CaptureState {
  readonly capture: number;
  readonly events: number;
  readonly state: 'running' | 'done' | 'failed';
  readonly error: PlaygroundError | null;
}

/** auto: a diff where most of the row is kept, else both sides. */
export type View = 'auto' | 'sides' | 'diff';
export type Tab = 'events' | 'transform' | 'output' | 'problems' | 'tests';
export type Origin = 'captures' | 'dead_letters';
/** left: the width of the left column. top: the height of code and problems. In percent of the desk. */
export type Edge = 'left' | 'top';
export const EDGES: Readonly<Record<Edge, { readonly least: number; readonly most: number; readonly start: number }>> =
  {
    left: { least: 15, most: 60, start: 24 },
    top: { least: 25, most: 85, start: 62 },
  };
export type Theme = 'system' | 'light' | 'dark';
export type DialogName =
  | 'palette'
  | 'keys'
  | 'export'
  | 'share'
  | 'save-test'
  | 'history'
  | 'conflict'
  | 'paste'
  | 'add-step';

export interface State {
  readonly session: Session | null;
  /** Why nothing can be shown: no token, or the server is gone. */
  readonly lost: { readonly kind: 'token' | 'gone'; readonly message: string } | null;
  readonly stream: string;
  readonly chain: readonly Step[];
  readonly at: number;
  readonly origin: Origin;
  /** What the server listed, and before it what was pasted here. */
  readonly listed: readonly Item[];
  readonly pasted: readonly Item[];
  readonly total: number;
  /** Older ones are stored, which the server did not look at. */
  readonly more: boolean;
  readonly filter: string;
  /** What the listed events were filtered by, where the server has more than it lists. */
  readonly asked: string;
  readonly selected: string | null;
  readonly run: RunState;
  /** Counts what a run depends on: a change of it asks for one. */
  readonly version: number;
  readonly problemAt: number;
  /** With another version of the step, of the code as it is now. */
  readonly comparison: Comparison | null;
  readonly tests: TestsState;
  readonly letters: ReadonlyMap<number, PlaygroundLetter>;
  readonly replay: { readonly letter: number; readonly dry: boolean; readonly replay: PlaygroundReplay } | null;
  readonly capture: CaptureState | null;
  readonly preview: Preview | null;
  readonly history: readonly HistoryEntry[];
  readonly view: View;
  readonly whole: boolean;
  readonly tab: Tab;
  readonly below: 'problems' | 'console';
  readonly dialog: DialogName | null;
  /** Work that a button waits for. */
  readonly busy: string | null;
  /** What just happened, or failed: shown until the next one. */
  readonly notice: { readonly text: string; readonly bad: boolean } | null;
  readonly theme: Theme;
  readonly large: boolean;
  readonly edges: Readonly<Record<Edge, number>>;
}

export const noRun: RunState = {
  running: false,
  results: new Map(),
  problem: null,
  stopped: null,
  stale: false,
  ms: null,
  measured: false,
  logsDropped: 0,
};
export const noTests: TestsState = { transform: '', answer: null, results: new Map(), running: false };

export const initial: State = {
  session: null,
  lost: null,
  stream: '',
  chain: [],
  at: 0,
  origin: 'captures',
  listed: [],
  pasted: [],
  total: 0,
  more: false,
  filter: '',
  asked: '',
  selected: null,
  run: noRun,
  version: 0,
  problemAt: -1,
  comparison: null,
  tests: noTests,
  letters: new Map(),
  replay: null,
  capture: null,
  preview: null,
  history: [],
  view: 'auto',
  whole: false,
  tab: 'transform',
  below: 'problems',
  dialog: null,
  busy: null,
  notice: null,
  theme: 'system',
  large: false,
  edges: { left: EDGES.left.start, top: EDGES.top.start },
};

/** What is run and listed: pasted events first. */
export function itemsOf(state: Pick<State, 'pasted' | 'listed'>): readonly Item[] {
  return state.pasted.length === 0 ? state.listed : [...state.pasted, ...state.listed];
}

/** Why the manifest on disk is not the one that is open; empty: it is. */
export function manifestErrors(session: Session | null): Session['manifest']['findings'] {
  return session?.manifest.findings.filter(({ severity }) => severity === 'error') ?? [];
}

/** How many pending dead letters hold what their source could not read, and so no event to list. */
export function eventlessLetters({ letters, stream, origin }: Pick<State, 'letters' | 'stream' | 'origin'>): number {
  if (origin !== 'dead_letters') return 0;
  const pending = [...letters.values()].filter((one) => one.stream === stream && one.status === 'pending');
  return pending.filter(({ place, event }) => place.kind === 'source' && !isEnvelope(event)).length;
}

function isEnvelope(text: string): boolean {
  try {
    return Object.hasOwn(JSON.parse(text) as object, 'source');
  } catch {
    return false;
  }
}

export function stepOf(state: Pick<State, 'chain' | 'at'>): Step | null {
  return state.chain[state.at] ?? null;
}
