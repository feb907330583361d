// The tests of the transform that is open, run on the draft after each run of the events: the same files and the same
// runner as `sluice test`.

import type { Frame } from '../frame.ts';
import { shownKey } from '../keys.ts';
import { stepOf } from '../state.ts';

export function TestsPane({ frame }: { readonly frame: Frame }) {
  const { state, act } = frame;
  const { answer, results, running } = state.tests;
  const tests = answer?.tests ?? [];
  const passed = [...results.values()].filter((one) => one.passed).length;
  const written = stepOf(state)?.disk !== null;
  return (
    <section class="pane tests" aria-label="Tests" data-pane="tests">
      <div class="bar">
        <h2>Tests</h2>
        <span class={results.size > 0 && passed < tests.length ? 'count bad' : 'count'}>
          {results.size === 0 ? tests.length : `${passed}/${tests.length}`}
        </span>
        {running ? <span class="quiet">running…</span> : null}
        <span class="fill" />
        {tests.length === 0 ? null : (
          <button type="button" onClick={() => act('run-tests')}>
            Run
          </button>
        )}
        <button
          type="button"
          onClick={() => act('save-test')}
          disabled={!written || state.selected === null}
          title={`Save the chosen event as a test (${shownKey('Mod+Shift+S', frame.mac)})`}
        >
          Save as test
        </button>
      </div>
      {(answer?.findings ?? []).map((finding, i) => (
        <p key={`${finding.code}${i}`} class="banner bad">
          {finding.message}
        </p>
      ))}
      {tests.length === 0 ? (
        <p class="nothing">
          {written
            ? 'No tests yet. “Save as test” keeps the chosen event and what becomes of it.'
            : 'Export the new step first; then it can have tests.'}
        </p>
      ) : (
        <ul class="lines">
          {tests.map((test) => {
            const result = results.get(test.name);
            return (
              <li key={test.name} class={result === undefined ? '' : result.passed ? 'passed' : 'broken'}>
                <p>
                  <span
                    class={`glyph fate-${result === undefined ? 'unknown' : result.passed ? 'ok' : 'failed'}`}
                    aria-hidden="true"
                  >
                    {result === undefined ? '·' : result.passed ? '✓' : '✗'}
                  </span>{' '}
                  {test.name}
                  <span class="heard">
                    {result === undefined ? ', not run yet' : result.passed ? ', passed' : ', failed'}
                  </span>
                </p>
                {(result?.differences ?? []).map((difference, i) => (
                  <pre key={String(i)} class="difference">
                    {difference}
                  </pre>
                ))}
              </li>
            );
          })}
        </ul>
      )}
      {answer?.exists ? (
        <p class="sums quiet" title={answer.file}>
          {answer.file.split('/').at(-1)}
        </p>
      ) : null}
    </section>
  );
}
