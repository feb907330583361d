// What the kit hands to a plugin in the engine's place: a context with a log that is kept for looking at, deadlines,
// and configurations decoded by the plugin's own schema.

import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { decodeConfig } from '../manifest/config.ts';
import type { Auth, BatchLimits, Context, Logger } from '../plugin.ts';
import type { ObjectSchema } from '../schema.ts';

export interface KitContext extends Context {
  /** Everything that was logged, as text. */
  readonly logged: readonly string[];
}

export function kitContext(
  more: { auth?: Auth | undefined; batch?: Partial<BatchLimits>; signal?: AbortSignal } = {},
): KitContext {
  const logged: string[] = [];
  const keep = (fields: object, message: string): void => {
    logged.push(`${message} ${inspect(fields, { depth: 20 })}`);
  };
  const log: Logger = { debug: keep, info: keep, warn: keep, error: keep };
  return {
    stream: 'kit',
    log,
    logged,
    signal: more.signal ?? new AbortController().signal,
    batch: { maxEvents: 3, maxBytes: 64 * 1024, maxWait: 20, respectSourceTx: true, ...more.batch },
    auth: more.auth ?? null,
    tap: false,
  };
}

/** The configuration as the engine would give it. @throws AssertionError when the schema refuses it */
export function decoded(schema: ObjectSchema, config: unknown): unknown {
  const { config: out, findings } = decodeConfig(schema, config, { dir: process.cwd() });
  assert.deepEqual(
    findings.map((finding) => finding.message),
    [],
    "the stage's configuration breaks the schema",
  );
  return out;
}

/** The promise, or an error that says what took too long. The timer never outlives it. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new assert.AssertionError({ message: `${what} took longer than ${ms} ms` })), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Fails when the secret can be seen in any of these, however deep. The message does not repeat it. */
export function assertHidden(secret: string, shown: readonly unknown[]): void {
  for (const one of shown) {
    const text = typeof one === 'string' ? one : `${inspect(one, { depth: 20 })} ${jsonOf(one)}`;
    assert.ok(!text.includes(secret), `the secret is shown in: ${text.replaceAll(secret, '<the secret>')}`);
  }
}

function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return '';
  }
}
