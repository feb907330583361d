// JSONata as a language of Sluice: the host side. Finds the pinned version of the reference library, parses with its parser,
// chooses the lane and compiles. No expression is evaluated here. README.md says what the lanes are.
// Refuses a version that is not installed, and constants that hide the engine's names.

import { type ErrorPlace, type Json, type Language, type SluiceError, sluiceError } from 'sluice/sdk';
import { placeFrom } from '../refusals.ts';
import type { JsonataNode } from './ast.ts';
import { compileTree, NotCompiled } from './compile.ts';
import { type Engine, findEngine } from './engine.ts';
import { jsonataGuest, type Program } from './guest.ts';
import { depthOf, type Traits, traitsOf } from './lanes.ts';
import { runtime } from './runtime.ts';

/** The versions whose meaning compile.ts and runtime.ts have; others run interpreted. */
const COMPILED_VERSIONS = ['2.2.2'];

/** Deeper expressions are not looked at: code of that depth would be more than a stack can take. */
const DEEPEST = 200;
const UNKNOWN = { parallel: true, clock: true, dice: true, event: true, functions: true };
/** Longer code is not sent to isolates. */
const LONGEST = 1 << 20;

interface Settings {
  readonly engine?: string;
  readonly lane?: 'fast' | 'reference';
  readonly constants?: Readonly<Record<string, Json>>;
}

export const jsonata: Language = {
  name: 'jsonata',
  async compile({ source, file, offset, dir, config }) {
    const { engine: wanted, lane = 'fast', constants = {} } = config as Settings;
    const engine = await findEngine(wanted, dir);
    for (const name of Object.keys(constants)) {
      if (name === '' || name === '$' || name === 'event') {
        throw sluiceError('E_TRANSFORM_SYNTAX', {
          message: `the constant "${name}" would hide \`$${name}\``,
          fix: 'give it another name',
          at: { file },
        });
      }
    }
    const tree = parsed(engine, source, (line, column) => ({ file, ...placeFrom(offset, line, column) }));
    const { program, why } = programOf(engine, tree, source, lane, constants);
    return {
      guest: guestOf(engine),
      text: JSON.stringify(program),
      version: `jsonata@${engine.version}`,
      code: [source],
      lane: { name: program.lane, ...(why === null ? {} : { why }) },
    };
  },
};

const guests = new WeakMap<Engine, string>();

/** Half a megabyte, made once for each engine. */
function guestOf(engine: Engine): string {
  const { reference, sync } = engine;
  const guest = guests.get(engine) ?? `(${jsonataGuest})(${JSON.stringify({ reference, sync })}, ${runtime})`;
  guests.set(engine, guest);
  return guest;
}

/** What runs in the isolate, and why it is not the compiled lane. */
export function programOf(
  engine: Engine,
  tree: JsonataNode,
  expression: string,
  lane: 'fast' | 'reference',
  constants: Readonly<Record<string, Json>>,
): { readonly program: Program; readonly why: string | null } {
  const text = JSON.stringify(constants);
  if (depthOf(tree) > DEEPEST) {
    const program = {
      expression,
      constants: text,
      traits: UNKNOWN,
      js: null,
      careful: null,
      lane: 'reference' as const,
    };
    return { program, why: `it is nested more than ${DEEPEST} levels` };
  }
  const traits = traitsOf(tree, engine.isFunction);
  const base = { expression, constants: text, traits, js: null, careful: null };
  const why = lane === 'reference' ? '`lane: reference`' : referenceOnly(engine, traits);
  if (why !== null) return { program: { ...base, lane: 'reference' }, why };
  const interpreted = (reason: string) => ({ program: { ...base, lane: 'interpreted' as const }, why: reason });
  if (!COMPILED_VERSIONS.includes(engine.version)) return interpreted(`jsonata@${engine.version} is not compiled`);
  if (/_jsonata_|tupleStream|outerWrapper|__proto__/.test(text)) return interpreted('a constant has a reserved key');
  try {
    const names = Object.keys(constants);
    const { js } = compileTree(tree, names);
    if (js.length > LONGEST) return interpreted('it is too long');
    const careful = compileTree(tree, names, true).js;
    return { program: { ...base, lane: 'compiled', js, careful }, why: null };
  } catch (thrown) {
    if (thrown instanceof NotCompiled) return interpreted(thrown.message);
    throw thrown;
  }
}

function referenceOnly(engine: Engine, traits: Traits): string | null {
  if (engine.sync === null) return `jsonata@${engine.version} cannot run without promises`;
  return traits.reference;
}

interface ParseError {
  readonly code: string;
  readonly position?: number;
  readonly message?: string;
}

/** @throws SluiceError E_TRANSFORM_SYNTAX */
function parsed(engine: Engine, source: string, place: (line: number, column: number) => ErrorPlace): JsonataNode {
  try {
    return engine.parse(source);
  } catch (thrown) {
    throw syntaxError(thrown, source, place);
  }
}

function syntaxError(
  thrown: unknown,
  source: string,
  place: (line: number, column: number) => ErrorPlace,
): SluiceError {
  const { code, position, message } = thrown as Partial<ParseError>;
  const end = Math.min(typeof position === 'number' ? position : 0, source.length);
  const lines = source.slice(0, Math.max(0, end - 1)).split('\n');
  const at = place(lines.length, lines.at(-1)!.length + 1);
  if (typeof code !== 'string') {
    const deep = thrown instanceof RangeError;
    const text = deep
      ? 'the expression is nested too deep to be parsed'
      : `the expression cannot be parsed: ${message}`;
    return sluiceError('E_TRANSFORM_SYNTAX', { message: text, at });
  }
  return sluiceError('E_TRANSFORM_SYNTAX', { message: `${code}: ${message}`, at });
}
