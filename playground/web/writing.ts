// Writing: a transform's file, the manifest, a test. Nothing is written over what the page has not seen: then a person is asked.

import { ApiError } from './api-client.ts';
import type { Desk } from './desk.ts';
import type { LanguageName } from './language-names.ts';
import type { Listing } from './listing.ts';
import type { Running } from './running.ts';
import { itemsOf, stepOf } from './state.ts';
import { draftSteps, isDirty, needsManifest, type Step, sourceOf } from './steps.ts';

export type Writing = ReturnType<typeof createWriting>;

export function createWriting(desk: Desk, running: Running, listing: Listing) {
  const { store, api, say, doing } = desk;

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

  return {
    saveAll,
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
        await running.listTests(step.id);
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
          desk.shelf().keepDrafts(stream, {});
          store.send({ type: 'stream', stream, drafts: {} });
          store.send({ type: 'session', session });
          store.send({ type: 'step', at });
          await listing.listEvents();
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
  };
}
