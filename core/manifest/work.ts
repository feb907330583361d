// What the steps of loading share: the document, where findings go, secrets, and plugins as they were resolved.
// Guarantees: nothing is reported of a value that could not be resolved (that alone is the finding).

import { toSluiceError } from '../errors.ts';
import type { PluginDefinition } from '../plugin.ts';
import { decodeConfig } from './config.ts';
import type { ManifestDocument } from './document.ts';
import { type Finding, findingOf, type Problem } from './finding.ts';
import type { AnySchema } from './keywords.ts';
import { nearest } from './nearest.ts';
import type { Range } from './places.ts';
import type { Secrets } from './secrets.ts';

export type PluginKind = 'source' | 'sink' | 'transform';
export type ResolvePlugin = (type: string, kind: PluginKind) => Promise<PluginDefinition>;

export interface Work {
  readonly file: string;
  readonly dir: string;
  /** The manifest's text, in clear: never shown. */
  readonly text: string;
  readonly doc: ManifestDocument;
  readonly secrets: Secrets;
  readonly inspect: boolean;
  readonly findings: Finding[];
  /** Texts of files that findings may point into. */
  readonly texts: Map<string, string>;
  readonly secretRanges: Range[];
  /** The value as written (after interpolation) at a pointer. */
  raw(pointer: string): unknown;
  isResolved(pointer: string): boolean;
  report(problem: Problem): void;
  /** An error at the value of a pointer. */
  error(code: string, pointer: string, message: string, fix: string, on?: 'value' | 'key'): void;
  /** A setting that is allowed and does nothing here. */
  noEffect(pointer: string, message: string, fix: string): void;
  plugin(type: unknown, kind: PluginKind, pointer: string): Promise<PluginDefinition | null>;
  /** A plugin's configuration, its problems reported, or null when there are any. */
  configOf(
    schema: AnySchema,
    value: unknown,
    pointer: string,
    called: string,
    engine: readonly string[],
  ): { config: unknown } | null;
  hide(secrets: readonly { readonly pointer: string; readonly value: string }[]): void;
}

// Plugins that the seed names and later versions bring.
const PLANNED = new Set([
  'postgres',
  'postgresql',
  'mysql',
  'mariadb',
  'mongodb',
  'mssql',
  'sqlserver',
  'cosmosdb',
  'oracle',
]);

export function workOn(
  parts: Pick<Work, 'file' | 'dir' | 'text' | 'doc' | 'secrets' | 'inspect'>,
  resolvePlugin: ResolvePlugin,
  words: { readonly transform: readonly string[] },
): Work {
  const { doc, secrets } = parts;
  const findings: Finding[] = [...doc.findings];
  const secretRanges: Range[] = [];
  const resolving = new Map<string, Promise<PluginDefinition>>();

  const isResolved = (pointer: string): boolean => {
    for (let up = pointer; up !== ''; up = up.slice(0, up.lastIndexOf('/'))) if (doc.unresolved.has(up)) return false;
    return true;
  };
  const report = (problem: Problem): void => {
    // of a key that should not be there it does not matter what its value would be
    const about = problem.on === 'key' ? problem.pointer.slice(0, problem.pointer.lastIndexOf('/')) : problem.pointer;
    if (!isResolved(about)) return;
    findings.push(
      findingOf(problem.code, {
        message: problem.message,
        fix: problem.fix,
        at: doc.places.at(problem.pointer, problem.on),
        ...(problem.severity === undefined ? {} : { severity: problem.severity }),
      }),
    );
  };
  const work: Work = {
    ...parts,
    findings,
    secretRanges,
    texts: new Map(),
    isResolved,
    report,
    raw: (pointer) => valueAt(doc.root, pointer),
    error: (code, pointer, message, fix, on = 'value') => report({ code, pointer, on, message, fix }),
    noEffect: (pointer, message, fix) =>
      report({ code: 'E_MANIFEST_NO_EFFECT', pointer, on: 'key', message, fix, severity: 'warning' }),
    async plugin(type, kind, pointer) {
      if (typeof type !== 'string' || type === '' || !isResolved(pointer)) return null;
      const id = `${kind}:${type}`;
      try {
        if (!resolving.has(id)) resolving.set(id, (async () => resolvePlugin(type, kind))());
        const plugin = await resolving.get(id)!;
        // a language is named where a transform is
        if (plugin[kind] !== undefined || (kind === 'transform' && plugin.language !== undefined)) return plugin;
        work.error('E_PLUGIN_NOT_FOUND', pointer, `the plugin has no ${kind}`, 'run `sluice plugins list`');
      } catch (thrown) {
        const error = toSluiceError(thrown, 'E_PLUGIN_LOAD');
        if (error.code === 'E_PLUGIN_NOT_FOUND' && PLANNED.has(type)) {
          const message = `the plugin \`${type}\` is not built yet: it waits for a later version`;
          work.error('E_NOT_BUILT', pointer, message, 'use a plugin that `sluice plugins list` shows');
          return null;
        }
        const near =
          kind === 'transform' && error.code === 'E_PLUGIN_NOT_FOUND' ? nearest(type, words.transform) : null;
        const { at: _at, ...data } = error.toJSON();
        const fix = near === null ? {} : { fix: `did you mean \`${near}\`?` };
        findings.push({ ...data, ...fix, at: doc.places.at(pointer, 'value'), severity: 'error' });
      }
      return null;
    },
    configOf(schema, value, pointer, called, engine) {
      const own = Object.fromEntries(Object.entries(value as object).filter(([key]) => !engine.includes(key)));
      try {
        const decoded = decodeConfig(schema, own, { dir: parts.dir, base: pointer, called, alsoKnown: engine });
        for (const problem of decoded.findings) report(problem);
        work.hide(decoded.secrets);
        const known = decoded.findings.filter((problem) => isResolved(problem.pointer));
        return known.length > 0 ? null : { config: decoded.config };
      } catch (thrown) {
        const { at: _at, ...data } = toSluiceError(thrown).toJSON();
        findings.push({ ...data, at: doc.places.at(`${pointer}/type`, 'value'), severity: 'error' });
        return null;
      }
    },
    hide(list) {
      for (const { pointer, value } of list) {
        secrets.add(value);
        const range = doc.places.valueRange(pointer);
        if (range !== undefined) secretRanges.push(range);
      }
    },
  };
  return work;
}

function valueAt(root: unknown, pointer: string): unknown {
  let value = root;
  for (const part of pointer.split('/').slice(1)) {
    if (typeof value !== 'object' || value === null) return undefined;
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    value = Object.hasOwn(value, key) ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
  }
  return value;
}
