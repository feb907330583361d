// The test bench: every event with its fate beside it, so that one edit shows what it does to all of them.
// A listbox with one stop for Tab; arrows, Home, End and the page keys move in it.

import { useEffect, useRef } from 'hono/jsx/dom';
import { Choice } from '../choice.tsx';
import { FOCUS, type FocusWish } from '../commands.ts';
import { duration, fateOf, size, sums } from '../fates.ts';
import { fits } from '../filter.ts';
import type { Frame } from '../frame.ts';
import { keyText } from '../items.ts';
import { type Item, itemsOf, type Origin } from '../state.ts';

const OPS: Readonly<Record<string, string>> = {
  c: 'create',
  u: 'update',
  d: 'delete',
  r: 'read',
  t: 'truncate',
  m: 'message',
  s: 'schema',
};
const PAGE = 10;

export function EventsPane({ frame }: { readonly frame: Frame }) {
  const { state, work, act } = frame;
  const list = useRef<HTMLDivElement>(null);
  const filter = useRef<HTMLInputElement>(null);
  const items = itemsOf(state).filter((one) => fits(one, fateOf(state.run.results.get(one.ref)), state.filter));
  const all = itemsOf(state).length;
  const at = items.findIndex((one) => one.ref === state.selected);

  useEffect(() => {
    const onWish = (event: Event): void => {
      const { at: where } = (event as CustomEvent<FocusWish>).detail;
      if (where === 'filter') filter.current?.focus();
      if (where === 'events') list.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
    };
    document.addEventListener(FOCUS, onWish);
    return () => document.removeEventListener(FOCUS, onWish);
  }, []);
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' });
  }, [state.selected]);

  const onKey = (event: KeyboardEvent): void => {
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: PAGE,
      PageUp: -PAGE,
      Home: -items.length,
      End: items.length,
    };
    const by = event.altKey ? undefined : steps[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const next = items[Math.min(items.length - 1, Math.max(0, at + by))];
    if (next === undefined) return;
    work.selectItem(next.ref);
    requestAnimationFrame(() => document.getElementById(rowId(next))?.focus());
  };
  const stream = state.session?.streams.find((one) => one.id === state.stream);
  const running = state.capture?.state === 'running';
  return (
    <section class="pane events" aria-label="Events" data-pane="events">
      <div class="bar">
        <h2>Events</h2>
        <span class="fill" />
        <button type="button" onClick={() => act('paste-events')}>
          Paste
        </button>
        <button
          type="button"
          onClick={() => act('capture-now')}
          title="Reads from the source and leaves nothing behind there"
        >
          {running ? `Stop (${state.capture!.events})` : 'Capture'}
        </button>
      </div>
      <div class="bar">
        <Choice
          label="Which events"
          chosen={state.origin}
          onChoose={(origin: Origin) => work.setOrigin(origin)}
          options={[
            { value: 'captures', title: state.session?.sample ? 'Samples' : 'Captured' },
            { value: 'dead_letters', title: <DeadLetters pending={stream?.dead_letters ?? 0} /> },
          ]}
        />
      </div>
      <div class="bar">
        <input
          ref={filter}
          class="wide"
          type="search"
          aria-label="Filter the events"
          placeholder="filter: table:orders op:u fate:failed"
          value={state.filter}
          onInput={(event: Event) => work.setFilter((event.target as HTMLInputElement).value)}
        />
      </div>
      {items.length === 0 ? (
        <Nothing frame={frame} />
      ) : (
        <div
          ref={list}
          class={state.run.stale ? 'list stale' : 'list'}
          role="listbox"
          aria-label="Events and their fates"
        >
          {items.map((item, i) => (
            <Row key={item.ref} frame={frame} item={item} stop={i === Math.max(0, at)} onKey={onKey} />
          ))}
        </div>
      )}
      <p class="sums">
        {items.length === all ? '' : `${items.length} of `}
        {all} event{all === 1 ? '' : 's'}
        {state.total > state.listed.length ? `, the newest of ${state.total}` : ''}
        {state.run.results.size > 0 ? ` · ${sums(state.run)}` : ''}
      </p>
    </section>
  );
}

interface RowProps {
  readonly frame: Frame;
  readonly item: Item;
  readonly stop: boolean;
  readonly onKey: (event: KeyboardEvent) => void;
}

function Row({ frame, item, stop, onKey }: RowProps) {
  const { state, work } = frame;
  const result = state.run.results.get(item.ref);
  const fate = fateOf(result);
  const letter = item.letter === null ? undefined : state.letters.get(item.letter);
  const cost = [duration(result?.ms), size(result?.memory)].filter((part) => part !== '').join(', ');
  return (
    <div
      id={rowId(item)}
      class={`row fate-${fate.kind}`}
      role="option"
      aria-selected={String(state.selected === item.ref)}
      tabIndex={stop ? 0 : -1}
      onKeyDown={onKey}
      onClick={() => work.selectItem(item.ref)}
      onFocus={() => {
        if (state.selected !== item.ref) work.selectItem(item.ref);
      }}
      title={cost}
    >
      <span class="glyph" aria-hidden="true">
        {fate.glyph}
      </span>
      <span class="op">
        <span aria-hidden="true">{item.op}</span>
        <span class="heard">{OPS[item.op] ?? item.op}</span>
      </span>
      <span class="table">{item.table}</span>
      <span class="key">{keyText(item.key)}</span>
      {item.pinned ? <span title="pinned">★</span> : null}
      {item.origin === 'pasted' ? <span class="tag">pasted</span> : null}
      {letter !== undefined ? <span class={`tag letter-${letter.status}`}>{letter.status}</span> : null}
      <span class="word">{fate.word}</span>
      <span class="ms">{duration(result?.ms)}</span>
    </div>
  );
}

function DeadLetters({ pending }: { readonly pending: number }) {
  return <>Dead letters{pending > 0 ? <span class="count bad">{pending}</span> : null}</>;
}

function Nothing({ frame }: { readonly frame: Frame }) {
  const { state } = frame;
  if (state.filter !== '' && itemsOf(state).length > 0) return <p class="nothing">No event fits the filter.</p>;
  if (state.session === null) return <p class="nothing">Opening…</p>;
  if (state.origin === 'dead_letters') return <p class="nothing">This stream has no dead letters. Good.</p>;
  return (
    <p class="nothing">
      No events yet. <b>Capture</b> reads some from the source and leaves nothing behind there, <b>Paste</b> takes JSON,
      and <code>capture:</code> in the manifest keeps a sample of what passes.
    </p>
  );
}

function rowId(item: Item): string {
  return `event-${item.ref.replace(/[^\w-]/g, '-')}`;
}
