// The test bench: every event with its fate beside it, so that one edit shows what it does to all of them.
// A listbox with one stop for Tab; arrows, Home, End and the page keys move in it. Drawn anew only when what it shows is another,
// and of its rows only those that are: it is by far the longest part of the page, and each key is waited for.

import { memo, useEffect, useRef } from 'hono/jsx/dom';
import { FOCUS, type FocusWish } from '../commands.ts';
import { duration, type FateLook, fateOf, size } from '../fates.ts';
import { fittingItems } from '../filter.ts';
import type { Frame } from '../frame.ts';
import { keyText } from '../items.ts';
import type { Item } from '../state.ts';

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

interface ListProps {
  readonly frame: Frame;
}

const whatIsShown = ({ frame: { state } }: ListProps): readonly unknown[] => [
  state.pasted,
  state.listed,
  state.filter,
  state.letters,
  state.selected,
  state.run.results,
  state.run.stale,
  state.run.measured,
];

export const EventList = memo(List, (before, after) => {
  const now = whatIsShown(after);
  return whatIsShown(before).every((part, i) => part === now[i]);
});

function List({ frame }: ListProps) {
  const { state, work, now } = frame;
  const list = useRef<HTMLDivElement>(null);
  const items = fittingItems(state);
  const at = items.findIndex((one) => one.ref === state.selected);

  useEffect(() => {
    const onWish = (event: Event): void => {
      if ((event as CustomEvent<FocusWish>).detail.at !== 'events') return;
      list.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
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
  /** The row that the event of the browser came from. */
  const choose = (event: Event): void => {
    const row = event.target instanceof Element ? event.target.closest('[role="option"]') : null;
    const item = items.find((one) => rowId(one) === row?.id);
    if (item !== undefined && item.ref !== now().selected) work.selectItem(item.ref);
  };
  const { stale, measured, results } = state.run;
  return (
    <div
      ref={list}
      class={`list ${stale ? 'stale' : ''} ${measured ? '' : 'unmeasured'}`}
      role="listbox"
      aria-label="Events and their fates"
      tabIndex={-1}
      onKeyDown={onKey}
      onClick={choose}
      onFocusIn={choose}
    >
      {items.map((item, i) => {
        const result = results.get(item.ref);
        return (
          <Row
            key={item.ref}
            item={item}
            {...fateOf(result)}
            ms={result?.ms}
            memory={result?.memory}
            letter={item.letter === null ? undefined : state.letters.get(item.letter)?.status}
            chosen={item.ref === state.selected}
            stop={i === Math.max(0, at)}
          />
        );
      })}
    </div>
  );
}

interface RowProps extends FateLook {
  readonly item: Item;
  readonly ms: number | undefined;
  readonly memory: number | undefined;
  /** Status of a dead letter. */
  readonly letter: string | undefined;
  readonly chosen: boolean;
  readonly stop: boolean;
}

const Row = memo(({ item, glyph, word, kind, ms, memory, letter, chosen, stop }: RowProps) => (
  <div
    id={rowId(item)}
    class={`row fate-${kind}`}
    role="option"
    aria-selected={String(chosen)}
    tabIndex={stop ? 0 : -1}
    title={[duration(ms), size(memory)].filter((part) => part !== '').join(', ')}
  >
    <span class="glyph" aria-hidden="true">
      {glyph}
    </span>
    <span class="op">
      <span aria-hidden="true">{item.op}</span>
      <span class="heard">{OPS[item.op] ?? item.op}</span>
    </span>
    <bdi class="table">{item.table}</bdi>
    <bdi class="key">{keyText(item.key)}</bdi>
    {item.pinned ? <span title="pinned">★</span> : null}
    {item.origin === 'pasted' ? <span class="tag">pasted</span> : null}
    {letter !== undefined ? <span class={`tag letter-${letter}`}>{letter}</span> : null}
    <span class="word">{word}</span>
    <span class="ms">{duration(ms)}</span>
  </div>
));

function rowId(item: Item): string {
  return `event-${item.ref.replace(/[^\w-]/g, '-')}`;
}
