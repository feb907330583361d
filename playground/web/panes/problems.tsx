// What is wrong, with its place and a way there; beside it what the code logged, and whether another version makes the same.

import type { PlaygroundError } from '../../server/api.ts';
import { Choice } from '../choice.tsx';
import { wishFocus } from '../commands.ts';
import { consoleOf, type Problem, placeText, problemsOf } from '../fates.ts';
import type { Frame } from '../frame.ts';
import { nameOf } from '../items.ts';
import { shownKey } from '../keys.ts';
import { itemsOf, manifestErrors, stepOf } from '../state.ts';
import { ComparisonBar } from './comparison.tsx';

const MOST = 300;

export function ProblemsPane({ frame }: { readonly frame: Frame }) {
  const { state, send } = frame;
  const problems = problemsOf(state.run);
  const errors = manifestErrors(state.session);
  const count = errors.length + problems.length;
  const step = stepOf(state);
  const lines = consoleOf(state, MOST);
  return (
    <section class="pane problems" aria-label="Problems and console" data-pane="problems">
      <div class="bar">
        <Choice
          label="Problems or console"
          chosen={state.below}
          onChoose={(below: 'problems' | 'console') => send({ type: 'below', below })}
          options={[
            {
              value: 'problems',
              title: <Counted title="Problems" count={String(count)} bad={count > 0} />,
            },
            {
              value: 'console',
              title: (
                <Counted
                  title="Console"
                  count={lines.length === MOST ? `${MOST}+` : String(lines.length)}
                  bad={false}
                />
              ),
            },
          ]}
        />
        {problems.length > 0 ? <span class="quiet hint">{shownKey('F8', frame.mac)}: next</span> : null}
        <span class="fill" />
        {step?.editable ? <ComparisonBar frame={frame} step={step} /> : null}
      </div>
      {state.below === 'console' ? (
        lines.length === 0 ? (
          <p class="nothing">
            Nothing was logged. <code>ctx.log(value)</code> shows up here.
          </p>
        ) : (
          <ol class="lines">
            {lines.map(({ item, line }, i) => (
              <li key={`${item.ref}/${i}`} class={`log-${line.level}`}>
                <button type="button" class="link" onClick={() => frame.work.selectItem(item.ref)}>
                  {item.op} {item.table}
                </button>
                <span class="level">{line.level}</span>
                <code>{line.text}</code>
              </li>
            ))}
            {state.run.logsDropped > 0 ? (
              <li class="quiet">{state.run.logsDropped} more lines were dropped (limits.logs)</li>
            ) : null}
          </ol>
        )
      ) : count === 0 ? (
        <p class="nothing">No problems.</p>
      ) : (
        <ol class="lines">
          {errors.map((error, i) => (
            <li key={`manifest${i}`} class="problem">
              <Said error={error} />
              {error.fix === undefined ? null : <p class="quiet">{error.fix}.</p>}
            </li>
          ))}
          {problems.map((problem, i) => (
            <ProblemLine
              key={`${problem.error.code}${placeText(problem.error)}${i}`}
              frame={frame}
              problem={problem}
              index={i}
            />
          ))}
        </ol>
      )}
    </section>
  );
}

function Counted({ title, count, bad }: { readonly title: string; readonly count: string; readonly bad: boolean }) {
  return (
    <>
      {title} <span class={bad ? 'count bad' : 'count'}>{count}</span>
    </>
  );
}

function Said({ error }: { readonly error: PlaygroundError }) {
  return (
    <p>
      <span class="glyph fate-failed" aria-hidden="true">
        ✗
      </span>{' '}
      <b>{error.code}</b> <span class="place">{placeText(error)}</span> <span class="said">{error.message}</span>
    </p>
  );
}

function ProblemLine({
  frame,
  problem,
  index,
}: {
  readonly frame: Frame;
  readonly problem: Problem;
  readonly index: number;
}) {
  const { state, send } = frame;
  const { error, refs } = problem;
  const item = itemsOf(state).find((one) => one.ref === refs[0]);
  const goTo = (): void => {
    send({ type: 'problem', at: index });
    const step = state.chain.findIndex((one) => one.id === problem.step);
    if (step >= 0) send({ type: 'step', at: step });
    if (refs[0] !== undefined && !refs.includes(state.selected ?? '')) send({ type: 'select', ref: refs[0] });
    const { line, column } = error.at ?? {};
    if (line === undefined) return;
    send({ type: 'tab', tab: 'transform' });
    wishFocus({ at: 'place', line, column: column ?? 1 });
  };
  return (
    <li class={state.problemAt === index ? 'problem now' : 'problem'}>
      <Said error={error} />
      <p class="quiet">
        {error.fix === undefined ? '' : `${error.fix}. `}
        {item === undefined
          ? ''
          : refs.length === 1
            ? `Event: ${nameOf(item)}`
            : `${refs.length} events, the first: ${nameOf(item)}`}{' '}
        {error.at?.line === undefined && item === undefined ? null : (
          <button type="button" class="small" onClick={goTo}>
            Go to
          </button>
        )}
      </p>
    </li>
  );
}
