// A link with the code and, if wanted, events. Everything stands behind the `#`, which no browser sends to a server.
// Events of the sample shop are made up and may go; all others only when ticked, after a look at what would go.

import { useState } from 'hono/jsx/dom';
import type { Frame } from '../frame.ts';
import { layOut } from '../json-text.ts';
import { Scrolled } from '../scrolled.tsx';
import { itemsOf } from '../state.ts';
import { Dialog } from './dialog.tsx';

const MOST = 20;

/** Starts a playground that a link from here opens in. */
function commandFor({ hostname, port }: Location): string {
  const isHere = ['127.0.0.1', 'localhost', '[::1]'].includes(hostname);
  return `sluice playground ${isHere ? '' : `--host ${hostname} --expose `}--port ${port === '' ? 80 : port}`;
}

export function ShareLink({ frame }: { readonly frame: Frame }) {
  const { state, work } = frame;
  const sample = state.session?.sample ?? false;
  const [ticked, setTicked] = useState(sample && state.origin === 'captures');
  const chosen = itemsOf(state).find((one) => one.ref === state.selected);
  const events =
    sample && state.origin === 'captures' ? itemsOf(state).slice(0, MOST) : chosen === undefined ? [] : [chosen];
  return (
    <Dialog title="Share a link" onClose={() => frame.send({ type: 'dialog', dialog: null })}>
      <p>
        The code of this step is in the link itself, behind the #: it is sent to no server. Whoever opens it needs a
        playground of their own at the same address and port: <code>{commandFor(location)}</code>
      </p>
      {events.length === 0 ? null : (
        <>
          <label class="check">
            <input
              type="checkbox"
              checked={ticked}
              onChange={(event: Event) => setTicked((event.target as HTMLInputElement).checked)}
            />{' '}
            {events.length === 1 ? 'Include the chosen event' : `Include these ${events.length} events`}
            {sample && state.origin === 'captures'
              ? ' of the sample shop'
              : ': it is real data, as far as it is not redacted'}
          </label>
          {ticked ? (
            <Scrolled label="What would be in the link">{events.map((one) => layOut(one.text)).join('\n')}</Scrolled>
          ) : null}
        </>
      )}
      <div class="bar">
        <button
          type="button"
          class="main"
          data-first
          onClick={() => void work.shareLink(ticked ? events.map((one) => one.text) : [])}
        >
          Copy the link
        </button>
      </div>
    </Dialog>
  );
}
