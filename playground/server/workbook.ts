// The manifest that is open, as it is on disk: read again whenever something changes there. The file is the truth.
// Guarantee: while what is on disk has errors, the last one without errors stays open, and says that it is not the newest.

import { join } from 'node:path';
import { sluiceError } from 'sluice/sdk';
import {
  type Finding,
  type Languages,
  type Log,
  loadManifest,
  type Manifest,
  type Registry,
  readManifest,
  type StreamConfig,
  type TransformRule,
} from '../../core/workbench.ts';
import { hashOf, textOf } from './files.ts';

export interface Book {
  /** Absolute. */
  readonly file: string;
  readonly text: string;
  readonly hash: string;
  readonly manifest: Manifest;
  /** Warnings of it, or the errors of what is on disk now. */
  readonly findings: readonly Finding[];
  readonly valid: boolean;
}

export interface Workbook {
  readonly book: Book;
  /** True when anything is not as it was. */
  reload(): Promise<boolean>;
  /** A text in place of the manifest's: what it would be, with its findings, and the text with its secrets masked. */
  look(text: string): Promise<{ readonly findings: readonly Finding[]; readonly masked: string }>;
  /** As a stream is run: every variable there. @throws SluiceError of the first error */
  forRunning(stream: string): Promise<StreamConfig>;
  /** @throws SluiceError E_PLAYGROUND_NOT_FOUND */
  stream(id: string): StreamConfig;
  /** @throws SluiceError E_PLAYGROUND_NOT_FOUND */
  rule(id: string): TransformRule;
}

export interface WorkbookParts {
  readonly file: string;
  readonly registry: Registry;
  readonly languages: Languages;
  readonly log: Log;
}

/** @throws SluiceError of the first error when it cannot be opened at all */
export async function openWorkbook({ file, registry, languages, log }: WorkbookParts): Promise<Workbook> {
  const resolvePlugin: Registry['resolve'] = (name, kind) => registry.resolve(name, kind);
  // Looked at only: a variable that is not set here is no reason not to work on a transform, nor is one that does not compile.
  const looking = { resolvePlugin, languages, inspect: true };
  const read = async (): Promise<Book | Pick<Book, 'text' | 'hash' | 'findings'>> => {
    const text = (await textOf(file)) ?? '';
    const { manifest, findings } = await loadManifest(file, looking);
    if (manifest === null) return { text, hash: hashOf(text), findings };
    log.addSecrets(manifest.secrets);
    const transformations = manifest.transformations.map(withoutSecrets);
    return { file, text, hash: hashOf(text), manifest: { ...manifest, transformations }, findings, valid: true };
  };
  // Constants of a language are what code may show, in any guise: here they are what the manifest shows of them.
  const withoutSecrets = (rule: TransformRule): TransformRule =>
    rule.plugin?.transform !== undefined || rule.config === undefined
      ? rule
      : { ...rule, config: log.mask.value(rule.config) as NonNullable<TransformRule['config']> };
  const first = await read();
  if (!('manifest' in first)) throw errorOf(first.findings);
  let book: Book = first;
  return {
    get book() {
      return book;
    },
    async reload() {
      const now = await read();
      const before = book;
      book = 'manifest' in now ? now : { ...book, ...now, valid: false };
      return fingerprint(before) !== fingerprint(book);
    },
    async look(text) {
      const { manifest, findings, sources } = await readManifest(text, file, looking);
      if (manifest !== null) log.addSecrets(manifest.secrets);
      return { findings, masked: log.mask.text(sources.get(file) ?? '') };
    },
    async forRunning(id) {
      const { manifest, findings } = await loadManifest(file, { resolvePlugin, languages: null });
      if (manifest === null) throw errorOf(findings);
      log.addSecrets(manifest.secrets);
      const found = manifest.streams.find((one) => one.id === id);
      if (found === undefined) throw notFound('stream');
      return found;
    },
    stream(id) {
      const found = book.manifest.streams.find((one) => one.id === id);
      if (found === undefined) throw notFound('stream');
      return found;
    },
    rule(id) {
      const found = book.manifest.transformations.find((one) => one.id === id);
      if (found === undefined) throw notFound('transformation');
      return found;
    },
  };
}

/** Its code is of a language that the page can write. */
export function isEditable(rule: TransformRule): boolean {
  return rule.plugin === undefined;
}

/** Its code stands in the manifest. */
export function isInline(rule: TransformRule): boolean {
  return isEditable(rule) && !(rule.offset.line === 1 && rule.offset.column === 1);
}

/** Absolute path of the code of a rule that has a file of its own. */
export function codeFileOf(rule: TransformRule): string {
  return join(rule.dir, rule.file.slice(Math.max(rule.file.lastIndexOf('/'), rule.file.lastIndexOf('\\')) + 1));
}

function fingerprint({ hash, valid, manifest }: Book): string {
  return JSON.stringify([hash, valid, manifest.transformations.map(({ id, source }) => [id, hashOf(source)])]);
}

function errorOf(findings: readonly Finding[]) {
  const { code, message, fix, at } = findings.find((one) => one.severity === 'error')!;
  return sluiceError(code, { message, ...(fix === undefined ? {} : { fix }), ...(at === undefined ? {} : { at }) });
}

function notFound(what: string) {
  return sluiceError('E_PLAYGROUND_NOT_FOUND', { message: `the manifest has no such ${what}` });
}
