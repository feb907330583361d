// The languages that user code can be written in, and the one way from a rule of the manifest to a running transform.
// Everybody who runs user code goes through here: a stream, `sluice test`, `sluice apply`, a replay and the playground.

import { createHash } from 'node:crypto';
import {
  canonical,
  isSluiceError,
  type Lane,
  type Language,
  type Logger,
  type SluiceError,
  sluiceError,
} from 'sluice/sdk';
import type { Languages, LoadedFilter, LoadedTransform, TransformIdentity } from '../core/languages.ts';
import type { TransformLimits, TransformRule } from '../core/manifest/model.ts';

export { type Proof, proveSandbox, readProof } from '../sandbox/index.ts';

import { createSandbox, LoadFailure, type Program, type ProgramLimits, type Sandbox } from '../sandbox/index.ts';
import { type BridgeOptions, bridge } from './guest.ts';
import { javascript, typescript } from './javascript/index.ts';
import { type PlaceOf, placeFrom } from './refusals.ts';
import { bridgeTransform } from './run.ts';
import { bridgeFilter } from './values.ts';

export interface LanguagesOptions {
  readonly log?: Logger;
  /** Sandbox children; by default as many as there are cores. */
  readonly children?: number;
  /** The same code is loaded again and again while somebody writes it: what can be made ready for it is (sandbox/index.ts). */
  readonly ahead?: boolean;
  /** The file in which the sandbox remembers that it holds here; asked for when a child is ready. */
  readonly proof?: () => string | undefined;
}

/** Our own; loaded when a manifest names them. */
const builtIn: Readonly<Record<string, () => Language | Promise<Language>>> = {
  javascript: () => javascript,
  typescript: () => typescript,
  jsonata: async () => (await import('./jsonata/index.ts')).jsonata,
  kazaam: async () => (await import('./kazaam/index.ts')).kazaam,
};

interface Compiled {
  readonly program: Program;
  readonly identity: TransformIdentity;
  readonly place: PlaceOf;
  readonly lane: Lane | null;
  /** Its numbers are texts that go through. */
  readonly keepsNumbers: boolean;
}

/** No child process is started before warm(), or before the first transform is created. */
export function createLanguages(options: LanguagesOptions = {}): Languages {
  let sandbox: Sandbox | undefined;
  const opened = (): Sandbox => {
    sandbox ??= createSandbox({
      ...(options.proof === undefined ? {} : { proof: options.proof }),
      ...(options.children === undefined ? {} : { children: options.children }),
      ...(options.ahead === undefined ? {} : { ahead: options.ahead }),
      ...(options.log === undefined ? {} : { log: options.log }),
    });
    return sandbox;
  };
  return {
    names: Object.keys(builtIn),
    warm: (limits) => opened().warm(ofProgram(limits)),
    async check(rule) {
      try {
        await compile(rule);
        return [];
      } catch (error) {
        if (isSluiceError(error)) return [error];
        throw error;
      }
    },
    async create(rule, context): Promise<LoadedTransform> {
      const box = opened();
      box.warm();
      const { program, identity, place, lane, ...made } = await compile(rule);
      const keepsNumbers = made.keepsNumbers && context.textAfter === true;
      if (lane !== null) context.log.info({ transform: rule.id, ...lane }, `${rule.id} runs in the ${lane.name} lane`);
      try {
        const loaded = await box.load({ ...program, label: `${rule.id} of the stream ${context.stream}` });
        return bridgeTransform({
          rule,
          identity,
          loaded,
          children: box.children,
          log: context.log,
          place,
          lane,
          keepsNumbers,
        });
      } catch (error) {
        throw error instanceof LoadFailure ? loadError(error, rule, place) : error;
      }
    },
    async instrument(rule) {
      await compile(rule);
      const language = await languageOf(rule);
      const { source, file, offset, dir, scope } = rule;
      const instrumented = await language.instrument?.({ source, file, offset, dir, scope, config: rule.config ?? {} });
      return instrumented === undefined ? null : { rule: { ...rule, source: instrumented.source }, instrumented };
    },
    async createFilter(rule, context): Promise<LoadedFilter> {
      const { program, identity, place, keepsNumbers } = await compile(rule, 'value');
      try {
        const loaded = await opened().load(program);
        return bridgeFilter({ rule, identity, loaded, log: context.log, place, keepsNumbers });
      } catch (error) {
        throw error instanceof LoadFailure ? loadError(error, rule, place) : error;
      }
    },
    async [Symbol.asyncDispose]() {
      await sandbox?.[Symbol.asyncDispose]();
      sandbox = undefined;
    },
  };
}

async function languageOf(rule: TransformRule): Promise<Language> {
  const language = rule.plugin?.language ?? (await builtIn[rule.type]?.());
  if (language !== undefined) return language;
  throw sluiceError('E_NOT_BUILT', { message: `the language "${rule.type}" is not built yet`, at: rule.at });
}

async function compile(rule: TransformRule, scope: BridgeOptions['scope'] = rule.scope): Promise<Compiled> {
  const language = await languageOf(rule);
  const { source, file, offset, dir } = rule;
  const config = rule.config ?? {};
  const within = rule.within === undefined ? {} : { within: rule.within };
  const made = await language.compile({ source, file, offset, dir, ...within, scope: rule.scope, config });
  const bridgeOptions: BridgeOptions = {
    scope,
    both: scope === 'row' && rule.images === 'both',
    keep: rule.state === 'keep',
  };
  const hash = createHash('sha256');
  hash.update(
    JSON.stringify([
      rule.type,
      made.version,
      bridgeOptions,
      { ...rule.limits, deaths: undefined },
      made.code,
      ...(rule.config === undefined ? [] : [canonical(rule.config)]),
    ]),
  );
  return {
    program: {
      guest: `(${bridge})(${made.guest}, ${JSON.stringify(bridgeOptions)})`,
      text: made.text,
      limits: ofProgram(rule.limits),
      // A state that is kept must not see an event twice, so heads cannot be asked for half-way.
      heads: scope === 'event' || rule.state === 'keep' ? 'always' : 'on_demand',
    },
    identity: { language: rule.type, version: made.version, hash: hash.digest('hex') },
    place: made.place ?? ((_, line, column) => ({ file, ...placeFrom(offset, line, column) })),
    lane: made.lane ?? null,
    keepsNumbers: made.numbers === 'text',
  };
}

function loadError(error: LoadFailure, rule: TransformRule, place: Compiled['place']): SluiceError {
  const { why, message, place: at } = error.refused;
  const where =
    at === null
      ? { file: rule.file, line: rule.offset.line, column: rule.offset.column }
      : place(at[0], at[1] - 1, at[2]);
  const text =
    why === 'timeout'
      ? `loading took longer than limits.load, which is ${rule.limits.load} ms`
      : why === 'memory'
        ? 'loading took more memory than limits.memory'
        : why === 'crash'
          ? 'loading ended the sandbox'
          : message;
  return sluiceError('E_TRANSFORM_LOAD', { message: text, at: where });
}

function ofProgram({ timeout, memory, output, fan_out, logs, load, depth, deaths }: TransformLimits): ProgramLimits {
  return { timeout, memory, output, fan_out, logs, load, depth, deaths };
}
