// The sample source before the kit: a story of 40 events, which ends.

import type { ConformanceOptions } from '../../core/testkit.ts';

export const stages: Omit<ConformanceOptions, 'folder'> = {
  source: async () => ({
    config: { events: 40, seed: 7 },
    events: 40,
    ends: true,
    async [Symbol.asyncDispose]() {},
  }),
};
