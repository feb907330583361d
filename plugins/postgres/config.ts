// The configurations of the postgres source and sink: the only definition of them. What says how to reach a server is the same
// at both ends.

import type { ConfigSchema, FromSchema, ObjectSchema } from 'sluice/sdk';

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
