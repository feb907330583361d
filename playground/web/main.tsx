// The page's start: token and shared link from the fragment, then the store, the keys and the screen.
// The token is taken out of the address at once, so that no screenshot and no copied address holds it; it stays in this
// browser's storage for this address, so that a reload, a second tab and a shared link find it.

import { render } from 'hono/jsx/dom';
import { createApi } from './api-client.ts';
import { App } from './app.tsx';
import { createCommands } from './commands.ts';
import { actionOf } from './keys.ts';
import { readLook } from './preferences.ts';
import { isShare, readShare } from './share.ts';
import { createStore } from './store.ts';
import { createWork } from './work.ts';

const TOKEN = 'sluice.token';

function takeToken(): string {
  const given = /^#token=([\w-]+)$/.exec(location.hash)?.[1];
  if (given === undefined) return localStorage.getItem(TOKEN) ?? '';
  localStorage.setItem(TOKEN, given);
  history.replaceState(null, '', location.pathname);
  return given;
}

async function start(): Promise<void> {
  const token = takeToken();
  const fragment = location.hash.slice(1);
  const share = isShare(fragment) ? await readShare(fragment) : null;
  if (isShare(fragment)) history.replaceState(null, '', location.pathname);
  const mac = /Mac|iPhone|iPad/.test(navigator.platform);
  const store = createStore();
  // randomUUID() is only there on this machine and with encryption, and the page may be looked at from elsewhere
  const tab = crypto.getRandomValues(new Uint32Array(4)).join('-');
  const work = createWork(store, createApi(token), tab);
  const act = createCommands(store, work);
  const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? '';
  readLook(store);

  document.addEventListener(
    'keydown',
    (event) => {
      const target = event.target instanceof HTMLElement ? event.target : document.body;
      const typing = target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
      const action = actionOf(event, mac, typing);
      // in a dialog only its own keys work, and Escape, which the browser does
      if (action === null || store.get().dialog !== null) return;
      event.preventDefault();
      event.stopPropagation();
      act(action);
    },
    true,
  );
  // a new link or token pasted into the address of this tab
  window.addEventListener('hashchange', () => location.reload());
  window.addEventListener('pagehide', () => work.close());
  // back from the browser's cache, with everything closed
  window.addEventListener('pageshow', (event) => event.persisted && location.reload());
  const app = document.getElementById('app')!;
  app.replaceChildren();
  render(<App store={store} work={work} act={act} nonce={nonce} mac={mac} />, app);
  await work.open(share);
  if (isShare(fragment) && share === null)
    store.send({ type: 'notice', text: 'The link is broken: nothing was taken from it.', bad: true });
}

void start();
