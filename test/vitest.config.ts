// One configuration for all tests. `sluice/sdk` is the sources themselves, as it is for the command line in a checkout.

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { LongFirst } from './long-first.ts';

const at = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

export default defineConfig({
  root: at(''),
  resolve: {
    alias: {
      'sluice/sdk': at('core/sdk.ts'),
      'sluice/testkit': at('core/testkit.ts'),
    },
  },
  test: {
    include: ['**/*.test.ts'],
    exclude: ['node_modules/**', 'dist/**'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    globalSetup: [at('test/known-sandbox.ts')],
    pool: 'forks',
    // Long tests mostly wait for processes that they start: where nobody else works, a worker for each core, and not one less.
    ...(process.env['CI'] === undefined ? {} : { maxWorkers: '100%' }),
    sequence: { sequencer: LongFirst },
    execArgv: ['--conditions=source', '--no-warnings'],
  },
});
