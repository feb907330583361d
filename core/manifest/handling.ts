// error_handling as the engine reads it, and what in it would do nothing where it stands.

import type { ErrorHandling } from './model.ts';
import type { Work } from './work.ts';
import type { WrittenHandling } from './written.ts';

type Kind = 'source' | 'transform' | 'sink';

export function handlingOf(
  written: Pick<WrittenHandling, 'on_error' | 'dead_letter_destination'> & Partial<WrittenHandling>,
  kind: Kind,
): ErrorHandling {
  return {
    on_error: written.on_error,
    max_retries: written.max_retries ?? (kind === 'sink' ? 5 : kind === 'transform' ? 3 : 0),
    retry_delay: written.retry_delay ?? 100,
    then: written.then ?? 'dead_letter',
    ...(written.dead_letter_destination === undefined
      ? {}
      : { dead_letter_destination: written.dead_letter_destination }),
  };
}

/** At a sink, max_retries and retry_delay count also without `retry`: for a write that answers `retry` for some events. */
export function checkHandling(work: Work, pointer: string, handling: ErrorHandling, kind: Kind): void {
  const raw = work.raw(pointer);
  if (typeof raw !== 'object' || raw === null) return;
  const { on_error, then } = handling;
  const idle = kind === 'sink' ? ['then'] : ['max_retries', 'retry_delay', 'then'];
  if (on_error !== 'retry' && kind !== 'source') {
    for (const key of idle.filter((each) => Object.hasOwn(raw, each))) {
      work.noEffect(
        `${pointer}/${key}`,
        `\`${key}\` has no effect without \`on_error: retry\``,
        'set that, or leave it out',
      );
    }
  }
  const stores = on_error === 'dead_letter' || (on_error === 'retry' && then === 'dead_letter');
  if (!stores && Object.hasOwn(raw, 'dead_letter_destination')) {
    const at = `${pointer}/dead_letter_destination`;
    work.noEffect(
      at,
      '`dead_letter_destination` has no effect: nothing becomes a dead letter here',
      'set `on_error: dead_letter`',
    );
  }
}
