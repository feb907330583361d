// "Same result?": the events of the list through another version of the step, the file or the draft in another language. Good for
// a rewrite, and for moving a specification from one language to another.

import type { Frame } from '../frame.ts';
import { nameOf } from '../items.ts';
import { itemsOf } from '../state.ts';
import { type Step, versionsOf } from '../steps.ts';

export function ComparisonBar({ frame, step }: { readonly frame: Frame; readonly step: Step }) {
  const { state, work } = frame;
  const versions = versionsOf(step);
  if (versions.length === 0) return null;
  const titleOf = (name: string): string => state.session?.languages.find((one) => one.name === name)?.title ?? name;
  const cannot = state.busy !== null || itemsOf(state).length === 0;
  return (
    <fieldset class="comparison" aria-label="Compare with another version">
      {state.comparison === null ? null : <Answer frame={frame} title={titleOf(state.comparison.name)} />}
      <span class="quiet">Same result as</span>
      {versions.map((version) => (
        <button key={version.name} type="button" disabled={cannot} onClick={() => void work.compare(version)}>
          {titleOf(version.name)}
        </button>
      ))}
      <span class="quiet">?</span>
    </fieldset>
  );
}

function Answer({ frame, title }: { readonly frame: Frame; readonly title: string }) {
  const { same, differing } = frame.state.comparison!;
  const first = itemsOf(frame.state).find((one) => one.ref === differing[0]);
  const said = `${same} of ${same + differing.length} events are as with ${title}`;
  return (
    <span role="status">
      {differing.length === 0 ? '✓' : '✗'} {said}
      {first === undefined ? null : (
        <>
          ; the first other one:{' '}
          <button type="button" class="link" onClick={() => frame.work.selectItem(first.ref)}>
            {nameOf(first)}
          </button>
        </>
      )}
    </span>
  );
}
