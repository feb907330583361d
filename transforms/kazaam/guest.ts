// The inside half of Kazaam: text in, text out. The clock of `$now` is the event's time, and the dice of UUID 4 are seeded by the event,
// as for every transform, so the same event always gives the same bytes.
// Guarantee: only JSON comes out, on one line. Refuses: a row that is not JSON.
// Sent to the isolate as text, so it uses nothing from outside of its body.

import type { GuestLanguage, TextFunction } from 'sluice/sdk';

type Library = typeof import('../kazaam-js/src/index.ts');
type Extension = Library['EXTENSIONS'][number];

/** The compiled text. */
export interface Program {
  readonly spec: string;
  readonly extensions: readonly Extension[];
  readonly timeZone: string;
  /** Where each step stands in the source: line and column. */
  readonly places: readonly (readonly [line: number, column: number])[];
}

export function kazaamGuest(library: Library): GuestLanguage {
  return (text, host) => {
    const { Kazaam, KazaamError, arrayItems } = library;
    const { spec, extensions, timeZone, places } = JSON.parse(text) as Program;
    const kazaam = new Kazaam(spec, {
      extensions,
      timeZone,
      strict: true, // a broken row must not come out as another broken row
      now: () => new Date(),
      random: () => Math.random(),
    });
    const transform = (input: string): string => {
      try {
        return kazaam.transform(input);
      } catch (thrown) {
        if (!(thrown instanceof KazaamError)) throw thrown;
        const { step = 0 } = thrown;
        const [line, column] = places[step] ?? [1, 1];
        // a module's script has one line before it
        throw host.refuse('runtime', `step ${step + 1}: ${thrown.message}`, {
          place: [0, line + 1, column],
          code: thrown.type,
        });
      }
    };
    // in JSON, tabs and line ends stand between values only; outside of the isolate, one text is one line
    const onOneLine = (value: string): string =>
      (/[\t\n\r]/.test(value) ? value.replace(/[\t\n\r]/g, ' ') : value).trim();
    const run: TextFunction = (input) => {
      const result = onOneLine(transform(input));
      if (result === 'null') return null;
      return result[0] === '[' ? arrayItems(result) : result;
    };
    return { texts: () => run, sound: true };
  };
}
