// The events to run: where they come from, what they are filtered by, the list with their fates, and its sums.

import { useEffect, useRef } from 'hono/jsx/dom';
import { Choice } from '../choice.tsx';
import { FOCUS, type FocusWish } from '../commands.ts';
import { sums } from '../fates.ts';
import { fittingItems } from '../filter.ts';
import type { Frame } from '../frame.ts';
import { eventlessLetters, itemsOf, type Origin } from '../state.ts';
import { EventList } from './event-list.tsx';

export function EventsPane({ frame }: { readonly frame: Frame }) {
  const { state, work, act } = frame;
  const filter = useRef<HTMLInputElement>(null);
  const items = fittingItems(state);
  const all = itemsOf(state).length;

  useEffect(() => {
    const onWish = (event: Event): void => {
      if ((event as CustomEvent<FocusWish>).detail.at === 'filter') filter.current?.focus();
    };
    document.addEventListener(FOCUS, onWish);
    return () => document.removeEventListener(FOCUS, onWish);
  }, []);
  const stream = state.session?.streams.find((one) => one.id === state.stream);
  const running = state.capture?.state === 'running';
  const eventless = eventlessLetters(state);
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
      {items.length === 0 ? <Nothing frame={frame} /> : <EventList frame={frame} />}
      <p class="sums">
        {items.length === all ? '' : `${items.length} of `}
        {all} event{all === 1 ? '' : 's'}
        {state.total > state.listed.length ? `, the newest of ${state.total}` : ''}
        {state.more ? '; older ones are stored' : ''}
        {eventless > 0 && items.length > 0 ? `; ${eventless} more could not be read` : ''}
        {state.run.results.size > 0 ? ` · ${sums(state.run)}` : ''}
      </p>
    </section>
  );
}

function DeadLetters({ pending }: { readonly pending: number }) {
  return <>Dead letters{pending > 0 ? <span class="count bad">{pending}</span> : null}</>;
}

function Nothing({ frame }: { readonly frame: Frame }) {
  const { state } = frame;
  if (state.filter !== '' && (itemsOf(state).length > 0 || state.asked !== ''))
    return <p class="nothing">No event fits the filter.</p>;
  if (state.session === null) return <p class="nothing">Opening…</p>;
  const eventless = eventlessLetters(state);
  if (eventless > 0) {
    return (
      <p class="nothing">
        {eventless === 1 ? 'One dead letter holds' : `${eventless} dead letters hold`} what the source could not read,
        so there is no event to try: <code>sluice dead-letters list</code>.
      </p>
    );
  }
  if (state.origin === 'dead_letters') return <p class="nothing">This stream has no dead letters. Good.</p>;
  return (
    <p class="nothing">
      No events yet. <b>Capture</b> reads some from the source and leaves nothing behind there, <b>Paste</b> takes JSON,
      and <code>capture:</code> in the manifest keeps a sample of what passes.
    </p>
  );
}
