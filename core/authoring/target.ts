// What a test file tests: a transformation of a manifest, with its limits and policies, or a file by itself. Found in this
// order: what the verb was given, what the file names, a ./sluice.yaml that names the transform, the file of the same name.
// Guarantee: a manifest is read for looking only: variables may be missing, nothing connects.

import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, extname, join, relative, resolve } from 'node:path';
import type { Languages } from '../languages.ts';
import type { Finding } from '../manifest/finding.ts';
import { type Loaded, loadManifest } from '../manifest/load.ts';
import type { Manifest, StreamConfig, TransformRule } from '../manifest/model.ts';
import type { ResolvePlugin } from '../manifest/work.ts';
import { loneRule } from './rule.ts';
import type { TestFile } from './tests-file.ts';

/** A path as people read it: from where the verb runs, unless that leads out of there. */
export function shownPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
}

export const TESTS = /\.tests\.(yaml|yml|json)$/;

/** The language that a file's ending tells. */
export const languageByEnding: Readonly<Record<string, string | undefined>> = {
  '.js': 'javascript',
  '.mjs': 'javascript',
  '.ts': 'typescript',
  '.mts': 'typescript',
  '.jsonata': 'jsonata',
  '.json': 'kazaam',
};

export interface Target {
  /** What is tested, in the order in which it runs. */
  readonly rules: readonly TransformRule[];
  /** Whose policies, limits and sinks hold. */
  readonly stream: StreamConfig;
  /** The manifest it came from, or null for a file by itself. */
  readonly manifest: string | null;
}

export interface Found {
  /** null when there are errors among the findings. */
  readonly target: Target | null;
  readonly findings: readonly Finding[];
  /** For frames. */
  readonly sources: ReadonlyMap<string, string>;
}

export interface Surroundings {
  readonly languages: Languages;
  /** The manifest at an absolute path, for looking only. */
  load(path: string): Promise<Loaded>;
  /** Plugins as a manifest in that folder finds them. */
  resolverFor(dir: string): ResolvePlugin;
}

/** Each manifest is read once. */
export function surroundings(languages: Languages, resolverFor: (dir: string) => ResolvePlugin): Surroundings {
  const manifests = new Map<string, Promise<Loaded>>();
  return {
    languages,
    resolverFor,
    load(path) {
      let loading = manifests.get(path);
      if (loading === undefined) {
        const name = shownPath(path);
        loading = loadManifest(name, { resolvePlugin: resolverFor(dirname(path)), languages, inspect: true });
        manifests.set(path, loading);
      }
      return loading;
    },
  };
}

/** `given`: the transformation that the test file was found by. */
export async function targetOf(
  file: TestFile,
  around: Surroundings,
  given?: { readonly manifest: string; readonly transformation: string },
): Promise<Found> {
  if (file.transform !== undefined) return await byItself(file, file.transform, around);
  const named = file.manifest === undefined ? given?.manifest : resolve(file.dir, file.manifest);
  if (named !== undefined) {
    const loaded = await around.load(named);
    if (loaded.manifest === null) return { target: null, findings: loaded.findings, sources: loaded.sources };
    const own = file.transformation ?? (file.stream === undefined ? given?.transformation : undefined);
    return { ...inManifest(file, loaded.manifest, own), sources: loaded.sources };
  }
  const code = siblingOf(file);
  const beside = join(file.dir, 'sluice.yaml');
  if (existsSync(beside)) {
    const loaded = await around.load(beside);
    const rule = loaded.manifest?.transformations.find((one) => code !== null && pathOf(one) === code);
    if (rule !== undefined) return { ...inManifest(file, loaded.manifest!, rule.id), sources: loaded.sources };
  }
  if (code === null) {
    const message = `no transform named ${stemOf(file.path)} stands beside this file`;
    return nothing([file.finding('E_TEST_TARGET', '', message, undefined)]);
  }
  return await byItself(file, { type: languageByEnding[extname(code)]!, file: code }, around);
}

function nothing(findings: readonly Finding[]): Found {
  return { target: null, findings, sources: new Map() };
}

async function byItself(
  file: TestFile,
  entry: Readonly<Record<string, unknown>>,
  around: Surroundings,
): Promise<Found> {
  const code = siblingOf(file);
  const type = entry['type'] ?? (code === null ? undefined : languageByEnding[extname(code)]);
  const hasCode = ['file', 'code', 'expression', 'specification'].some((key) => Object.hasOwn(entry, key));
  const whole = {
    ...(hasCode || code === null ? {} : { file: code }),
    ...entry,
    ...(type === undefined ? {} : { type }),
  };
  const compiler = { names: around.languages.names, check: async () => [] };
  const { rule, stream, findings } = await loneRule(whole, file.dir, compiler, around.resolverFor(file.dir));
  const placed = findings.map((finding) => {
    if (finding.at?.file !== undefined) return finding;
    const pointer = `/transform${finding.at?.pointer ?? ''}`;
    const { at } = file.finding(finding.code, pointer, finding.message, finding.fix ?? '');
    return { ...finding, ...(at === undefined ? {} : { at }) };
  });
  if (rule === null || stream === null) return nothing(placed);
  const shown = rule.file === '' ? rule : { ...rule, file: shownPath(resolve(file.dir, rule.file)) };
  const target = { rules: [shown], stream: { ...stream, transformations: [shown] }, manifest: null };
  return { target, findings: placed.filter((finding) => finding.severity === 'error'), sources: new Map() };
}

function inManifest(file: TestFile, manifest: Manifest, own: string | undefined): Omit<Found, 'sources'> {
  const refuse = (pointer: string, message: string, fix?: string): Omit<Found, 'sources'> => ({
    target: null,
    findings: [file.finding('E_TEST_TARGET', pointer, message, fix)],
  });
  const streams = manifest.streams;
  const asked = streams.find((stream) => stream.id === file.stream);
  if (file.stream !== undefined && asked === undefined) {
    const known = streams.map((stream) => stream.id).join(', ');
    return refuse('/stream', 'the manifest has no such stream', `its streams: ${known}`);
  }
  if (asked !== undefined && own === undefined) {
    if (asked.transformations.length === 0) return refuse('/stream', 'the stream has no transformations');
    return { target: { rules: asked.transformations, stream: asked, manifest: manifest.file }, findings: [] };
  }
  const code = siblingOf(file);
  const rule = manifest.transformations.find((one) =>
    own === undefined ? (code !== null && pathOf(one) === code) || one.id === stemOf(file.path) : one.id === own,
  );
  if (rule === undefined) {
    const known = manifest.transformations.map((one) => one.id).join(', ');
    const pointer = own === undefined ? '/manifest' : '/transformation';
    return refuse(pointer, 'the manifest has no such transformation', `name one of: ${known}`);
  }
  const stream = asked ?? streams.find((one) => one.transformations.includes(rule)) ?? streams[0];
  if (stream === undefined) return refuse('/manifest', 'the manifest has no stream');
  return { target: { rules: [rule], stream, manifest: manifest.file }, findings: [] };
}

/** `mask.tests.yaml` and `mask.ts.tests.yaml` are of `mask`. */
function stemOf(path: string): string {
  return basename(path).replace(TESTS, '');
}

/** The transform of the same name beside a test file. */
function siblingOf(file: TestFile): string | null {
  const stem = stemOf(file.path);
  const fits = (name: string): boolean =>
    languageByEnding[extname(name)] !== undefined &&
    !TESTS.test(name) &&
    (name === stem || name.slice(0, -extname(name).length) === stem);
  const found = readdirSync(file.dir).filter(fits);
  return found.length === 1 ? join(file.dir, found[0]!) : null;
}

/** Absolute path of a rule's file; null for inline code. */
function pathOf(rule: TransformRule): string | null {
  return rule.plugin === undefined && rule.offset.line === 1 && rule.offset.column === 1
    ? join(rule.dir, basename(rule.file))
    : null;
}
