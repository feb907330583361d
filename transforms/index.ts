// The languages that user code can be written in, and the one way from a rule of the manifest to a running transform.
// Everybody who runs user code goes through here: a stream, `sluice test`, `sluice apply`, a replay and the playground.

import { createHash } from 'node:crypto';
import { isSluiceError, type Logger, type SluiceError, sluiceError } from 'sluice/sdk';
import type { Languages, LoadedFilter, LoadedTransform, TransformIdentity } from '../core/languages.ts';
import type { TransformRule } from '../core/manifest/model.ts';
import { createSandbox, LoadFailure, type Program, type Sandbox } from '../sandbox/index.ts';
import { type BridgeOptions, bridge } from './guest.ts';
import * as javascript from './javascript/index.ts';
import { bridgeTransform } from './run.ts';
import { bridgeFilter } from './values.ts';

export interface LanguagesOptions {
  readonly log?: Logger;
  /** Sandbox children; by default as many as there are cores. */
  readonly children?: number;
}

interface Compiled {
  readonly program: Program;
  readonly identity: TransformIdentity;
  readonly place: javascript.CompiledJavascript['place'];
}

/** No child process is started before the first transform is created. */
export function createLanguages(options: LanguagesOptions = {}): Languages {
  let sandbox: Sandbox | undefined;
  const opened = (): Sandbox => {
    sandbox ??= createSandbox({
      ...(options.children === undefined ? {} : { children: options.children }),
      ...(options.log === undefined ? {} : { log: options.log }),
    });
    return sandbox;
  };
  return {
    names: ['javascript', 'typescript'],
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
      box.warm(); // the child starts while the code is compiled
      const { program, identity, place } = await compile(rule);
      try {
        const loaded = await box.load(program);
        return bridgeTransform({ rule, identity, loaded, children: box.children, log: context.log, place });
      } catch (error) {
        throw error instanceof LoadFailure ? loadError(error, rule, place) : error;
      }
    },
    async createFilter(rule, context): Promise<LoadedFilter> {
      const { program, identity, place } = await compile(rule, 'value');
      try {
        const loaded = await opened().load(program);
        return bridgeFilter({ rule, identity, loaded, log: context.log, place });
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

async function compile(rule: TransformRule, scope: BridgeOptions['scope'] = rule.scope): Promise<Compiled> {
  if (rule.type !== 'javascript' && rule.type !== 'typescript') {
    throw sluiceError('E_NOT_BUILT', { message: `the language "${rule.type}" is not built yet`, at: rule.at });
  }
  await javascript.loadParser();
  const { text, code, place } = javascript.compileJavascript({
    source: rule.source,
    file: rule.file,
    dir: rule.dir,
    offset: rule.offset,
    typescript: rule.type === 'typescript' || javascript.isTypescript(rule.file),
  });
  const bridgeOptions: BridgeOptions = {
    scope,
    both: scope === 'row' && rule.images === 'both',
    keep: rule.state === 'keep',
  };
  const { timeout, memory, output, fan_out, logs, load, depth, deaths } = rule.limits;
  const hash = createHash('sha256');
  hash.update(
    JSON.stringify([rule.type, javascript.version, bridgeOptions, { ...rule.limits, deaths: undefined }, code]),
  );
  return {
    program: {
      guest: `(${bridge})(${javascript.guest}, ${JSON.stringify(bridgeOptions)})`,
      text,
      limits: { timeout, memory, output, fan_out, logs, load, depth, deaths },
      // A state that is kept must not see an event twice, so heads cannot be asked for half-way.
      heads: scope === 'event' || rule.state === 'keep' ? 'always' : 'on_demand',
    },
    identity: { language: rule.type, version: javascript.version, hash: hash.digest('hex') },
    place,
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
