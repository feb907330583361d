// What `sluice apply` runs, from its flags: an entry as a manifest would hold it, loaded by the manifest's own loader, so that
// a flag means what the setting of its name means, and is refused where that is.

import { extname, resolve } from 'node:path';
import { loneRule } from '../authoring/rule.ts';
import { languageByEnding } from '../authoring/target.ts';
import { type SluiceError, sluiceError } from '../errors.ts';
import type { Finding } from '../manifest/load.ts';
import type { TransformRule } from '../manifest/model.ts';
import { nearest } from '../manifest/nearest.ts';
import type { ResolvePlugin } from '../manifest/work.ts';
import { isRow } from '../values.ts';
import { type Command, flag, type Invocation } from './command.ts';

export const ruleFlags = {
  type: { type: 'string', short: 't', help: 'the language; by default that of the file, or javascript' },
  file: { type: 'string', short: 'f', help: 'the file of the transform' },
  expr: {
    type: 'string',
    short: 'e',
    help: 'the code itself; in JavaScript a module, or an expression over row and ctx',
  },
  engine: { type: 'string', help: 'JSONata: the version of its library, e.g. jsonata@2.1.0' },
  lane: { type: 'string', help: 'JSONata: fast or reference' },
  constants: { type: 'string', help: 'JSONata: values that the expression has as $name, as a JSON object' },
  packages: { type: 'string', multiple: true, help: 'JavaScript: a package that the code imports' },
  limit: { type: 'string', multiple: true, help: 'a limit, e.g. timeout=200ms or memory=64MiB' },
  config: { type: 'string', help: "a plugin's language: its settings, as a JSON object" },
} as const satisfies Command['options'];

/** `known`: the languages of our own; `plugins`: where another one comes from. @throws SluiceError */
export async function ruleFrom(
  invocation: Invocation,
  known: readonly string[],
  plugins: ResolvePlugin,
): Promise<TransformRule> {
  const file = flag(invocation, 'file');
  const expr = flag(invocation, 'expr');
  if ((file === undefined) === (expr === undefined)) {
    throw sluiceError('E_USAGE', {
      message: file === undefined ? 'apply needs a transform' : 'apply takes --file or --expr, not both',
      fix: "write --file ./transform.ts, or --expr '{ total: row.total }'",
    });
  }
  const type = flag(invocation, 'type') ?? (file === undefined ? 'javascript' : languageByEnding[extname(file)]);
  if (type === undefined) {
    throw sluiceError('E_USAGE', {
      message: `the name ${file} does not tell its language`,
      fix: `name it with --type: ${known.join(', ')}, or a plugin`,
    });
  }
  const code = file === undefined ? { [keyOf(type)]: expr ?? '' } : { file: resolve(file) };
  const entry = { ...settingsOf(invocation), type, ...code };
  const { rule, findings } = await loneRule(entry, process.cwd(), null, plugins);
  const error = findings.find((finding) => finding.severity === 'error');
  if (error !== undefined || rule === null) throw refusal(error!, { type, file, known });
  if (rule.plugin?.transform !== undefined) {
    throw sluiceError('E_USAGE', {
      message: `the plugin ${type} is a transform of its own, and no language`,
      fix: 'run it in a stream',
    });
  }
  // places are in what was given rather than in the entry that was made of it
  return { ...rule, ...(file === undefined ? expressionOf(type, expr ?? '') : { file }) };
}

/** The flags that are settings of the entry. */
function settingsOf(invocation: Invocation): Readonly<Record<string, unknown>> {
  const list = (name: string): readonly string[] => (invocation.flags[name] ?? []) as readonly string[];
  const packages = list('packages').flatMap((names) => names.split(','));
  const limits = list('limit').map((written): [string, unknown] => {
    const [, name, value] = /^([^=]+)=(.+)$/s.exec(written) ?? [];
    if (name !== undefined) return [name, /^\d+$/.test(value!) ? Number(value) : value];
    throw sluiceError('E_USAGE', {
      message: '--limit takes a name and a value',
      fix: 'write for example --limit timeout=200ms',
    });
  });
  const one = (name: string): object => {
    const value = flag(invocation, name);
    return value === undefined ? {} : { [name]: value };
  };
  const constants = objectOf(invocation, 'constants');
  return {
    ...objectOf(invocation, 'config'),
    ...one('engine'),
    ...one('lane'),
    ...(constants === undefined ? {} : { constants }),
    ...(packages.length === 0 ? {} : { packages }),
    ...(limits.length === 0 ? {} : { limits: Object.fromEntries(limits) }),
  };
}

function objectOf(invocation: Invocation, name: string): object | undefined {
  const text = flag(invocation, name);
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as unknown;
    if (isRow(value)) return value;
  } catch {
    // said below
  }
  throw sluiceError('E_USAGE', {
    message: `--${name} takes a JSON object`,
    fix: `write for example --${name} '{ "rate": 2 }'`,
  });
}

interface Asked {
  readonly type: string;
  readonly file: string | undefined;
  readonly known: readonly string[];
}

/** A finding as an error, with the flag that it is about. */
function refusal({ code, message, fix, at }: Finding, { type, file, known }: Asked): SluiceError {
  if (code === 'E_PLUGIN_NOT_FOUND') {
    const near = nearest(type, known);
    return sluiceError('E_USAGE', {
      message: `apply knows no language "${type}"`,
      fix: near === null ? `one of: ${known.join(', ')}, or a plugin in ./plugins` : `did you mean ${near}?`,
    });
  }
  const [, setting = ''] = at?.pointer?.split('/') ?? [];
  const name = setting === 'file' && file !== undefined ? file : setting === 'limits' ? '--limit' : `--${setting}`;
  const shown = setting === 'file' || setting === 'limits' || Object.hasOwn(ruleFlags, setting);
  return sluiceError(code, {
    message: shown ? `${name}: ${message}` : message,
    ...(fix === undefined ? {} : { fix: setting === 'file' ? 'check its path' : fix }),
  });
}

function keyOf(type: string): string {
  return type === 'jsonata' ? 'expression' : type === 'kazaam' ? 'specification' : 'code';
}

/** In JavaScript an expression stands on a line of its own within a module, so that its places are its own too. */
function expressionOf(type: string, expr: string): Pick<TransformRule, 'source' | 'file' | 'offset' | 'dir'> {
  const given = { file: '--expr', dir: process.cwd() };
  const isExpression = (type === 'javascript' || type === 'typescript') && !/\bexport\b[\s\S]*\bdefault\b/.test(expr);
  return isExpression
    ? { ...given, source: `export default (row, ctx) => (\n${expr}\n)`, offset: { line: 0, column: 1 } }
    : { ...given, source: expr, offset: { line: 1, column: 1 } };
}
