// Kazaam as a language of Sluice: the host side. Reads the specification, says what is wrong with it and where, and gives the guest its
// text. README.md says what differs from Kazaam elsewhere. kazaam-js transforms nothing here: it looks at the specification only.
// A specification is Kazaam's list of steps, or { "spec": list, "extensions": [names], "time_zone": name }.

import { type ErrorPlace, type Language, type SluiceError, sluiceError } from 'sluice/sdk';
import { placeFrom } from '../refusals.ts';
import { kazaamGuest, type Program } from './guest.ts';
import { kazaamLibrary } from './library.ts';

/** Raised when the same specification may give other results. */
const VERSION = '1';

type Library = typeof import('../kazaam-js/src/index.ts');
type KazaamError = InstanceType<Library['KazaamError']>;
type Settings = Omit<Program, 'places'>;

export const kazaam: Language = {
  name: 'kazaam',
  async compile({ source, file, offset }) {
    const library = await import('../kazaam-js/src/index.ts');
    const at = (place: number): ErrorPlace => ({ file, ...placeFrom(offset, ...lineAndColumn(source, place)) });
    const settings = settingsIn(source, library, at(0));
    const start = source.indexOf(settings.spec);
    let places: readonly (number | undefined)[];
    try {
      const errors = library.findSpecErrors(settings.spec, { ...settings, strict: true });
      if (errors[0] !== undefined) throw errors[0];
      places = library.stepPlaces(settings.spec);
    } catch (thrown) {
      const place = thrown instanceof library.KazaamError ? start + (thrown.offset ?? 0) : 0;
      throw syntaxError(stepMessage(thrown as Partial<KazaamError> & Error), at(place));
    }
    const program: Program = {
      ...settings,
      places: places.map((place) => lineAndColumn(source, start + (place ?? 0))),
    };
    return {
      guest: `(${kazaamGuest})(${await kazaamLibrary()})`,
      text: JSON.stringify(program),
      version: `kazaam-js@${VERSION}`,
      code: [source],
      numbers: 'text',
    };
  },
};

/** @throws SluiceError E_TRANSFORM_SYNTAX */
function settingsIn(source: string, library: Library, at: ErrorPlace): Settings {
  const plain: Settings = { spec: source, extensions: [], timeZone: 'UTC' };
  if (!source.trimStart().startsWith('{')) return plain;
  const members = objectIn(source);
  if (members === null || !Array.isArray(members['spec'])) return plain; // the library says what is wrong with it
  const unknown = Object.keys(members).find((name) => !['spec', 'extensions', 'time_zone'].includes(name));
  if (unknown !== undefined) {
    throw syntaxError(`"${unknown}" is no member of a specification`, at, 'spec, extensions and time_zone are');
  }
  const { extensions = [], time_zone: timeZone = 'UTC' } = members;
  const names = Array.isArray(extensions) ? (extensions as unknown[]) : [extensions];
  const wrong = names.find((name) => !(library.EXTENSIONS as readonly unknown[]).includes(name));
  if (wrong !== undefined) {
    throw syntaxError(
      `there is no extension ${JSON.stringify(wrong)}`,
      at,
      `there are ${library.EXTENSIONS.join(', ')}`,
    );
  }
  if (typeof timeZone !== 'string') throw syntaxError('"time_zone" must be a name, for example Europe/Berlin', at);
  // the list's own text, so that its members keep their order, whatever their names are
  const spec = new library.Kazaam([{ operation: 'extract', spec: { path: 'spec' } }]).transform(source);
  return { spec, extensions: names as Settings['extensions'], timeZone };
}

function objectIn(source: string): Readonly<Record<string, unknown>> | null {
  try {
    return JSON.parse(source) as Readonly<Record<string, unknown>>;
  } catch {
    return null;
  }
}

/** A list that is written in the manifest itself has no text of its own to point at: there the number of the step counts. */
const stepMessage = ({ step, message }: Partial<KazaamError> & Error): string =>
  step === undefined ? message : `step ${step + 1}: ${message}`;

function syntaxError(message: string, at: ErrorPlace, fix?: string): SluiceError {
  return sluiceError('E_TRANSFORM_SYNTAX', { message, at, ...(fix === undefined ? {} : { fix }) });
}

function lineAndColumn(source: string, place: number): [line: number, column: number] {
  const lines = source.slice(0, place).split('\n');
  return [lines.length, lines.at(-1)!.length + 1];
}
