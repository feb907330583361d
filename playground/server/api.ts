// The playground's API: every endpoint with its request and its response. The server validates by these schemas, the page
// takes its types from them, and /api/openapi.json is made of them, so the three cannot differ. Long because it is one table.
//
// For the page:
// - The address is http://127.0.0.1:<port>/#token=<token>. Every request below /api but openapi.json carries
//   `Authorization: Bearer <token>`; all but GET are JSON. The server checks Host and Origin.
// - An error is { error } with status 400 (wrong request), 401 (no token), 403 (wrong host or origin), 404, 409 (it changed
//   meanwhile, see `conflict`, or E_PLAYGROUND_REPLACED: a newer run of the tab), 413 (too large), 422 (what was written
//   cannot be carried out), 503 with Retry-After (too much at once), 500.
// - GET /api/changes is a stream of server-sent events; EventSource cannot send the token, so it is read with fetch().
//   Each event's name and data are one of `changes` below. Comments (`:`) keep the connection alive.
// - index.html is served with a nonce: `{{nonce}}` in it is replaced for each response, and the policy is
//   default-src 'self'; style-src 'self' 'nonce-…'. Put it into <meta name="csp-nonce" content="{{nonce}}"> for CodeMirror.

import type { FromSchema, ObjectSchema } from 'sluice/sdk';
import {
  deadLetter,
  diffLine,
  error,
  event,
  finding,
  given,
  language,
  limits,
  type logLine,
  replay,
  result,
  step,
  stream,
  test,
  testResult,
  transformation,
} from './shapes.ts';

export type * from './shapes.ts';

const text = { type: 'string' } as const;
const steps = { type: 'array', items: step, maxItems: 32 } as const;
const object = <const P extends ObjectSchema['properties'], const R extends readonly (keyof P & string)[]>(
  properties: P,
  required: R,
) => ({ type: 'object', additionalProperties: false, properties, required }) as const;

export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** `{name}` is a parameter. */
  readonly path: string;
  readonly summary: string;
  readonly query?: ObjectSchema;
  readonly body?: ObjectSchema;
  readonly response: ObjectSchema;
  /** Answers 409 with `conflict` when what is on disk is not what the request was made from. */
  readonly conflicts?: true;
}

/** What is on disk now, when it is not what a change was made from. */
export const conflict = object({ error, disk: object({ source: text, hash: text }, ['source', 'hash']) }, [
  'error',
  'disk',
]);

export const endpoints = {
  session: {
    method: 'GET',
    path: '/api/session',
    summary: 'What is open: the manifest with its streams and transformations, the languages, the limits.',
    response: object(
      {
        version: { type: 'string', description: "Sluice's" },
        node: text,
        sample: { type: 'boolean', description: 'the sample shop; `keep` writes it to where the verb was called' },
        manifest: object({ file: text, hash: text, findings: { type: 'array', items: finding } }, [
          'file',
          'hash',
          'findings',
        ]),
        languages: { type: 'array', items: language },
        default_limits: limits,
        run_limits: object(
          {
            events: { type: 'integer', description: 'of one run' },
            bytes: { type: 'integer', description: 'of one request' },
            time: { type: 'integer', description: 'ms of one run, from when its first event is done' },
          },
          ['events', 'bytes', 'time'],
        ),
        streams: { type: 'array', items: stream },
        transformations: { type: 'array', items: transformation },
      },
      [
        'version',
        'node',
        'sample',
        'manifest',
        'languages',
        'default_limits',
        'run_limits',
        'streams',
        'transformations',
      ],
    ),
  },
  events: {
    method: 'GET',
    path: '/api/events',
    summary: 'Events of a stream that can be run, redacted: pinned first, then the newest.',
    query: object(
      {
        stream: text,
        from: { type: 'string', enum: ['captures', 'dead_letters'], default: 'captures' },
        q: {
          type: 'string',
          maxLength: 500,
          description: 'words that must all fit: table:orders, op:u, has:before, status:paid (a column), or any text',
        },
        limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
      },
      ['stream'],
    ),
    response: object(
      {
        events: { type: 'array', items: event },
        total: { type: 'integer', description: 'how many fit, of those that were looked at' },
        more: { type: 'boolean', description: 'older ones are stored, which were not looked at' },
      },
      ['events', 'total', 'more'],
    ),
  },
  pin: {
    method: 'POST',
    path: '/api/events/pin',
    summary: 'Keeps an event for as long as the playground runs, or lets it go.',
    body: object({ ref: text, pinned: { type: 'boolean' } }, ['ref', 'pinned']),
    response: object({ event }, ['event']),
  },
  run: {
    method: 'POST',
    path: '/api/run',
    summary: 'Runs events through the chain of a stream up to a step. A newer run of the same tab ends this one.',
    body: object(
      {
        tab: { type: 'string', minLength: 1, maxLength: 64 },
        stream: text,
        steps: { ...steps, description: 'the whole chain, in its order; absent: that of the stream' },
        until: { type: 'string', description: 'the id of the last step that runs; absent: all' },
        events: { type: 'array', items: given, maxItems: 500 },
        measured: {
          type: 'boolean',
          default: false,
          description:
            'with the time and the memory of each event; each then has a call of its own, which takes longer',
        },
      },
      ['tab', 'stream', 'events'],
    ),
    response: object(
      {
        results: { type: 'array', items: result },
        problem: { ...error, description: 'the code cannot run at all: no event was run; `step` says whose' },
        step: { type: 'string', description: 'the step of the problem' },
        stopped: {
          ...error,
          description: 'its time was over, or its results too large: the events from here on are not_run',
        },
        logs_dropped: { type: 'integer' },
        ms: object({ compile: { type: 'number' }, run: { type: 'number' } }, ['compile', 'run']),
      },
      ['results', 'ms'],
    ),
  },
  capture: {
    method: 'POST',
    path: '/api/captures',
    summary: 'Takes events from the source of a stream, leaving nothing behind there. Progress comes by /api/changes.',
    body: object(
      {
        stream: text,
        max: { type: 'integer', minimum: 1, maximum: 200, default: 50 },
        seconds: { type: 'number', minimum: 0.1, maximum: 120, default: 15 },
      },
      ['stream'],
    ),
    response: object({ capture: { type: 'integer', description: 'its number' } }, ['capture']),
  },
  endCapture: {
    method: 'DELETE',
    path: '/api/captures/{capture}',
    summary: 'Ends a capture that runs, with what has come.',
    response: object({ ended: { type: 'boolean', description: 'false: it had ended already' } }, ['ended']),
  },
  deadLetters: {
    method: 'GET',
    path: '/api/dead-letters',
    summary: 'Dead letters, redacted, by their numbers.',
    query: object(
      {
        stream: text,
        status: { type: 'string', enum: ['pending', 'resolved', 'ignored', 'superseded'] },
        code: text,
        place: { type: 'string', description: 'id of a transformation or sink' },
        table: text,
        after: { type: 'integer', minimum: 0, default: 0, description: 'only with a greater number' },
        limit: { type: 'integer', minimum: 1, maximum: 500, default: 100 },
      },
      [],
    ),
    response: object({ dead_letters: { type: 'array', items: deadLetter }, total: { type: 'integer' } }, [
      'dead_letters',
      'total',
    ]),
  },
  deadLetter: {
    method: 'GET',
    path: '/api/dead-letters/{letter}',
    summary: 'One dead letter, redacted.',
    response: object({ dead_letter: deadLetter }, ['dead_letter']),
  },
  dryRun: {
    method: 'POST',
    path: '/api/dead-letters/{letter}/dry-run',
    summary: 'What a replay would make of it: with drafts in place of the files, and nothing written.',
    body: object({ steps: { ...steps, description: 'the whole chain, with drafts; absent: the files on disk' } }, []),
    response: object({ replay }, ['replay']),
  },
  replay: {
    method: 'POST',
    path: '/api/dead-letters/{letter}/replay',
    summary: 'Tries it again with the files on disk and writes it to the sinks.',
    body: object({ force: { type: 'boolean', default: false, description: 'also a superseded one' } }, []),
    response: object({ replay, dead_letter: deadLetter }, ['replay', 'dead_letter']),
  },
  settle: {
    method: 'POST',
    path: '/api/dead-letters/{letter}/settle',
    summary: 'Marks a pending one as resolved (its event was mended elsewhere) or ignored, without writing anything.',
    body: object(
      { status: { type: 'string', enum: ['resolved', 'ignored'] }, note: { type: 'string', maxLength: 500 } },
      ['status'],
    ),
    response: object({ dead_letter: deadLetter }, ['dead_letter']),
  },
  tests: {
    method: 'GET',
    path: '/api/tests',
    summary: 'The tests of a transformation, in its <transform>.tests.yaml.',
    query: object({ transform: text }, ['transform']),
    response: object(
      {
        file: { type: 'string', description: 'where they are, or would be written' },
        exists: { type: 'boolean' },
        tests: { type: 'array', items: test },
        findings: { type: 'array', items: finding },
      },
      ['file', 'exists', 'tests', 'findings'],
    ),
  },
  runTests: {
    method: 'POST',
    path: '/api/tests/run',
    summary: 'Runs the tests of a transformation, as `sluice test` does, on a draft or on the file.',
    body: object({ transform: text, step, name: { type: 'string', description: 'only this one' } }, ['transform']),
    response: object(
      {
        results: { type: 'array', items: testResult },
        findings: { type: 'array', items: finding },
        passed: { type: 'integer' },
        failed: { type: 'integer' },
      },
      ['results', 'findings', 'passed', 'failed'],
    ),
  },
  saveTest: {
    method: 'POST',
    path: '/api/tests',
    summary: 'Saves an event, with what the transformation makes of it now, as a test. Comments of the file stay.',
    conflicts: true,
    body: object(
      {
        transform: text,
        name: { type: 'string', minLength: 1, maxLength: 200 },
        event: given,
        step: { ...step, description: 'the draft that says what is expected; absent: the file' },
      },
      ['transform', 'name', 'event'],
    ),
    response: object({ file: text, line: { type: 'integer' } }, ['file', 'line']),
  },
  saveTransform: {
    method: 'PUT',
    path: '/api/transforms/{transform}',
    summary: 'Writes the code of a transformation: its file, or its place in the manifest.',
    conflicts: true,
    body: object(
      { source: step.properties.source, base: { type: 'string', description: 'hash of what it was made from' } },
      ['source', 'base'],
    ),
    response: object(
      { hash: text, file: text, manifest: { type: 'string', description: 'hash of the manifest now' } },
      ['hash', 'file', 'manifest'],
    ),
  },
  preview: {
    method: 'POST',
    path: '/api/manifest/preview',
    summary: 'What an export would change in the manifest and in the files of transformations. Comments stay.',
    body: object(
      { stream: text, steps: { ...steps, description: 'the whole chain of the stream as it shall be, with drafts' } },
      ['stream', 'steps'],
    ),
    response: object(
      {
        changed: { type: 'boolean' },
        hash: { type: 'string', description: 'of all that it was made from: `base` of the write' },
        files: {
          type: 'array',
          description: 'the manifest first; secrets in it are masked',
          items: object({ file: text, text, diff: { type: 'array', items: diffLine } }, ['file', 'text', 'diff']),
        },
        findings: { type: 'array', items: finding },
        commands: { type: 'array', items: text, description: 'what to run then, in a shell' },
      },
      ['changed', 'hash', 'files', 'findings', 'commands'],
    ),
  },
  writeManifest: {
    method: 'PUT',
    path: '/api/manifest',
    summary: 'Writes what `preview` showed.',
    conflicts: true,
    body: object({ stream: text, steps, base: { type: 'string', description: 'hash of the preview' } }, [
      'stream',
      'steps',
      'base',
    ]),
    response: object({ hash: text, files: { type: 'array', items: text } }, ['hash', 'files']),
  },
  keep: {
    method: 'POST',
    path: '/api/keep',
    summary:
      'Of the sample shop: writes its manifest, transforms and tests into a new folder where the verb was called.',
    body: object({}, []),
    response: object(
      { folder: text, files: { type: 'array', items: text }, commands: { type: 'array', items: text } },
      ['folder', 'files', 'commands'],
    ),
  },
  format: {
    method: 'POST',
    path: '/api/format',
    summary: 'Indents code, and JSON as JSON. What it cannot read it gives back as it came, with `changed: false`.',
    body: object(
      {
        type: { type: 'string', enum: ['javascript', 'typescript', 'jsonata', 'kazaam', 'json'] },
        source: step.properties.source,
      },
      ['type', 'source'],
    ),
    response: object({ source: text, changed: { type: 'boolean' } }, ['source', 'changed']),
  },
  plugins: {
    method: 'GET',
    path: '/api/plugins',
    summary: 'The plugins that the manifest could name. None is loaded.',
    response: object(
      {
        plugins: {
          type: 'array',
          items: object(
            {
              name: text,
              version: text,
              provides: { type: 'array', items: text },
              from: text,
              description: text,
              problem: error,
            },
            ['name', 'version', 'provides', 'from', 'description'],
          ),
        },
      },
      ['plugins'],
    ),
  },
  plugin: {
    method: 'GET',
    path: '/api/plugins/{plugin}',
    summary: 'The configuration schemas of a plugin, by kind.',
    response: object(
      {
        name: text,
        schemas: {
          type: 'object',
          additionalProperties: { type: 'object', additionalProperties: true },
          description: 'by source, sink, transform: JSON Schemas',
        },
      },
      ['name', 'schemas'],
    ),
  },
} as const satisfies Readonly<Record<string, Endpoint>>;

/** What comes by GET /api/changes: the name of the event, and its data. */
export const changes = {
  /** Sent first, and after each change on disk: what is known is out of date where a hash differs; ask for the session. */
  files: object(
    {
      manifest: text,
      transforms: { type: 'object', additionalProperties: text, description: 'hashes by id' },
      valid: {
        type: 'boolean',
        description: 'false: the manifest on disk has errors, and what was open before is still open',
      },
    },
    ['manifest', 'transforms', 'valid'],
  ),
  /** A test file was written. */
  tests: object({ transform: text }, ['transform']),
  capture: object(
    {
      capture: { type: 'integer' },
      stream: text,
      events: { type: 'integer', description: 'so far' },
      state: { type: 'string', enum: ['running', 'done', 'failed'] },
      error,
    },
    ['capture', 'stream', 'events', 'state'],
  ),
  /** A dead letter was replayed or settled here. */
  dead_letters: object({ stream: text }, ['stream']),
} as const;

export type EndpointName = keyof typeof endpoints;
type Part<N extends EndpointName, K extends string> = (typeof endpoints)[N] extends { readonly [key in K]: infer S }
  ? FromSchema<S>
  : undefined;

/** What a handler gets: defaults are filled in. The page may leave out what has one (`Sent`). */
export type Body<N extends EndpointName> = Part<N, 'body'>;
export type Query<N extends EndpointName> = Part<N, 'query'>;
export type Response<N extends EndpointName> = Part<N, 'response'>;
export type Conflict = FromSchema<typeof conflict>;
export type LogLine = FromSchema<typeof logLine>;
export type Change = {
  readonly [N in keyof typeof changes]: { readonly name: N; readonly data: FromSchema<(typeof changes)[N]> };
}[keyof typeof changes];

/** The same as it is sent: what has a default may be left out. */
export type Sent<N extends EndpointName, K extends 'body' | 'query' = 'body'> = (typeof endpoints)[N] extends {
  readonly [key in K]: infer S extends { readonly properties: object; readonly required: readonly string[] };
}
  ? Pick<FromSchema<S>, Extract<keyof FromSchema<S>, S['required'][number]>> & Partial<FromSchema<S>>
  : undefined;
