// One request to the endpoint: over connections that are kept, within its time, its answer read to a bounded length.
// Guarantees: gives an answer, or throws an error that means "not there"; no address, header or secret in that error.
// Follows a redirect only with the same method to the same host: anything else could carry rows and tokens to strangers.

import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { codesOf, type SluiceError, sluiceError } from 'sluice/sdk';
import type { Endpoint } from './endpoint.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** At most ANSWER_BYTES of it. */
  readonly body: string;
}

export interface Post {
  readonly method: 'POST' | 'PUT';
  readonly contentType: string;
  readonly idempotencyKey: string;
  readonly body: string;
}

export interface Client extends Disposable {
  send(post: Post, signal: AbortSignal): Promise<Answer>;
}

const ANSWER_BYTES = 1024 * 1024;
const REDIRECTS = 3;

export function clientOf(endpoint: Endpoint, timeout: number, sockets: number): Client {
  const secure = endpoint.url.protocol === 'https:';
  const options = { keepAlive: true, maxSockets: sockets, maxFreeSockets: sockets };
  const agent = secure ? new HttpsAgent(options) : new HttpAgent(options);

  const once = (url: URL, post: Post, signal: AbortSignal): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const body = Buffer.from(post.body);
      const request = (secure ? httpsRequest : httpRequest)(url, {
        agent,
        signal,
        method: post.method,
        headers: {
          'content-type': post.contentType,
          ...endpoint.headers,
          'content-length': body.length,
          'idempotency-key': post.idempotencyKey,
        },
      });
      request.on('error', (error) => reject(Object.assign(error, { reused: request.reusedSocket })));
      request.on('response', (response) => {
        readAnswer(response).then(resolve, reject);
      });
      request.end(body);
    });

  const sendOnce = async (url: URL, post: Post, signal: AbortSignal): Promise<Answer> => {
    try {
      return await once(url, post, signal);
    } catch (error) {
      // The endpoint closed a kept connection at the moment that we used it: no outage, and the request has its key.
      if (!signal.aborted && codesOf(error).includes('ECONNRESET') && (error as { reused?: boolean }).reused) {
        return await once(url, post, signal);
      }
      throw error;
    }
  };

  return {
    async send(post, signal) {
      const late = AbortSignal.timeout(timeout);
      const both = AbortSignal.any([signal, late]);
      let url = endpoint.url;
      try {
        for (let hops = 0; ; hops++) {
          const answer = await sendOnce(url, post, both);
          if (answer.status !== 307 && answer.status !== 308) return answer;
          url = nextHop(url, answer, hops);
        }
      } catch (error) {
        throw absence(error, signal, late);
      }
    },
    [Symbol.dispose]() {
      agent.destroy();
    },
  };
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > ANSWER_BYTES) break; // the loop's end destroys the rest: an endless answer must not fill memory
  }
  const body = Buffer.concat(chunks).subarray(0, ANSWER_BYTES).toString('utf8');
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

function nextHop(from: URL, answer: Answer, hops: number): URL {
  const location = answer.headers.location ?? '';
  const to = URL.canParse(location, from.href) ? new URL(location, from.href) : null;
  if (to === null || to.origin !== from.origin || hops >= REDIRECTS) {
    const why =
      to === null ? 'without saying where' : to.origin !== from.origin ? 'to another host' : 'again and again';
    throw sluiceError('E_SINK_WRITE', {
      message: `the endpoint redirects ${why}`,
      fix: 'set `url` to the final address',
      cause: because(`HTTP_${answer.status}`),
    });
  }
  to.username = '';
  to.password = '';
  return to;
}

/** In our words: node's own messages name addresses. The code stays, for `permanent_error_codes`. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the endpoint refuses connections',
  ENOTFOUND: "the endpoint's host name is not known",
  EAI_AGAIN: "the endpoint's host name cannot be looked up at the moment",
  ECONNRESET: 'the endpoint closed the connection',
  EPIPE: 'the endpoint closed the connection',
  ETIMEDOUT: 'the endpoint does not answer',
  EHOSTUNREACH: 'there is no way to the endpoint',
  ENETUNREACH: 'there is no way to the endpoint',
  CERT_HAS_EXPIRED: "the endpoint's certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the endpoint's certificate is signed by itself",
  SELF_SIGNED_CERT_IN_CHAIN: "the endpoint's certificate is signed by nobody known",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the endpoint's certificate is signed by nobody known",
  ERR_TLS_CERT_ALTNAME_INVALID: "the endpoint's certificate is for another host",
};

/** A cause that has a code and says nothing else. */
export function because(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** An error that means "not there", for whatever a connection can throw. */
export function connectError(error: unknown): SluiceError {
  // Several addresses of one host fail as an AggregateError: the first of them says enough.
  const inner = error instanceof AggregateError && error.errors.length > 0 ? (error.errors[0] as unknown) : error;
  const code = codesOf(inner)[0] ?? codesOf(error)[0];
  const message = (code !== undefined && WORDS[code]) || 'the connection to the endpoint failed';
  return sluiceError('E_SINK_CONNECT', { message, ...(code === undefined ? {} : { cause: because(code) }) });
}

function absence(error: unknown, stop: AbortSignal, late: AbortSignal): Error {
  if (codesOf(error)[0] === 'E_SINK_WRITE') return error as Error;
  if (stop.aborted) return sluiceError('E_SINK_WRITE', { message: 'stopped while waiting for the endpoint' });
  if (late.aborted) {
    return sluiceError('E_SINK_CONNECT', {
      message: 'the endpoint did not answer within `timeout`',
      cause: because('ETIMEDOUT'),
    });
  }
  return connectError(error);
}
