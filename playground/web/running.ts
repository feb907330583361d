// Running: the events after each change, then the tests. Keeps drafts and history as it goes.

import { ApiError } from './api-client.ts';
import { type Desk, LISTED } from './desk.ts';
import { withEntry } from './history.ts';
import type { LanguageName } from './language-names.ts';
import { createLiveRun } from './live-run.ts';
import { itemsOf, type RunAnswer, type State, stepOf } from './state.ts';
import { draftSteps, isDirty, type KeptStep, sourceOf } from './steps.ts';

/** ms after the last run until the tests run, and until a draft that ran goes into the history. */
const TEST_PAUSE = 300;
const HISTORY_PAUSE = 2000;

export type Running = ReturnType<typeof createRunning>;

/** `tab`: the name under which the server knows that a newer run replaces an older one. */
export function createRunning(desk: Desk, tab: string) {
  const { store, api, complain } = desk;

  const live = createLiveRun<{ readonly refs: readonly string[]; readonly answer: RunAnswer } | null>({
    async run(signal) {
      const { stream, chain, at, session } = store.get();
      const items = itemsOf(store.get()).slice(0, session?.run_limits.events ?? LISTED);
      if (items.length === 0) return null;
      store.send({ type: 'running' });
      const until = chain[at]?.id;
      const body = {
        tab,
        stream,
        steps: draftSteps(chain),
        events: items.map((one) => one.given),
        ...(until === undefined ? {} : { until }),
      };
      return { refs: items.map((one) => one.ref), answer: await api.call('run', { body, signal }) };
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
  let testTimer: ReturnType<typeof setTimeout> | undefined;
  const unsubscribe = store.subscribe((state, before) => {
    if (state.version !== before.version) {
      live.ask(typed);
      typed = false;
    }
    if (state.chain !== before.chain) keepDrafts(state);
    const step = stepOf(state);
    if (step !== null && step.disk !== null && state.tests.transform !== step.id && asked !== step.id)
      void listTests(step.id);
    // the tests follow a run that came through, when nothing more happens
    if (
      state.run !== before.run &&
      !state.run.running &&
      !state.run.stale &&
      (state.tests.answer?.tests.length ?? 0) > 0
    ) {
      clearTimeout(testTimer);
      testTimer = setTimeout(() => void runTests(), TEST_PAUSE);
    }
  });

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
    historyTimer = setTimeout(() => {
      const state = store.get();
      const step = stepOf(state);
      if (step === null || !step.editable || !isDirty(step)) return;
      const entry = { at: Date.now(), step: step.id, language: step.type as LanguageName, source: sourceOf(step) };
      const history = withEntry(state.history, entry);
      if (history === state.history) return;
      desk.shelf().keepHistory(history);
      store.send({ type: 'history', history });
    }, HISTORY_PAUSE);
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
    const before = step;
    store.send({ type: 'testing' });
    try {
      const draft = draftSteps([step])[0]!;
      const answer = await api.call('runTests', {
        body: { transform: step.id, ...(draft.source === undefined ? {} : { step: draft }) },
      });
      store.send({ type: 'tested', results: stepOf(store.get())?.id === before.id ? answer.results : [] });
    } catch (error) {
      store.send({ type: 'tested', results: [] });
      complain(error);
    }
  }

  return {
    edit(source: string): void {
      typed = true;
      store.send({ type: 'edit', source });
    },
    run: () => live.ask(false),
    runTests,
    listTests,
    stop(): void {
      live.stop();
      unsubscribe();
    },
  };
}
