// The "sluice" entry of a plugin's package.json, read and checked before any code of the plugin runs.
// Guarantee: nothing here imports anything. Refuses an entry that is missing or wrong (E_PLUGIN_PACKAGE), and a plugin
// for another version of the API (E_PLUGIN_API), with both versions in the message.

import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import { type SluiceError, sluiceError } from '../errors.ts';
import { apiVersion } from '../plugin.ts';
import { isRange, satisfies } from './compat.ts';

export type PluginKind = 'source' | 'sink' | 'transform' | 'language';
/** Where a plugin was found: a path in the manifest, `./plugins` beside it, with Sluice, or in a node_modules. */
export type PluginOrigin = 'path' | 'local' | 'bundled' | 'installed';

export const pluginKinds: readonly PluginKind[] = ['source', 'sink', 'transform', 'language'];

export interface PluginPackage {
  /** Absolute. */
  readonly dir: string;
  readonly from: PluginOrigin;
  /** The name that a manifest uses. */
  readonly name: string;
  readonly packageName: string;
  readonly version: string;
  readonly description: string;
  /** The range of API versions that it was written for. */
  readonly api: string;
  readonly provides: readonly PluginKind[];
  /** Absolute path of the module whose default export is the definition. */
  readonly entry: string;
}

const NAME = /^[a-z0-9][a-z0-9._-]*$/;

/** True where a folder is meant as a plugin: it has a package.json with a "sluice" entry, or one that cannot be read. */
export function isPluginFolder(dir: string): boolean {
  const file = join(dir, 'package.json');
  if (!existsSync(file)) return false;
  try {
    return 'sluice' in readJson(file);
  } catch {
    return true; // shown as broken, which is better than a plugin that silently is not there
  }
}

/** @throws SluiceError E_PLUGIN_PACKAGE */
export function readPluginPackage(dir: string, from: PluginOrigin): PluginPackage {
  const file = join(dir, 'package.json');
  let json: Record<string, unknown>;
  try {
    json = readJson(file);
  } catch (cause) {
    throw wrong(file, existsSync(file) ? 'is no JSON object' : 'does not exist', cause);
  }
  const entry = json['sluice'];
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) throw wrong(file, 'has no "sluice" entry');
  const { plugin, api, name, provides } = entry as Record<string, unknown>;
  if (typeof name !== 'string' || !NAME.test(name)) throw wrong(file, '"sluice.name" is no plugin name');
  if (typeof api !== 'string' || !isRange(api)) throw wrong(file, '"sluice.api" is no range of versions');
  if (!Array.isArray(provides) || provides.length === 0 || !provides.every((kind) => pluginKinds.includes(kind))) {
    throw wrong(file, `"sluice.provides" is no list of ${pluginKinds.join(', ')}`);
  }
  if (typeof plugin !== 'string' || !plugin.startsWith('./')) {
    throw wrong(file, '"sluice.plugin" is no path that begins with ./');
  }
  const path = resolve(dir, plugin);
  if (!path.startsWith(dir + sep)) throw wrong(file, '"sluice.plugin" leads out of the plugin\'s folder');
  return {
    dir,
    from,
    name,
    packageName: text(json['name']) || name,
    version: text(json['version']) || '0.0.0',
    description: text(json['description']),
    api,
    provides: provides as PluginKind[],
    entry: path,
  };
}

/** What must hold before the plugin's code may be imported: its API fits this host, and its entry can run here. */
export function admit(found: PluginPackage): void {
  if (!satisfies(apiVersion, found.api)) {
    throw sluiceError('E_PLUGIN_API', {
      message: `plugin "${found.name}" ${found.version} was written for plugin API ${found.api}; this Sluice has ${apiVersion}`,
      fix: `install a version of ${found.packageName} for plugin API ${apiVersion}, or the Sluice that it needs`,
    });
  }
  const file = join(found.dir, 'package.json');
  if (!statSync(found.entry, { throwIfNoEntry: false })?.isFile()) {
    throw wrong(file, 'names a file in "sluice.plugin" that does not exist');
  }
  // Node strips types only outside of node_modules; its own message would speak of neither the plugin nor the mend
  if (/\.[cm]?tsx?$/.test(found.entry) && realpathSync(found.entry).split(sep).includes('node_modules')) {
    throw wrong(file, 'names TypeScript in "sluice.plugin", which Node refuses under node_modules', undefined, {
      fix: 'publish the plugin as JavaScript, or put its folder into ./plugins',
    });
  }
}

function wrong(file: string, what: string, cause?: unknown, more: { fix?: string } = {}): SluiceError {
  return sluiceError('E_PLUGIN_PACKAGE', {
    message: `${file} ${what}`,
    fix: 'write "sluice": { "plugin": "./index.js", "api": "^1.0.0", "name": "my-plugin", "provides": ["sink"] }',
    at: { file },
    ...(cause === undefined ? {} : { cause }),
    ...more,
  });
}

function readJson(file: string): Record<string, unknown> {
  const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('no JSON object');
  return value as Record<string, unknown>;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
