// The file plugin: NDJSON and JSON arrays as a source, NDJSON as a sink.

import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { definePlugin } from 'sluice/sdk';
import { checkSink, checkSource } from './check.ts';
import { sinkConfig, sourceConfig } from './config.ts';
import { sinkNoEffect, sourceNoEffect } from './no-effect.ts';
import { toPosition } from './position.ts';
import { fileSink } from './sink.ts';
import { fileSource } from './source.ts';

/** The same text for the same file, whatever links lead to it. */
function place(path: string): string {
  try {
    return `file:${realpathSync(path)}`;
  } catch {
    // not there yet: its folder may be
  }
  try {
    return `file:${join(realpathSync(dirname(path)), basename(path))}`;
  } catch {
    return `file:${path}`;
  }
}

export default definePlugin({
  name: 'file',
  source: {
    config: sourceConfig,
    positionVersion: 1,
    checkPosition: (position) => void toPosition(position),
    create: fileSource,
    check: checkSource,
    noEffect: sourceNoEffect,
    place: (config) => place(config.path),
  },
  sink: {
    config: sinkConfig,
    create: fileSink,
    check: checkSink,
    noEffect: sinkNoEffect,
    place: (config) => place(config.path),
  },
});
