// The bridge between single JSON values and the sandbox: what `sluice apply` runs. The same programs, limits and refusals as a
// stream's, but any JSON value may go in and come out.
// Guarantee: one answer for each value, in order; a number that does not survive a double fails its value (invariant 6), unless
// the language keeps numbers as texts.

import { type Logger, type SluiceError, sluiceError, unsafeNumber } from 'sluice/sdk';
import type { FilterAnswer, LoadedFilter, TransformIdentity } from '../core/languages.ts';
import type { TransformRule } from '../core/manifest/model.ts';
import { type Answer, isLine, isRefused, type Loaded } from '../sandbox/index.ts';
import { authorsPlace, errorOf, type PlaceOf } from './refusals.ts';

export interface FilterDetails {
  readonly rule: TransformRule;
  readonly identity: TransformIdentity;
  readonly loaded: Loaded;
  readonly log: Logger;
  readonly place: PlaceOf;
  /** Numbers go through as the texts that they are. */
  readonly keepsNumbers: boolean;
}

type Value = Parameters<LoadedFilter['apply']>[0][number];

export function bridgeFilter(details: FilterDetails): LoadedFilter {
  const { rule, loaded, identity, log, place } = details;

  function inputError({ text }: Value): SluiceError | null {
    const bytes = Buffer.byteLength(text);
    if (bytes > rule.limits.input) {
      return sluiceError('E_TRANSFORM_INPUT', {
        message: `the value is ${bytes} bytes long, and limits.input is ${rule.limits.input}`,
      });
    }
    if (details.keepsNumbers || unsafeNumber(text) === null) return null;
    return sluiceError('E_EVENT_NUMBER', { message: 'the value holds a number that does not survive a double' });
  }

  const answerOf = (answer: Answer): FilterAnswer => {
    if (answer === null) return { outputs: [] };
    if (isRefused(answer)) return { error: errorOf(answer, rule, place) };
    if (isLine(answer)) throw new TypeError('texts were sent, and bytes came back');
    return { outputs: typeof answer === 'string' ? [answer] : answer };
  };

  return {
    identity,
    async apply(values, signal) {
      const errors = values.map(inputError);
      const good = values.filter((_, i) => errors[i] === null);
      const { answers, logs, dropped } = await loaded.run(
        {
          length: good.length,
          seconds: false,
          main: (i) => good[i]!.text,
          second: () => null,
          head: (i) => headText(good[i]!),
          id: (i) => good[i]!.id,
          time: () => 0,
        },
        { signal },
      );
      for (const line of logs) {
        const at = line.place === null ? {} : { at: authorsPlace(line.place, place) };
        log[line.level]({ line: good[line.index]?.id, ...at }, line.text);
      }
      if (dropped > 0) log.warn({ dropped }, 'log lines beyond limits.logs were dropped');
      let next = 0;
      return errors.map((error) => (error === null ? answerOf(answers[next++]!) : { error }));
    },
    [Symbol.asyncDispose]: () => loaded[Symbol.asyncDispose](),
  };
}

/** The event around a value, for code that asks for it: a create with no source to speak of. */
function headText({ id }: Value): string {
  const source = { plugin: 'apply', stream: 'apply', db: '', table: 'stdin', snapshot: false, ts_ms: 0 };
  return JSON.stringify({ id, op: 'c', key: null, source });
}
