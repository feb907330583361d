// Events from anywhere: one JSON value, a list, or one a line; whole envelopes or plain rows.

import { useRef } from 'hono/jsx/dom';
import type { Frame } from '../frame.ts';
import { Dialog } from './dialog.tsx';

export function Paste({ frame }: { readonly frame: Frame }) {
  const field = useRef<HTMLTextAreaElement>(null);
  return (
    <Dialog title="Paste events" onClose={() => frame.send({ type: 'dialog', dialog: null })}>
      <label class="stack">
        JSON: an event or a row, a list of them, or one a line
        <textarea
          ref={field}
          class="wide code"
          data-first
          rows={12}
          spellcheck={false}
          placeholder={'{"id": 1, "status": "paid"}'}
        />
      </label>
      {frame.state.notice?.bad ? <p class="banner bad">{frame.state.notice.text}</p> : null}
      <div class="bar">
        <button type="button" class="main" onClick={() => frame.work.paste(field.current?.value ?? '')}>
          Take them
        </button>
      </div>
    </Dialog>
  );
}
