// The screen: header, panes, status line, the one live region, and the dialog that is open. Everything is drawn from the state.
// Below 900 px the panes become tabs in reading order (app.css shows one of them).

import { useEffect, useState } from 'hono/jsx/dom';
import { Dialogs } from './dialogs/dialogs.tsx';
import { announcement } from './fates.ts';
import type { Frame } from './frame.ts';
import type { ActionName } from './keys.ts';
import { EventsPane } from './panes/events.tsx';
import { Header } from './panes/header.tsx';
import { OutputPane } from './panes/output.tsx';
import { ProblemsPane } from './panes/problems.tsx';
import { Splitter } from './panes/splitter.tsx';
import { StatusLine } from './panes/status.tsx';
import { Tabs } from './panes/tabs.tsx';
import { TestsPane } from './panes/tests.tsx';
import { TransformPane } from './panes/transform.tsx';
import type { Store } from './store.ts';
import type { Work } from './work.ts';

interface Props {
  readonly store: Store;
  readonly work: Work;
  readonly act: (action: ActionName) => void;
  readonly nonce: string;
  readonly mac: boolean;
}

export function App({ store, work, act, nonce, mac }: Props) {
  const [state, setState] = useState(store.get());
  useEffect(() => store.subscribe((next) => setState(next)), []);
  const frame: Frame = { state, now: store.get, send: store.send, work, nonce, mac, act };
  if (state.lost?.kind === 'token') return <NoToken message={state.lost.message} />;
  return (
    <div class="app">
      <Header frame={frame} />
      <Tabs frame={frame} />
      <main class="desk" data-tab={state.tab}>
        <EventsPane frame={frame} />
        <TransformPane frame={frame} />
        <ProblemsPane frame={frame} />
        <TestsPane frame={frame} />
        <OutputPane frame={frame} />
        <Splitter frame={frame} edge="left" label="Width of the events" />
        <Splitter frame={frame} edge="top" label="Height of the code" />
      </main>
      <StatusLine frame={frame} />
      {/* not emptied while something runs: the same sentence again is not told again */}
      <p class="heard" role="status" aria-live="polite">
        {announcement(state.run)}
      </p>
      <Dialogs frame={frame} />
    </div>
  );
}

function NoToken({ message }: { readonly message: string }) {
  return (
    <main class="alone">
      <h1>This page has no valid token</h1>
      <p>
        Open the address that <code>sluice playground</code> printed. It ends with <code>#token=…</code>, and a new one
        is made each time it starts.
      </p>
      <p class="quiet">{message}</p>
    </main>
  );
}
