// What the HTTP source and the HTTP sink can be told: the only definition of it.
// Guarantee: every setting here is enforced. Not here on purpose: TLS for the webhook (a proxy in front does it better).

import type { FromSchema } from 'sluice/sdk';

export const sourceConfig = {
  type: 'object',
  additionalProperties: false,
  required: ['port'],
  properties: {
    host: {
      type: 'string',
      minLength: 1,
      default: '127.0.0.1',
      description: 'The address to listen on. Anything but this machine itself needs a `secret`.',
      examples: ['0.0.0.0'],
    },
    port: {
      type: 'integer',
      minimum: 0,
      maximum: 65_535,
      description: 'The port to listen on. 0: any free one; the log says which.',
      examples: [8080],
    },
    path: {
      type: 'string',
      pattern: '^/[^?#\\s]*$',
      default: '/',
      description: 'The path that events are posted to. Every other path is answered 404.',
      examples: ['/orders'],
    },
    secret: {
      type: 'string',
      secret: true,
      minLength: 8,
      description:
        'What senders must know: either sent as the header `x-sluice-secret`, or used as the key of `x-signature: sha256=<HMAC-SHA256 of the body in hex>`.',
    },
    format: {
      type: 'string',
      enum: ['row', 'event'],
      default: 'row',
      description: '`row`: each object is a row, op `c`. `event`: each object is a whole change event.',
    },
    table: {
      type: 'string',
      minLength: 1,
      default: 'events',
      description: 'With `format: row`: the table that the rows belong to.',
    },
    key: {
      type: 'array',
      items: { type: 'string', minLength: 1 },
      minItems: 1,
      uniqueItems: true,
      description: 'With `format: row`: the columns that make up the key. A row without one of them cannot be read.',
    },
    numbers: {
      type: 'string',
      enum: ['exact', 'double'],
      default: 'exact',
      description: '`exact`: a number that would lose digits in a double fails its event. `double`: it is rounded.',
    },
    max_body: {
      type: 'string',
      format: 'size',
      least: '1B',
      most: '1GiB',
      default: '1MiB',
      description: 'A larger request is answered 413.',
    },
    max_waiting: {
      type: 'integer',
      minimum: 1,
      maximum: 100_000,
      default: 100,
      description: 'How many requests may wait for their events to be durable. One more is answered 503.',
    },
    max_buffer: {
      type: 'string',
      format: 'size',
      least: '1B',
      most: '64GiB',
      default: '64MiB',
      description: 'How many bytes all waiting requests may hold together. One more is answered 503.',
    },
  },
} as const;

export const sinkConfig = {
  type: 'object',
  additionalProperties: false,
  required: ['url'],
  properties: {
    url: {
      type: 'string',
      format: 'uri',
      secret: true,
      minLength: 8,
      description: 'Where events are sent, http or https. A user and password in it are sent as basic authentication.',
      examples: ['https://search.example/orders'],
    },
    method: { type: 'string', enum: ['POST', 'PUT'], default: 'POST', description: 'The method of every request.' },
    headers: {
      type: 'object',
      additionalProperties: { type: 'string', secret: true },
      description:
        'More headers. Their values are secrets. `idempotency-key` and what frames the body are the sink’s own.',
    },
    token: { type: 'string', secret: true, minLength: 1, description: 'Sent as `authorization: Bearer <token>`.' },
    format: {
      type: 'string',
      enum: ['event', 'row'],
      default: 'event',
      description: '`event`: whole change events. `row`: only rows; events without a row are rejected.',
    },
    batch: {
      type: 'string',
      enum: ['single', 'array', 'ndjson'],
      default: 'single',
      description:
        '`single`: one request per event. `array`: many events as one JSON array. `ndjson`: many, one a line.',
    },
    max_events: {
      type: 'integer',
      minimum: 1,
      maximum: 100_000,
      default: 500,
      description: 'With `batch: array` or `ndjson`: the most events in one request.',
    },
    max_bytes: {
      type: 'string',
      format: 'size',
      least: '1B',
      most: '1GiB',
      default: '1MiB',
      description: 'With `batch: array` or `ndjson`: the most bytes in one body. It may be exceeded by a single event.',
    },
    max_in_flight: {
      type: 'integer',
      minimum: 1,
      maximum: 256,
      default: 4,
      description: 'With `batch: single`: how many requests run side by side. Those of one key never do.',
    },
    timeout: {
      type: 'string',
      format: 'duration',
      least: '1ms',
      most: '1h',
      default: '30s',
      description: 'How long one request may take, to the last byte of its answer.',
    },
    success_codes: {
      type: 'array',
      items: { type: 'integer', minimum: 200, maximum: 499 },
      minItems: 1,
      uniqueItems: true,
      description: 'The status codes that mean taken. By default 200 to 299.',
      examples: [[200, 201, 409]],
    },
  },
} as const;

export type SourceConfig = FromSchema<typeof sourceConfig>;
export type SinkConfig = FromSchema<typeof sinkConfig>;
