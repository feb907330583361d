// Names the chosen event and what becomes of it now: that is a test, in the file that `sluice test` runs.

import { useState } from 'hono/jsx/dom';
import { fateOf } from '../fates.ts';
import type { Frame } from '../frame.ts';
import { nameOf, shownOutput } from '../items.ts';
import { layOut } from '../json-text.ts';
import { Scrolled } from '../scrolled.tsx';
import { itemsOf } from '../state.ts';
import { Dialog } from './dialog.tsx';

export function SaveTest({ frame }: { readonly frame: Frame }) {
  const { state, work } = frame;
  const item = itemsOf(state).find((one) => one.ref === state.selected);
  const result = state.selected === null ? undefined : state.run.results.get(state.selected);
  const fate = fateOf(result);
  const [name, setName] = useState(
    item === undefined ? '' : `${nameOf(item)} ${fate.kind === 'failed' ? 'fails' : `is ${fate.word}`}`,
  );
  const ran = result !== undefined && result.fate !== 'not_run';
  const taken = state.tests.answer?.tests.some((one) => one.name === name.trim()) ?? false;
  const save = (event: Event): void => {
    event.preventDefault();
    if (name.trim() !== '' && !taken && ran) void work.saveTest(name.trim());
  };
  return (
    <Dialog title="Save this event as a test" onClose={() => frame.send({ type: 'dialog', dialog: null })}>
      {item === undefined ? (
        <p>Choose an event first.</p>
      ) : (
        <form onSubmit={save}>
          <label class="stack">
            Name of the test
            <input
              class="wide"
              data-first
              type="text"
              maxLength={200}
              value={name}
              onInput={(event: Event) => setName((event.target as HTMLInputElement).value)}
            />
          </label>
          {taken ? <p class="banner bad">A test has this name already.</p> : null}
          <p>
            {ran
              ? `It keeps the event as it is shown here, redacted, and expects what comes out now: ${fate.glyph} ${fate.word}.`
              : 'The event has not been run yet: there is nothing to expect.'}
          </p>
          <div class="sides two preview">
            <Scrolled label="The event of the test">{layOut(item.text)}</Scrolled>
            <Scrolled label="What is expected">{shownOutput(state) || result?.error?.message || fate.word}</Scrolled>
          </div>
          <p class="quiet">{state.tests.answer?.file ?? ''}</p>
          <div class="bar">
            <button
              type="submit"
              class="main"
              disabled={name.trim() === '' || taken || !ran}
              aria-busy={String(state.busy === 'save-test')}
            >
              Save the test
            </button>
          </div>
        </form>
      )}
    </Dialog>
  );
}
