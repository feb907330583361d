// What all work of the page needs: the store, the server, and a way to say what came of it. No failure is silent: it is a
// notice, or the screen that says that nobody answers.

import { type Api, ApiError, Unreachable } from './api-client.ts';
import { openShelf } from './history.ts';
import type { Store } from './store.ts';

/** The most events that are listed, run and captured at once. */
export const LISTED = 100;

export type Desk = ReturnType<typeof createDesk>;

export function createDesk(store: Store, api: Api) {
  let shelf = openShelf(localStorage, sessionStorage, '');

  const say = (text: string, bad = false): void => store.send({ type: 'notice', text, bad });
  const complain = (error: unknown): void => {
    if (error instanceof ApiError) {
      const { message, fix } = error.error;
      if (error.status === 401) store.send({ type: 'lost', kind: 'token', message });
      else say(fix === undefined ? message : `${message} (${fix})`, true);
    } else if (error instanceof Unreachable) {
      store.send({ type: 'lost', kind: 'gone', message: error.message });
    } else if (!(error instanceof DOMException && error.name === 'AbortError')) {
      say(error instanceof Error ? error.message : String(error), true);
    }
  };
  /** Work that a person asked for: one at a time, with its name at the button that waits. */
  const doing = async (name: string, work: () => Promise<void>): Promise<void> => {
    const { busy } = store.get();
    if (busy !== null) {
      say(`“${busy}” is still under way.`, true);
      return;
    }
    store.send({ type: 'busy', busy: name });
    try {
      await work();
    } catch (error) {
      complain(error);
    } finally {
      store.send({ type: 'busy', busy: null });
    }
  };

  return {
    store,
    api,
    say,
    complain,
    doing,
    async copy(text: string, what: string): Promise<void> {
      // browsers offer it on this machine and with encryption only
      const clipboard = navigator.clipboard as Clipboard | undefined;
      if (clipboard === undefined) throw new Error('This browser lets no page copy from this address.');
      await clipboard.writeText(text);
      say(`Copied ${what}.`);
    },
    /** Drafts and history of the manifest that is open. */
    shelf: () => shelf,
    openShelf(manifest: string): void {
      shelf = openShelf(localStorage, sessionStorage, manifest);
    },
  };
}
