// Typing over a selection, done by the editor's own means. Left to Chromium, it would put an inline style on what it inserts
// (to keep the look of what was there), and the page's policy refuses that with an error in the browser's console.

import type { Extension } from '@codemirror/state';
import { EditorView } from '@codemirror/view';

export function typeOver(): Extension {
  return EditorView.domEventHandlers({
    beforeinput(event, view) {
      const { main } = view.state.selection;
      const text = event.data;
      if (event.inputType !== 'insertText' || text === null || main.empty || view.composing) return false;
      const insert = () =>
        view.state.update(view.state.replaceSelection(text), { userEvent: 'input.type', scrollIntoView: true });
      const handlers = view.state.facet(EditorView.inputHandler);
      if (!handlers.some((handle) => handle(view, main.from, main.to, text, insert))) view.dispatch(insert());
      event.preventDefault();
      return true;
    },
  });
}
