// What the file source and the file sink can be told: the only definition of it.
// Guarantee: every setting here is enforced. Not here on purpose: other encodings than UTF-8, and globs.

import type { FromSchema } from 'sluice/sdk';

const format = {
  type: 'string',
  enum: ['row', 'event'],
  default: 'row',
  description: '`row`: each line is a row. `event`: each line is a whole change event.',
} as const;

export const sourceConfig = {
  type: 'object',
  additionalProperties: false,
  required: ['path'],
  properties: {
    path: {
      type: 'string',
      format: 'path',
      minLength: 1,
      description: 'The file: one JSON object a line, or one JSON array of objects; plain or gzip.',
      examples: ['./orders.ndjson'],
    },
    format,
    table: {
      type: 'string',
      minLength: 1,
      description:
        'The name of the table that the rows belong to. By default the name of the file without its endings.',
    },
    key: {
      type: 'array',
      items: { type: 'string', minLength: 1 },
      minItems: 1,
      uniqueItems: true,
      description: 'The columns that make up the key of a row. Without it, rows have no key.',
    },
    time: {
      type: 'string',
      minLength: 1,
      description:
        'The column that says when the change happened: ISO 8601 text (UTC where it names no zone) or milliseconds since 1970. Without it, or where a row has no such value, the time is 0.',
    },
    numbers: {
      type: 'string',
      enum: ['exact', 'double'],
      default: 'exact',
      description: '`exact`: a number that would lose digits in a double fails its event. `double`: it is rounded.',
    },
    follow: {
      type: 'boolean',
      default: false,
      description: 'Wait for lines that are added later, through rotations of the file. Not for arrays and gzip.',
    },
    poll: {
      type: 'string',
      format: 'duration',
      least: '1ms',
      most: '1d',
      default: '1s',
      description: 'With `follow`: look for new lines this often, also where the system announces no changes.',
    },
    max_line: {
      type: 'string',
      format: 'size',
      least: '1B',
      most: '256MiB',
      default: '8MiB',
      description: 'A longer line, or element of an array, is an event that cannot be read.',
    },
  },
} as const;

export const sinkConfig = {
  type: 'object',
  additionalProperties: false,
  required: ['path'],
  properties: {
    path: {
      type: 'string',
      format: 'path',
      minLength: 1,
      description: 'The file to append to. Its folder is made when it is missing.',
      examples: ['./out/orders.ndjson'],
    },
    format,
    rotate: {
      type: 'object',
      additionalProperties: false,
      properties: {
        size: {
          type: 'string',
          format: 'size',
          least: '1B',
          description: 'Begin a new file before one would grow beyond this.',
        },
        every: {
          type: 'string',
          format: 'duration',
          least: '1ms',
          description: 'Begin a new file when one is older than this.',
        },
      },
      description: 'Write `<name>.1.ndjson`, `<name>.2.ndjson` and so on instead of one file.',
    },
  },
} as const;

export type SourceConfig = FromSchema<typeof sourceConfig>;
export type SinkConfig = FromSchema<typeof sinkConfig>;
