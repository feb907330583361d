// What the page does: it talks to the server, to the clipboard and to the browser's storage, and tells the store what came of
// it. The commands of keys.ts end here. No failure is silent: it is a problem, a notice, or the screen that says that nobody answers.

import type { Change, PlaygroundError, PlaygroundEvent } from '../server/api.ts';
import { type Api, ApiError } from './api-client.ts';
import { firstLine, openShelf, withEntry } from './history.ts';
import { layOut, parsedObject, roundedNumber, rowOf, splitEvents } from './json-text.ts';
import type { LanguageName } from './language-names.ts';
import { createLiveRun } from './live-run.ts';
import { type Share, shareFragment } from './share.ts';
import {
  draftSteps,
  type Item,
  isDirty,
  itemsOf,
  type KeptStep,
  needsManifest,
  type Origin,
  type RunAnswer,
  type State,
  type Step,
  sourceOf,
  stepOf,
} from './state.ts';
import type { Store } from './store.ts';

const LISTED = 100;
const TEST_PAUSE = 300;
const AGAIN = 1000;

export type Work = ReturnType<typeof createWork>;

export function createWork(store: Store, api: Api, tab: string) {
  let shelf = openShelf(localStorage, sessionStorage, '');
  const quiet = new AbortController();

  const say = (text: string, bad = false): void => store.send({ type: 'notice', text, bad });
  const complain = (error: unknown): void => {
    if (error instanceof ApiError) {
      const { message, fix } = error.error;
      if (error.status === 401) store.send({ type: 'lost', kind: 'token', message });
      else say(fix === undefined ? message : `${message} (${fix})`, true);
    } else if (error instanceof TypeError) {
      // fetch says no more of a server that is gone than that it failed
      store.send({ type: 'lost', kind: 'gone', message: 'The server does not answer.' });
    } else if (!(error instanceof DOMException && error.name === 'AbortError')) {
      say(error instanceof Error ? error.message : String(error), true);
    }
  };
  /** Work that a person asked for: one at a time, with its name at the button that waits. */
  const doing = async (name: string, work: () => Promise<void>): Promise<void> => {
    if (store.get().busy !== null) return;
    store.send({ type: 'busy', busy: name });
    try {
      await work();
    } catch (error) {
      complain(error);
    } finally {
      store.send({ type: 'busy', busy: null });
    }
  };

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
    shelf.keepDrafts(state.stream, kept);
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
      shelf.keepHistory(history);
      store.send({ type: 'history', history });
    }, 2000);
  }

  async function open(share: Share | null): Promise<void> {
    try {
      const session = await api.call('session');
      shelf = openShelf(localStorage, sessionStorage, session.manifest.file);
      store.send({ type: 'opened', session, drafts: shelf.drafts(session.streams[0]?.id ?? '') });
      store.send({ type: 'history', history: shelf.history() });
      if (share !== null) takeShare(share);
      await listEvents();
      void follow();
    } catch (error) {
      complain(error);
    }
  }

  function takeShare(share: Share): void {
    if (stepOf(store.get()) === null)
      store.send({ type: 'add-step', id: 'shared', language: share.language, source: share.source });
    else store.send({ type: 'draft', language: share.language, source: share.source, scope: share.scope });
    if (share.events.length > 0) store.send({ type: 'pasted', items: share.events.map(pastedItem) });
    say('Opened what the link holds. Your file is as it was.');
  }

  async function listEvents(): Promise<void> {
    const { stream, origin } = store.get();
    if (stream === '') return;
    const answer = await api.call('events', { query: { stream, from: origin, limit: LISTED } });
    if (store.get().stream !== stream || store.get().origin !== origin) return;
    store.send({ type: 'listed', items: answer.events.map(itemOf), total: answer.total });
    if (origin === 'dead_letters') await listLetters();
  }

  async function listLetters(): Promise<void> {
    const { stream } = store.get();
    store.send({
      type: 'letters',
      letters: (await api.call('deadLetters', { query: { stream, limit: 500 } })).dead_letters,
    });
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

  /** Reads what the server tells, for ever; when it is gone, asks again once a second. */
  async function follow(): Promise<void> {
    while (!quiet.signal.aborted) {
      try {
        for await (const change of api.changes(quiet.signal)) {
          store.send({ type: 'found' });
          await heard(change);
        }
      } catch (error) {
        if (quiet.signal.aborted) return;
        if (error instanceof ApiError && error.status === 401) return complain(error);
      }
      store.send({ type: 'lost', kind: 'gone', message: 'The server does not answer.' });
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
    }
  }

  async function heard(change: Change): Promise<void> {
    try {
      if (change.name === 'files') await onFiles(change.data);
      else if (change.name === 'tests') await onTests(change.data.transform);
      else if (change.name === 'dead_letters') await onLetters();
      else {
        const { capture, events, state, error } = change.data;
        store.send({ type: 'capture', capture: { capture, events, state, error: error ?? null } });
        if (state === 'failed') say(error?.message ?? 'The capture failed.', true);
        if (state === 'done') say(`Captured ${events} event${events === 1 ? '' : 's'}. The source was left as it was.`);
        if (state !== 'running' && store.get().origin === 'captures') await listEvents();
      }
    } catch (error) {
      complain(error);
    }
  }

  async function onFiles(data: Extract<Change, { name: 'files' }>['data']): Promise<void> {
    const { session } = store.get();
    if (!data.valid) say('The manifest on disk has errors. What was open before is still open.', true);
    const known = session?.transformations.every((one) => data.transforms[one.id] === one.hash) ?? false;
    if (session?.manifest.hash === data.manifest && known) return;
    store.send({ type: 'session', session: await api.call('session') });
  }

  async function onTests(transform: string): Promise<void> {
    if (stepOf(store.get())?.id === transform) await listTests(transform);
  }

  async function onLetters(): Promise<void> {
    await listLetters();
    if (store.get().origin === 'dead_letters') store.send({ type: 'session', session: await api.call('session') });
  }

  async function saveStep(step: Step, base: string): Promise<boolean> {
    const source = sourceOf(step);
    try {
      const answer = await api.call('saveTransform', { params: { transform: step.id }, body: { source, base } });
      store.send({ type: 'saved', id: step.id, source, hash: answer.hash });
      store.send({ type: 'session', session: await api.call('session') });
      say(`Wrote ${answer.file}.`);
      return true;
    } catch (error) {
      if (!(error instanceof ApiError) || error.disk === null) throw error;
      store.send({ type: 'conflict', id: step.id, source: error.disk.source, hash: error.disk.hash });
      store.send({ type: 'dialog', dialog: 'conflict' });
      return false;
    }
  }

  /** Writes every step that differs. False: a person is asked first. */
  async function saveAll(): Promise<boolean> {
    for (const step of store.get().chain) {
      if (!isDirty(step) || !step.editable) continue;
      if (needsManifest(step)) {
        await openExport();
        return false;
      }
      if (!(await saveStep(step, step.disk?.hash ?? ''))) return false;
    }
    return true;
  }

  async function openExport(): Promise<void> {
    const { stream, chain } = store.get();
    store.send({ type: 'preview', preview: null });
    store.send({ type: 'dialog', dialog: 'export' });
    try {
      store.send({
        type: 'preview',
        preview: await api.call('preview', { body: { stream, steps: draftSteps(chain) } }),
      });
    } catch (error) {
      store.send({ type: 'dialog', dialog: null });
      throw error;
    }
  }

  const copy = async (text: string, what: string): Promise<void> => {
    await navigator.clipboard.writeText(text);
    say(`Copied ${what}.`);
  };

  return {
    open,
    complain,
    listEvents,
    copy: (text: string, what: string) => copy(text, what).catch(complain),
    close() {
      quiet.abort();
      live.stop();
      unsubscribe();
    },
    edit(source: string): void {
      typed = true;
      store.send({ type: 'edit', source });
    },
    run: () => live.ask(false),
    runTests: () => doing('tests', runTests),
    setLanguage(language: LanguageName): void {
      const template = store.get().session?.languages.find((one) => one.name === language)?.template ?? '';
      store.send({ type: 'language', language, start: template });
    },
    addStep(id: string, language: LanguageName): void {
      const template = store.get().session?.languages.find((one) => one.name === language)?.template ?? '';
      store.send({ type: 'add-step', id, language, source: template });
    },
    setStream(stream: string): void {
      store.send({ type: 'stream', stream, drafts: shelf.drafts(stream) });
      void listEvents().catch(complain);
    },
    setOrigin(origin: Origin): void {
      store.send({ type: 'origin', origin });
      void listEvents().catch(complain);
    },
    /** To the step where the letter failed. */
    selectItem(ref: string): void {
      store.send({ type: 'select', ref });
      const state = store.get();
      const item = itemsOf(state).find((one) => one.ref === ref);
      const place = item?.letter == null ? undefined : state.letters.get(item.letter)?.transform;
      const at = place === undefined ? -1 : state.chain.findIndex((step) => step.id === place);
      if (at >= 0) store.send({ type: 'step', at });
    },
    paste(text: string): void {
      try {
        const texts = splitEvents(text);
        const rounded = texts.map(roundedNumber).find((one) => one !== null);
        if (rounded != null) {
          say(`${rounded} would be rounded. Put it in quotes.`, true);
          return;
        }
        const items = texts.map(pastedItem);
        store.send({ type: 'pasted', items });
        store.send({ type: 'dialog', dialog: null });
        say(`Took ${items.length} event${items.length === 1 ? '' : 's'}.`);
      } catch (error) {
        say(`That is not JSON: ${(error as Error).message}`, true);
      }
    },
    save: () =>
      doing('save', async () => {
        const step = stepOf(store.get());
        if (step === null || !step.editable) return;
        if (!isDirty(step)) return say('The file is as the editor shows it.');
        if (needsManifest(step)) return await openExport();
        await saveStep(step, step.disk?.hash ?? '');
      }),
    /** The conflict is known; the draft wins. */
    overwrite: () =>
      doing('save', async () => {
        const step = stepOf(store.get());
        if (step?.conflict == null) return;
        if (await saveStep(step, step.conflict.hash)) store.send({ type: 'dialog', dialog: null });
      }),
    format: () =>
      doing('format', async () => {
        const step = stepOf(store.get());
        if (step === null || !step.editable) return;
        const answer = await api.call('format', { body: { type: step.type as LanguageName, source: sourceOf(step) } });
        if (answer.changed) store.send({ type: 'edit', source: answer.source });
        else say('Nothing to format.');
      }),
    saveTest: (name: string) =>
      doing('save-test', async () => {
        const state = store.get();
        const step = stepOf(state);
        const item = itemsOf(state).find((one) => one.ref === state.selected);
        if (step === null || item === undefined) return;
        const draft = draftSteps([step])[0]!;
        const body = {
          transform: step.id,
          name,
          event: item.given,
          ...(draft.source === undefined ? {} : { step: draft }),
        };
        const answer = await api.call('saveTest', { body });
        store.send({ type: 'dialog', dialog: null });
        say(`Saved as a test in ${answer.file}, line ${answer.line}.`);
        await listTests(step.id);
      }),
    exportManifest: () => doing('export', openExport),
    writeManifest: () =>
      doing('write', async () => {
        const { stream, chain, preview, at } = store.get();
        if (preview === null) return;
        try {
          const answer = await api.call('writeManifest', {
            body: { stream, steps: draftSteps(chain), base: preview.hash },
          });
          store.send({ type: 'dialog', dialog: null });
          // the steps that were new are the manifest's now: their drafts are done with
          const session = await api.call('session');
          shelf.keepDrafts(stream, {});
          store.send({ type: 'stream', stream, drafts: {} });
          store.send({ type: 'session', session });
          store.send({ type: 'step', at });
          await listEvents();
          say(`Wrote ${answer.files.join(', ')}.`);
        } catch (error) {
          if (!(error instanceof ApiError) || error.status !== 409) throw error;
          say('The manifest changed on disk meanwhile. This is the difference from what is there now.', true);
          await openExport();
        }
      }),
    keep: () =>
      doing('keep', async () => {
        const answer = await api.call('keep', { body: {} });
        store.send({ type: 'dialog', dialog: null });
        say(`Wrote ${answer.files.length} files to ${answer.folder}. Next: ${answer.commands[0] ?? ''}`);
      }),
    pin(): void {
      const state = store.get();
      const item = itemsOf(state).find((one) => one.ref === state.selected);
      if (item === undefined || item.origin === 'pasted') return;
      const pinned = !item.pinned;
      api
        .call('pin', { body: { ref: item.ref, pinned } })
        .then(() => store.send({ type: 'pinned', ref: item.ref, pinned }))
        .catch(complain);
    },
    capture: () =>
      doing('capture', async () => {
        const { stream, capture } = store.get();
        if (capture?.state === 'running') {
          await api.call('endCapture', { params: { capture: capture.capture } });
          return;
        }
        const answer = await api.call('capture', { body: { stream, max: LISTED } });
        store.send({ type: 'capture', capture: { capture: answer.capture, events: 0, state: 'running', error: null } });
      }),
    dryRun: (letter: number) =>
      doing('dry-run', async () => {
        const steps = draftSteps(store.get().chain);
        const drafts = steps.some((step) => step.source !== undefined);
        const { replay } = await api.call('dryRun', { params: { letter }, body: drafts ? { steps } : {} });
        store.send({ type: 'replayed', letter, dry: true, replay });
      }),
    /** With the files on disk: what is not written yet is written first, since that is what a replay would run. */
    replay: (letter: number, force: boolean) =>
      doing('replay', async () => {
        if (!(await saveAll())) return;
        const answer = await api.call('replay', { params: { letter }, body: { force } });
        store.send({ type: 'replayed', letter, dry: false, replay: answer.replay });
        store.send({ type: 'letters', letters: [answer.dead_letter] });
        store.send({ type: 'session', session: await api.call('session') });
      }),
    settle: (letter: number, status: 'resolved' | 'ignored') =>
      doing(status, async () => {
        const answer = await api.call('settle', { params: { letter }, body: { status } });
        store.send({ type: 'letters', letters: [answer.dead_letter] });
        store.send({ type: 'session', session: await api.call('session') });
      }),
    async shareLink(events: readonly string[]): Promise<void> {
      const step = stepOf(store.get());
      if (step === null) return;
      try {
        const share = { language: step.type as LanguageName, scope: step.scope, source: sourceOf(step), events };
        const fragment = await shareFragment(share);
        await copy(`${location.origin}/#${fragment}`, 'the link');
        store.send({ type: 'dialog', dialog: null });
      } catch (error) {
        complain(error);
      }
    },
    copyOutput(): void {
      const text = shownOutput(store.get());
      if (text === '') say('There is no output to copy.', true);
      else void copy(text, 'the output').catch(complain);
    },
  };
}

/** The output of the selected event as it is shown: rows, or whole events. */
export function shownOutput(state: State): string {
  const result = state.selected === null ? undefined : state.run.results.get(state.selected);
  return shown(result?.outputs ?? [], state.whole || stepOf(state)?.scope === 'event');
}

/** Several one below the other, as a list. */
export function shown(envelopes: readonly string[], whole: boolean): string {
  const texts = envelopes.map(whole ? layOut : rowOf);
  return texts.length < 2 ? (texts[0] ?? '') : layOut(`[${texts.join(',')}]`);
}

export function itemOf(event: PlaygroundEvent): Item {
  const { ref, origin, op, table, key, text, pinned, letter } = event;
  return { ref, given: { ref }, origin, op, table, key: key ?? '', text, pinned, letter: letter ?? null };
}

let pastedCount = 0;

export function pastedItem(text: string): Item {
  const value = parsedObject(text) ?? {};
  const source =
    typeof value['source'] === 'object' && value['source'] !== null ? (value['source'] as Record<string, unknown>) : {};
  const op = typeof value['op'] === 'string' ? value['op'] : 'c';
  const key = value['key'] ?? ('id' in value ? { id: value['id'] } : null);
  pastedCount++;
  return {
    ref: `pasted-${pastedCount}`,
    given: { text },
    origin: 'pasted',
    op,
    table: typeof source['table'] === 'string' ? source['table'] : 'pasted',
    key: key === null ? '' : JSON.stringify(key),
    text,
    pinned: false,
    letter: null,
  };
}

export function labelOf(error: PlaygroundError): string {
  return `${error.code}: ${error.message.split('\n')[0]}`;
}

export { firstLine };
