// The status line: how the last run went, what just happened, and whether anybody answers.

import { duration, size } from '../fates.ts';
import type { Frame } from '../frame.ts';

export function StatusLine({ frame }: { readonly frame: Frame }) {
  const { state } = frame;
  const { run, session } = state;
  const memory = [...run.results.values()].reduce((most, one) => Math.max(most, one.memory ?? 0), 0);
  const ran =
    run.ms === null || run.problem !== null
      ? ''
      : `${run.results.size} event${run.results.size === 1 ? '' : 's'} in ${duration(run.ms.run)}, loaded in ${duration(run.ms.compile)}`;
  return (
    <footer class="status">
      <span
        class={`light ${state.lost === null ? (run.problem === null ? 'good' : 'bad') : 'bad'}`}
        aria-hidden="true"
      />
      <span>
        {state.lost !== null
          ? 'not connected'
          : run.running
            ? 'running'
            : run.problem !== null
              ? 'does not load'
              : 'ready'}
      </span>
      <span class="quiet">{ran}</span>
      {memory > 0 ? (
        <span class="quiet">{run.measured ? `up to ${size(memory)} an event` : 'time and memory: of before'}</span>
      ) : null}
      <span class="fill" />
      {state.notice === null ? null : (
        <span class={state.notice.bad ? 'notice bad' : 'notice'} role={state.notice.bad ? 'alert' : 'note'}>
          {state.notice.text}
        </span>
      )}
      {state.lost?.kind === 'gone' ? (
        <span class="notice bad" role="alert">
          {state.lost.message} Your draft is kept in this browser.
        </span>
      ) : null}
      {session === null ? null : (
        <span class="quiet versions">
          Sluice {session.version} · Node {session.node.replace(/^v/, '')}
        </span>
      )}
    </footer>
  );
}
