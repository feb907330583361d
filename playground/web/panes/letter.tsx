// A dead letter, opened in place: why it failed, what the code of now makes of it, and its way to the sinks.

import type { PlaygroundLetter, PlaygroundReplay } from '../../server/api.ts';
import { fateOf, placeText } from '../fates.ts';
import type { Frame } from '../frame.ts';
import { isDirty } from '../steps.ts';

const OUTCOMES: Readonly<Record<PlaygroundReplay['outcome'], string>> = {
  delivered: '✓ Delivered to the sinks that had not got it.',
  would_pass: '✓ Would pass. Nothing was written.',
  filtered: '∅ Filtered by the code of now: there is nothing to deliver.',
  failed: '✗ Still fails.',
  nothing: 'Nothing came out under this event’s id.',
  refused: 'Refused.',
  away: 'A sink is away: try again later.',
};

export function LetterBox({ frame, letter }: { readonly frame: Frame; readonly letter: PlaygroundLetter }) {
  const { state, work } = frame;
  const open = letter.status === 'pending' || letter.status === 'superseded';
  const dirty = state.chain.some(isDirty);
  const tried = state.replay?.letter === letter.id ? state.replay : null;
  const result = state.selected === null ? undefined : state.run.results.get(state.selected);
  const good = tried !== null && ['delivered', 'would_pass', 'filtered'].includes(tried.replay.outcome);
  return (
    <div class="letter">
      <p>
        <b>Dead letter {letter.id}</b> <span class={`tag letter-${letter.status}`}>{letter.status}</span> failed at{' '}
        {letter.place.kind} <b>{letter.place.id}</b>: <b>{letter.error.code}</b> {placeText(letter.error)}{' '}
        {letter.error.message.split('\n')[0]}
      </p>
      <p class="bar">
        <span class="quiet">
          with the code of the editor: {fateOf(result).glyph} {fateOf(result).word}
        </span>
        <button
          type="button"
          disabled={!open}
          aria-busy={String(state.busy === 'dry-run')}
          onClick={() => void work.dryRun(letter.id)}
        >
          Dry run
        </button>
        <button
          type="button"
          class="main"
          disabled={!open}
          aria-busy={String(state.busy === 'replay')}
          onClick={() => void work.replay(letter.id, letter.status === 'superseded')}
        >
          {dirty ? 'Save and replay' : letter.status === 'superseded' ? 'Replay all the same' : 'Replay'}
        </button>
        <button type="button" disabled={!open} onClick={() => void work.settle(letter.id, 'resolved')}>
          Mark resolved
        </button>
        <button type="button" disabled={!open} onClick={() => void work.settle(letter.id, 'ignored')}>
          Ignore
        </button>
      </p>
      {letter.status === 'superseded' ? (
        <p class="quiet">A later event of its key was delivered. A replay would put the older state over it.</p>
      ) : null}
      {tried === null ? null : (
        <p class={good ? 'banner good' : 'banner bad'} role="status">
          {tried.dry ? 'Dry run: ' : 'Replay: '}
          {OUTCOMES[tried.replay.outcome]}{' '}
          {tried.replay.error === undefined
            ? ''
            : `${tried.replay.error.code} ${placeText(tried.replay.error)} ${tried.replay.error.message} `}
          {tried.replay.error === undefined ? (tried.replay.message ?? '') : ''}
        </p>
      )}
    </div>
  );
}
