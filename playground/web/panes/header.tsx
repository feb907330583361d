// The header: what is open, and the way to everything else.

import type { Frame } from '../frame.ts';
import { shownKey } from '../keys.ts';

const THEME_WORDS = { system: 'System theme', light: 'Light theme', dark: 'Dark theme' };

export function Header({ frame }: { readonly frame: Frame }) {
  const { state, act, work, mac } = frame;
  const session = state.session;
  return (
    <header class="header">
      <h1 class="brand">
        <img src="/icon.svg" alt="" width="20" height="20" /> Sluice <span class="quiet">playground</span>
      </h1>
      <p class="open-file" title={session?.manifest.file ?? ''}>
        {session === null
          ? ''
          : session.sample
            ? 'the sample shop'
            : session.manifest.file.split('/').slice(-2).join('/')}
      </p>
      {session !== null && session.streams.length > 1 ? (
        <label class="field">
          <span>Stream</span>
          <select
            onChange={(event: Event) => {
              const { value } = event.target as HTMLSelectElement;
              if (value !== state.stream) work.setStream(value);
            }}
          >
            {session.streams.map((one) => (
              <option key={one.id} value={one.id} selected={one.id === state.stream}>
                {one.id}
              </option>
            ))}
          </select>
        </label>
      ) : null}
      <span class="fill" />
      <button type="button" onClick={() => act('palette')}>
        Commands <kbd>{shownKey('Mod+K', mac)}</kbd>
      </button>
      <button type="button" onClick={() => act('share')}>
        Share
      </button>
      <button type="button" onClick={() => act('export')} aria-busy={String(state.busy === 'export')}>
        Export
      </button>
      <button
        type="button"
        class="icon"
        onClick={() => act('theme')}
        aria-label={`${THEME_WORDS[state.theme]}: switch`}
        title={THEME_WORDS[state.theme]}
      >
        {state.theme === 'dark' ? '☾' : state.theme === 'light' ? '☀' : '◐'}
      </button>
      <button type="button" class="icon" onClick={() => act('keys')} aria-label="All keys" title="All keys">
        ?
      </button>
    </header>
  );
}
