// Runs in a process of its own, started by hygiene-checks.ts: imports a plugin, lets its source or sink do a little, disposes of
// it, tells on file descriptor 3 what was loaded and what is still open, and ends only if nothing keeps it alive.

import { writeSync } from 'node:fs';
import { registerHooks } from 'node:module';
import type { Auth, PluginDefinition } from '../plugin.ts';

export interface LodgerTask {
  readonly entry: string;
  /** null: only import it. */
  readonly kind: 'source' | 'sink' | null;
  readonly config: unknown;
  readonly auth: Auth | null;
}

export interface LodgerReport {
  /** URLs under a node_modules that importing the plugin loaded. */
  readonly loaded: readonly string[];
  readonly events: number;
  readonly error: string | null;
  readonly open: readonly string[];
}

const task = JSON.parse(process.argv[2]!) as LodgerTask;
const loaded: string[] = [];
const hooks = registerHooks({
  load(url, context, next) {
    if (url.includes('/node_modules/')) loaded.push(url);
    return next(url, context);
  },
});
const { default: plugin } = (await import(task.entry)) as { default: PluginDefinition };
hooks.deregister();

let events = 0;
let error: string | null = null;
try {
  if (task.kind === 'source') events = await read(plugin);
  if (task.kind === 'sink') events = await write(plugin);
} catch (thrown) {
  error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}
const report: LodgerReport = {
  loaded,
  events,
  error,
  open: process.getActiveResourcesInfo().filter((name) => !/^(PipeWrap|TTYWrap|CloseReq)$/.test(name)),
};
writeSync(3, `${JSON.stringify(report)}\n`);

async function read(definition: PluginDefinition): Promise<number> {
  const { kitContext } = await import('./context.ts');
  await using source = await definition.source!.create(task.config, kitContext({ auth: task.auth ?? undefined }));
  const abort = new AbortController();
  for await (const { batch } of source.read(null, abort.signal)) {
    if (batch.length === 0) continue;
    abort.abort();
    return batch.length;
  }
  return 0;
}

async function write(definition: PluginDefinition): Promise<number> {
  const { kitContext } = await import('./context.ts');
  const { batchOf } = await import('../batch.ts');
  await using sink = await definition.sink!.create(task.config, kitContext({ auth: task.auth ?? undefined }));
  await sink.state?.restore(null);
  const event = {
    id: 'lodger-1',
    op: 'c' as const,
    key: { id: 1 },
    before: null,
    after: { id: 1, name: 'n', note: 'o' },
    source: { plugin: 'kit', stream: 'kit', db: 'kit', table: 'kit', snapshot: false, ts_ms: 1 },
    ts_ms: 1,
  };
  const columns = new Map([['kit', [{ name: 'id', type: 'int' as const, native: 'INTEGER', key: 1 }]]]);
  const results = await sink.write(batchOf([event], { columns }), new AbortController().signal);
  await sink.state?.flush();
  return results.length;
}
