// Where plugins may lie, and which are there, by reading package.json only: nothing is imported, so a package that happens
// to be installed never runs. The order of the places is the order of DESIGN section 5.

import { existsSync, readdirSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isPluginFolder, type PluginOrigin } from './plugin-package.ts';

/** A folder where a plugin was found, or would be. */
export interface PluginPlace {
  readonly dir: string;
  readonly from: PluginOrigin;
}

// core/registry/ in a checkout, dist/core/registry/ when built: the plugins lie beside core/ in both
const ROOM = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export const bundledPlugins = join(ROOM, 'plugins');
const hostDir = ROOM;

/** True for what a manifest may write instead of a name: `./x`, `../x`, or an absolute path. */
export function isPluginPath(name: string): boolean {
  return /^\.{1,2}([/\\]|$)/.test(name) || isAbsolute(name);
}

/** Every folder where a plugin of this name may lie, in the order in which they are tried. */
export function placesOf(name: string, manifestDir: string, bundledDir: string = bundledPlugins): PluginPlace[] {
  if (isPluginPath(name)) return [{ dir: resolve(manifestDir, name), from: 'path' }];
  const places: PluginPlace[] = [];
  if (!name.includes('/')) {
    places.push({ dir: join(manifestDir, 'plugins', name), from: 'local' });
    places.push({ dir: join(bundledDir, name), from: 'bundled' });
  }
  for (const modules of nodeModules(manifestDir)) {
    for (const packageName of packageNames(name)) places.push({ dir: join(modules, packageName), from: 'installed' });
  }
  return places;
}

/** Every plugin folder that can be reached by a name, in the same order: the first of a name is the one that is taken. */
export function discover(manifestDir: string, bundledDir: string = bundledPlugins): PluginPlace[] {
  const found: PluginPlace[] = [
    ...foldersOf(join(manifestDir, 'plugins')).map((dir): PluginPlace => ({ dir, from: 'local' })),
    ...foldersOf(bundledDir).map((dir): PluginPlace => ({ dir, from: 'bundled' })),
  ];
  for (const modules of nodeModules(manifestDir)) {
    for (const dir of foldersOf(modules)) {
      if (isPackageName(lastOf(dir))) found.push({ dir, from: 'installed' });
      else if (lastOf(dir).startsWith('@')) {
        for (const scoped of foldersOf(dir)) {
          if (isPackageName(lastOf(scoped))) found.push({ dir: scoped, from: 'installed' });
        }
      }
    }
  }
  const seen = new Set<string>();
  return found.filter(({ dir }) => isPluginFolder(dir) && !seen.has(dir) && seen.add(dir));
}

// node_modules from the manifest's folder upward, then from the host's own: where Node would look from each.
function nodeModules(manifestDir: string): string[] {
  const found = new Set<string>();
  for (const start of [manifestDir, hostDir]) {
    for (let dir = start, last = ''; dir !== last; last = dir, dir = dirname(dir)) {
      const modules = dir.endsWith(`${sep}node_modules`) ? dir : join(dir, 'node_modules');
      if (existsSync(modules)) found.add(modules);
    }
  }
  return [...found];
}

// `queue` is the package sluice-plugin-queue; a full package name is taken as it is.
function packageNames(name: string): string[] {
  if (name.startsWith('@') || isPackageName(name)) return [name];
  return name.includes('/') ? [] : [`sluice-plugin-${name}`];
}

function isPackageName(folder: string): boolean {
  return folder.startsWith('sluice-plugin-');
}

function foldersOf(dir: string): string[] {
  try {
    return readdirSync(dir, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
      .map((entry) => join(dir, entry.name))
      .sort();
  } catch {
    return []; // not there, or not ours to read: then no plugin of it can be taken either
  }
}

function lastOf(dir: string): string {
  return dir.slice(dir.lastIndexOf(sep) + 1);
}
