// The file on disk and the draft both changed: a person decides, with the difference before their eyes.

import { useEffect, useRef } from 'hono/jsx/dom';
import { createTextView } from '../editor/text-view.ts';
import type { Frame } from '../frame.ts';
import { stepOf } from '../state.ts';
import { sourceOf } from '../steps.ts';
import { Dialog } from './dialog.tsx';

export function Conflict({ frame }: { readonly frame: Frame }) {
  const { state, send, work } = frame;
  const step = stepOf(state);
  const host = useRef<HTMLDivElement>(null);
  const close = (): void => send({ type: 'dialog', dialog: null });
  useEffect(() => {
    if (step?.conflict == null || host.current === null) return;
    const view = createTextView(host.current, frame.nonce, 'Difference from the file to the draft', 'yaml');
    view.show(sourceOf(step), step.conflict.source);
    return () => view.destroy();
  }, [step?.conflict]);
  return (
    <Dialog title="The file changed on disk" wide onClose={close}>
      <p>Red is in the file now, green is in your draft.</p>
      <div ref={host} class="shown framed" />
      <div class="bar">
        <button
          type="button"
          data-first
          onClick={() => {
            send({ type: 'take-disk' });
            close();
          }}
        >
          Take the file’s
        </button>
        <button type="button" class="main" onClick={() => void work.overwrite()}>
          Write my draft over it
        </button>
        <button type="button" onClick={close}>
          Decide later
        </button>
      </div>
    </Dialog>
  );
}
