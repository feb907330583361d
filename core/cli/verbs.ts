// The table of verbs. Each is imported only when it is called, so that `sluice --version` loads nothing.

import type { Command } from './command.ts';

export interface Verb {
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
}

export const verbs: Readonly<Record<string, Verb>> = {
  run: { summary: 'run the streams of a manifest', load: () => import('./commands/run.ts') },
  validate: {
    summary: 'check a manifest without connecting to anything',
    load: () => import('./commands/validate.ts'),
  },
  check: {
    summary: 'check that sources and sinks can be reached, with the rights they need',
    load: () => import('./commands/check.ts'),
  },
  status: { summary: 'show where the streams stand', load: () => import('./commands/status.ts') },
  'dead-letters': {
    summary: 'list, show, replay or ignore dead letters',
    load: () => import('./commands/dead-letters.ts'),
  },
  checkpoint: { summary: 'show, set or clear a checkpoint', load: () => import('./commands/checkpoint.ts') },
  plugins: { summary: 'list and describe plugins', load: () => import('./commands/plugins.ts') },
  new: { summary: 'make a new pipeline', load: () => import('./commands/new.ts') },
  test: { summary: 'run the tests of transforms', load: () => import('./commands/test.ts') },
  apply: { summary: 'run a transform as a filter', load: () => import('./commands/apply.ts') },
  capture: { summary: 'capture events of a stream, redacted', load: () => import('./commands/capture.ts') },
  types: { summary: 'write the row types of a stream', load: () => import('./commands/types.ts') },
  snapshot: { summary: 'read tables again while the stream goes on', load: () => import('./commands/snapshot.ts') },
  resume: { summary: 'resume what is parked', load: () => import('./commands/resume.ts') },
  playground: { summary: 'write transforms in the browser', load: () => import('./commands/playground.ts') },
};
