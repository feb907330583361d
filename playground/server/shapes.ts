// The shapes that requests and responses of the playground are made of, as JSON Schemas. What validates a request, what
// OpenAPI shows and what TypeScript checks are one thing. An absent value is left out; nothing here is null.

import type { FromSchema } from 'sluice/sdk';

const text = { type: 'string' } as const;
const count = { type: 'integer', minimum: 0 } as const;

/** Where: in a manifest, in a transform (lines and columns from 1, in UTF-16 units), or in a source's input. */
export const place = {
  type: 'object',
  additionalProperties: false,
  properties: { file: text, line: count, column: count, pointer: text },
} as const;

/** An error as everywhere else in Sluice (core/errors.md lists the codes). */
export const error = {
  type: 'object',
  additionalProperties: false,
  required: ['code', 'message'],
  properties: {
    code: text,
    message: text,
    fix: text,
    at: place,
    cause: {
      type: 'object',
      additionalProperties: false,
      required: ['message'],
      properties: { code: text, message: text },
    },
  },
} as const;

export const finding = {
  type: 'object',
  additionalProperties: false,
  required: ['code', 'message', 'severity'],
  properties: { ...error.properties, severity: { type: 'string', enum: ['error', 'warning'] } },
} as const;

/** An event as the browser may see it: redacted. `ref` is the same as long as the event is, also after a restart. */
export const event = {
  type: 'object',
  additionalProperties: false,
  required: ['ref', 'origin', 'stream', 'id', 'op', 'table', 'text', 'pinned'],
  properties: {
    ref: text,
    origin: {
      type: 'string',
      enum: ['capture', 'live', 'dead_letter'],
      description: 'capture: from the state store; live: taken from the source in this session; dead_letter',
    },
    stream: text,
    id: text,
    op: { type: 'string', enum: ['c', 'u', 'd', 'r', 't', 'm', 's'] },
    table: text,
    key: { type: 'string', description: 'JSON text of the key columns' },
    text: { type: 'string', description: 'JSON text of the envelope; numbers stand in it as they came' },
    captured_at: { type: 'string', description: 'ISO 8601' },
    pinned: { type: 'boolean' },
    letter: { type: 'integer', description: 'of a dead letter: its number' },
  },
} as const;

/** One step of a chain. Without `source` it is the one of the manifest; with it, it is a draft of it or a new one. */
export const step = {
  type: 'object',
  additionalProperties: false,
  required: ['id'],
  properties: {
    id: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' },
    type: {
      type: 'string',
      enum: ['javascript', 'typescript', 'jsonata', 'kazaam'],
      description: 'by default that of the manifest; another one drops the settings of the old language',
    },
    source: { type: 'string', maxLength: 1_048_576 },
    scope: { type: 'string', enum: ['row', 'event'] },
    images: { type: 'string', enum: ['key', 'both'] },
    state: { type: 'string', enum: ['reset', 'keep'] },
  },
} as const;

/** Which event: one that the server gave, or one that was pasted. Exactly one of the two. */
export const given = {
  type: 'object',
  additionalProperties: false,
  properties: {
    ref: text,
    text: {
      type: 'string',
      maxLength: 4_194_304,
      description: 'JSON text of an envelope, or of a row, which is then created',
    },
  },
} as const;

export const logLine = {
  type: 'object',
  additionalProperties: false,
  required: ['level', 'text'],
  properties: { level: { type: 'string', enum: ['debug', 'info', 'warn', 'error'] }, text, at: place },
} as const;

/** What became of one event, in the order of the request. */
export const result = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'fate', 'inputs', 'outputs', 'logs'],
  properties: {
    id: { type: 'string', description: "the source event's" },
    fate: {
      type: 'string',
      enum: ['ok', 'filtered', 'fan_out', 'failed', 'not_run'],
      description: 'fan_out: several outputs; not_run: the run ended before its turn',
    },
    step: { type: 'string', description: 'where it was filtered or failed, else the last one' },
    inputs: { type: 'array', items: text, description: 'envelopes that this step got' },
    outputs: { type: 'array', items: text, description: 'envelopes that the last step gave' },
    error,
    logs: { type: 'array', items: logLine },
    ms: { type: 'number', description: 'time in the sandbox, of all steps; of a measured run' },
    memory: {
      type: 'integer',
      description: 'bytes that the heap grew by, of a measured run; absent where garbage was collected meanwhile',
    },
  },
} as const;

export const limits = {
  type: 'object',
  additionalProperties: false,
  required: ['timeout', 'memory', 'output', 'fan_out', 'logs', 'load', 'input', 'depth', 'deaths'],
  description: 'times in ms, sizes in bytes',
  properties: {
    timeout: count,
    memory: count,
    output: count,
    fan_out: count,
    logs: count,
    load: count,
    input: count,
    depth: count,
    deaths: count,
  },
} as const;

export const transformation = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'type', 'scope', 'images', 'state', 'source', 'hash', 'inline', 'editable', 'limits', 'at'],
  properties: {
    id: text,
    name: text,
    type: { type: 'string', description: 'javascript, typescript, jsonata, kazaam, or a plugin' },
    scope: step.properties.scope,
    images: step.properties.images,
    state: step.properties.state,
    source: { type: 'string', description: 'as it is on disk; empty for a plugin' },
    hash: { type: 'string', description: 'of the source; `base` when it is saved' },
    inline: { type: 'boolean', description: 'its code stands in the manifest itself' },
    editable: { type: 'boolean', description: 'false for a plugin' },
    file: {
      type: 'string',
      description: 'what its code is called in errors: `at.file`; others are files that it imports',
    },
    limits,
    at: place,
  },
} as const;

export const stream = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'source', 'transformations', 'sinks', 'captures', 'dead_letters'],
  properties: {
    id: text,
    name: text,
    source: { type: 'string', description: 'type of the source' },
    transformations: { type: 'array', items: text, description: 'ids, in the order in which they run' },
    sinks: {
      type: 'array',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['id', 'type'],
        properties: { id: text, type: text },
      },
    },
    captures: { type: 'integer', description: 'events that can be listed' },
    dead_letters: { type: 'integer', description: 'pending ones' },
  },
} as const;

export const language = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'title', 'ending', 'template'],
  properties: {
    name: { type: 'string', enum: ['javascript', 'typescript', 'jsonata', 'kazaam'] },
    title: text,
    ending: { type: 'string', description: 'of its files, with the dot' },
    template: { type: 'string', description: 'code that passes a row on as it is' },
  },
} as const;

export const diffLine = {
  type: 'object',
  additionalProperties: false,
  required: ['kind', 'text'],
  properties: { kind: { type: 'string', enum: ['same', 'added', 'removed'] }, text },
} as const;

export const deadLetter = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'stream', 'status', 'place', 'event_id', 'table', 'error', 'attempts', 'failed_at', 'event'],
  properties: {
    id: { type: 'integer' },
    stream: text,
    status: { type: 'string', enum: ['pending', 'resolved', 'ignored', 'superseded'] },
    place: {
      type: 'object',
      additionalProperties: false,
      required: ['kind', 'id'],
      properties: { kind: { type: 'string', enum: ['source', 'transform', 'sink'] }, id: text },
    },
    event_id: text,
    table: text,
    error,
    attempts: count,
    failed_at: text,
    note: text,
    event: { type: 'string', description: 'as it came from the source, redacted' },
    input: { type: 'string', description: 'of the step that failed, where that is another one' },
    ref: { type: 'string', description: 'its event, to be run; absent where the source could not read it' },
    transform: { type: 'string', description: 'the transformation that failed or ran last' },
  },
} as const;

/** What a replay made, or would make, of a dead letter. */
export const replay = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'event_id', 'outcome', 'code_changed', 'after'],
  properties: {
    id: { type: 'integer' },
    event_id: text,
    outcome: {
      type: 'string',
      enum: ['delivered', 'would_pass', 'filtered', 'failed', 'nothing', 'refused', 'away'],
    },
    message: text,
    error,
    code_changed: { type: 'boolean', description: 'the code is not the code that failed' },
    before: { type: 'string', description: 'envelope of what failed' },
    after: { type: 'array', items: text, description: 'envelopes of what comes out now; a dry run only' },
  },
} as const;

export const test = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'line'],
  properties: { name: text, line: count },
} as const;

export const testResult = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'line', 'passed', 'differences', 'logs', 'ms', 'outputs', 'errors'],
  properties: {
    name: text,
    line: count,
    passed: { type: 'boolean' },
    differences: { type: 'array', items: text, description: 'sentences, one for each' },
    logs: { type: 'array', items: text },
    ms: { type: 'number' },
    outputs: { type: 'array', items: text, description: 'envelopes that came out' },
    errors: { type: 'array', items: error },
  },
} as const;

export type PlaygroundPlace = FromSchema<typeof place>;
export type PlaygroundError = FromSchema<typeof error>;
export type PlaygroundFinding = FromSchema<typeof finding>;
export type PlaygroundEvent = FromSchema<typeof event>;
export type PlaygroundStep = FromSchema<typeof step>;
export type GivenEvent = FromSchema<typeof given>;
export type RunLogLine = FromSchema<typeof logLine>;
export type RunResult = FromSchema<typeof result>;
export type PlaygroundTransformation = FromSchema<typeof transformation>;
export type PlaygroundStream = FromSchema<typeof stream>;
export type PlaygroundLanguage = FromSchema<typeof language>;
export type DiffLine = FromSchema<typeof diffLine>;
export type PlaygroundLetter = FromSchema<typeof deadLetter>;
export type PlaygroundReplay = FromSchema<typeof replay>;
export type PlaygroundTest = FromSchema<typeof test>;
export type PlaygroundTestResult = FromSchema<typeof testResult>;
