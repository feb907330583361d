// The transformations of a manifest as rules: code read from its file or taken from the manifest, compiled for its findings;
// or a plugin's transform with its configuration. Null stands for one that has findings of its own.
// Refuses languages that are not built, two sources of code for one rule, and files that cannot be read.

import { readFile } from 'node:fs/promises';
import { dirname, extname, isAbsolute, join, resolve } from 'node:path';
import { Scalar } from 'yaml';
import type { SluiceError } from '../errors.ts';
import { toSluiceError } from '../errors.ts';
import type { Language, PluginDefinition } from '../plugin.ts';
import type { Json } from '../values.ts';
import { decodeConfig } from './config.ts';
import { checkHandling, handlingOf } from './handling.ts';
import type { AnySchema } from './keywords.ts';
import { laidOut } from './laid-out.ts';
import type { TransformLimits, TransformRule } from './model.ts';
import { unknownKey } from './problems.ts';
import type { Work } from './work.ts';
import { engineKeys, manifestSchema, type WrittenTransformation } from './written.ts';

export interface Compiler {
  readonly names: readonly string[];
  check(rule: TransformRule): Promise<readonly SluiceError[]>;
}

type InlineKey = 'code' | 'expression' | 'specification';

/** The languages, and the key that holds inline code of each. */
const inline: Readonly<Record<string, InlineKey>> = {
  javascript: 'code',
  typescript: 'code',
  jsonata: 'expression',
  kazaam: 'specification',
};

export const languageNames: readonly string[] = Object.keys(inline);

const MAX_CODE_BYTES = 16 * 1024 * 1024;

export async function ruleOf(
  work: Work,
  written: WrittenTransformation,
  pointer: string,
  compiler: Compiler | null,
): Promise<TransformRule | null> {
  checkHandling(work, `${pointer}/error_handling`, handlingOf(written.error_handling, 'transform'), 'transform');
  const own = written.type === undefined || !Object.hasOwn(inline, written.type) ? undefined : inline[written.type];
  if (own === undefined) return pluginRule(work, written, pointer, compiler);
  return languageRule(work, written, pointer, own, compiler);
}

/** `plugin`: the language is a plugin's, and its inline code is `code`. */
async function languageRule(
  work: Work,
  written: WrittenTransformation,
  pointer: string,
  own: InlineKey,
  compiler: Compiler | null,
  plugin?: { readonly plugin: PluginDefinition; readonly config: Json },
): Promise<TransformRule | null> {
  const type = written.type!;
  const built =
    compiler === null ||
    plugin !== undefined ||
    compiler.names.includes(type) ||
    (type === 'typescript' && compiler.names.includes('javascript'));
  if (!built) {
    const message = `the language \`${type}\` is not built yet: it waits for a later version`;
    work.error('E_NOT_BUILT', `${pointer}/type`, message, 'use another language');
  }
  if (written.scope === 'event' && Object.hasOwn(work.raw(pointer) as object, 'images')) {
    work.noEffect(`${pointer}/images`, '`images` has no effect in `scope: event`', 'leave it out');
  }
  if (plugin === undefined) checkOwnKeys(work, pointer, type, own);
  if ((type === 'jsonata' || type === 'kazaam') && Object.hasOwn(work.raw(pointer) as object, 'state')) {
    work.noEffect(`${pointer}/state`, `\`state\` has no effect: \`${type}\` keeps none`, 'leave it out');
  }
  const source = await sourceOf(work, pointer, type, own);
  if (source === null || written.id === undefined) return null;
  const typescript = type === 'javascript' && /^\.[mc]?ts$/.test(extname(source.file));
  const rule: TransformRule = {
    ...common(work, written, pointer),
    type: typescript ? 'typescript' : type,
    scope: written.scope,
    images: written.images,
    state: written.state,
    limits: written.limits,
    ...source,
    ...(plugin === undefined ? ownConfig(written) : plugin),
  };
  if (built && compiler !== null && !work.inspect) await compile(work, rule, pointer, own, compiler);
  return built ? rule : null;
}

/** The settings that are one language's own. */
const ownKeys: Readonly<Record<string, readonly string[]>> = {
  javascript: ['packages'],
  typescript: ['packages'],
  jsonata: ['engine', 'lane', 'constants'],
};

const OWN_KEYS = [...new Set(Object.values(ownKeys).flat())];

function checkOwnKeys(work: Work, pointer: string, type: string, own: InlineKey): void {
  const foreign = OWN_KEYS.filter((key) => ownKeys[type]?.includes(key) !== true);
  for (const key of foreign.filter((each) => Object.hasOwn(work.raw(pointer) as object, each))) {
    work.report(unknownKey('', key, `a transformation of type \`${type}\``, [own, 'file'], { base: pointer }));
  }
}

function ownConfig(written: WrittenTransformation): Pick<TransformRule, 'config'> {
  const { engine, lane, constants, packages } = written;
  if (written.type === 'jsonata') {
    return {
      config: {
        ...(engine === undefined ? {} : { engine }),
        ...(lane === undefined ? {} : { lane }),
        ...(constants === undefined ? {} : { constants }),
      },
    };
  }
  const names = (packages ?? []).filter((name) => name !== undefined);
  return names.length === 0 ? {} : { config: { packages: names } };
}

async function pluginRule(
  work: Work,
  written: WrittenTransformation,
  pointer: string,
  compiler: Compiler | null,
): Promise<TransformRule | null> {
  const plugin = await work.plugin(written.type, 'transform', `${pointer}/type`);
  if (plugin?.transform === undefined) {
    return plugin?.language === undefined ? null : pluginLanguageRule(work, plugin, plugin.language, pointer, compiler);
  }
  const schema = plugin.transform.config as unknown as AnySchema;
  const called = `the transformation \`${plugin.name}\``;
  const decoded = work.configOf(schema, work.raw(pointer), pointer, called, engineKeys.transform);
  if (decoded === null || written.id === undefined) return null;
  return {
    ...common(work, written, pointer),
    type: written.type!,
    scope: 'row',
    images: 'key',
    state: 'reset',
    source: '',
    file: work.file,
    offset: { line: 1, column: 1 },
    dir: work.dir,
    limits: defaultLimits,
    plugin,
    config: decoded.config as Json,
  };
}

/** The settings that all languages have, and the language's own. */
async function pluginLanguageRule(
  work: Work,
  plugin: PluginDefinition,
  language: Language,
  pointer: string,
  compiler: Compiler | null,
): Promise<TransformRule | null> {
  const shared = languageSchema();
  const foreign = ['expression', 'specification', ...OWN_KEYS];
  const properties = Object.fromEntries(Object.entries(propertiesOf(shared)).filter(([key]) => !foreign.includes(key)));
  const own = language.config;
  const schema = {
    ...shared,
    required: [...(shared['required'] as readonly string[]), ...(own?.required ?? [])],
    properties: { ...properties, ...own?.properties },
  };
  const decoded = work.configOf(schema, work.raw(pointer), pointer, `the language \`${plugin.name}\``, []);
  if (decoded === null) return null;
  const written = decoded.config as WrittenTransformation;
  const config = Object.fromEntries(
    Object.entries(written).filter(([key]) => Object.hasOwn(own?.properties ?? {}, key)),
  ) as Json;
  return languageRule(work, written, pointer, 'code', compiler, { plugin, config });
}

function common(
  work: Work,
  written: WrittenTransformation,
  pointer: string,
): Pick<TransformRule, 'id' | 'name' | 'error_handling' | 'at'> {
  return {
    id: written.id!,
    ...(written.name === undefined ? {} : { name: written.name }),
    error_handling: handlingOf(written.error_handling, 'transform'),
    at: work.doc.places.at(pointer, 'value'),
  };
}

type Code = Pick<TransformRule, 'source' | 'file' | 'offset' | 'dir'>;

async function sourceOf(work: Work, pointer: string, type: string, own: InlineKey): Promise<Code | null> {
  const raw = work.raw(pointer) as Readonly<Record<string, unknown>>;
  for (const key of ['code', 'expression', 'specification'].filter(
    (each) => each !== own && Object.hasOwn(raw, each),
  )) {
    const problem = unknownKey('', key, `a transformation of type \`${type}\``, [own, 'file'], { base: pointer });
    work.report({ ...problem, fix: `use \`${own}\` or \`file\`` });
    if (!Object.hasOwn(raw, own) && !Object.hasOwn(raw, 'file')) return null;
  }
  const hasFile = Object.hasOwn(raw, 'file');
  if (hasFile && Object.hasOwn(raw, own)) {
    work.error(
      'E_MANIFEST_INVALID',
      `${pointer}/${own}`,
      `both \`file\` and \`${own}\` give the code`,
      'keep one of them',
      'key',
    );
    return null;
  }
  if (hasFile) return fromFile(work, `${pointer}/file`, raw['file']);
  if (Object.hasOwn(raw, own)) return fromManifest(work, `${pointer}/${own}`, raw[own]);
  work.error(
    'E_MANIFEST_INVALID',
    pointer,
    `a transformation of type \`${type}\` needs \`file\` or \`${own}\``,
    'add one of them',
  );
  return null;
}

async function fromFile(work: Work, pointer: string, written: unknown): Promise<Code | null> {
  if (typeof written !== 'string' || written === '' || !work.isResolved(pointer)) return null;
  const path = resolve(work.dir, written);
  try {
    const bytes = await readFile(path);
    if (bytes.length > MAX_CODE_BYTES) throw Object.assign(new Error('too large'), { code: 'EFBIG' });
    const source = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const file = isAbsolute(written) ? written : join(dirname(work.file), written);
    work.texts.set(file, source);
    return { source, file, offset: { line: 1, column: 1 }, dir: dirname(path) };
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'unknown';
    const message =
      why === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'the file is not UTF-8' : `the file cannot be read (${why})`;
    work.error('E_MANIFEST_FILE', pointer, message, 'check its path, which is relative to the manifest');
    return null;
  }
}

function fromManifest(work: Work, pointer: string, value: unknown): Code | null {
  if (value === null || value === '' || typeof value === 'number' || typeof value === 'boolean') return null; // the schema says so
  const range = work.doc.places.valueRange(pointer);
  const start = work.doc.places.at(pointer, 'value');
  const first = { line: start.line ?? 1, column: start.column ?? 1 };
  const node = work.doc.scalarAt(pointer);
  let offset = first;
  if (typeof value === 'string' && node !== undefined && range !== undefined) {
    if (node.type === Scalar.BLOCK_LITERAL || node.type === Scalar.BLOCK_FOLDED) {
      offset = { line: first.line + 1, column: blockIndent(work.text, range[0], value) + 1 };
    } else if (node.type === Scalar.QUOTE_DOUBLE || node.type === Scalar.QUOTE_SINGLE) {
      offset = { line: first.line, column: first.column + 1 };
    }
  }
  const placeOf = (at: string) => {
    const { line = 1, column = 1 } = work.doc.places.at(at, 'value');
    return { line, column };
  };
  const source = typeof value === 'string' ? value : laidOut(value as Json, pointer, placeOf);
  return { source, file: work.file, offset, dir: work.dir };
}

// How far a block scalar's lines are moved to the right: seen at its first line with anything in it.
function blockIndent(text: string, start: number, value: string): number {
  const lines = text.slice(start).split('\n').slice(1);
  const own = value.split('\n');
  const at = lines.findIndex((line) => line.trim() !== '');
  if (at < 0) return 0;
  const spaces = (line: string): number => /^ */.exec(line)![0].length;
  return Math.max(0, spaces(lines[at]!) - spaces(own[at] ?? ''));
}

async function compile(
  work: Work,
  rule: TransformRule,
  pointer: string,
  own: InlineKey,
  compiler: Compiler,
): Promise<void> {
  const placeOf = (key: string) => work.doc.places.at(`${pointer}/${key}`, 'value');
  const code = placeOf(rule.file === work.file ? own : 'file');
  let errors: readonly SluiceError[];
  try {
    errors = await compiler.check(rule);
  } catch (thrown) {
    errors = [toSluiceError(thrown)];
  }
  for (const error of errors) {
    const data = error.toJSON();
    const place = data.code === 'E_TRANSFORM_ENGINE' ? placeOf('engine') : code;
    const inManifest = data.at?.file === undefined || data.at.file === work.file;
    const at = data.at?.line === undefined ? place : { ...data.at, file: data.at.file ?? rule.file };
    const pointed = inManifest && place.pointer !== undefined ? { ...at, pointer: place.pointer } : at;
    work.findings.push({ ...data, fix: data.fix ?? 'mend the code there', at: pointed, severity: 'error' });
  }
}

export const defaultLimits = decodeConfig(limitsSchema(), {}, { dir: '/' }).config as TransformLimits;

function limitsSchema(): AnySchema {
  return propertiesOf(languageSchema())['limits']!;
}

/** What the manifest's schema says of a transformation that runs user code. */
function languageSchema(): AnySchema {
  const items = propertiesOf(manifestSchema)['transformations']!['items'] as AnySchema;
  return items['then'] as AnySchema;
}

function propertiesOf(schema: unknown): Readonly<Record<string, AnySchema>> {
  return (schema as { properties: Readonly<Record<string, AnySchema>> }).properties;
}
