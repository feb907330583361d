// How the page looks is the person's choice and stays in the browser: theme, text size and the edges between panes, as
// attributes and custom properties of the document that app.css goes by.

import { EDGES, type Edge, type State, type Theme } from './state.ts';
import type { Store } from './store.ts';

const KEY = 'sluice.look';

type Look = Pick<State, 'theme' | 'large' | 'edges'>;

export function readLook(store: Store): void {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}') as {
      theme?: Theme;
      large?: boolean;
      edges?: Partial<Look['edges']>;
    };
    if (kept.theme === 'light' || kept.theme === 'dark') store.send({ type: 'theme', theme: kept.theme });
    if (kept.large === true) store.send({ type: 'large', large: true });
    for (const edge of Object.keys(EDGES) as Edge[]) {
      const at = kept.edges?.[edge];
      if (typeof at === 'number') store.send({ type: 'edge', edge, at });
    }
  } catch {
    // kept by something else under this name: the defaults do
  }
  apply(store.get());
  store.subscribe((state, before) => {
    const { theme, large, edges } = state;
    if (theme === before.theme && large === before.large && edges === before.edges) return;
    apply(state);
    try {
      localStorage.setItem(KEY, JSON.stringify({ theme, large, edges }));
    } catch {
      // not kept; it holds for this page
    }
  });
}

function apply({ theme, large, edges }: Look): void {
  const root = document.documentElement;
  root.dataset['theme'] = theme;
  root.dataset['size'] = large ? 'large' : 'normal';
  root.style.setProperty('--left', `${edges.left}%`);
  root.style.setProperty('--top', `${edges.top}%`);
}
