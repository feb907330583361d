#!/usr/bin/env node
// Starts the command line (program.ts). By itself, because the cache of compiled modules serves only what is imported after it is
// enabled: from the second time on, our own modules and those of workers start twice as fast.

import nodeModule from 'node:module';

const { node } = process.versions;
if (Number.parseInt(node, 10) < 24) {
  console.error(`Sluice needs Node 24 or later, and this is ${node}`);
  process.exit(3);
}
nodeModule.enableCompileCache();
await import('./program.ts');
