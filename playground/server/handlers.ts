// What each request does, one function for each endpoint of api.ts. Requests come checked and decoded; what is thrown becomes
// an answer elsewhere (app.ts).

import { sluiceError } from 'sluice/sdk';
import { type EventBatch, schemasOf, type TransformRule } from '../../core/workbench.ts';
import type { Body, EndpointName, PlaygroundTransformation, Query, Response } from './api.ts';
import { commandsFor, preview, saveCode, write } from './export.ts';
import { hashOf } from './files.ts';
import { formatted } from './format.ts';
import { MOST_BYTES } from './guard.ts';
import { languages as known } from './languages.ts';
import { shownPath } from './paths.ts';
import { labelOf, plainRule, ruleOf, rulesOf } from './rules.ts';
import { MOST_EVENTS, RUN_TIME, run } from './run.ts';
import { runTests, saveTest, testsOf } from './tests.ts';
import type { Workbench } from './workbench.ts';
import { isEditable, isInline } from './workbook.ts';

/** What a handler gets. */
export interface Asked<N extends EndpointName> {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query<N>;
  readonly body: Body<N>;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

export type Handlers = { readonly [N in EndpointName]: (asked: Asked<N>) => Promise<Response<N>> };

export function handlersOf(bench: Workbench): Handlers {
  const { workbook, events, letters, captures, changes, gate, writes, languages, parts, shown } = bench;
  const { store, registry, sample } = parts;
  const testing = { workbook, languages, registry, shown, mask: parts.log.mask };
  const tabs = new Map<string, AbortController>();
  const work = <T>(signal: AbortSignal, does: () => Promise<T>): Promise<T> => gate.run(does, signal);
  const told = (letter: { readonly stream: string }): void =>
    changes.tell({ name: 'dead_letters', data: { stream: letter.stream } });

  return {
    async session() {
      const { manifest, hash, findings } = workbook.book;
      const plain = await plainRule(workbook, 'plain', 'javascript');
      const streams = await Promise.all(
        manifest.streams.map(async (stream) => ({
          id: stream.id,
          ...(stream.name === undefined ? {} : { name: stream.name }),
          source: stream.source.type,
          transformations: stream.transformations.map(({ id }) => id),
          sinks: stream.sinks.map(({ id, type }) => ({ id, type })),
          captures: await events.count(stream),
          dead_letters: await store.countDeadLetters({ stream: stream.id, status: 'pending' }),
        })),
      );
      return {
        version: parts.version,
        node: process.version,
        sample: sample !== null,
        manifest: { file: shownPath(parts.file), hash, findings: findings.map(shown) },
        languages: known,
        default_limits: plain.limits,
        run_limits: { events: MOST_EVENTS, bytes: MOST_BYTES, time: RUN_TIME },
        streams,
        transformations: manifest.transformations.map(transformationOf),
      };
    },

    async events({ query: { stream, ...query } }) {
      return await events.list(workbook.stream(stream), query);
    },
    async pin({ body: { ref, pinned } }) {
      return { event: await events.pin(ref, pinned) };
    },

    async run({ body, signal }) {
      const stream = workbook.stream(body.stream);
      const own = new AbortController();
      const replaced = sluiceError('E_PLAYGROUND_REPLACED', { message: 'a newer run of this tab was begun' });
      tabs.get(body.tab)?.abort(replaced);
      tabs.set(body.tab, own);
      const either = AbortSignal.any([own.signal, signal]);
      try {
        return await work(either, async () => {
          const rules = await rulesOf(workbook, stream, body.steps, body.until);
          const batches: EventBatch[] = [];
          for (const [i, given] of body.events.entries()) batches.push(await events.batch(given, i + 1));
          const { measured } = body;
          return await run({ rules, stream, events: batches, measured, languages, shown, signal: either });
        });
      } finally {
        if (tabs.get(body.tab) === own) tabs.delete(body.tab);
      }
    },

    async capture({ body: { stream, max, seconds } }) {
      workbook.stream(stream);
      return { capture: captures.begin(await workbook.forRunning(stream), { max, seconds }) };
    },
    async endCapture({ params }) {
      return { ended: captures.end(numberOf(params['capture'])) };
    },

    async deadLetters({ query }) {
      return await letters.list(query);
    },
    async deadLetter({ params }) {
      return { dead_letter: await letters.one(numberOf(params['letter'])) };
    },
    async dryRun({ params, body, signal }) {
      const id = numberOf(params['letter']);
      return { replay: await work(signal, () => letters.dryRun(id, body.steps, signal)) };
    },
    async replay({ params, body, signal }) {
      const id = numberOf(params['letter']);
      // what has begun to write is not ended because a tab was closed
      const never = new AbortController().signal;
      const replay = await work(signal, () => letters.replay(id, body.force, never));
      const dead_letter = await letters.one(id);
      told(dead_letter);
      return { replay, dead_letter };
    },
    async settle({ params, body }) {
      const dead_letter = await letters.settle(numberOf(params['letter']), body.status, body.note);
      told(dead_letter);
      return { dead_letter };
    },

    async tests({ query }) {
      return await testsOf(workbook.rule(query.transform), shown);
    },
    async runTests({ body: { transform, step, name }, signal }) {
      const rule = workbook.rule(transform);
      const draft = step === undefined ? null : await ruleOf(workbook, { ...step, id: transform });
      return await work(signal, () => runTests(rule, draft, name, { ...testing, signal }));
    },
    async saveTest({ body: { transform, name, event, step }, signal }) {
      const rule = workbook.rule(transform);
      const draft = await ruleOf(workbook, { ...step, id: transform });
      const batch = await events.batch(event, 1);
      const writing = <T>(write: () => Promise<T>): Promise<T> => writes.run(write, signal);
      const saved = await work(signal, () => saveTest(rule, draft, name, batch, { ...testing, writing }));
      changes.tell({ name: 'tests', data: { transform } });
      return saved;
    },

    async saveTransform({ params, body: { source, base }, signal }) {
      const id = params['transform']!;
      return await writes.run(async () => {
        await bench.refresh();
        const file = await saveCode(workbook, workbook.rule(id), source, base);
        await bench.refresh();
        return { file, hash: hashOf(workbook.rule(id).source), manifest: workbook.book.hash };
      }, signal);
    },
    async preview({ body: { stream, steps } }) {
      const made = await preview(workbook, stream, steps, parts.log.mask.text);
      return { ...made, findings: made.findings.map(shown) };
    },
    async writeManifest({ body: { stream, steps, base }, signal }) {
      return await writes.run(async () => {
        const files = await write(workbook, stream, steps, base);
        await bench.refresh();
        return { files, hash: workbook.book.hash };
      }, signal);
    },
    async keep({ signal }) {
      if (sample === null) {
        throw sluiceError('E_PLAYGROUND_NOT_FOUND', {
          message: 'this is a manifest of your own: it is on disk already',
        });
      }
      const { folder, files } = await writes.run(() => sample.keep(process.cwd()), signal);
      const shownFolder = shownPath(folder);
      return { folder: shownFolder, files, commands: commandsFor(`${shownFolder}/sluice.yaml`) };
    },

    async format({ body: { type, source } }) {
      const text = formatted(type, source);
      return { source: text, changed: text !== source };
    },

    async plugins() {
      return {
        plugins: registry.list().map(({ name, version, provides, from, description, problem }) => ({
          name,
          version,
          provides,
          from,
          description,
          ...(problem === undefined ? {} : { problem: shown(problem.toJSON()) }),
        })),
      };
    },
    async plugin({ params }) {
      // by its name in the list alone: a path would load whatever is there
      const listed = registry.list().find(({ name }) => name === params['plugin']);
      const kind = listed?.provides[0];
      if (listed === undefined || kind === undefined) {
        throw sluiceError('E_PLAYGROUND_NOT_FOUND', { message: 'there is no plugin of this name' });
      }
      const plugin = await registry.resolve(listed.name, kind === 'language' ? 'transform' : kind);
      return { name: plugin.name, schemas: schemasOf(plugin) as unknown as Response<'plugin'>['schemas'] };
    },
  };
}

function transformationOf(rule: TransformRule): PlaygroundTransformation {
  const { id, name, type, scope, images, state, source, limits, at } = rule;
  const editable = isEditable(rule);
  const inline = isInline(rule);
  return {
    id,
    ...(name === undefined ? {} : { name }),
    type,
    scope,
    images,
    state,
    source,
    hash: hashOf(source),
    inline,
    editable,
    ...(editable ? { file: labelOf(rule, inline) } : {}),
    limits,
    at,
  };
}

function numberOf(text: string | undefined): number {
  if (text !== undefined && /^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw sluiceError('E_PLAYGROUND_REQUEST', { message: 'the number in the path is no whole number from 1' });
}
