// The last fifty drafts that ran, from this browser: by time and their first line.

import type { Frame } from '../frame.ts';
import { firstLine } from '../history.ts';
import { Dialog } from './dialog.tsx';

export function History({ frame }: { readonly frame: Frame }) {
  const { state, send } = frame;
  const close = (): void => send({ type: 'dialog', dialog: null });
  return (
    <Dialog title="Earlier drafts" onClose={close}>
      {state.history.length === 0 ? <p>None yet. A draft is kept here once it has run.</p> : null}
      <ul class="lines">
        {state.history.map((entry) => (
          <li key={`${entry.at}`}>
            <button
              type="button"
              class="link"
              onClick={() => {
                const at = state.chain.findIndex((one) => one.id === entry.step);
                if (at >= 0) send({ type: 'step', at });
                send({ type: 'draft', language: entry.language, source: entry.source });
                close();
              }}
            >
              {new Date(entry.at).toLocaleString()} · {entry.step} · {entry.language}
            </button>
            <code>{firstLine(entry.source).slice(0, 90)}</code>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
