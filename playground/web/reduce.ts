// Every way in which the page's state changes: one reducer over plain data. It does nothing by itself: work.ts talks to the
// server and the browser, and tells what came of it by actions. So each rule here is a unit test.

import type {
  PlaygroundError,
  PlaygroundLetter,
  PlaygroundReplay,
  PlaygroundTestResult,
  RunResult,
} from '../server/api.ts';
import type { Comparison } from './compare.ts';
import type { HistoryEntry } from './history.ts';
import type { LanguageName } from './language-names.ts';
import {
  type CaptureState,
  type DialogName,
  EDGES,
  type Edge,
  type Item,
  itemsOf,
  noRun,
  noTests,
  type Origin,
  type Preview,
  type RunAnswer,
  type RunState,
  type Scope,
  type Session,
  type State,
  stepOf,
  type Tab,
  type TestsAnswer,
  type Theme,
  type View,
} from './state.ts';
import { chainOf, isDirty, type KeptStep, type Step } from './steps.ts';

export type Action =
  | { readonly type: 'opened'; readonly session: Session; readonly drafts: Readonly<Record<string, KeptStep>> }
  | { readonly type: 'lost'; readonly kind: 'token' | 'gone'; readonly message: string }
  | { readonly type: 'found' }
  | { readonly type: 'session'; readonly session: Session }
  | { readonly type: 'stream'; readonly stream: string; readonly drafts: Readonly<Record<string, KeptStep>> }
  | { readonly type: 'origin'; readonly origin: Origin }
  | {
      readonly type: 'listed';
      readonly items: readonly Item[];
      readonly total: number;
      readonly more?: boolean;
      readonly asked?: string;
    }
  | { readonly type: 'pasted'; readonly items: readonly Item[] }
  | { readonly type: 'pinned'; readonly ref: string; readonly pinned: boolean }
  | { readonly type: 'filter'; readonly filter: string }
  | { readonly type: 'select'; readonly ref: string }
  | { readonly type: 'move'; readonly by: number }
  | { readonly type: 'step'; readonly at: number }
  | { readonly type: 'edit'; readonly source: string }
  | { readonly type: 'language'; readonly language: LanguageName; readonly start: string }
  | { readonly type: 'scope'; readonly scope: Scope }
  | { readonly type: 'draft'; readonly language: LanguageName; readonly source: string; readonly scope?: Scope }
  | { readonly type: 'add-step'; readonly id: string; readonly language: LanguageName; readonly source: string }
  | { readonly type: 'drop-step' }
  | { readonly type: 'saved'; readonly id: string; readonly source: string; readonly hash: string }
  | { readonly type: 'conflict'; readonly id: string; readonly source: string; readonly hash: string }
  | { readonly type: 'take-disk' }
  | { readonly type: 'running' }
  | { readonly type: 'ran'; readonly refs: readonly string[]; readonly answer: RunAnswer }
  | { readonly type: 'measured'; readonly refs: readonly string[]; readonly results: readonly RunResult[] }
  | { readonly type: 'compared'; readonly comparison: Comparison }
  | { readonly type: 'run-failed'; readonly error: PlaygroundError }
  | { readonly type: 'problem'; readonly at: number }
  | { readonly type: 'tests'; readonly transform: string; readonly answer: TestsAnswer }
  | { readonly type: 'testing' }
  | { readonly type: 'tested'; readonly results: readonly PlaygroundTestResult[] }
  | { readonly type: 'letters'; readonly letters: readonly PlaygroundLetter[] }
  | { readonly type: 'replayed'; readonly letter: number; readonly dry: boolean; readonly replay: PlaygroundReplay }
  | { readonly type: 'capture'; readonly capture: CaptureState | null }
  | { readonly type: 'preview'; readonly preview: Preview | null }
  | { readonly type: 'history'; readonly history: readonly HistoryEntry[] }
  | { readonly type: 'view'; readonly view: View }
  | { readonly type: 'whole'; readonly whole: boolean }
  | { readonly type: 'tab'; readonly tab: Tab }
  | { readonly type: 'below'; readonly below: 'problems' | 'console' }
  | { readonly type: 'dialog'; readonly dialog: DialogName | null }
  | { readonly type: 'busy'; readonly busy: string | null }
  | { readonly type: 'notice'; readonly text: string; readonly bad: boolean }
  | { readonly type: 'theme'; readonly theme: Theme }
  | { readonly type: 'large'; readonly large: boolean }
  | { readonly type: 'edge'; readonly edge: Edge; readonly at: number };

export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case 'opened': {
      const stream = action.session.streams[0]?.id ?? '';
      return rerun({
        ...state,
        session: action.session,
        lost: null,
        stream,
        chain: chainOf(action.session, stream, action.drafts),
        at: 0,
      });
    }
    case 'lost':
      return { ...state, lost: { kind: action.kind, message: action.message }, run: { ...state.run, running: false } };
    case 'found':
      return state.lost === null ? state : rerun({ ...state, lost: null });
    case 'session':
      return onDisk({ ...state, session: action.session });
    case 'stream':
      return rerun({
        ...state,
        stream: action.stream,
        chain: chainOf(state.session, action.stream, action.drafts),
        at: 0,
        listed: [],
        total: 0,
        more: false,
        asked: '',
        pasted: [],
        selected: null,
        run: noRun,
        tests: noTests,
        replay: null,
      });
    case 'origin':
      return {
        ...state,
        origin: action.origin,
        listed: [],
        total: 0,
        more: false,
        asked: '',
        selected: null,
        run: noRun,
        replay: null,
      };
    case 'listed': {
      const { items: listed, total, more = false, asked = '' } = action;
      return selecting(rerun({ ...state, listed, total, more, asked }));
    }
    case 'pasted':
      return selecting(
        rerun({
          ...state,
          pasted: [...action.items, ...state.pasted],
          selected: action.items[0]?.ref ?? state.selected,
        }),
      );
    case 'pinned':
      return {
        ...state,
        listed: state.listed.map((one) => (one.ref === action.ref ? { ...one, pinned: action.pinned } : one)),
      };
    case 'filter':
      return { ...state, filter: action.filter };
    case 'select':
      return {
        ...state,
        selected: action.ref,
        replay: state.replay !== null && letterOf(state, action.ref) === state.replay.letter ? state.replay : null,
      };
    case 'move': {
      const items = itemsOf(state);
      const now = items.findIndex((one) => one.ref === state.selected);
      const next = items[Math.min(items.length - 1, Math.max(0, now + action.by))];
      return next === undefined ? state : reduce(state, { type: 'select', ref: next.ref });
    }
    case 'step': {
      if (action.at < 0 || action.at >= state.chain.length || action.at === state.at) return state;
      return rerun({ ...state, at: action.at, tests: noTests, problemAt: -1 });
    }
    case 'edit':
      return changed(state, (step) => ({ ...step, drafts: { ...step.drafts, [step.type]: action.source } }));
    case 'language':
      return changed(state, (step) => ({
        ...step,
        type: action.language,
        drafts: { [action.language]: action.start, ...step.drafts },
      }));
    case 'scope':
      return changed(state, (step) => ({ ...step, scope: action.scope }));
    case 'draft':
      return changed(state, (step) => ({
        ...step,
        type: action.language,
        scope: action.scope ?? step.scope,
        drafts: { ...step.drafts, [action.language]: action.source },
      }));
    case 'add-step': {
      const step: Step = {
        id: action.id,
        type: action.language,
        scope: 'row',
        drafts: { [action.language]: action.source },
        editable: true,
        disk: null,
        conflict: null,
      };
      const at = state.chain.length === 0 ? 0 : state.at + 1;
      return rerun({ ...state, chain: state.chain.toSpliced(at, 0, step), at, tests: noTests });
    }
    case 'drop-step':
      return rerun({
        ...state,
        chain: state.chain.toSpliced(state.at, 1),
        at: Math.max(0, Math.min(state.at, state.chain.length - 2)),
        tests: noTests,
      });
    case 'saved':
      return stepWith(state, action.id, (step) => ({
        ...step,
        disk: step.disk === null ? null : { ...step.disk, source: action.source, hash: action.hash },
        conflict: null,
      }));
    case 'conflict':
      return stepWith(state, action.id, (step) => ({
        ...step,
        conflict: { source: action.source, hash: action.hash },
      }));
    case 'take-disk':
      return changed(state, (step) => {
        if (step.disk === null) return step;
        const disk = step.conflict === null ? step.disk : { ...step.disk, ...step.conflict };
        return {
          ...step,
          type: disk.type,
          scope: disk.scope,
          disk,
          drafts: { ...step.drafts, [disk.type]: disk.source },
          conflict: null,
        };
      });
    case 'running':
      return { ...state, run: { ...state.run, running: true } };
    case 'ran':
      return afterRun(state, action.refs, action.answer);
    case 'measured':
      return { ...state, run: withCosts(state.run, action.refs, action.results) };
    case 'compared':
      return { ...state, comparison: action.comparison };
    case 'run-failed':
      return {
        ...state,
        run: { ...state.run, running: false, stale: true, problem: { error: action.error, step: '' } },
      };
    case 'problem':
      return { ...state, problemAt: action.at };
    case 'tests':
      return {
        ...state,
        tests: {
          ...(state.tests.transform === action.transform ? state.tests : noTests),
          transform: action.transform,
          answer: action.answer,
        },
      };
    case 'testing':
      return { ...state, tests: { ...state.tests, running: true } };
    case 'tested':
      return {
        ...state,
        tests: { ...state.tests, running: false, results: new Map(action.results.map((one) => [one.name, one])) },
      };
    case 'letters':
      return { ...state, letters: new Map([...state.letters, ...action.letters.map((one) => [one.id, one] as const)]) };
    case 'replayed':
      return { ...state, replay: { letter: action.letter, dry: action.dry, replay: action.replay } };
    case 'capture':
      return { ...state, capture: action.capture };
    case 'preview':
      return { ...state, preview: action.preview };
    case 'history':
      return { ...state, history: action.history };
    case 'view':
      return { ...state, view: action.view };
    case 'whole':
      return { ...state, whole: action.whole };
    case 'tab':
      return { ...state, tab: action.tab };
    case 'below':
      return { ...state, below: action.below };
    case 'dialog':
      return { ...state, dialog: action.dialog };
    case 'busy':
      return { ...state, busy: action.busy };
    case 'notice':
      return { ...state, notice: { text: action.text, bad: action.bad } };
    case 'theme':
      return { ...state, theme: action.theme };
    case 'large':
      return { ...state, large: action.large };
    case 'edge': {
      const { least, most } = EDGES[action.edge];
      return { ...state, edges: { ...state.edges, [action.edge]: Math.min(most, Math.max(least, action.at)) } };
    }
  }
}

function letterOf(state: State, ref: string): number | null {
  return itemsOf(state).find((one) => one.ref === ref)?.letter ?? null;
}

function rerun(state: State): State {
  return { ...state, version: state.version + 1, comparison: null };
}

/** Changes the step that is edited. */
function changed(state: State, change: (step: Step) => Step): State {
  const step = stepOf(state);
  if (step === null) return state;
  return rerun({ ...state, chain: state.chain.with(state.at, change(step)), replay: null });
}

function stepWith(state: State, id: string, change: (step: Step) => Step): State {
  return { ...state, chain: state.chain.map((step) => (step.id === id ? change(step) : step)) };
}

/** Keeps the selection where it is as long as its event is there. */
function selecting(state: State): State {
  const items = itemsOf(state);
  if (items.some((one) => one.ref === state.selected)) return state;
  return { ...state, selected: items[0]?.ref ?? null };
}

/** The files changed: untouched steps follow them, drafts are told. */
function onDisk(state: State): State {
  const ids = state.session?.streams.find((one) => one.id === state.stream)?.transformations ?? [];
  let any = false;
  const known = new Map(state.chain.map((step) => [step.id, step]));
  const now = chainOf(state.session, state.stream, {}).map((next): Step => {
    const step = known.get(next.id);
    if (step === undefined) {
      any = true;
      return next;
    }
    const disk = next.disk!;
    if (step.disk?.hash === disk.hash && step.disk.type === disk.type && step.disk.scope === disk.scope) return step;
    any = true;
    if (!isDirty(step)) return { ...next, drafts: { ...step.drafts, ...next.drafts } };
    const told = { ...step, disk };
    return isDirty(told)
      ? { ...told, disk: step.disk ?? disk, conflict: { source: disk.source, hash: disk.hash } }
      : { ...told, conflict: null };
  });
  // steps that were never written stay where they were
  const chain = state.chain.reduce<readonly Step[]>(
    (all, step, i) => (step.disk === null && !ids.includes(step.id) ? all.toSpliced(i, 0, step) : all),
    now,
  );
  const next = { ...state, chain, at: Math.min(state.at, Math.max(0, chain.length - 1)) };
  return any || chain.length !== state.chain.length ? rerun(next) : next;
}

function afterRun(state: State, refs: readonly string[], answer: RunAnswer): State {
  const problem =
    answer.problem === undefined ? null : { error: answer.problem, step: answer.step ?? stepOf(state)?.id ?? '' };
  const done: Pick<RunState, 'running' | 'problem' | 'stopped' | 'ms' | 'measured' | 'logsDropped'> = {
    running: false,
    problem,
    stopped: answer.stopped ?? null,
    ms: answer.ms,
    measured: false,
    logsDropped: answer.logs_dropped ?? 0,
  };
  // what was seen stays on the screen, and says that it is old
  if (problem !== null) return { ...state, run: { ...state.run, ...done, stale: true } };
  const results = new Map<string, RunResult>();
  for (const [i, ref] of refs.entries()) {
    const { ms, memory } = state.run.results.get(ref) ?? {};
    // what it took before stands there, and says so, until it is measured anew
    if (answer.results[i] !== undefined) results.set(ref, withCost(answer.results[i], ms, memory));
  }
  return { ...state, run: { ...done, results, stale: false }, problemAt: -1 };
}

function withCosts(run: RunState, refs: readonly string[], measured: readonly RunResult[]): RunState {
  const results = new Map(run.results);
  for (const [i, ref] of refs.entries()) {
    const known = results.get(ref);
    if (known !== undefined) results.set(ref, withCost(known, measured[i]?.ms, measured[i]?.memory));
  }
  return { ...run, results, measured: true };
}

function withCost(result: RunResult, ms: number | undefined, memory: number | undefined): RunResult {
  const { ms: _, memory: __, ...rest } = result;
  return { ...rest, ...(ms === undefined ? {} : { ms }), ...(memory === undefined ? {} : { memory }) };
}
