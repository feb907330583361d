// The sample plugin: a source that tells the story of a small shop, the same one every time, with nothing installed.

import { definePlugin } from 'sluice/sdk';
import { sourceConfig } from './config.ts';
import { sampleSource, startOf } from './source.ts';

export default definePlugin({
  name: 'sample',
  source: {
    config: sourceConfig,
    positionVersion: 1,
    checkPosition: (position) => void startOf(position),
    create: (config, context) => sampleSource(config, context),
    check: async () => [{ ok: true, name: 'connect', message: 'the sample shop needs nothing' }],
  },
});
