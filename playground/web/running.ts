// Running: the events after each change; then, when nothing more happens, the tests, and the events once more to measure what
// each takes. Keeps drafts and history as it goes.

import { ApiError } from './api-client.ts';
import { compared } from './compare.ts';
import { type Desk, LISTED } from './desk.ts';
import { withEntry } from './history.ts';
import type { LanguageName } from './language-names.ts';
import { createLiveRun } from './live-run.ts';
import { itemsOf, type RunAnswer, type State, stepOf } from './state.ts';
import { draftSteps, isDirty, type KeptStep, sourceOf, type Version } from './steps.ts';

/** ms after the last run until the tests run and costs are measured, and until a draft that ran goes into the history. */
const REST_PAUSE = 300;
const HISTORY_PAUSE = 2000;

export type Running = ReturnType<typeof createRunning>;

/** `tab`: the name under which the server knows that a newer run replaces an older one. */
export function createRunning(desk: Desk, tab: string) {
  const { store, api, complain } = desk;

  /** What a run is asked for now. */
  function wanted() {
    const { stream, chain, at, session } = store.get();
    const items = itemsOf(store.get()).slice(0, session?.run_limits.events ?? LISTED);
    const until = chain[at]?.id;
    const body = {
      tab,
      stream,
      steps: draftSteps(chain),
      events: items.map((one) => one.given),
      ...(until === undefined ? {} : { until }),
    };
    return { refs: items.map((one) => one.ref), body };
  }

  /** What follows a run, until the next one begins. */
  let rest = new AbortController();
  const live = createLiveRun<{ readonly refs: readonly string[]; readonly answer: RunAnswer } | null>({
    async run(signal) {
      rest.abort();
      rest = new AbortController();
      const { refs, body } = wanted();
      if (refs.length === 0) return null;
      store.send({ type: 'running' });
      return { refs, answer: await api.call('run', { body, signal }) };
    },
    done(ran) {
      if (ran === null) return;
      store.send({ type: 'ran', ...ran });
      // a cold start on a busy machine can take all of a run's time: the second try finds everything in place
      const none = ran.answer.stopped !== undefined && ran.answer.results.every((one) => one.fate === 'not_run');
      if (none && tried !== store.get().version) {
        tried = store.get().version;
        live.ask(false);
      }
      if (ran.answer.problem === undefined) remember();
    },
    failed(error) {
      if (error instanceof ApiError && error.status !== 401) {
        if (error.error.code !== 'E_PLAYGROUND_REPLACED') store.send({ type: 'run-failed', error: error.error });
      } else complain(error);
    },
  });

  let typed = false;
  /** The step whose tests were asked for and have not come yet. */
  let asked: string | null = null;
  /** The version that was run again because its time was over before its first event. */
  let tried = -1;
  let restTimer: ReturnType<typeof setTimeout> | undefined;
  const unsubscribe = store.subscribe((state, before) => {
    if (state.version !== before.version) {
      live.ask(typed);
      typed = false;
    }
    if (state.chain !== before.chain) keepDrafts(state);
    const step = stepOf(state);
    if (step !== null && step.disk !== null && state.tests.transform !== step.id && asked !== step.id)
      void listTests(step.id);
    if (state.run === before.run) return;
    clearTimeout(restTimer);
    if (state.run.running || state.run.stale || state.run.measured || state.run.results.size === 0) return;
    restTimer = setTimeout(() => {
      void measure();
      if ((store.get().tests.answer?.tests.length ?? 0) > 0) void runTests();
    }, REST_PAUSE);
  });

  /** The same run once more, with a call for each event: what is looked at while typing need not wait for that. */
  async function measure(): Promise<void> {
    const { signal } = rest;
    const { refs, body } = wanted();
    try {
      const answer = await api.call('run', { body: { ...body, measured: true }, signal });
      if (!signal.aborted) store.send({ type: 'measured', refs, results: answer.results });
    } catch (error) {
      // a run of this tab may end it; what it found nobody missed
      if (!(error instanceof ApiError)) complain(error);
    }
  }

  /** Keeps what differs from the disk, and forgets what does not. */
  function keepDrafts(state: State): void {
    const kept: Record<string, KeptStep> = {};
    for (const step of state.chain) {
      if (isDirty(step) && step.editable)
        kept[step.id] = {
          language: step.type as LanguageName,
          source: sourceOf(step),
          scope: step.scope,
          base: step.disk?.hash ?? '',
        };
    }
    desk.shelf().keepDrafts(state.stream, kept);
  }

  let historyTimer: ReturnType<typeof setTimeout> | undefined;
  /** Into the history, once typing has paused for longer. */
  function remember(): void {
    clearTimeout(historyTimer);
    historyTimer = setTimeout(keepDraft, HISTORY_PAUSE);
  }

  function keepDraft(): void {
    const state = store.get();
    const step = stepOf(state);
    if (step === null || !step.editable || !isDirty(step)) return;
    const entry = { at: Date.now(), step: step.id, language: step.type as LanguageName, source: sourceOf(step) };
    const history = withEntry(state.history, entry);
    if (history === state.history) return;
    desk.shelf().keepHistory(history);
    store.send({ type: 'history', history });
  }

  /** The events through the code of now, and through another version of the step that is open. */
  async function compare({ name, step }: Version): Promise<void> {
    const { version, at } = store.get();
    const { refs, body } = wanted();
    // what is on the screen may be of the code before the last key
    const run = async (steps: typeof body.steps, called: string): Promise<RunAnswer['results']> => {
      const answer = await api.call('run', { body: { ...body, tab: `${tab}-other`, steps } });
      if (answer.problem === undefined) return answer.results;
      throw new Error(`${called} does not load: ${answer.problem.message}`);
    };
    const ours = await run(body.steps, 'the code');
    const theirs = await run(body.steps.with(at, step), name);
    if (store.get().version === version)
      store.send({ type: 'compared', comparison: compared(name, refs, ours, theirs) });
  }

  async function listTests(transform: string): Promise<void> {
    asked = transform;
    try {
      const answer = await api.call('tests', { query: { transform } });
      if (stepOf(store.get())?.id !== transform) return;
      store.send({ type: 'tests', transform, answer });
      // before the events have run, their end starts the tests: what is looked at first has the machine for itself
      const { run } = store.get();
      if (answer.tests.length > 0 && !run.running && run.results.size > 0) await runTests();
    } catch (error) {
      store.send({ type: 'tests', transform, answer: { file: '', exists: false, tests: [], findings: [] } });
      complain(error);
    } finally {
      if (asked === transform) asked = null;
    }
  }

  async function runTests(): Promise<void> {
    const step = stepOf(store.get());
    if (step === null || step.disk === null) return;
    const { signal } = rest;
    store.send({ type: 'testing' });
    try {
      const draft = draftSteps([step])[0]!;
      const answer = await api.call('runTests', {
        body: { transform: step.id, ...(draft.source === undefined ? {} : { step: draft }) },
        signal,
      });
      store.send({ type: 'tested', results: stepOf(store.get())?.id === step.id ? answer.results : [] });
    } catch (error) {
      // a newer run has ended them: those of before stay, and the newer one brings its own
      const kept = signal.aborted ? [...store.get().tests.results.values()] : [];
      store.send({ type: 'tested', results: kept });
      if (!signal.aborted) complain(error);
    }
  }

  return {
    edit(source: string): void {
      typed = true;
      store.send({ type: 'edit', source });
    },
    run: () => live.ask(false),
    /** Into the history, now. */
    keepDraft,
    runTests,
    listTests,
    compare,
    stop(): void {
      live.stop();
      rest.abort();
      clearTimeout(restTimer);
      unsubscribe();
    },
  };
}
