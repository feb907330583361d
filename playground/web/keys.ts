// The one table of what can be done by key: the palette, the key sheet and the tests read it, and `actionOf` turns a key
// event into an action. `Mod` is Cmd on a Mac and Ctrl elsewhere.

export type ActionName =
  | 'run'
  | 'save'
  | 'save-test'
  | 'run-tests'
  | 'export'
  | 'share'
  | 'format'
  | 'copy-output'
  | 'next-event'
  | 'previous-event'
  | 'next-problem'
  | 'previous-problem'
  | 'next-step'
  | 'previous-step'
  | 'focus-events'
  | 'focus-editor'
  | 'focus-output'
  | 'filter-events'
  | 'view-sides'
  | 'view-diff'
  | 'whole-event'
  | 'captures'
  | 'dead-letters'
  | 'capture-now'
  | 'paste-events'
  | 'pin'
  | 'add-step'
  | 'javascript'
  | 'typescript'
  | 'jsonata'
  | 'kazaam'
  | 'history'
  | 'theme'
  | 'text-size'
  | 'palette'
  | 'keys';

export interface Key {
  readonly action: ActionName;
  readonly title: string;
  /** As written on the sheet: `Mod+Shift+S`. Without one it is in the palette only. */
  readonly key?: string;
  /** Only outside of editors and inputs: a plain character. */
  readonly plain?: true;
}

export const keys: readonly Key[] = [
  { action: 'run', title: 'Run now', key: 'Mod+Enter' },
  { action: 'save', title: 'Write the file', key: 'Mod+S' },
  { action: 'save-test', title: 'Save this event as a test', key: 'Mod+Shift+S' },
  { action: 'run-tests', title: 'Run the tests', key: 'Mod+Shift+Enter' },
  { action: 'export', title: 'Export to the manifest', key: 'Mod+E' },
  { action: 'share', title: 'Copy a link to this' },
  { action: 'format', title: 'Format the code', key: 'Mod+Shift+F' },
  { action: 'copy-output', title: 'Copy the output', key: 'Mod+.' },
  { action: 'next-event', title: 'Next event', key: 'Alt+Down' },
  { action: 'previous-event', title: 'Previous event', key: 'Alt+Up' },
  { action: 'next-problem', title: 'Next problem', key: 'F8' },
  { action: 'previous-problem', title: 'Previous problem', key: 'Shift+F8' },
  { action: 'next-step', title: 'Next step of the chain', key: 'Alt+PageDown' },
  { action: 'previous-step', title: 'Previous step of the chain', key: 'Alt+PageUp' },
  { action: 'focus-events', title: 'Go to the events', key: 'Alt+1' },
  { action: 'focus-editor', title: 'Go to the code', key: 'Alt+2' },
  { action: 'focus-output', title: 'Go to the output', key: 'Alt+3' },
  { action: 'filter-events', title: 'Filter the events', key: '/', plain: true },
  { action: 'view-sides', title: 'Show input and output side by side' },
  { action: 'view-diff', title: 'Show what the transform changed' },
  { action: 'whole-event', title: 'Show the whole event, or its row' },
  { action: 'captures', title: 'Take captured events' },
  { action: 'dead-letters', title: 'Take dead letters' },
  { action: 'capture-now', title: 'Capture events from the source now' },
  { action: 'paste-events', title: 'Paste events' },
  { action: 'pin', title: 'Pin or unpin this event' },
  { action: 'add-step', title: 'Add a step to the chain' },
  { action: 'javascript', title: 'Write in JavaScript' },
  { action: 'typescript', title: 'Write in TypeScript' },
  { action: 'jsonata', title: 'Write in JSONata' },
  { action: 'kazaam', title: 'Write in Kazaam' },
  { action: 'history', title: 'Open an earlier draft' },
  { action: 'theme', title: 'Switch between light, dark and the system’s theme' },
  { action: 'text-size', title: 'Switch between two text sizes' },
  { action: 'palette', title: 'All commands', key: 'Mod+K' },
  { action: 'keys', title: 'All keys', key: '?', plain: true },
];

/** What CodeMirror does by itself, for the sheet only. */
export const editorKeys: readonly { readonly key: string; readonly title: string }[] = [
  { key: 'Mod+/', title: 'Comment the line in or out' },
  { key: 'Ctrl+Space', title: 'Complete' },
  { key: 'Mod+F', title: 'Search in the code' },
  { key: 'Esc, then Tab', title: 'Leave the editor' },
];

export interface KeyPress {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly shiftKey: boolean;
  readonly altKey: boolean;
}

/** The action of a key press, or null. `typing`: the focus is where characters go in. */
export function actionOf(press: KeyPress, mac: boolean, typing: boolean): ActionName | null {
  const text = written(press, mac);
  const found = keys.find((one) => one.key === text && !(one.plain && typing));
  return found?.action ?? null;
}

/** As the table writes it. Plain characters say their Shift by themselves (`?`). */
function written(press: KeyPress, mac: boolean): string {
  const name = press.key.replace(/^Arrow/, '');
  const single = name.length === 1;
  const parts: string[] = [];
  if (mac ? press.metaKey : press.ctrlKey) parts.push('Mod');
  if (mac ? press.ctrlKey : press.metaKey) parts.push('Other');
  if (press.altKey) parts.push('Alt');
  if (press.shiftKey && !(single && parts.length === 0)) parts.push('Shift');
  return [...parts, single ? name.toUpperCase() : name].join('+');
}

/** As people read it: `⌘⇧S` on a Mac, `Ctrl+Shift+S` elsewhere. */
export function shownKey(key: string, mac: boolean): string {
  if (!mac)
    return key
      .replace('Mod', 'Ctrl')
      .replace('Down', '↓')
      .replace('Up', '↑')
      .replace('Page↓', 'PgDn')
      .replace('Page↑', 'PgUp');
  return key
    .replace('Mod+', '⌘')
    .replace('Shift+', '⇧')
    .replace('Alt+', '⌥')
    .replace('Ctrl+', '⌃')
    .replace('PageDown', 'PgDn')
    .replace('PageUp', 'PgUp')
    .replace('Down', '↓')
    .replace('Up', '↑');
}

/** The entries of the palette for what was typed: all of its words, in any order, anywhere in the title. */
export function matching(query: string): readonly Key[] {
  const words = query
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  return keys.filter((one) => words.every((word) => one.title.toLowerCase().includes(word)));
}
