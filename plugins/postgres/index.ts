// The postgres plugin: a source that follows a database by logical replication, from a snapshot on, and a sink that upserts and
// can be the checkpoint's home.

import { definePlugin } from 'sluice/sdk';
import { checkSource } from './check.ts';
import { sinkConfig, sourceConfig } from './config.ts';
import { placeOf } from './connection.ts';
import { sourceNoEffect } from './no-effect.ts';
import { POSITION_VERSION, toPosition } from './position.ts';
import { createSink } from './sink.ts';
import { checkSink } from './sink-check.ts';
import { namesOf } from './sink-names.ts';
import { createSource } from './source.ts';

export default definePlugin({
  name: 'postgres',
  source: {
    config: sourceConfig,
    positionVersion: POSITION_VERSION,
    batch: ['max_wait', 'respect_source_tx'],
    requests: ['snapshot', 'park', 'resume'],
    auth: ['username_password', 'certificate'],
    checkPosition: (position) => void toPosition(position),
    create: createSource,
    check: checkSource,
    noEffect: sourceNoEffect,
    place(config) {
      const place = placeOf(config);
      return place === undefined
        ? undefined
        : (config.tables ?? ['*']).map(
            (name) => `${place}#${name === '*' || name.includes('.') ? name : `public.${name}`}`,
          );
    },
  },
  sink: {
    config: sinkConfig,
    auth: ['username_password', 'certificate'],
    create: createSink,
    check: checkSink,
    place(config) {
      const place = placeOf(config);
      if (place === undefined) return undefined;
      const { table } = config;
      if (table === undefined) return `${place}#*`;
      const names = typeof table === 'string' ? [table] : [...new Set(Object.values(table))];
      return names.map((name) => `${place}#${namesOf(config)(name).replaceAll('"', '')}`);
    },
    home: () => true,
  },
});
