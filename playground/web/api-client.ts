// Talks to the playground's server: every request with the token, every answer with its type, every failure as an ApiError
// that holds the error as the server said it. Reads the server-sent events with fetch(), because EventSource sends no token.

import type { Change, Conflict, EndpointName, endpoints, PlaygroundError, Response, Sent } from '../server/api.ts';

export class ApiError extends Error {
  readonly status: number;
  readonly error: PlaygroundError;
  /** With 409: what is on disk. */
  readonly disk: Conflict['disk'] | null;

  constructor(status: number, error: PlaygroundError, disk: Conflict['disk'] | null) {
    super(error.message);
    this.status = status;
    this.error = error;
    this.disk = disk;
  }
}

/** Nobody answered: the server has ended, or the machine slept. */
export class Unreachable extends Error {
  constructor(cause: unknown) {
    super('The server does not answer.', { cause });
  }
}

interface Given<N extends EndpointName> {
  readonly params?: Readonly<Record<string, string | number>>;
  readonly query?: Sent<N, 'query'>;
  readonly body?: Sent<N>;
  readonly signal?: AbortSignal;
}

/** Method and path of each endpoint; the compiler holds them to the server's own table. */
const routes: {
  readonly [N in EndpointName]: readonly [(typeof endpoints)[N]['method'], (typeof endpoints)[N]['path']];
} = {
  session: ['GET', '/api/session'],
  events: ['GET', '/api/events'],
  pin: ['POST', '/api/events/pin'],
  run: ['POST', '/api/run'],
  capture: ['POST', '/api/captures'],
  endCapture: ['DELETE', '/api/captures/{capture}'],
  deadLetters: ['GET', '/api/dead-letters'],
  deadLetter: ['GET', '/api/dead-letters/{letter}'],
  dryRun: ['POST', '/api/dead-letters/{letter}/dry-run'],
  replay: ['POST', '/api/dead-letters/{letter}/replay'],
  settle: ['POST', '/api/dead-letters/{letter}/settle'],
  tests: ['GET', '/api/tests'],
  runTests: ['POST', '/api/tests/run'],
  saveTest: ['POST', '/api/tests'],
  saveTransform: ['PUT', '/api/transforms/{transform}'],
  preview: ['POST', '/api/manifest/preview'],
  writeManifest: ['PUT', '/api/manifest'],
  keep: ['POST', '/api/keep'],
  format: ['POST', '/api/format'],
  plugins: ['GET', '/api/plugins'],
  plugin: ['GET', '/api/plugins/{plugin}'],
};

export type Api = ReturnType<typeof createApi>;

export function createApi(token: string) {
  async function call<N extends EndpointName>(name: N, given: Given<N> = {}): Promise<Response<N>> {
    const [method, path] = routes[name];
    const at = path.replace(/\{(\w+)\}/, (_all, key: string) => encodeURIComponent(String(given.params?.[key] ?? '')));
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(given.query ?? {}))
      if (value !== undefined) query.set(key, String(value));
    const answer = await fetch(query.size === 0 ? at : `${at}?${query}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(given.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(given.body === undefined ? {} : { body: JSON.stringify(given.body) }),
      ...(given.signal === undefined ? {} : { signal: given.signal }),
    }).catch((error: unknown) => {
      throw given.signal?.aborted ? error : new Unreachable(error);
    });
    const value = (await answer.json().catch(() => ({}))) as Response<N> & Partial<Conflict>;
    if (answer.ok) return value;
    const error = value.error ?? { code: 'E_INTERNAL', message: `The server answered ${answer.status}.` };
    throw new ApiError(answer.status, error, value.disk ?? null);
  }

  /** What the server tells by itself, until `signal`. Throws when the connection ends otherwise. */
  async function* changes(signal: AbortSignal): AsyncGenerator<Change> {
    const answer = await fetch('/api/changes', { headers: { authorization: `Bearer ${token}` }, signal });
    if (!answer.ok || answer.body === null) {
      throw new ApiError(answer.status, { code: 'E_INTERNAL', message: `The server answered ${answer.status}.` }, null);
    }
    let rest = '';
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (rest + value).split('\n\n');
      rest = parts.pop()!;
      for (const part of parts) {
        const change = changeOf(part);
        if (change !== null) yield change;
      }
    }
  }

  return { call, changes };
}

function changeOf(part: string): Change | null {
  let name = '';
  const data: string[] = [];
  for (const line of part.split('\n')) {
    if (line.startsWith('event:')) name = line.slice(6).trim();
    else if (line.startsWith('data:')) data.push(line.slice(5).trim());
  }
  return name === '' || data.length === 0 ? null : ({ name, data: JSON.parse(data.join('\n')) } as Change);
}
