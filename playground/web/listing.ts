// What there is to run: captured events and dead letters, as the server lists them, and what it tells by itself: files that
// changed, captures on their way, letters that were settled.

import type { Change } from '../server/api.ts';
import { ApiError } from './api-client.ts';
import { type Desk, LISTED } from './desk.ts';
import { serverPart } from './filter.ts';
import { itemOf } from './items.ts';
import type { Running } from './running.ts';
import { manifestErrors, type State, stepOf } from './state.ts';

const AGAIN = 1000;
const PAUSE = 200;

export type Listing = ReturnType<typeof createListing>;

export function createListing(desk: Desk, running: Running) {
  const { store, api, say, complain } = desk;
  const quiet = new AbortController();

  async function listEvents(): Promise<void> {
    const { stream, origin, filter } = store.get();
    if (stream === '') return;
    const asked = isPart(store.get()) ? serverPart(filter) : '';
    const query = { stream, from: origin, limit: LISTED, ...(asked === '' ? {} : { q: asked }) };
    const answer = await api.call('events', { query });
    if (store.get().stream !== stream || store.get().origin !== origin) return;
    store.send({ type: 'listed', items: answer.events.map(itemOf), total: answer.total, more: answer.more, asked });
    if (origin === 'dead_letters') await listLetters();
  }

  async function listLetters(): Promise<void> {
    const { stream } = store.get();
    store.send({
      type: 'letters',
      letters: (await api.call('deadLetters', { query: { stream, limit: 500 } })).dead_letters,
    });
  }

  /** Reads what the server tells, for ever; when it is gone, asks again once a second. */
  async function follow(): Promise<void> {
    while (!quiet.signal.aborted) {
      try {
        for await (const change of api.changes(quiet.signal)) {
          store.send({ type: 'found' });
          await heard(change);
        }
      } catch (error) {
        if (quiet.signal.aborted) return;
        if (error instanceof ApiError && error.status === 401) return complain(error);
      }
      store.send({ type: 'lost', kind: 'gone', message: 'The server does not answer.' });
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
    }
  }

  async function heard(change: Change): Promise<void> {
    try {
      if (change.name === 'files') await onFiles(change.data);
      else if (change.name === 'tests') await onTests(change.data.transform);
      else if (change.name === 'dead_letters') await onLetters();
      else {
        const { capture, events, state, error } = change.data;
        store.send({ type: 'capture', capture: { capture, events, state, error: error ?? null } });
        if (state === 'failed') say(error?.message ?? 'The capture failed.', true);
        if (state === 'done') say(`Captured ${events} event${events === 1 ? '' : 's'}. The source was left as it was.`);
        if (state !== 'running' && store.get().origin === 'captures') await listEvents();
      }
    } catch (error) {
      complain(error);
    }
  }

  async function onFiles(data: Extract<Change, { name: 'files' }>['data']): Promise<void> {
    const { session } = store.get();
    if (!data.valid) say('The manifest on disk has errors. What was open before is still open.', true);
    else if (manifestErrors(session).length > 0) say('The manifest on disk is valid again.');
    const known = session?.transformations.every((one) => data.transforms[one.id] === one.hash) ?? false;
    if (session?.manifest.hash === data.manifest && known) return;
    store.send({ type: 'session', session: await api.call('session') });
  }

  async function onTests(transform: string): Promise<void> {
    if (stepOf(store.get())?.id === transform) await running.listTests(transform);
  }

  async function onLetters(): Promise<void> {
    await listLetters();
    if (store.get().origin === 'dead_letters') store.send({ type: 'session', session: await api.call('session') });
  }

  let timer: ReturnType<typeof setTimeout> | undefined;
  /** The page filters what it has; where the server has more, it is asked, too. */
  function setFilter(filter: string): void {
    store.send({ type: 'filter', filter });
    clearTimeout(timer);
    if (isPart(store.get())) timer = setTimeout(() => void listEvents().catch(complain), PAUSE);
  }

  return { listEvents, setFilter, follow, stop: () => quiet.abort() };
}

/** The server has, or may have, more than is listed. */
function isPart({ total, listed, asked }: State): boolean {
  return asked !== '' || total > listed.length;
}
