// The configurations of the postgres source and sink: the only definition of them. What says how to reach a server is the same
// at both ends.

import type { ConfigSchema, FromSchema, ObjectSchema } from 'sluice/sdk';
import { KIND_NAMES } from './sink-types.ts';

/** How to reach a server: spread into the source's and the sink's properties. */
export const connectionProperties = {
  connection_string: {
    type: 'string',
    secret: true,
    minLength: 1,
    description:
      'An address `postgres://user:password@host:port/database?sslmode=verify-full`, in the place of host, port, database and user.',
    examples: ['${env:SHOP_URL}'],
  },
  host: { type: 'string', minLength: 1, description: 'The server. By default `localhost`.' },
  port: { type: 'integer', minimum: 1, maximum: 65_535, description: 'By default 5432.' },
  database: { type: 'string', minLength: 1, description: 'By default the name of the user.' },
  user: {
    type: 'string',
    minLength: 1,
    description: 'The role to connect as. An authentication (`auth_id`) that names one counts before it.',
  },
  tls: {
    type: 'string',
    enum: ['verify-full', 'verify-ca', 'require', 'disable'],
    description:
      '`verify-full` checks the certificate and the name in it, `verify-ca` the certificate only, `require` encrypts and checks ' +
      'nothing. By default `verify-full`, and `disable` for a server on this machine.',
  },
  tls_ca: {
    type: 'string',
    format: 'path',
    minLength: 1,
    description: 'A PEM file with the authorities to trust. By default those that Node knows.',
  },
  connect_timeout: {
    type: 'string',
    format: 'duration',
    least: '1ms',
    most: '10m',
    default: '10s',
    description: 'How long connecting may take.',
  },
} as const satisfies { readonly [name: string]: ConfigSchema };

const connection = {
  type: 'object',
  additionalProperties: false,
  properties: connectionProperties,
} as const satisfies ObjectSchema;

export type ConnectionSettings = FromSchema<typeof connection>;

export const sourceConfig = {
  type: 'object',
  description:
    'Rows of a PostgreSQL database, then their changes, from its write-ahead log by logical replication (pgoutput).',
  additionalProperties: false,
  properties: {
    ...connectionProperties,
    tables: {
      type: 'array',
      items: { type: 'string', minLength: 1 },
      minItems: 1,
      uniqueItems: true,
      description:
        'The tables to read: `schema.table`, `schema.*`, or a name in `public`. By default all ordinary tables.',
      examples: [['public.orders']],
    },
    publication: {
      type: 'string',
      minLength: 1,
      maxLength: 63,
      description: 'The publication to read. By default `sluice_` and the id of the stream.',
    },
    slot: {
      type: 'string',
      pattern: '^[a-z0-9_]{1,63}$',
      description: 'The replication slot to read from. By default `sluice_` and the id of the stream.',
    },
    create: {
      type: 'boolean',
      default: true,
      description:
        'Make the publication and the slot where they are missing, and add tables to the publication. false: they must be there.',
    },
    snapshot: {
      type: 'string',
      enum: ['initial', 'never', 'only'],
      default: 'initial',
      description:
        '`initial` reads the rows that are there, as events with op `r`, then their changes; `never` only what changes from now ' +
        'on; `only` ends after the rows, and leaves nothing at the server.',
    },
    partition_changes: {
      type: 'string',
      enum: ['snapshot', 'log'],
      default: 'snapshot',
      description:
        'When a partition with rows is attached, or one is detached, dropped or truncated: `snapshot` reads the whole table again, ' +
        'so that the sinks have what the source has; `log` only says so.',
    },
    jsonb: {
      type: 'string',
      enum: ['nested', 'text'],
      default: 'nested',
      description:
        '`nested`: jsonb is nested JSON, and a number that no double can hold is a failed event; `text`: it is a string.',
    },
    messages: {
      type: 'boolean',
      default: false,
      description: 'Read logical messages (`pg_logical_emit_message`) too, as events with op `m`.',
    },
    heartbeat: {
      type: 'string',
      format: 'duration',
      least: '100ms',
      most: '1h',
      default: '10s',
      description:
        'How often the position moves on while only other tables change, so that the server keeps no log for us.',
    },
  },
} as const satisfies ObjectSchema;

export type SourceSettings = FromSchema<typeof sourceConfig>;

export const sinkConfig = {
  type: 'object',
  description:
    'Tables of a PostgreSQL database: rows are upserted and deleted by their key. Can be the home of the checkpoint.',
  additionalProperties: false,
  properties: {
    ...connectionProperties,
    schema: {
      type: 'string',
      minLength: 1,
      default: 'public',
      description: 'The schema of the tables, where `table` names none.',
    },
    table: {
      anyOf: [
        { type: 'string', minLength: 1 },
        { type: 'object', additionalProperties: { type: 'string', minLength: 1 } },
      ],
      description:
        'The table to write (`orders` or `schema.orders`), or a map from source table to table. By default the name of the source table.',
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
    auto_evolve: {
      type: 'boolean',
      default: true,
      description: 'Add columns that are missing, and widen those that the source has widened. Nothing is dropped.',
    },
    columns: {
      type: 'object',
      additionalProperties: { type: 'string', enum: KIND_NAMES },
      description: 'The kind of single columns, for tables that are made here: `{ picture: bytes }`.',
    },
    state_schema: {
      type: 'string',
      minLength: 1,
      default: '_sluice',
      description: "The schema of the checkpoint's table, where this sink is its home. Made where it is missing.",
    },
    statement_timeout: {
      type: 'string',
      format: 'duration',
      least: '100ms',
      most: '1h',
      default: '1m',
      description: 'How long a statement may take, waiting for locks with it, before the batch is tried again.',
    },
  },
} as const satisfies ObjectSchema;

export type SinkSettings = FromSchema<typeof sinkConfig>;
