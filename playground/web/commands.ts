// Carries out the commands of keys.ts. The compiler sees to it that each of them is here.

import { problemsOf } from './fates.ts';
import type { ActionName } from './keys.ts';
import { stepOf, type Tab, type Theme } from './state.ts';
import type { Store } from './store.ts';
import type { Work } from './work.ts';

const THEMES: Readonly<Record<Theme, Theme>> = { system: 'light', light: 'dark', dark: 'system' };

/** Where the focus shall go: the panes listen on the document. */
export interface FocusWish {
  readonly at: 'events' | 'editor' | 'output' | 'filter' | 'place';
  readonly line?: number;
  readonly column?: number;
}

export const FOCUS = 'sluice:focus';

export function wishFocus(wish: FocusWish): void {
  // after the screen has been made anew: the pane may not be there yet
  setTimeout(() => document.dispatchEvent(new CustomEvent<FocusWish>(FOCUS, { detail: wish })), 30);
}

export function createCommands(store: Store, work: Work): (action: ActionName) => void {
  const { send } = store;
  const goTo = (tab: Tab, at: FocusWish['at']): void => {
    send({ type: 'tab', tab });
    wishFocus({ at });
  };
  /** The next problem: its event is chosen, its step opened, and the cursor goes to its place. */
  const toProblem = (by: number): void => {
    const { run, problemAt, chain } = store.get();
    const problems = problemsOf(run);
    if (problems.length === 0) {
      send({ type: 'notice', text: 'There is no problem.', bad: false });
      return;
    }
    const at = (Math.max(problemAt, by < 0 ? 0 : -1) + by + problems.length) % problems.length;
    const problem = problems[at]!;
    const step = chain.findIndex((one) => one.id === problem.step);
    if (step >= 0) send({ type: 'step', at: step });
    send({ type: 'problem', at });
    if (problem.refs[0] !== undefined) send({ type: 'select', ref: problem.refs[0] });
    const { line, column } = problem.error.at ?? {};
    if (line === undefined) return;
    send({ type: 'tab', tab: 'transform' });
    wishFocus({ at: 'place', line, column: column ?? 1 });
  };
  const commands: Readonly<Record<ActionName, () => void>> = {
    run: () => work.run(),
    save: () => void work.save(),
    'save-test': () => send({ type: 'dialog', dialog: 'save-test' }),
    'run-tests': () => void work.runTests(),
    export: () => void work.exportManifest(),
    share: () => send({ type: 'dialog', dialog: 'share' }),
    format: () => void work.format(),
    'copy-output': () => work.copyOutput(),
    'next-event': () => send({ type: 'move', by: 1 }),
    'previous-event': () => send({ type: 'move', by: -1 }),
    'next-problem': () => toProblem(1),
    'previous-problem': () => toProblem(-1),
    'next-step': () => send({ type: 'step', at: store.get().at + 1 }),
    'previous-step': () => send({ type: 'step', at: store.get().at - 1 }),
    'focus-events': () => goTo('events', 'events'),
    'focus-editor': () => goTo('transform', 'editor'),
    'focus-output': () => goTo('output', 'output'),
    'filter-events': () => goTo('events', 'filter'),
    'view-sides': () => send({ type: 'view', view: 'sides' }),
    'view-diff': () => send({ type: 'view', view: 'diff' }),
    'whole-event': () => send({ type: 'whole', whole: !store.get().whole }),
    captures: () => work.setOrigin('captures'),
    'dead-letters': () => work.setOrigin('dead_letters'),
    'capture-now': () => void work.capture(),
    'paste-events': () => send({ type: 'dialog', dialog: 'paste' }),
    pin: () => work.pin(),
    'add-step': () => send({ type: 'dialog', dialog: 'add-step' }),
    javascript: () => work.setLanguage('javascript'),
    typescript: () => work.setLanguage('typescript'),
    jsonata: () => work.setLanguage('jsonata'),
    kazaam: () => work.setLanguage('kazaam'),
    history: () => send({ type: 'dialog', dialog: 'history' }),
    theme: () => send({ type: 'theme', theme: THEMES[store.get().theme] }),
    'text-size': () => send({ type: 'large', large: !store.get().large }),
    palette: () => send({ type: 'dialog', dialog: 'palette' }),
    keys: () => send({ type: 'dialog', dialog: 'keys' }),
  };
  return (action) => {
    // what changes a step needs one that can be changed
    const needsStep: readonly ActionName[] = [
      'save',
      'format',
      'save-test',
      'share',
      'javascript',
      'typescript',
      'jsonata',
      'kazaam',
    ];
    const step = stepOf(store.get());
    if (needsStep.includes(action) && (step === null || !step.editable)) {
      send({ type: 'notice', text: 'There is no transform here that the playground can change.', bad: true });
      return;
    }
    commands[action]();
  };
}
