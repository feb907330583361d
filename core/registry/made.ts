// What a plugin's create() makes, looked at once: a part that lacks a function is a fault of the plugin, and not an absence
// that a stream would wait for. TypeScript says the same where it is used; a plugin may be written without it.

import { type SluiceError, sluiceError } from '../errors.ts';
import type { PluginDefinition } from '../plugin.ts';

const DISPOSE = Symbol.asyncDispose;
const NEEDED = {
  source: ['read', 'ack', DISPOSE],
  sink: ['write', DISPOSE],
  transform: ['apply', DISPOSE],
} as const;
/** Of a sink, where it has them at all. */
const OPTIONAL = {
  state: ['restore', 'flush'],
  transactional: ['load', 'open', 'begin', 'clear'],
} as const;

type Kind = keyof typeof NEEDED;
type Create = (config: unknown, context: never) => unknown;

/** The definition with every create() looked after. `file`: where the plugin's code is. */
export function lookedAfter(definition: PluginDefinition, file: string): PluginDefinition {
  const parts: Record<string, object> = {};
  for (const kind of Object.keys(NEEDED) as Kind[]) {
    const part = definition[kind];
    if (part === undefined) continue;
    const create: Create = async (config, context) => {
      const made: unknown = await part.create(config, context);
      const what = missing(kind, made);
      if (what === null) return made;
      throw shapeError(`plugin "${definition.name}": what its ${kind}'s create() made has no ${what}`, file);
    };
    parts[kind] = Object.assign(Object.create(Object.getPrototypeOf(part) as object) as object, part, { create });
  }
  return Object.freeze({ ...definition, ...parts }) as PluginDefinition;
}

function missing(kind: Kind, made: unknown): string | null {
  const own = firstMissing(made, NEEDED[kind]);
  if (own !== null || kind !== 'sink') return own;
  const sink = made as { readonly [name: string]: unknown };
  if (typeof sink['keyed'] !== 'boolean') return '`keyed`, true or false';
  for (const [name, functions] of Object.entries(OPTIONAL)) {
    if (sink[name] === undefined) continue;
    const inner = firstMissing(sink[name], functions);
    if (inner !== null) return `${name}.${inner}`;
  }
  return null;
}

function firstMissing(made: unknown, names: readonly (string | symbol)[]): string | null {
  const object = (typeof made === 'object' && made !== null ? made : {}) as {
    readonly [name: string | symbol]: unknown;
  };
  const name = names.find((one) => typeof object[one] !== 'function');
  if (name === undefined) return null;
  return typeof name === 'symbol' ? '[Symbol.asyncDispose]()' : `${name}()`;
}

function shapeError(message: string, file: string): SluiceError {
  return sluiceError('E_PLUGIN_SHAPE', {
    message,
    fix: 'make it as `sluice/sdk` types it; `sluice/testkit` finds such mistakes',
    at: { file },
    permanent: true, // waiting would not mend it
  });
}
