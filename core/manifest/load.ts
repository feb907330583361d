// Loads a manifest: read, parsed, interpolated, checked by its schema and by the plugins' own, references resolved,
// transformations compiled. What comes out is either a whole Manifest or the reasons why not.
// Guarantees: all findings at once, each with its place; never throws for bad input; no finding and no source text that it
// gives holds a secret. Refuses nothing silently: what has no effect is a warning.

import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { messageOf } from '../errors.ts';
import type { Auth } from '../plugin.ts';
import { decodeConfig } from './config.ts';
import { type ManifestDocument, readDocument } from './document.ts';
import { type Finding, findingOf, inFileOrder } from './finding.ts';
import { uniqueIds } from './ids.ts';
import type { Manifest, ServiceConfig, TransformRule } from './model.ts';
import { masked, maskedByLine } from './places.ts';
import { secretsOf } from './secrets.ts';
import { streamOf } from './streams.ts';
import { checkTopology } from './topology.ts';
import { type Compiler, languageNames, ruleOf } from './transformations.ts';
import { type ResolvePlugin, type Work, workOn } from './work.ts';
import { manifestSchema, type WrittenManifest } from './written.ts';

export type { Finding } from './finding.ts';

export interface LoadOptions {
  /** Throws SluiceErrors (E_PLUGIN_NOT_FOUND and the like), which become findings at the `type` that asked. */
  readonly resolvePlugin: ResolvePlugin;
  /** null: languages are accepted as they are, nothing is compiled. */
  readonly languages: Compiler | null;
  /** process.env by default. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** For verbs that only look at the state: unresolved placeholders are warnings, and nothing is compiled. Never run it. */
  readonly inspect?: boolean;
}

export interface Loaded {
  /** null when any finding is an error. */
  readonly manifest: Manifest | null;
  readonly findings: readonly Finding[];
  /** By the file of a finding's place: the source text for frames, with secrets masked. */
  readonly sources: ReadonlyMap<string, string>;
}

const MAX_BYTES = 16 * 1024 * 1024;

export async function loadManifest(file: string, options: LoadOptions): Promise<Loaded> {
  let text: string;
  try {
    const bytes = await readFile(file);
    if (bytes.length > MAX_BYTES)
      return failed(file, 'E_MANIFEST_READ', 'the manifest is larger than 16 MiB', 'split it');
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes); // takes a byte order mark away
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'unknown';
    if (why === 'ERR_ENCODING_INVALID_ENCODED_DATA')
      return failed(file, 'E_MANIFEST_SYNTAX', 'the manifest is not UTF-8', 'save it as UTF-8');
    const fix =
      why === 'ENOENT' ? 'check the path, or make one with `sluice new pipeline`' : 'check the path and its rights';
    return failed(file, 'E_MANIFEST_READ', `the manifest cannot be read (${why})`, fix);
  }
  return readManifest(text, file, options);
}

/** The same for a text that is at hand; `file` is what it is called, and where its paths begin. */
export async function readManifest(text: string, file: string, options: LoadOptions): Promise<Loaded> {
  const dir = dirname(resolve(file));
  const secrets = secretsOf();
  const inspect = options.inspect ?? false;
  let doc: ManifestDocument;
  try {
    doc = readDocument(text, { file, dir, env: options.env ?? process.env, secrets, inspect });
  } catch (error) {
    // brackets nested thousands deep exhaust the parser's stack
    return failed(
      file,
      'E_MANIFEST_SYNTAX',
      `the manifest cannot be parsed (${messageOf(error).slice(0, 80)})`,
      'make it flatter',
    );
  }
  const words = { transform: options.languages?.names ?? languageNames };
  const work = workOn({ file, dir, text, doc, secrets, inspect }, options.resolvePlugin, words);
  const built = doc.sound ? await build(work, options) : null;
  const findings = inFileOrder(work.findings);
  const sources = new Map(work.texts);
  sources.set(file, doc.sound ? masked(text, [...work.secretRanges, ...doc.secretRanges()]) : maskedByLine(text));
  const bad = findings.some((finding) => finding.severity === 'error');
  return { manifest: bad || built === null ? null : { ...built, secrets: secrets.list() }, findings, sources };
}

async function build(work: Work, options: LoadOptions): Promise<Manifest | null> {
  const decoded = decodeConfig(manifestSchema, work.doc.root, {
    dir: work.dir,
    code: 'E_MANIFEST_INVALID',
    called: 'the manifest',
  });
  for (const problem of decoded.findings) work.report(problem);
  work.hide(decoded.secrets);
  const written = decoded.config as WrittenManifest | undefined;
  if (written === undefined) return null;

  checkPorts(work, written);
  uniqueIds(work, '/streams', 'stream');
  const auths = authsOf(work, written);
  const ruleIds = uniqueIds(work, '/transformations', 'transformation');
  const rules = await Promise.all(
    (written.transformations ?? []).map(async (rule, i) =>
      rule === undefined ? null : ruleOf(work, rule, `/transformations/${i}`, options.languages),
    ),
  );
  const known = new Map<string, TransformRule>();
  for (const rule of rules) if (rule !== null && !known.has(rule.id)) known.set(rule.id, rule);
  const streams = await Promise.all(
    (written.streams ?? []).map(async (stream, i) =>
      stream === undefined ? null : streamOf(work, stream, `/streams/${i}`, { auths, ruleIds, rules: known }),
    ),
  );
  const built = streams.filter((each) => each !== null);
  checkTopology(
    work,
    built.map(({ ends }) => ends),
    statePath(written),
  );
  // beside a mistake it may follow from that one
  if (!work.findings.some((finding) => finding.severity === 'error')) checkUsed(work, written);
  return {
    file: work.file,
    dir: work.dir,
    service: written.service,
    transformations: rules.filter((rule) => rule !== null),
    streams: built.flatMap(({ stream }) => stream ?? []),
    secrets: [],
  };
}

// Declared and named by nothing: most often a stream forgot it, and then rows leave it unmasked.
function checkUsed(work: Work, written: WrittenManifest): void {
  const streams = (written.streams ?? []).filter((stream) => stream !== undefined);
  const rules = new Set(streams.flatMap((stream) => stream.transformations));
  const ends = streams.flatMap(({ source, sinks }) => [source, ...(sinks ?? [])]);
  const auths = new Set(ends.map((end) => end?.auth_id));
  const tell = (pointer: string, id: string | undefined, used: ReadonlySet<unknown>, message: string): void => {
    if (id !== undefined && !used.has(id)) work.noEffect(pointer, message, 'name it where it is meant, or take it out');
  };
  (written.transformations ?? []).forEach((rule, i) => {
    tell(`/transformations/${i}`, rule?.id, rules, 'no stream uses this transformation');
  });
  (written.authentication ?? []).forEach((auth, i) => {
    tell(`/authentication/${i}`, auth?.id, auths, 'no source and no sink uses this authentication');
  });
}

// What is written may have findings of its own, and then hold anything.
function statePath(written: WrittenManifest): string | null {
  const state = written.service?.state as Partial<ServiceConfig['state']> | undefined;
  return state?.type === 'sqlite' && typeof state.path === 'string' ? state.path : null;
}

function checkPorts(work: Work, written: WrittenManifest): void {
  const { metrics_port: metrics, health_port: health } = written.service;
  if (metrics === undefined || metrics !== health) return;
  const message = '`health_port` and `metrics_port` must differ';
  work.error('E_MANIFEST_INVALID', '/service/health_port', message, 'give each its own port');
}

function authsOf(work: Work, written: WrittenManifest): Map<string, Auth | null> {
  const auths = new Map<string, Auth | null>(
    uniqueIds(work, '/authentication', 'authentication').map((id) => [id, null]),
  );
  for (const auth of (written.authentication ?? []).toReversed()) {
    if (auth?.id === undefined || auth.config === undefined) continue;
    if (auth.type === 'username_password' || auth.type === 'certificate')
      auths.set(auth.id, { type: auth.type, config: auth.config });
  }
  return auths;
}

function failed(file: string, code: string, message: string, fix: string): Loaded {
  const finding = findingOf(code, { message, fix, at: { file, line: 1, column: 1, pointer: '' } });
  return { manifest: null, findings: [finding], sources: new Map() };
}
