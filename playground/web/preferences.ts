// How the page looks is the person's choice and stays in the browser: theme and text size, as attributes of the document
// that app.css goes by.

import type { Theme } from './state.ts';
import type { Store } from './store.ts';

const KEY = 'sluice.look';

export function readLook(store: Store): void {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}') as { theme?: Theme; large?: boolean };
    if (kept.theme === 'light' || kept.theme === 'dark') store.send({ type: 'theme', theme: kept.theme });
    if (kept.large === true) store.send({ type: 'large', large: true });
  } catch {
    // kept by something else under this name: the defaults do
  }
  const apply = (): void => {
    const { theme, large } = store.get();
    const root = document.documentElement;
    root.dataset['theme'] = theme;
    root.dataset['size'] = large ? 'large' : 'normal';
  };
  apply();
  store.subscribe((state, before) => {
    if (state.theme === before.theme && state.large === before.large) return;
    apply();
    try {
      localStorage.setItem(KEY, JSON.stringify({ theme: state.theme, large: state.large }));
    } catch {
      // not kept; it holds for this page
    }
  });
}
