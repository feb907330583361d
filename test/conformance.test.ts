// Every bundled plugin passes the conformance kit. The stages of a plugin are in its own folder (conformance.ts, exporting
// `stages`) or in test/conformance/; a bundled plugin without stages fails here, so none can be forgotten.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { bundledPlugins } from '../core/registry/discover.ts';
import { createRegistry } from '../core/registry/resolve.ts';
import { type ConformanceOptions, conformance } from '../core/testkit.ts';

const registry = createRegistry({ manifestDir: bundledPlugins });
const bundled = registry.list().filter((one) => one.from === 'bundled');

test('there are bundled plugins', () => {
  expect(bundled.map((one) => one.name)).toContain('file');
});

for (const { name, dir, provides } of bundled) {
  const places = [join(dir, 'conformance.ts'), join(import.meta.dirname, 'conformance', `${name}.ts`)];
  const file = places.find(existsSync);
  if (file === undefined || provides[0] === undefined) {
    test(`${name} has stages for the conformance kit`, () => {
      expect.fail(`write plugins/${name}/conformance.ts, which exports \`stages\``);
    });
    continue;
  }
  const { stages } = (await import(pathToFileURL(file).href)) as { stages: Omit<ConformanceOptions, 'folder'> };
  conformance({ describe, test }, await registry.resolve(name, provides[0]), { folder: dir, ...stages });
}
