// What the sample source can be told: the only definition of it.

import type { FromSchema } from 'sluice/sdk';

export const sourceConfig = {
  type: 'object',
  additionalProperties: false,
  properties: {
    events: {
      type: 'integer',
      minimum: 0,
      maximum: 1_000_000_000_000,
      default: 12,
      description: 'How long the story is, in events. 0: it never ends. Events of tables that are left out count too.',
    },
    seed: {
      type: 'integer',
      minimum: 0,
      maximum: 4_294_967_295,
      default: 1,
      description: 'Picks names, goods and amounts. The same seed always tells the same story.',
    },
    rate: {
      type: 'number',
      exclusiveMinimum: 0,
      maximum: 1_000_000,
      description: 'Events per second. By default as fast as they are taken.',
      examples: [5],
    },
    poison: {
      type: 'boolean',
      default: true,
      description: 'Have one order in 600 events whose `items` is a text, where all others have a list.',
    },
    tables: {
      type: 'array',
      items: { type: 'string', enum: ['customers', 'orders'] },
      minItems: 1,
      uniqueItems: true,
      default: ['customers', 'orders'],
      description: 'The tables to give events of.',
    },
  },
} as const;

export type SourceConfig = FromSchema<typeof sourceConfig>;
