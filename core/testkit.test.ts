// The kit itself: a good plugin passes every check, and for each promise a plugin that breaks it fails the check of that
// promise. A check that no fault can fail would be worth nothing.

import { spawnSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { batchOf } from './batch.ts';
import type { Checkpoint } from './checkpoint.ts';
import { sluiceError } from './errors.ts';
import type { ChangeEvent, EventBatch } from './event.ts';
import { allOk, inKeyOrder } from './key-order.ts';
import { type Context, definePlugin, type HomeTransaction, type Sink, type Source, type SourceItem } from './plugin.ts';
import type { ConformanceOptions, SinkStage } from './testkit.ts';
import { conformance, conformanceChecks } from './testkit.ts';
import type { Json } from './values.ts';

const sample = fileURLToPath(new URL('../plugins/sample/', import.meta.url)); // any real plugin folder

async function failures(plugin: Parameters<typeof conformanceChecks>[0], options: Partial<ConformanceOptions>) {
  const failed: string[] = [];
  for (const { name, run } of conformanceChecks(plugin, { folder: sample, ...options })) {
    if (!/^(source|sink|home): /.test(name) || name.includes('the process ends')) continue;
    await run().catch((error: Error) => failed.push(`${name}: ${error.message}`));
  }
  return failed;
}

describe('of sources', () => {
  interface Fault {
    readonly skip?: true;
    readonly randomIds?: true;
    readonly deaf?: true;
    readonly value?: unknown;
    readonly twice?: true;
    readonly ackForgets?: true;
    readonly moving?: true;
    readonly leak?: true;
    readonly stray?: true;
    readonly late?: true;
    readonly works?: true;
    readonly anyPosition?: true;
  }
  const more = new EventEmitter();
  const aborted = (signal: AbortSignal) => new Promise((resolve) => signal.addEventListener('abort', resolve));
  const rows = Array.from({ length: 12 }, (_, n) => n);
  const event = (n: number, fault: Fault): ChangeEvent => ({
    id: fault.randomIds ? crypto.randomUUID() : fault.twice && n === 5 ? '4' : String(n),
    op: 'c',
    key: { id: n },
    before: null,
    after: { id: n, value: (n === 3 && 'value' in fault ? fault.value : 'x') as Json },
    source: {
      plugin: 'p',
      stream: 's',
      db: 'd',
      table: 't',
      snapshot: false,
      ts_ms: fault.moving ? performance.now() : n,
    },
    ts_ms: Date.now(),
  });
  const isPosition = (value: Json): boolean => typeof (value as { n?: unknown } | null)?.n === 'number';
  const noPosition = () => sluiceError('E_SOURCE_POSITION', { message: 'no position of this source' });
  const pluginWith = (fault: Fault) => {
    let forgotten = 0;
    const create = (config: { readonly secret?: string }, context: Context): Source<{ n: number }> => ({
      async *read(from, signal): AsyncGenerator<SourceItem<{ n: number }>> {
        if (config.secret !== undefined && !fault.works) {
          context.log.warn({ url: fault.leak ? config.secret : 'masked' }, 'cannot connect');
          throw sluiceError('E_SOURCE_CONNECT', { message: 'nobody is there' });
        }
        if (fault.deaf) signal = new AbortController().signal;
        if (from !== null && !isPosition(from)) throw noPosition();
        const start = Math.max(forgotten, from === null ? 0 : from.n + (fault.skip && from.n === 6 ? 1 : 0));
        for (let n = start; !signal.aborted; n += 2) {
          while (n >= rows.length && !signal.aborted) {
            const waits = fault.late ? [aborted(signal)] : [once(more, 'rows'), aborted(signal)];
            await Promise.race(waits);
          }
          if (signal.aborted) return;
          const events = rows.slice(n, n + 2).map((row) => event(row, fault));
          const bad = { id: '9', raw: '{', error: sluiceError('E_EVENT_PARSE', { message: 'torn' }) };
          if (n !== 8) yield { batch: batchOf(events), position: { n: n + 2 } };
          else {
            const unreadable = new Map([[fault.stray ? 7 : 1, bad]]);
            yield { batch: batchOf([events[0]!, null], { unreadable }), position: { n: n + 2 } };
          }
        }
      },
      async ack(position) {
        if (fault.ackForgets) forgotten = position.n + 2;
      },
      async [Symbol.asyncDispose]() {},
    });
    return definePlugin({
      name: 'p',
      source: {
        positionVersion: 1,
        checkPosition(position) {
          if (!fault.anyPosition && !isPosition(position)) throw noPosition();
        },
        config: {
          type: 'object',
          additionalProperties: false,
          properties: { secret: { type: 'string', secret: true } },
        },
        create,
      },
    });
  };
  const source = async () => ({
    config: {},
    events: 12,
    unreadable: 1,
    ends: false,
    async change(n: number) {
      for (let i = 0; i < n; i++) rows.push(rows.length);
      more.emit('rows');
    },
    broken: { config: { secret: 'hunter2' }, secret: 'hunter2' },
    async [Symbol.asyncDispose]() {
      rows.length = 12;
    },
  });

  test('a good source passes', async () => {
    expect(await failures(pluginWith({}), { source })).toEqual([]);
  });

  test.each<[string, Fault, string]>([
    ['skips an event after one position', { skip: true }, 'resumes from any position'],
    ['makes up its ids', { randomIds: true }, 'reads the same events again'],
    ['gives one id twice', { twice: true }, 'each with an id of its own'],
    ['gives a Date', { value: new Date(0) }, 'valid change events'],
    ['gives NaN', { value: Number.NaN }, 'valid change events'],
    ['gives undefined', { value: undefined }, 'valid change events'],
    ['gives a bigint', { value: 1n }, 'valid change events'],
    ['puts what it cannot read outside of its batch', { stray: true }, 'in their place'],
    ['gives other times on every read', { moving: true }, 'reads the same events again'],
    ['forgets more than was acked', { ackForgets: true }, 'takes acks of positions'],
    ['logs a secret', { leak: true }, 'shows no secret'],
    ['works where nothing is', { works: true }, 'shows no secret'],
    ['takes any position', { anyPosition: true }, 'checkPosition()'],
    ['does not hear an abort', { deaf: true }, 'ends within 5 s'],
    ['does not see changes while it waits', { late: true }, 'changes that are made while it waits'],
  ])('one that %s fails', { timeout: 120_000 }, async (_what, fault, check) => {
    const { run } = conformanceChecks(pluginWith(fault), { folder: sample, source, patience: 500 }).find((one) =>
      one.name.includes(check),
    )!;
    await expect(run()).rejects.toThrow();
  });
});

describe('of sinks', () => {
  interface Fault {
    readonly short?: true;
    readonly passes?: true;
    readonly appends?: true;
    readonly lies?: true;
    readonly changes?: true;
    readonly hangs?: true;
    readonly text?: true;
    readonly cuts?: true;
    readonly keeps?: true;
    readonly leak?: true;
    readonly openFence?: true;
    readonly dirtyRollback?: true;
    readonly lateCheckpoint?: true;
    readonly loadOpens?: true;
    readonly clearsAll?: true;
    readonly rejectsAll?: true;
  }
  /** What outlives a sink: lines, in order. */
  interface Place {
    lines: string[];
    checkpoint: Checkpoint | null;
    epoch: number;
  }
  const places = new Map<string, Place>();

  const pluginWith = (fault: Fault, kind: 'log' | 'home') =>
    definePlugin({
      name: 'p',
      sink: {
        config: {
          type: 'object',
          additionalProperties: false,
          properties: { place: { type: 'string' }, secret: { type: 'string', secret: true } },
        },
        home: () => kind === 'home',
        create: (config): Sink => sinkOf(places.get(config.place ?? '')!, config.secret, fault, kind),
      },
    });

  function sinkOf(place: Place, secret: string | undefined, fault: Fault, kind: 'log' | 'home'): Sink {
    const put = async (batch: EventBatch, signal: AbortSignal, into: string[]) => {
      if (secret !== undefined) {
        throw new Error(`cannot connect${fault.leak ? ` with ${secret}` : ''}`, { cause: new Error('refused') });
      }
      if (fault.hangs && signal.aborted) await new Promise(() => {});
      if (fault.changes && batch.length > 0) (batch.events()[0]!.after as { id: Json }).id = 7;
      if (fault.text && batch.length > 0) into.push(String(batch.bytes));
      const texts = Array.from({ length: batch.length }, (_, i) => batch.after(i) ?? '');
      if (fault.rejectsAll && texts.some((text) => text.includes('refuse'))) {
        const error = sluiceError('E_SINK_REJECT', { message: 'no' });
        return texts.map(() => ({ status: 'reject', error }) as const);
      }
      const write = async (i: number) => {
        if (texts[i]!.includes('refuse')) {
          return { status: 'reject', error: sluiceError('E_SINK_REJECT', { message: 'no' }) } as const;
        }
        const line = `${JSON.stringify(batch.key(i))} ${texts[i]}`;
        const old = into.findIndex((one) => one.startsWith(`${JSON.stringify(batch.key(i))} `));
        if (fault.lies) return { status: 'ok' } as const;
        if (kind === 'log' || fault.appends || old < 0) into.push(line);
        else into[old] = line;
        return { status: 'ok' } as const;
      };
      if (fault.passes) return await Promise.all(allOk(batch.length).map((_, i) => write(i)));
      const results = await inKeyOrder(batch, undefined, write);
      return fault.short ? results.slice(1) : results;
    };
    const base = {
      keyed: kind === 'home',
      write: (batch: EventBatch, signal: AbortSignal) => put(batch, signal, place.lines),
      async [Symbol.asyncDispose]() {},
    };
    if (kind === 'log') {
      return {
        ...base,
        state: {
          async restore(saved) {
            if (saved === null ? fault.cuts : !fault.keeps) place.lines.length = (saved as number | null) ?? 0;
          },
          flush: async () => place.lines.length,
        },
      };
    }
    let epoch = place.epoch;
    return {
      ...base,
      transactional: {
        async load() {
          if (fault.loadOpens) place.lines.push('');
          return place.checkpoint;
        },
        async open() {
          epoch = ++place.epoch;
        },
        async clear(stream) {
          if (stream === 'kit' || fault.clearsAll) place.checkpoint = null;
        },
        async begin(): Promise<HomeTransaction> {
          const lines = [...place.lines];
          return {
            write: (batch, signal) => put(batch, signal, fault.dirtyRollback ? place.lines : lines),
            async commit(checkpoint) {
              if (epoch !== place.epoch && !fault.openFence) {
                throw sluiceError('E_CHECKPOINT_EPOCH', { message: 'a newer writer has taken over' });
              }
              if (!fault.dirtyRollback) place.lines = lines;
              if (!fault.lateCheckpoint) place.checkpoint = checkpoint;
            },
            async rollback() {},
          };
        },
      },
    };
  }

  let count = 0;
  const sink = async (): Promise<SinkStage> => {
    const name = `place ${count++}`;
    places.set(name, { lines: [], checkpoint: null, epoch: 0 });
    return {
      config: { place: name },
      readBack: async () => [...places.get(name)!.lines],
      rejected: (event) => ({ ...event, after: { ...event.after, name: 'refuse' } }),
      broken: { config: { place: name, secret: 'hunter2' }, secret: 'hunter2' },
      async [Symbol.asyncDispose]() {
        places.delete(name);
      },
    };
  };

  test.each(['log', 'home'] as const)('a good %s passes', { timeout: 60_000 }, async (kind) => {
    expect(await failures(pluginWith({}, kind), { sink })).toEqual([]);
  });

  test.each<[string, 'log' | 'home', Fault, string]>([
    ['forgets a result', 'log', { short: true }, 'answers for every event'],
    ['says ok and writes nothing', 'log', { lies: true }, 'answers for every event'],
    ['changes the events', 'log', { changes: true }, 'answers for every event'],
    ['writes from objects and texts alike something else', 'log', { text: true }, 'text face'],
    ['appends though it says keyed', 'home', { appends: true }, 'written twice'],
    ['lets a key pass its rejected event', 'log', { passes: true }, 'rejects only the event at fault'],
    ['rejects the whole batch', 'log', { rejectsAll: true }, 'rejects only the event at fault'],
    ['lets a truncate pass', 'log', { passes: true }, 'nothing passes a truncate'],
    ['does not hear an abort', 'log', { hangs: true }, 'after an abort'],
    ['cuts at null', 'log', { cuts: true }, 'null cuts nothing'],
    ['keeps what came after the checkpoint', 'log', { keeps: true }, 'cuts a crash back'],
    ['shows a secret', 'log', { leak: true }, 'shows no secret'],
    ['changes something in load', 'home', { loadOpens: true }, 'changes nothing'],
    ['leaves rows after a rollback', 'home', { dirtyRollback: true }, 'a rollback leaves neither'],
    ['leaves rows of a dead writer', 'home', { dirtyRollback: true }, 'never committed'],
    ['stores no checkpoint', 'home', { lateCheckpoint: true }, 'stores rows and checkpoint'],
    ['lets an older writer in', 'home', { openFence: true }, 'shuts the older one out'],
    ['clears every stream', 'home', { clearsAll: true }, 'this stream only'],
    ['rejects a whole transaction', 'home', { rejectsAll: true }, 'leaves the others in it'],
  ])('one that %s fails (%s)', { timeout: 60_000 }, async (_what, kind, fault, check) => {
    const named = conformanceChecks(pluginWith(fault, kind), { folder: sample, sink }).filter(
      (one) => /^(sink|home): /.test(one.name) && one.name.includes(check),
    );
    const failed = await Promise.all(
      named.map((one) =>
        one.run().then(
          () => false,
          () => true,
        ),
      ),
    );
    expect(failed).toContain(true);
  });
});

describe('of registering', () => {
  const plugin = definePlugin({
    name: 'p',
    sink: {
      config: { type: 'object', additionalProperties: false, properties: {} },
      create: () => ({ keyed: false, write: async (batch) => allOk(batch.length), async [Symbol.asyncDispose]() {} }),
    },
  });

  test('a part without a stage is a failing check', async () => {
    const check = conformanceChecks(plugin, { folder: sample }).find((one) => one.name.includes('has a stage'))!;
    await expect(check.run()).rejects.toThrow('stage');
  });

  test('node:test runs the kit as vitest does', () => {
    const script = `
      import { describe, test } from 'node:test';
      import { conformance } from 'sluice/testkit';
      import plugin from ${JSON.stringify(join(sample, 'index.ts'))};
      conformance({ describe, test }, plugin, {
        folder: ${JSON.stringify(sample)},
        source: async () => ({ config: { events: 9 }, events: 9, ends: true, async [Symbol.asyncDispose]() {} }),
        waive: { 'source: resumes from any position with exactly the rest, under the same ids': 'to see it skipped' },
      });
    `;
    const oneSdk = new URL('./registry/one-sdk.ts', import.meta.url).href;
    const flags = ['--no-warnings', '--import', oneSdk, '--test-reporter=tap', '--input-type=module', '-e', script];
    // a runner that sees vitest's own environment would take itself for a child of another
    const run = spawnSync(process.execPath, flags, { encoding: 'utf8', env: { PATH: process.env['PATH'] } });
    expect(run.status, run.stdout + run.stderr).toBe(0);
    expect(run.stdout).toMatch(/# pass 1[0-9]\n# fail 0\n/);
    expect(run.stdout).toContain('(waived: to see it skipped) # SKIP');
  });

  test('a waiver of a check that is not there is refused', () => {
    const tools = { describe: () => {}, test: Object.assign(() => {}, { skip: () => {} }) };
    expect(() => conformance(tools, plugin, { folder: sample, waive: { 'no such check': 'x' } })).toThrow(
      'no such check',
    );
  });

  test('a package that says something else, or a README without its settings, fails', async () => {
    const checks = conformanceChecks(plugin, { folder: sample });
    await expect(checks.find((one) => one.name.includes('package says'))!.run()).rejects.toThrow();
  });
});
