// What the kit demands of a definition, its package and its page, before anything is read or written.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeConfig } from '../manifest/config.ts';
import { isPluginDefinition, type PluginDefinition } from '../plugin.ts';
import { schemaProblems } from '../registry/config-subset.ts';
import { settingsOf } from '../registry/describe.ts';
import { admit, pluginKinds, readPluginPackage } from '../registry/plugin-package.ts';
import type { ObjectSchema } from '../schema.ts';
import type { Check } from './checks.ts';
import type { ConformanceOptions } from './model.ts';

export function definitionChecks(plugin: PluginDefinition, folder: string, options: ConformanceOptions): Check[] {
  const parts = (['source', 'sink', 'transform'] as const).flatMap((kind) => {
    const part = plugin[kind];
    return part === undefined ? [] : [{ kind, part }];
  });
  const checks: Check[] = [
    {
      name: 'the package says what the definition is',
      async run() {
        assert.ok(isPluginDefinition(plugin), 'it is not made by definePlugin');
        const found = readPluginPackage(folder, 'path');
        admit(found);
        assert.equal(found.name, plugin.name, 'name in package.json');
        const has = pluginKinds.filter((kind) => plugin[kind] !== undefined);
        assert.deepEqual([...found.provides].sort(), [...has].sort(), 'provides in package.json');
      },
    },
    {
      name: 'every setting is in the closed subset and has a description',
      async run() {
        for (const { kind, part } of parts) {
          assert.deepEqual(schemaProblems(part.config), [], `the schema of the ${kind}`);
          for (const row of settingsOf(part.config)) {
            assert.notEqual(row.description, '', `the ${kind}'s setting ${row.name} has no description`);
          }
        }
      },
    },
    {
      name: 'the README names every setting',
      async run() {
        const file = join(folder, 'README.md');
        assert.ok(existsSync(file), 'there is no README.md');
        const readme = readFileSync(file, 'utf8');
        const missing = parts.flatMap(({ kind, part }) =>
          Object.keys(part.config.properties)
            .filter((name) => !readme.includes(`\`${name}\``) && !new RegExp(`^\\s*-?\\s*${name}:`, 'm').test(readme))
            .map((name) => `${kind}: ${name}`),
        );
        assert.deepEqual(missing, [], 'settings that the README does not name');
      },
    },
  ];
  for (const { kind, part } of parts) {
    const stage = kind === 'source' ? options.source : kind === 'sink' ? options.sink : undefined;
    if (stage === undefined) continue;
    checks.push({
      name: `the ${kind}'s schema takes the good configuration, and refuses one without a required or with an unknown key`,
      async run() {
        await using made = await stage();
        const config = made.config as Readonly<Record<string, unknown>>;
        assert.deepEqual(findings(part.config, config), []);
        assert.notDeepEqual(findings(part.config, { ...config, no_such_setting: 1 }), [], 'an unknown key was taken');
        for (const name of part.config.required ?? []) {
          const { [name]: _, ...rest } = config;
          const said = findings(part.config, rest).join('\n');
          assert.ok(said.includes(name), `nothing names the missing "${name}": ${said || 'it was taken'}`);
        }
      },
    });
  }
  return checks;
}

function findings(schema: ObjectSchema, config: unknown): string[] {
  return decodeConfig(schema, config, { dir: process.cwd() }).findings.map((one) => `${one.pointer} ${one.message}`);
}
