// On a narrow screen: one pane at a time. Each tab says what waits behind it.

import { problemsOf } from '../fates.ts';
import type { Frame } from '../frame.ts';
import { itemsOf, type Tab } from '../state.ts';

const TABS: readonly { readonly tab: Tab; readonly title: string }[] = [
  { tab: 'events', title: 'Events' },
  { tab: 'transform', title: 'Code' },
  { tab: 'output', title: 'Output' },
  { tab: 'problems', title: 'Problems' },
  { tab: 'tests', title: 'Tests' },
];

export function Tabs({ frame }: { readonly frame: Frame }) {
  const { state, send } = frame;
  const failed = [...state.tests.results.values()].filter((one) => !one.passed).length;
  const counts: Partial<Record<Tab, number>> = {
    events: itemsOf(state).length,
    problems: problemsOf(state.run).length,
    tests: failed,
  };
  return (
    <nav class="tabs" aria-label="Panes">
      {TABS.map(({ tab, title }) => (
        <button
          key={tab}
          type="button"
          aria-current={state.tab === tab ? 'page' : 'false'}
          onClick={() => send({ type: 'tab', tab })}
        >
          {title}
          {(counts[tab] ?? 0) > 0 ? <span class="count">{counts[tab]}</span> : null}
        </button>
      ))}
    </nav>
  );
}
