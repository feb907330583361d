// A new step in the chain, behind the one that is open.

import { useState } from 'hono/jsx/dom';
import { Choice } from '../choice.tsx';
import type { Frame } from '../frame.ts';
import { type LanguageName, languageNames } from '../language-names.ts';
import { Dialog } from './dialog.tsx';

/** As in the manifest's schema. */
const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export function AddStep({ frame }: { readonly frame: Frame }) {
  const { state, send, work } = frame;
  const [id, setId] = useState('');
  const [language, setLanguage] = useState<LanguageName>('javascript');
  const taken =
    state.chain.some((one) => one.id === id) || (state.session?.transformations.some((one) => one.id === id) ?? false);
  const close = (): void => send({ type: 'dialog', dialog: null });
  const add = (event: Event): void => {
    event.preventDefault();
    if (!ID.test(id) || taken) return;
    work.addStep(id, language);
    close();
  };
  return (
    <Dialog title="Add a step" onClose={close}>
      <form onSubmit={add}>
        <label class="stack">
          Its id in the manifest
          <input
            class="wide"
            data-first
            type="text"
            placeholder="mask-customer"
            value={id}
            onInput={(event: Event) => setId((event.target as HTMLInputElement).value)}
          />
        </label>
        {taken ? <p class="banner bad">The manifest has a transformation of this name already.</p> : null}
        <Choice
          label="Language"
          options={languageNames.map((name) => ({
            value: name,
            title: state.session?.languages.find((one) => one.name === name)?.title ?? name,
          }))}
          chosen={language}
          onChoose={setLanguage}
        />
        <p class="quiet">Letters, digits, dot, dash and underscore. It is in the manifest once it is exported.</p>
        <div class="bar">
          <button type="submit" class="main" disabled={!ID.test(id) || taken}>
            Add
          </button>
        </div>
      </form>
    </Dialog>
  );
}
