// JSON to read: coloured, folding, with a cursor, so that keyboard and screen reader can go through it. Or a diff of two:
// what was removed is shown above what came, and long unchanged parts are folded.

import { defaultKeymap } from '@codemirror/commands';
import { json } from '@codemirror/lang-json';
import { foldGutter, foldKeymap } from '@codemirror/language';
import { unifiedMergeView } from '@codemirror/merge';
import { searchKeymap } from '@codemirror/search';
import { Compartment, EditorState, type Extension } from '@codemirror/state';
import { drawSelection, EditorView, highlightSpecialChars, keymap, lineNumbers } from '@codemirror/view';
import { changeOf } from './change-of.ts';
import { look } from './look.ts';
import { yamlColours } from './yaml-colours.ts';

export interface TextView {
  /** Shows `text`, with `original` as a diff from it. */
  show(text: string, original?: string | null): void;
  focus(): void;
  destroy(): void;
}

/** `kind`: how the text is coloured. */
export function createTextView(
  host: HTMLElement,
  nonce: string,
  label: string,
  kind: 'json' | 'yaml' = 'json',
): TextView {
  const merge = new Compartment();
  let shown: { text: string; original: string | null } = { text: '', original: null };
  const view = new EditorView({
    parent: host,
    state: EditorState.create({
      extensions: [
        look(nonce),
        kind === 'json' ? json() : yamlColours(),
        lineNumbers(),
        foldGutter(),
        drawSelection(),
        highlightSpecialChars(), // what turns the direction of text around is seen
        EditorView.lineWrapping,
        EditorState.readOnly.of(true),
        EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
        keymap.of([
          ...defaultKeymap.filter((one) => !one.key?.startsWith('Alt-Arrow')),
          ...searchKeymap,
          ...foldKeymap,
        ]),
        merge.of([]),
      ],
    }),
  });
  return {
    show(text, original = null) {
      if (text === shown.text && original === shown.original) return;
      const changes = text === shown.text ? undefined : changeOf(shown.text, text);
      // the diff is made anew by taking it out first: it would otherwise compare with the text of before
      if (shown.original !== null) view.dispatch({ effects: merge.reconfigure([]) });
      view.dispatch(changes === undefined ? {} : { changes });
      if (original !== null) view.dispatch({ effects: merge.reconfigure(diffFrom(original)) });
      shown = { text, original };
    },
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}

function diffFrom(original: string): Extension {
  return unifiedMergeView({
    original,
    mergeControls: false,
    highlightChanges: true,
    gutter: true,
    syntaxHighlightDeletions: true,
    collapseUnchanged: { margin: 3, minSize: 6 },
    diffConfig: { scanLimit: 1000, timeout: 50 },
  });
}
