// The editor of a transform: colours, brackets, completion from the events, squiggles where the server found something.
// It owns no state that matters: text goes in by `show`, what the author types comes out by `onChange`.
// Tab indents; Escape, then Tab leaves the editor (CodeMirror's tab focus mode), so that the keyboard is never caught.

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { bracketMatching, foldGutter, foldKeymap, indentOnInput } from '@codemirror/language';
import { type Diagnostic, diagnosticCount, lintGutter, setDiagnostics } from '@codemirror/lint';
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search';
import { Annotation, Compartment, EditorState } from '@codemirror/state';
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from '@codemirror/view';
import type { LanguageName } from '../language-names.ts';
import { changeOf } from './change-of.ts';
import { completionSource, type KnownFields } from './completion.ts';
import { languageExtensions } from './languages.ts';
import { look } from './look.ts';
import { typeOver } from './type-over.ts';

/** A place in the text, lines and columns from 1, and what is wrong there. */
export interface Mark {
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly code: string;
}

export interface CodeEditor {
  /** Puts `text` in, as one step without an `onChange`; another `document` begins a new undo history. */
  show(document: string, text: string, language: LanguageName): void;
  mark(marks: readonly Mark[]): void;
  reveal(line: number, column: number): void;
  focus(): void;
  destroy(): void;
}

interface Options {
  readonly nonce: string;
  readonly label: string;
  onChange(text: string): void;
  fields(): KnownFields;
}

const fromOutside = Annotation.define<boolean>();

export function createCodeEditor(host: HTMLElement, options: Options): CodeEditor {
  const languagePart = new Compartment();
  let document = '';
  let language: LanguageName | null = null;

  const languageExtension = (name: LanguageName) => {
    // made once: a source that is another function each time is asked again and again
    const data = [{ autocomplete: completionSource(name, options.fields) }];
    return [languageExtensions[name](), EditorState.languageData.of(() => data)];
  };
  const stateOf = (text: string, name: LanguageName): EditorState =>
    EditorState.create({
      doc: text,
      extensions: [
        look(options.nonce),
        lintGutter(),
        lineNumbers(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        foldGutter(),
        history(),
        drawSelection(),
        highlightSpecialChars(), // what turns the direction of text around is seen
        indentOnInput(),
        bracketMatching(),
        closeBrackets(),
        typeOver(),
        autocompletion({ activateOnTypingDelay: 50, icons: false }),
        highlightSelectionMatches(),
        keymap.of([
          ...closeBracketsKeymap,
          ...defaultKeymap.filter(isOurs),
          ...historyKeymap,
          ...searchKeymap,
          ...foldKeymap,
          ...completionKeymap,
          indentWithTab,
        ]),
        EditorView.contentAttributes.of({ 'aria-label': options.label, tabindex: '0' }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged && !update.transactions.some((one) => one.annotation(fromOutside)))
            options.onChange(update.state.doc.toString());
        }),
        languagePart.of(languageExtension(name)),
      ],
    });
  const view = new EditorView({ parent: host, state: stateOf('', 'javascript') });

  return {
    show(nextDocument, text, nextLanguage) {
      if (nextDocument !== document) {
        document = nextDocument;
        language = nextLanguage;
        view.setState(stateOf(text, nextLanguage));
        return;
      }
      const effects = [];
      if (nextLanguage !== language) effects.push(languagePart.reconfigure(languageExtension(nextLanguage)));
      language = nextLanguage;
      const old = view.state.doc.toString();
      if (old !== text) view.dispatch({ changes: changeOf(old, text), annotations: fromOutside.of(true), effects });
      else if (effects.length > 0) view.dispatch({ effects });
    },
    mark(marks) {
      if (marks.length === 0 && diagnosticCount(view.state) === 0) return;
      const diagnostics: Diagnostic[] = marks.map((one) => {
        const from = offsetOf(view.state, one.line, one.column);
        const line = view.state.doc.lineAt(from);
        const word = /^[\p{L}\p{N}_$]+/u.exec(line.text.slice(from - line.from))?.[0].length ?? 1;
        return { from, to: Math.min(line.to, from + word), severity: 'error', message: one.message, source: one.code };
      });
      view.dispatch(setDiagnostics(view.state, diagnostics));
    },
    reveal(line, column) {
      const at = offsetOf(view.state, line, column);
      view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: 'center' }) });
      view.focus();
    },
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}

/** Keys that the page's own table (keys.ts) has: the editor leaves them to it. */
function isOurs(binding: { key?: string | undefined }): boolean {
  return !['Mod-Enter', 'Alt-ArrowUp', 'Alt-ArrowDown'].includes(binding.key ?? '');
}

/** The server counts lines and columns from 1; a place beyond the text (typed on since) is the nearest there is. */
function offsetOf(state: EditorState, line: number, column: number): number {
  const at = state.doc.line(Math.min(Math.max(1, line), state.doc.lines));
  return Math.min(at.to, at.from + Math.max(0, column - 1));
}
