// Whether every name that a module imports is exported where it comes from, as ESM demands before anything runs. Without
// this a misspelt helper would be `undefined`, and fail each event where it is called.

/** What a module says about its names; `from` is the number of one of its imports. */
export interface Names {
  /** By exported name: null for one of its own, else where it is taken from. */
  readonly exports: ReadonlyMap<string, { readonly from: number; readonly name: string } | null>;
  /** `export * from`. */
  readonly stars: readonly number[];
  /** Each name that it takes from another module. */
  readonly wanted: readonly Wanted[];
}

export interface Wanted {
  readonly from: number;
  readonly name: string;
  readonly line: number;
  readonly column: number;
}

export interface Linked {
  /** null: CommonJS, whose names are known only once it has run (guest.ts looks at them then). */
  readonly names: Names | null;
  /** The module behind each of its imports. */
  readonly imported: readonly number[];
}

export interface Unlinked {
  /** The module that asks. */
  readonly module: number;
  readonly wanted: Wanted;
  readonly message: string;
  readonly fix: string;
}

/** The first name that is not there, or comes from two places; null when all is well. Circles must have been refused. */
export function unlinked(modules: readonly Linked[]): Unlinked | null {
  for (const [module, { names, imported }] of modules.entries()) {
    for (const wanted of names?.wanted ?? []) {
      const target = imported[wanted.from]!;
      const { found, open } = originsOf(modules, target, wanted.name);
      if (found.size === 1 || (found.size === 0 && open)) continue;
      const message =
        found.size === 0
          ? `the module has no export "${wanted.name}"`
          : `"${wanted.name}" comes from two modules by \`export *\``;
      const there = [...exportedBy(modules, target)].sort();
      const list = there.length === 0 ? 'it exports nothing' : `it exports ${there.slice(0, 10).join(', ')}`;
      const fix = found.size === 0 ? `${list}; a type needs \`import type\`` : 'export it from one of them by name';
      return { module, wanted, message, fix };
    }
  }
  return null;
}

interface Origins {
  /** The modules that the export really stands in, each with its name there. */
  readonly found: ReadonlySet<string>;
  /** A CommonJS module may have it too. */
  readonly open: boolean;
}

const NONE: Origins = { found: new Set(), open: false };

function originsOf(modules: readonly Linked[], number: number, name: string): Origins {
  const { names, imported } = modules[number]!;
  if (names === null) return { found: new Set(), open: true };
  const own = names.exports.get(name);
  if (own === null) return { found: new Set([`${number}:${name}`]), open: false };
  if (own !== undefined) return originsOf(modules, imported[own.from]!, own.name);
  if (name === 'default') return NONE; // `export *` leaves it out
  const all = names.stars.map((from) => originsOf(modules, imported[from]!, name));
  return { found: new Set(all.flatMap(({ found }) => [...found])), open: all.some(({ open }) => open) };
}

function exportedBy(modules: readonly Linked[], number: number): ReadonlySet<string> {
  const { names, imported } = modules[number]!;
  if (names === null) return new Set();
  const stars = names.stars.flatMap((from) => [...exportedBy(modules, imported[from]!)]);
  return new Set([...names.exports.keys(), ...stars.filter((name) => name !== 'default')]);
}
