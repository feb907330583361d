// The conformance kit for plugins, exported as `sluice/testkit`: a plugin is what passes it. Bundled plugins and others'
// run the same checks, with vitest or node:test. Each check is made against a stage of its own, which the author gives:
// a fresh place, and functions to look into it. Nothing is mocked.
//
//   import { describe, test } from 'vitest';
//   import { conformance } from 'sluice/testkit';
//   import plugin from './index.ts';
//
//   conformance({ describe, test }, plugin, { folder: new URL('.', import.meta.url), source: async () => ({ … }) });

import { fileURLToPath } from 'node:url';
import type { PluginDefinition } from './plugin.ts';
import type { Check } from './testkit/checks.ts';
import { definitionChecks } from './testkit/definition-checks.ts';
import { homeChecks } from './testkit/home-checks.ts';
import { hygieneChecks } from './testkit/hygiene-checks.ts';
import type { ConformanceOptions, TestTools } from './testkit/model.ts';
import { sinkChecks } from './testkit/sink-checks.ts';
import { sourceChecks } from './testkit/source-checks.ts';

export { kitContext } from './testkit/context.ts';
export type { Broken, ConformanceOptions, SinkStage, SourceStage, TestTools } from './testkit/model.ts';

/**
 * Registers the checks that fit the plugin's parts. A part without a stage is registered as one failing test: a plugin that
 * is not looked at has not passed. What the plugin cannot keep is waived by its check's name, with a reason that is shown.
 */
export function conformance(tools: TestTools, plugin: PluginDefinition, options: ConformanceOptions): void {
  const checks = conformanceChecks(plugin, options);
  const waived = options.waive ?? {};
  const unknown = Object.keys(waived).filter((name) => !checks.some((check) => check.name === name));
  if (unknown.length > 0) throw new TypeError(`no check is called ${unknown.map((name) => `"${name}"`).join(', ')}`);
  tools.describe(`conformance of ${plugin.name}`, () => {
    for (const { name, run } of checks) {
      const reason = Object.hasOwn(waived, name) ? waived[name] : undefined;
      if (reason !== undefined) tools.test.skip(`${name} (waived: ${reason})`, run);
      else tools.test(name, () => run());
    }
  });
}

/** The checks themselves, for another runner. */
export function conformanceChecks(plugin: PluginDefinition, options: ConformanceOptions): readonly Check[] {
  const folder = typeof options.folder === 'string' ? options.folder : fileURLToPath(options.folder);
  const at = folder.replace(/[/\\]$/, '');
  const checks = [...definitionChecks(plugin, at, options), ...hygieneChecks(plugin, at, options)];
  const patience = options.patience ?? 20_000;
  if (plugin.source !== undefined) {
    if (options.source === undefined) checks.push(missing('source'));
    else checks.push(...sourceChecks(plugin.source, options.source, patience));
  }
  if (plugin.sink !== undefined) {
    if (options.sink === undefined) checks.push(missing('sink'));
    else checks.push(...sinkChecks(plugin.sink, options.sink, patience), ...homeChecks(plugin.sink, options.sink));
  }
  return checks;
}

function missing(kind: string): Check {
  return {
    name: `${kind}: has a stage to be looked at`,
    run: () => Promise.reject(new TypeError(`give the kit a stage for the ${kind}`)),
  };
}
