// What went in and what came out of the chosen event at the step that is open: side by side, or as a diff.
// Of a dead letter it has the way from failure to delivery: dry run, replay, resolved.

import { useLayoutEffect, useRef } from 'hono/jsx/dom';
import { Choice } from '../choice.tsx';
import { FOCUS, type FocusWish } from '../commands.ts';
import { createTextView, type TextView } from '../editor/text-view.ts';
import { duration, fateOf, placeText, size } from '../fates.ts';
import type { Frame } from '../frame.ts';
import { nameOf, shown, shownOutput } from '../items.ts';
import { layOut, parsedObject, rowOf } from '../json-text.ts';
import { itemsOf, stepOf, type View } from '../state.ts';
import { LetterBox } from './letter.tsx';

const VIEWS: readonly { readonly value: View; readonly title: string }[] = [
  { value: 'sides', title: 'In and out' },
  { value: 'diff', title: 'Diff' },
];

export function OutputPane({ frame }: { readonly frame: Frame }) {
  const { state, send, act } = frame;
  const item = itemsOf(state).find((one) => one.ref === state.selected);
  const result = state.selected === null ? undefined : state.run.results.get(state.selected);
  const fate = fateOf(result);
  const whole = state.whole || stepOf(state)?.scope === 'event';
  const input =
    result === undefined || result.inputs.length === 0
      ? item === undefined
        ? ''
        : (whole ? layOut : rowOf)(item.text)
      : shown(result.inputs, whole);
  const output = shownOutput(state);
  const diff = output !== '' && (state.view === 'diff' || (state.view === 'auto' && keepsShape(input, output)));
  const letter = item?.letter == null ? undefined : state.letters.get(item.letter);
  return (
    <section class="pane output" aria-label="Input and output" data-pane="output">
      <div class="bar">
        <h2>{item === undefined ? 'Output' : nameOf(item)}</h2>
        <span class={`fate fate-${fate.kind}`}>
          <span aria-hidden="true">{fate.kind === 'fan' ? '' : `${fate.glyph} `}</span>
          {fate.word}
        </span>
        <span class="quiet">
          {[duration(result?.ms), size(result?.memory), result?.ms === undefined || state.run.measured ? '' : 'before']
            .filter((part) => part !== '')
            .join(' · ')}
        </span>
        <span class="fill" />
        <button
          type="button"
          aria-pressed={String(item?.pinned ?? false)}
          onClick={() => act('pin')}
          disabled={item === undefined || item.origin === 'pasted'}
        >
          {item?.pinned ? '★ Pinned' : '☆ Pin'}
        </button>
        <button
          type="button"
          aria-pressed={String(whole)}
          onClick={() => send({ type: 'whole', whole: !state.whole })}
          disabled={stepOf(state)?.scope === 'event'}
        >
          Whole event
        </button>
        <Choice
          label="How to show it"
          chosen={diff ? 'diff' : 'sides'}
          onChoose={(view: View) => send({ type: 'view', view })}
          options={VIEWS}
        />
        <button type="button" onClick={() => act('copy-output')}>
          Copy
        </button>
      </div>
      {letter === undefined ? null : <LetterBox frame={frame} letter={letter} />}
      {state.run.stale ? (
        <p class="banner" role="note">
          From an earlier run:{' '}
          {state.run.problem === null
            ? 'the code of now did not run.'
            : `the code does not load since ${placeText(state.run.problem.error) || 'the last edit'}.`}
        </p>
      ) : null}
      {result?.error === undefined || letter !== undefined ? null : (
        <p class="banner bad">
          <b>{result.error.code}</b> {placeText(result.error)} {result.error.message}
        </p>
      )}
      <div class={`sides ${state.run.stale ? 'stale' : ''} ${diff ? 'one' : 'two'}`}>
        <div class="side" hidden={diff}>
          <h3>Input</h3>
          <Shown frame={frame} label="Input" text={input} original={null} wish="input" />
        </div>
        <div class="side">
          <h3>{diff ? 'From input to output' : 'Output'}</h3>
          {output === '' && result !== undefined ? (
            <p class="nothing">{noOutput(result.fate, state.chain.length)}</p>
          ) : null}
          <Shown
            frame={frame}
            label={diff ? 'Difference from input to output' : 'Output'}
            text={diff ? withCommas(output) : output}
            original={diff ? withCommas(input) : null}
            wish="output"
          />
        </div>
      </div>
    </section>
  );
}

/** Whether at least half of the members of the input are in the output, too. */
function keepsShape(input: string, output: string): boolean {
  const before = Object.keys(parsedObject(input) ?? {});
  const after = parsedObject(output) ?? {};
  return before.length > 0 && before.filter((name) => Object.hasOwn(after, name)).length * 2 >= before.length;
}

/** A comma behind the last members, too: else a new last member would show its neighbour as changed. For diffs only. */
function withCommas(text: string): string {
  return text.replace(/(?<![,[{])\n(?=\s*[}\]])/g, ',\n');
}

function noOutput(fate: string, steps: number): string {
  if (fate === 'filtered')
    return `∅ Filtered: the ${steps > 1 ? 'chain' : 'transform'} returned nothing, so nothing goes on to the sinks.`;
  if (fate === 'failed')
    return '✗ Failed: in a running stream its policy decides, by default it becomes a dead letter.';
  return 'Not run yet.';
}

interface ShownProps {
  readonly frame: Frame;
  readonly label: string;
  readonly text: string;
  readonly original: string | null;
  readonly wish: string;
}

function Shown({ frame, label, text, original, wish }: ShownProps) {
  // layout effects: hono runs others a frame later, and the text would be painted that much later
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<TextView | null>(null);
  useLayoutEffect(() => {
    const made = createTextView(host.current!, frame.nonce, label);
    view.current = made;
    const onWish = (event: Event): void => {
      if ((event as CustomEvent<FocusWish>).detail.at === wish) made.focus();
    };
    document.addEventListener(FOCUS, onWish);
    return () => {
      document.removeEventListener(FOCUS, onWish);
      made.destroy();
    };
  }, []);
  useLayoutEffect(() => view.current?.show(text, original), [text, original]);
  return <div ref={host} class="shown" hidden={text === ''} />;
}
