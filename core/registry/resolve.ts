// From a name in a manifest to a plugin's definition: found, its version checked, imported, its shape checked, in this order.
// Guarantees: only what was asked for is imported, each plugin once; the version is checked before any of its code runs.
// Refuses what is not branded by definePlugin, whatever it looks like.

import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { messageOf, type SluiceError, sluiceError } from '../errors.ts';
import { nearest } from '../manifest/nearest.ts';
import { isPluginDefinition, type PluginDefinition } from '../plugin.ts';
import { schemaProblems } from './config-subset.ts';
import { bundledPlugins, discover, isPluginPath, type PluginPlace, placesOf } from './discover.ts';
import { lookedAfter } from './made.ts';
import {
  admit,
  isPluginFolder,
  type PluginKind,
  type PluginOrigin,
  type PluginPackage,
  readPluginPackage,
} from './plugin-package.ts';
import './one-sdk.ts';

export interface PluginListing {
  readonly name: string;
  readonly version: string;
  readonly provides: readonly PluginKind[];
  readonly from: PluginOrigin;
  readonly api: string;
  readonly description: string;
  readonly dir: string;
  /** Why it cannot be taken as it lies there: a broken package.json, or another version of the API. */
  readonly problem?: SluiceError;
  /** It hides a bundled plugin of its name. */
  readonly shadows?: true;
}

export interface Registry {
  /**
   * The definition of the plugin that a manifest names, which has a part of this kind.
   * @throws SluiceError E_PLUGIN_NOT_FOUND, E_PLUGIN_PACKAGE, E_PLUGIN_API, E_PLUGIN_LOAD, E_PLUGIN_SHAPE or E_PLUGIN_KIND
   */
  resolve(name: string, kind: PluginKind): Promise<PluginDefinition>;
  /** Every plugin that a manifest here could name, without importing any. */
  list(): readonly PluginListing[];
  /** What resolve would take, before it imports anything. */
  find(name: string): PluginPackage;
}

export interface RegistryOptions {
  /** Paths and `./plugins` are relative to it. */
  readonly manifestDir: string;
  readonly bundledDir?: string;
  /** Told once when a local folder is taken instead of a bundled plugin. */
  readonly notice?: (message: string) => void;
}

export function createRegistry(options: RegistryOptions): Registry {
  const { manifestDir, notice } = options;
  const bundledDir = options.bundledDir ?? bundledPlugins;
  const loading = new Map<string, Promise<PluginDefinition>>(); // by entry: one import, also for two names of one folder
  const noticed = new Set<string>();

  const find = (name: string): PluginPackage => {
    const places = placesOf(name, manifestDir, bundledDir);
    // a folder that is there and no good plugin is a mistake to show, not a reason to look on and take another
    const place = places.find(({ dir }) => existsSync(dir));
    if (place === undefined) throw notFound(name, places, discover(manifestDir, bundledDir));
    const found = readPluginPackage(place.dir, place.from);
    if (!isPluginPath(name) && found.name !== name && found.packageName !== name) {
      throw sluiceError('E_PLUGIN_PACKAGE', {
        message: `the plugin that was found as "${name}" calls itself "${found.name}"`,
        fix: `name it "${found.name}" in the manifest by its path or package, or rename its folder`,
        at: { file: `${found.dir}/package.json` },
      });
    }
    if (found.from === 'local' && hidesBundled(places) && !noticed.has(name)) {
      noticed.add(name);
      notice?.(`plugin "${name}" is taken from ./plugins/${name}, not the bundled one`);
    }
    return found;
  };

  return {
    find,
    async resolve(name, kind) {
      const found = find(name);
      admit(found);
      // a manifest names a language where it names a transform
      const fits = found.provides.includes(kind) || (kind === 'transform' && found.provides.includes('language'));
      if (!fits) throw wrongKind(name, kind, found.provides);
      let definition = loading.get(found.entry);
      if (definition === undefined) {
        definition = load(found);
        loading.set(found.entry, definition);
      }
      return await definition;
    },
    list() {
      const places = discover(manifestDir, bundledDir);
      const listed = new Map<string, PluginListing>();
      for (const place of places) {
        const one = listingOf(place);
        const first = listed.get(one.name);
        if (first === undefined) listed.set(one.name, one);
        else if (first.from === 'local' && one.from === 'bundled') listed.set(one.name, { ...first, shadows: true });
      }
      return [...listed.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    },
  };
}

function listingOf({ dir, from }: PluginPlace): PluginListing {
  try {
    const found = readPluginPackage(dir, from);
    const { name, version, provides, api, description } = found;
    const listing = { name, version, provides, from, api, description, dir };
    try {
      admit(found);
    } catch (problem) {
      return { ...listing, problem: problem as SluiceError };
    }
    return listing;
  } catch (problem) {
    const name = dir.split(/[/\\]/).at(-1)!;
    return { name, version: '', provides: [], from, api: '', description: '', dir, problem: problem as SluiceError };
  }
}

async function load(found: PluginPackage): Promise<PluginDefinition> {
  let module: { readonly default?: unknown };
  try {
    module = (await import(/* @vite-ignore */ pathToFileURL(found.entry).href)) as { default?: unknown };
  } catch (cause) {
    throw sluiceError('E_PLUGIN_LOAD', {
      message: `plugin "${found.name}" cannot be loaded: ${messageOf(cause)}`,
      fix: `see ${found.entry}; if it misses a package, install it beside the plugin`,
      cause,
    });
  }
  checkShape(found, module.default);
  return lookedAfter(module.default, found.entry);
}

function checkShape(found: PluginPackage, definition: unknown): asserts definition is PluginDefinition {
  const wrong = (what: string): SluiceError =>
    sluiceError('E_PLUGIN_SHAPE', {
      message: `plugin "${found.name}": ${what}`,
      fix: 'write `export default definePlugin({ … })` with definePlugin from sluice/sdk',
      at: { file: found.entry },
    });
  if (!isPluginDefinition(definition)) throw wrong('its default export is not what definePlugin makes');
  if (definition.name !== found.name) {
    throw wrong(`it is "${definition.name}" in its code and "${found.name}" in its package.json`);
  }
  for (const kind of found.provides) {
    if (definition[kind] === undefined) throw wrong(`its package.json provides a ${kind} that its code does not have`);
  }
  for (const kind of ['source', 'sink', 'transform'] as const) {
    const part = definition[kind];
    if (part === undefined) continue;
    if (typeof part.create !== 'function') throw wrong(`its ${kind} has no create()`);
    const problems = schemaProblems(part.config);
    if (problems.length > 0) throw wrong(`the schema of its ${kind}: ${problems.join('; ')}`);
  }
  if (definition.language !== undefined) {
    const { name, config, compile } = definition.language;
    if (name !== found.name) throw wrong(`its language calls itself "${name}"`);
    if (typeof compile !== 'function') throw wrong('its language has no compile()');
    const problems = config === undefined ? [] : schemaProblems(config);
    if (problems.length > 0) throw wrong(`the schema of its language: ${problems.join('; ')}`);
  }
  if (definition.source !== undefined && !Number.isInteger(definition.source.positionVersion)) {
    throw wrong('its source has no positionVersion');
  }
}

function hidesBundled(places: readonly PluginPlace[]): boolean {
  return places.some(({ dir, from }) => from === 'bundled' && isPluginFolder(dir));
}

function wrongKind(name: string, kind: PluginKind, provides: readonly PluginKind[]): SluiceError {
  return sluiceError('E_PLUGIN_KIND', {
    message: `plugin "${name}" has no ${kind}; it provides ${provides.join(' and ')}`,
    fix: `take a plugin that provides a ${kind} (\`sluice plugins list\`)`,
  });
}

function notFound(name: string, places: readonly PluginPlace[], known: readonly PluginPlace[]): SluiceError {
  const names = known.map((place) => listingOf(place).name);
  const near = nearest(name, names);
  const looked = places.map(({ dir }) => dir);
  const fix =
    near !== null
      ? `did you mean "${near}"?`
      : isPluginPath(name)
        ? 'check the path: it is relative to the manifest'
        : `install sluice-plugin-${name.replace(/^sluice-plugin-/, '')}, put a folder ./plugins/${name} beside the manifest, or run \`sluice plugins list\``;
  return sluiceError('E_PLUGIN_NOT_FOUND', {
    message: `no plugin "${name}" was found${looked.length === 0 ? '' : `; looked at ${looked.join(', ')}`}`,
    fix,
  });
}
