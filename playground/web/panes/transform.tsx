// The code of one step of the chain, in one of four languages, with what the server found wrong marked at its place.

import { useLayoutEffect, useRef } from 'hono/jsx/dom';
import { Choice } from '../choice.tsx';
import { FOCUS, type FocusWish } from '../commands.ts';
import { type CodeEditor, createCodeEditor, type Mark } from '../editor/code-editor.ts';
import type { KnownFields } from '../editor/completion.ts';
import { problemsOf } from '../fates.ts';
import { fieldsOf } from '../fields.ts';
import type { Frame } from '../frame.ts';
import { parsedObject } from '../json-text.ts';
import { shownKey } from '../keys.ts';
import { isLanguageName, type LanguageName, languageNames } from '../language-names.ts';
import { itemsOf, type Scope, type State, stepOf } from '../state.ts';
import { isDirty, type Step, sourceOf } from '../steps.ts';

export function TransformPane({ frame }: { readonly frame: Frame }) {
  const { state, send, act, work } = frame;
  const step = stepOf(state);
  return (
    <section class="pane transform" aria-label="Transform" data-pane="transform">
      <div class="bar">
        <h2>{state.chain.length > 1 ? `Step ${state.at + 1} of ${state.chain.length}` : 'Transform'}</h2>
        {state.chain.length > 0 ? <Chain frame={frame} /> : null}
        <button
          type="button"
          class="icon"
          onClick={() => act('add-step')}
          aria-label="Add a step to the chain"
          title="Add a step to the chain"
        >
          +
        </button>
        <span class="fill" />
        {step === null ? null : <FileState frame={frame} step={step} />}
      </div>
      {step === null || !step.editable ? null : (
        <div class="bar">
          <Choice
            label="Language"
            options={languageNames.map((name) => ({
              value: name,
              title: state.session?.languages.find((one) => one.name === name)?.title ?? name,
            }))}
            chosen={step.type}
            onChoose={(name) => act(name as LanguageName)}
          />
          <label class="field">
            <span>gets</span>
            <select
              onChange={(event: Event) => {
                const scope = (event.target as HTMLSelectElement).value as Scope;
                if (scope !== step.scope) send({ type: 'scope', scope });
              }}
            >
              <option value="row" selected={step.scope === 'row'}>
                the row
              </option>
              <option value="event" selected={step.scope === 'event'}>
                the whole event
              </option>
            </select>
          </label>
          <span class="fill" />
          {step.disk === null ? (
            <button type="button" onClick={() => send({ type: 'drop-step' })}>
              Remove step
            </button>
          ) : null}
          <button type="button" onClick={() => act('format')}>
            Format
          </button>
          <button
            type="button"
            class="main"
            disabled={!isDirty(step)}
            onClick={() => act('save')}
            title={shownKey('Mod+S', frame.mac)}
          >
            {step.disk === null || step.type !== step.disk.type || step.scope !== step.disk.scope ? 'Write…' : 'Save'}
          </button>
        </div>
      )}
      {step?.conflict == null ? null : (
        <p class="banner bad" role="alert">
          The file changed on disk, and this draft differs from it.{' '}
          <button type="button" onClick={() => send({ type: 'dialog', dialog: 'conflict' })}>
            Compare
          </button>
          <button type="button" onClick={() => send({ type: 'take-disk' })}>
            Take the file’s
          </button>
        </p>
      )}
      {step === null ? (
        <div class="nothing">
          <p>This stream has no transformation: its events pass as they are.</p>
          <button type="button" onClick={() => act('add-step')}>
            Add one
          </button>
        </div>
      ) : !step.editable ? (
        <p class="nothing">
          <b>{step.id}</b> is a transform of the plugin <code>{step.type}</code>. It runs here; its code is not the
          manifest’s.
        </p>
      ) : null}
      <Editor frame={frame} step={step?.editable ? step : null} change={work.edit} />
    </section>
  );
}

function Chain({ frame }: { readonly frame: Frame }) {
  const { state, send } = frame;
  return (
    <Choice
      label="Steps of the chain"
      chosen={state.at}
      onChoose={(at) => send({ type: 'step', at })}
      options={state.chain.map((step, i) => ({ value: i, title: isDirty(step) ? `${step.id} •` : step.id }))}
    />
  );
}

function FileState({ frame, step }: { readonly frame: Frame; readonly step: Step }) {
  const file =
    step.disk === null ? 'not in the manifest yet' : step.disk.inline ? 'in the manifest' : (step.disk.file ?? '');
  const name = file.split('/').at(-1);
  if (!step.editable) return <span class="quiet">{step.type}</span>;
  return (
    <span class="quiet file-state" title={file}>
      {name}{' '}
      {isDirty(step) ? (
        <>
          <b class="unsaved">• unsaved draft</b>
          {step.disk === null ? null : (
            <button type="button" class="small" onClick={() => frame.send({ type: 'take-disk' })}>
              Revert
            </button>
          )}
        </>
      ) : (
        '✓ saved'
      )}
    </span>
  );
}

interface EditorProps {
  readonly frame: Frame;
  readonly step: Step | null;
  readonly change: (source: string) => void;
}

function Editor({ frame, step, change }: EditorProps) {
  const { results, problem, stopped, stale } = frame.state.run;
  // layout effects: hono runs others a frame later, and the text would be painted that much later
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<CodeEditor | null>(null);
  useLayoutEffect(() => {
    const made = createCodeEditor(host.current!, {
      nonce: frame.nonce,
      label: 'Code of the transform',
      onChange: change,
      fields: () => knownFields(frame.now()),
    });
    editor.current = made;
    const onWish = (event: Event): void => {
      const { at, line, column } = (event as CustomEvent<FocusWish>).detail;
      if (at === 'editor') made.focus();
      if (at === 'place') made.reveal(line ?? 1, column ?? 1);
    };
    document.addEventListener(FOCUS, onWish);
    return () => {
      document.removeEventListener(FOCUS, onWish);
      made.destroy();
    };
  }, []);
  useLayoutEffect(() => {
    // the text of this instant, not the one that is drawn: more may have been typed since, and would be taken back
    const { stream } = frame.now();
    const now = stepOf(frame.now());
    if (now === null || !isLanguageName(now.type)) return;
    editor.current?.show(`${stream}/${now.id}`, sourceOf(now), now.type);
  }, [step]);
  useLayoutEffect(() => {
    if (step !== null) editor.current?.mark(marksOf(frame.state, step));
  }, [results, problem, stopped, stale, step?.id]);
  return <div ref={host} class="editor" hidden={step === null} />;
}

/** What is wrong in this step, where the place is in its own text. */
function marksOf(state: State, step: Step): readonly Mark[] {
  return problemsOf(state.run).flatMap(({ error, step: id }) => {
    const { line, column, file } = error.at ?? {};
    if (id !== step.id || line === undefined) return [];
    // a helper module's place is not in this text; the ending follows the language of the draft
    const own = step.disk?.file ?? null;
    if (file !== undefined && own !== null && stem(file) !== stem(own)) return [];
    return [{ line, column: column ?? 1, message: error.message, code: error.code }];
  });
}

/** A file's name without its folder and ending. */
function stem(file: string): string {
  return file
    .split('/')
    .at(-1)!
    .replace(/\.[^.]*$/, '');
}

/** From what the step got in the last run, or from the events as they came. */
let known: { readonly results: unknown; readonly items: unknown; readonly fields: KnownFields } | null = null;

function knownFields(state: State): KnownFields {
  const items = itemsOf(state);
  if (known?.results === state.run.results && known.items === state.listed) return known.fields;
  const texts = [...state.run.results.values()].flatMap((one) => one.inputs);
  const events = (texts.length > 0 ? texts : items.map((one) => one.text)).map((text) => parsedObject(text) ?? {});
  const rows = events.flatMap((event) => {
    const row = event['after'] ?? event['before'];
    return row === undefined || row === null ? [] : [row];
  });
  const event = fieldsOf(events);
  const fields = { input: stepOf(state)?.scope === 'event' ? event : fieldsOf(rows), event };
  known = { results: state.run.results, items: state.listed, fields };
  return fields;
}
