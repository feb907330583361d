// Loaded transforms, kept from one run to the next: while somebody types in one step of a chain, the others need not be
// compiled and loaded again.
// Guarantees: one run at a time has a loaded transform; one that keeps a state, or was parked, is never used again; what is
// kept is bounded.

import type { Languages, LoadedTransform, Log, TransformRule } from '../../core/workbench.ts';

const MOST_IDLE = 16;

interface Lease {
  readonly loaded: LoadedTransform;
  log: Log;
}

/** Languages whose transforms go back into the pool when they are disposed of. */
export interface LeasedLanguages extends AsyncDisposable {
  readonly languages: Languages;
}

export function leased(inner: Languages): LeasedLanguages {
  const idle = new Map<string, Lease>(); // the longest unused first
  let closed = false;
  const giveBack = async (key: string | null, lease: Lease): Promise<void> => {
    if (key === null || closed || lease.loaded.parked !== null || idle.has(key)) {
      await lease.loaded[Symbol.asyncDispose]();
      return;
    }
    idle.set(key, lease);
    for (const [old, { loaded }] of idle) {
      if (idle.size <= MOST_IDLE) break;
      idle.delete(old);
      await loaded[Symbol.asyncDispose]();
    }
  };
  const languages: Languages = {
    ...inner,
    async create(rule, context) {
      const { log: _log, ...settings } = context;
      const key = rule.state === 'keep' || rule.plugin !== undefined ? null : keyOf(rule, settings);
      const found = key === null ? undefined : idle.get(key);
      if (key !== null) idle.delete(key);
      const lease = found ?? (await fresh(rule, context));
      lease.log = context.log as Log;
      return {
        ...lease.loaded,
        get parked() {
          return lease.loaded.parked;
        },
        [Symbol.asyncDispose]: () => giveBack(key, lease),
      };
    },
  };
  async function fresh(rule: TransformRule, context: Parameters<Languages['create']>[1]): Promise<Lease> {
    const lease = { log: context.log as Log } as { loaded: LoadedTransform; log: Log };
    const log = {
      debug: (fields: object, message: string) => lease.log.debug(fields, message),
      info: (fields: object, message: string) => lease.log.info(fields, message),
      warn: (fields: object, message: string) => lease.log.warn(fields, message),
      error: (fields: object, message: string) => lease.log.error(fields, message),
    };
    lease.loaded = await inner.create(rule, { ...context, log });
    return lease;
  }
  return {
    languages,
    async [Symbol.asyncDispose]() {
      closed = true;
      for (const { loaded } of idle.values()) await loaded[Symbol.asyncDispose]();
      idle.clear();
    },
  };
}

// Helper modules are read when it is compiled: a lease must not outlive a change of theirs, so what imports is not kept.
function keyOf(rule: TransformRule, settings: object): string | null {
  if (/\b(import|require)\b/.test(rule.source)) return null;
  const { id, type, scope, images, source, file, dir, limits, config } = rule;
  return JSON.stringify([settings, id, type, scope, images, source, file, dir, limits, config]);
}
