// The console plugin: a sink that prints change events to standard output.

import { definePlugin } from 'sluice/sdk';
import { sinkConfig } from './config.ts';
import { consoleSink } from './sink.ts';

export default definePlugin({
  name: 'console',
  sink: {
    config: sinkConfig,
    create: (config) => consoleSink(config, process.stdout),
  },
});
