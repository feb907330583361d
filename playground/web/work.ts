// What the page does, put together: the commands of keys.ts and the buttons end here. It talks to the server, to the clipboard
// and to the browser's storage, and tells the store what came of it.

import type { Api } from './api-client.ts';
import { createDesk, LISTED } from './desk.ts';
import { pastedItem, shownOutput } from './items.ts';
import { roundedNumber, splitEvents } from './json-text.ts';
import type { LanguageName } from './language-names.ts';
import { createListing } from './listing.ts';
import { createRunning } from './running.ts';
import { type Share, shareFragment } from './share.ts';
import { itemsOf, type Origin, stepOf } from './state.ts';
import { draftSteps, sourceOf, type Version } from './steps.ts';
import type { Store } from './store.ts';
import { createWriting } from './writing.ts';

export type Work = ReturnType<typeof createWork>;

export function createWork(store: Store, api: Api, tab: string) {
  const desk = createDesk(store, api);
  const { say, complain, doing } = desk;
  const running = createRunning(desk, tab);
  const listing = createListing(desk, running);
  const { saveAll, ...writing } = createWriting(desk, running, listing);

  async function open(share: Share | null): Promise<void> {
    try {
      const session = await api.call('session');
      desk.openShelf(session.manifest.file);
      store.send({ type: 'opened', session, drafts: desk.shelf().drafts(session.streams[0]?.id ?? '') });
      store.send({ type: 'history', history: desk.shelf().history() });
      if (share !== null) takeShare(share);
      await listing.listEvents();
      void listing.follow();
    } catch (error) {
      complain(error);
    }
  }

  function takeShare(share: Share): void {
    running.keepDraft(); // the link's code takes its place
    if (stepOf(store.get()) === null)
      store.send({ type: 'add-step', id: 'shared', language: share.language, source: share.source });
    else store.send({ type: 'draft', language: share.language, source: share.source, scope: share.scope });
    const events = share.events.filter((text) => roundedNumber(text) === null);
    if (events.length > 0) store.send({ type: 'pasted', items: events.map(pastedItem) });
    const left = share.events.length - events.length;
    const lost = left === 0 ? '' : ` Events with numbers that would be rounded were left out: ${left}.`;
    say(`Opened what the link holds. Your file is as it was.${lost}`);
  }

  return {
    open,
    ...writing,
    edit: running.edit,
    setFilter: listing.setFilter,
    run: running.run,
    runTests: () => doing('tests', running.runTests),
    compare: (version: Version) => doing('compare', () => running.compare(version)),
    copy: (text: string, what: string) => desk.copy(text, what).catch(complain),
    close(): void {
      listing.stop();
      running.stop();
    },
    setLanguage(language: LanguageName): void {
      const template = store.get().session?.languages.find((one) => one.name === language)?.template ?? '';
      store.send({ type: 'language', language, start: template });
    },
    addStep(id: string, language: LanguageName): void {
      const template = store.get().session?.languages.find((one) => one.name === language)?.template ?? '';
      store.send({ type: 'add-step', id, language, source: template });
    },
    setStream(stream: string): void {
      store.send({ type: 'stream', stream, drafts: desk.shelf().drafts(stream) });
      void listing.listEvents().catch(complain);
    },
    setOrigin(origin: Origin): void {
      store.send({ type: 'origin', origin });
      void listing.listEvents().catch(complain);
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
        await desk.copy(`${location.origin}/#${fragment}`, 'the link');
        store.send({ type: 'dialog', dialog: null });
      } catch (error) {
        complain(error);
      }
    },
    copyOutput(): void {
      const text = shownOutput(store.get());
      if (text === '') say('There is no output to copy.', true);
      else void desk.copy(text, 'the output').catch(complain);
    },
  };
}
