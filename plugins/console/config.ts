// What the console sink can be told: the only definition of it.

import type { FromSchema } from 'sluice/sdk';

export const sinkConfig = {
  type: 'object',
  additionalProperties: false,
  properties: {
    format: {
      type: 'string',
      enum: ['event', 'row', 'pretty'],
      default: 'event',
      description:
        '`event`: the whole change event, one JSON line each. `row`: only the row, one JSON line each; events without a row are rejected. `pretty`: for people, a headline and the row on lines of its own.',
    },
  },
} as const;

export type SinkConfig = FromSchema<typeof sinkConfig>;
