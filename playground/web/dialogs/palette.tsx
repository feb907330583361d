// Every command by its name: a combobox over the one table of keys.ts.

import { useState } from 'hono/jsx/dom';
import type { Frame } from '../frame.ts';
import { type Key, matching, shownKey } from '../keys.ts';
import { Dialog } from './dialog.tsx';

export function Palette({ frame }: { readonly frame: Frame }) {
  const [query, setQuery] = useState('');
  const [at, setAt] = useState(0);
  const found = matching(query).filter((one) => one.action !== 'palette');
  const close = (): void => frame.send({ type: 'dialog', dialog: null });
  const take = (key: Key | undefined): void => {
    if (key === undefined) return;
    close();
    // the dialog gives the focus back first
    setTimeout(() => frame.act(key.action), 0);
  };
  const onKey = (event: KeyboardEvent): void => {
    const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (by !== 0) {
      event.preventDefault();
      const next = (at + by + found.length) % Math.max(1, found.length);
      setAt(next);
      document.getElementById(`command-${next}`)?.scrollIntoView({ block: 'nearest' });
    }
    if (event.key === 'Enter') {
      event.preventDefault();
      take(found[at]);
    }
  };
  return (
    <Dialog title="Commands" onClose={close}>
      <input
        class="wide"
        data-first
        type="text"
        role="combobox"
        aria-label="Search a command"
        aria-expanded="true"
        aria-controls="commands"
        aria-activedescendant={found.length > 0 ? `command-${at}` : ''}
        placeholder="What shall be done?"
        value={query}
        onKeyDown={onKey}
        onInput={(event: Event) => {
          setQuery((event.target as HTMLInputElement).value);
          setAt(0);
        }}
      />
      <div id="commands" class="list commands" role="listbox" aria-label="Commands">
        {found.map((one, i) => (
          <div
            tabIndex={-1}
            onKeyDown={onKey}
            key={one.action}
            id={`command-${i}`}
            role="option"
            class="row"
            aria-selected={String(i === at)}
            onClick={() => take(one)}
          >
            <span class="fill">{one.title}</span>
            {one.key === undefined ? null : <kbd>{shownKey(one.key, frame.mac)}</kbd>}
          </div>
        ))}
      </div>
    </Dialog>
  );
}
