// The configurations of the sqlite source and sink: the only definition of them.

import type { ConfigSchema, FromSchema, ObjectSchema } from 'sluice/sdk';
import { KIND_NAMES } from './kinds.ts';

const kinds = {
  type: 'object',
  additionalProperties: { type: 'string', enum: KIND_NAMES },
} as const satisfies ConfigSchema;

export const sourceConfig = {
  type: 'object',
  description:
    'Rows of a SQLite database, then their changes, which triggers write into a change table in the same database.',
  additionalProperties: false,
  required: ['path'],
  properties: {
    path: { type: 'string', format: 'path', minLength: 1, description: 'The database file. It must exist.' },
    tables: {
      type: 'array',
      items: { type: 'string', minLength: 1 },
      minItems: 1,
      uniqueItems: true,
      description: 'The tables to read. By default all ordinary tables, also those that are made later.',
    },
    snapshot: {
      type: 'string',
      enum: ['initial', 'never'],
      default: 'initial',
      description:
        '`initial` reads the rows that are there, as events with op `r`; `never` only what changes from now on.',
    },
    follow: {
      type: 'boolean',
      default: true,
      description: 'false: end after the snapshot and the changes that are logged by then.',
    },
    poll: {
      type: 'string',
      format: 'duration',
      least: '1ms',
      most: '1d',
      default: '100ms',
      description: 'How often to look for changes.',
    },
    heartbeat: {
      type: 'string',
      format: 'duration',
      least: '1ms',
      most: '1d',
      default: '10s',
      description: 'How often the position moves on while only tables of other readers change.',
    },
    integers: {
      type: 'string',
      enum: ['exact', 'text'],
      default: 'exact',
      description:
        '`exact`: INT columns are numbers, and a value beyond 2^53 is a failed event; `text`: all integers are strings.',
    },
    columns: {
      ...kinds,
      description: 'The kind of single columns, where the declared type says too little: `{ "orders.created": int }`.',
    },
    reader: {
      type: 'string',
      minLength: 1,
      description: 'The name under which the change table is read. By default the id of the stream.',
    },
    busy_timeout: {
      type: 'string',
      format: 'duration',
      most: '1h',
      default: '2s',
      description: 'How long to wait for a lock of another process.',
    },
  },
} as const satisfies ObjectSchema;

export type SourceSettings = FromSchema<typeof sourceConfig>;

export const sinkConfig = {
  type: 'object',
  description:
    'Tables of a SQLite database: rows are upserted and deleted by their key. Can be the home of the checkpoint.',
  additionalProperties: false,
  required: ['path'],
  properties: {
    path: {
      type: 'string',
      format: 'path',
      minLength: 1,
      description: 'The database file. It is made where it is missing.',
    },
    table: {
      anyOf: [
        { type: 'string', minLength: 1 },
        { type: 'object', additionalProperties: { type: 'string', minLength: 1 } },
      ],
      description: 'The table to write, or a map from source table to table. By default the name of the source table.',
    },
    key: {
      anyOf: [
        { type: 'array', items: { type: 'string', minLength: 1 }, minItems: 1, uniqueItems: true },
        { type: 'object', additionalProperties: { type: 'string', minLength: 1 } },
      ],
      description:
        "The columns to write by: a list of columns of the row, or a map from column to the event's own key column.",
    },
    auto_create: { type: 'boolean', default: true, description: 'Make a table that is missing.' },
    auto_evolve: { type: 'boolean', default: true, description: 'Add columns that are missing.' },
    columns: {
      ...kinds,
      description: "The kind of single columns, before what the table's own type says: `{ picture: bytes }`.",
    },
    busy_timeout: {
      type: 'string',
      format: 'duration',
      most: '1h',
      default: '5s',
      description: 'How long to wait for a lock of another process.',
    },
  },
} as const satisfies ObjectSchema;

export type SinkSettings = FromSchema<typeof sinkConfig>;
