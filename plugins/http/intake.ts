// The webhook's door: who may come in, how much, and what they are told.
// Guarantees: a request is answered 202 only when its events are durable; memory is bounded by `max_waiting` and
// `max_buffer`; a sender that must come again is told so (503 with retry-after). Refuses, with the reason as JSON: a wrong
// path (404), method (405), secret (401) or coding (415), too much (413), and what is no JSON (400).

import { createHash } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { isSluiceError } from 'sluice/sdk';
import type { SourceConfig } from './config.ts';
import type { Waiting } from './holding.ts';
import { headerProof, isSignedBy } from './proof.ts';
import { recordsOf } from './records.ts';

export interface IntakeParts {
  readonly config: SourceConfig;
  /** False while nobody reads. */
  accepting(): boolean;
  add(request: Waiting): void;
}

export interface Intake {
  readonly listener: RequestListener;
  /** Resolves when every answer that was begun has left, or is lost. */
  idle(): Promise<void>;
}

interface InFlight {
  readonly digest: string;
  readonly answers: ServerResponse[];
}

const LONGEST_KEY = 256;

export function intake({ config, accepting, add }: IntakeParts): Intake {
  const path = new URL(config.path, 'http://localhost').pathname;
  // What can never find room is too large; told to come again, its sender would do so for ever.
  const largest = Math.min(config.max_body, config.max_buffer);
  const tooLarge = `the body is larger than ${largest === config.max_body ? 'max_body' : 'max_buffer'}`;
  const byKey = new Map<string, InFlight>();
  const open = new Set<ServerResponse>();
  let waiting = 0;
  let buffered = 0;
  let onIdle = (): void => undefined;

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const refused = refuse(request, response);
    if (refused) return;
    waiting++;
    let held = 0;
    let settled = false;
    const done = (): void => {
      if (settled) return;
      settled = true;
      waiting--;
      buffered -= held;
    };
    const body = await readBody(request, largest, (bytes) => {
      if (buffered + bytes > config.max_buffer) return false;
      buffered += bytes;
      held += bytes;
      return true;
    });
    if (!Buffer.isBuffer(body)) {
      done();
      if (body === 'too large') answer(response, 413, { error: tooLarge });
      if (body === 'no room') comeAgain(response, 'too many bytes wait to be durable');
      return; // 'gone': the sender hung up
    }
    try {
      accept(request, response, body, done);
    } catch (error) {
      done();
      if (!isSluiceError(error)) throw error;
      answer(response, 400, { error: error.message });
    }
  };

  // What can be said without the body. True: it is answered.
  const refuse = (request: IncomingMessage, response: ServerResponse): boolean => {
    const target = request.url ?? '/';
    const pathname = URL.canParse(target, 'http://localhost') ? new URL(target, 'http://localhost').pathname : null;
    const proof = headerProof(config.secret, request.headers);
    const coding = request.headers['content-encoding'] ?? 'identity';
    if (pathname !== path) answer(response, 404, { error: 'no such path' });
    else if (request.method !== 'POST' && request.method !== 'PUT') {
      response.setHeader('allow', 'POST, PUT');
      answer(response, 405, { error: 'use POST' });
    } else if (proof === 'bad') answer(response, 401, { error: 'the secret or the signature is missing or wrong' });
    else if (coding.toLowerCase() !== 'identity')
      answer(response, 415, { error: 'send the body without content-encoding' });
    else if (Number(request.headers['content-length'] ?? 0) > largest) {
      answer(response, 413, { error: tooLarge });
    } else if (!accepting()) comeAgain(response, 'the stream is not reading at the moment');
    else if (waiting >= config.max_waiting) comeAgain(response, 'too many requests wait to be durable');
    else return false;
    return true;
  };

  const accept = (request: IncomingMessage, response: ServerResponse, body: Buffer, done: () => void): void => {
    if (
      headerProof(config.secret, request.headers) === 'signed' &&
      !isSignedBy(config.secret!, request.headers, body)
    ) {
      done();
      answer(response, 401, { error: 'the secret or the signature is missing or wrong' });
      return;
    }
    const key = headerText(request.headers['idempotency-key']);
    if (key !== null && key.length > LONGEST_KEY) {
      done();
      answer(response, 400, { error: `the idempotency-key is longer than ${LONGEST_KEY} characters` });
      return;
    }
    const digest = createHash('sha256').update(body).digest('hex');
    const same = key === null ? undefined : byKey.get(key);
    if (same !== undefined) {
      // Sent again while it still waits (a time-out of the sender): the same events must not come twice.
      done();
      if (same.digest === digest) same.answers.push(response);
      else answer(response, 422, { error: 'another body waits under this idempotency-key' });
      return;
    }
    const records = recordsOf(body, request.headers['content-type'], config);
    const unreadable = records.filter((record) => record.is === 'unreadable').length;
    const kept = { events: records.length, unreadable };
    if (records.length === 0) {
      done();
      answer(response, 202, kept);
      return;
    }
    const answers = [response];
    if (key !== null) byKey.set(key, { digest, answers });
    add({
      records,
      arrived: Date.now(),
      idempotencyKey: key,
      settle(isKept) {
        if (key !== null) byKey.delete(key);
        done();
        for (const each of answers) {
          // Invariant 1: the sender may forget the events, because the checkpoint that covers them is durable.
          if (isKept) answer(each, 202, kept);
          else comeAgain(each, 'the stream was stopped before the events were durable');
        }
      },
    });
  };

  return {
    listener(request, response) {
      open.add(response);
      response.on('close', () => {
        open.delete(response);
        if (open.size === 0) onIdle();
      });
      handle(request, response).catch(() => answer(response, 500, { error: 'a fault of the webhook itself' }));
    },
    async idle() {
      if (open.size > 0) await new Promise<void>((resolve) => (onIdle = resolve));
    },
  };
}

function answer(response: ServerResponse, status: number, body: object): void {
  if (response.destroyed || response.headersSent) return; // the sender hung up
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

function comeAgain(response: ServerResponse, error: string): void {
  if (response.destroyed || response.headersSent) return;
  response.setHeader('retry-after', '1');
  answer(response, 503, { error });
}

function headerText(header: string | readonly string[] | undefined): string | null {
  const text = (typeof header === 'string' ? header : (header?.[0] ?? '')).trim();
  return text === '' ? null : text;
}

type Body = Buffer | 'too large' | 'no room' | 'gone';

// What is too much is read on and thrown away by node after the answer: to cut the connection would cut the answer too.
function readBody(request: IncomingMessage, max: number, reserve: (bytes: number) => boolean): Promise<Body> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const end = (body: Body): void => {
      request.off('data', onData);
      if (!Buffer.isBuffer(body)) request.resume();
      resolve(body);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > max) end('too large');
      else if (!reserve(chunk.length)) end('no room');
      else chunks.push(chunk);
    };
    request.on('data', onData);
    request.on('end', () => end(Buffer.concat(chunks)));
    request.on('error', () => end('gone'));
    request.on('close', () => end('gone'));
  });
}
