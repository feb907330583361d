// `sluice plugins list|describe`: what can be named in a manifest, and what each takes. `list` imports nothing.

import { resolve } from 'node:path';
import { sluiceError } from '../../errors.ts';
import type { PluginDefinition } from '../../plugin.ts';
import { schemasOf, settingsText } from '../../registry/describe.ts';
import { createRegistry } from '../../registry/resolve.ts';
import type { Command } from '../command.ts';
import { printData, printJson, table } from '../output.ts';
import { takeSubverb } from '../subverb.ts';

const SUBVERBS = ['list', 'describe'] as const;

export const command: Command = {
  name: 'plugins',
  summary: 'Lists the plugins that can be named here, and describes what each takes.',
  usage: 'plugins list | plugins describe <name>',
  examples: ['plugins list', 'plugins describe sqlite'],
  options: { dir: { type: 'string', help: 'where a manifest would be: its ./plugins and node_modules are looked at' } },
  async run(given) {
    const { subverb, invocation } = takeSubverb(given, SUBVERBS, 'plugins');
    const dir = invocation.flags['dir'];
    const registry = createRegistry({ manifestDir: resolve(typeof dir === 'string' ? dir : '.') });
    if (subverb === 'list') {
      const plugins = registry.list();
      if (invocation.json) await printJson({ plugins });
      else
        await printData(
          table([
            ['name', 'version', 'provides', 'from'],
            ...plugins.map((p) => [
              p.name,
              p.version,
              p.provides.join(', '),
              p.problem === undefined ? p.from : `${p.from}: ${p.problem.message}`,
            ]),
          ]),
        );
      return 0;
    }
    const name = invocation.positionals[0];
    if (name === undefined)
      throw sluiceError('E_USAGE', { message: 'plugins describe needs a name', fix: 'run `sluice plugins list`' });
    const found = registry.find(name);
    const kind =
      (['source', 'sink', 'transform', 'language'] as const).find((k) => found.provides.includes(k)) ?? 'sink';
    const plugin: PluginDefinition = await registry.resolve(name, kind);
    const schemas = schemasOf(plugin);
    if (invocation.json) await printJson({ name: plugin.name, ...schemas });
    else {
      for (const [part, schema] of Object.entries(schemas))
        await printData(`${plugin.name} ${part}\n\n${settingsText(schema)}\n`);
    }
    return 0;
  },
};
