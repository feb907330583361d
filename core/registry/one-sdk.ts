// One SDK in a process: whoever imports `sluice`, `sluice/sdk` or `sluice/testkit` gets this host's own files, wherever the
// importing file lies. So a plugin folder outside of any node_modules works, and a second copy of the package that npm
// put beside a plugin never comes in. Nothing else is resolved here. Importing this file is enough (`node --import`).

import { registerHooks } from 'node:module';

const kind = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const format = kind === 'ts' ? 'module-typescript' : 'module';

const own: Readonly<Record<string, string | undefined>> = {
  __proto__: null,
  sluice: new URL(`../cli/index.${kind}`, import.meta.url).href,
  'sluice/sdk': new URL(`../sdk.${kind}`, import.meta.url).href,
  'sluice/testkit': new URL(`../testkit.${kind}`, import.meta.url).href,
} as unknown as Record<string, string>;

const MARK = Symbol.for('sluice.one-sdk');
const marked = globalThis as { [MARK]?: true };

// once in a thread: two hosts in one process must not stack hooks, and the first one keeps its plugins together
if (!marked[MARK]) {
  marked[MARK] = true;
  registerHooks({
    resolve(specifier, context, next) {
      const url = own[specifier];
      return url === undefined ? next(specifier, context) : { url, format, shortCircuit: true };
    },
  });
}
