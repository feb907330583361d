// The postgres plugin: a source that follows a database by logical replication, from a snapshot on.

import { definePlugin } from 'sluice/sdk';
import { sourceConfig } from './config.ts';
import { placeOf } from './connection.ts';
import { POSITION_VERSION, toPosition } from './position.ts';
import { createSource } from './source.ts';

export default definePlugin({
  name: 'postgres',
  source: {
    config: sourceConfig,
    positionVersion: POSITION_VERSION,
    batch: ['max_wait', 'respect_source_tx'],
    auth: ['username_password', 'certificate'],
    checkPosition: (position) => void toPosition(position),
    create: createSource,
    place(config) {
      const place = placeOf(config);
      return place === undefined ? undefined : (config.tables ?? ['*']).map((table) => `${place}#${table}`);
    },
  },
});
