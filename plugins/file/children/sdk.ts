// Lets a script of its own process find `sluice/sdk`, as the command line does. Import it before the plugin.

import { registerHooks } from 'node:module';

const sdk = new URL('../../../core/sdk.ts', import.meta.url).href;
registerHooks({
  resolve: (name, at, next) => (name === 'sluice/sdk' ? { url: sdk, shortCircuit: true } : next(name, at)),
});
