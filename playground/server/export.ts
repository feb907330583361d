// From drafts to files: what the manifest and the files of transformations would be, as a diff to look at, and written when
// that is asked for. Comments and all that is not changed stay. New transformations stand in the manifest itself.
// Guarantees: only the manifest, the files that it names, and files beside it that are named after a transformation are
// written; what is on disk is never written over unseen.

import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { sluiceError } from 'sluice/sdk';
import { type ChainChange, type Finding, lineDiff, type TransformRule, withChain } from '../../core/workbench.ts';
import type { DiffLine, PlaygroundFinding, PlaygroundStep, Response } from './api.ts';
import { ChangedOnDisk, type Draft, hashOf, replaceTexts, textOf } from './files.ts';
import { inlineKey, type LanguageName, languageNamed } from './languages.ts';
import { shownPath } from './paths.ts';
import { checkIds } from './rules.ts';
import { codeFileOf, isEditable, isInline, type Workbook } from './workbook.ts';

type StepChange = ChainChange['steps'][number];

interface Planned {
  readonly manifest: Draft;
  readonly files: readonly Draft[];
}

/** @throws SluiceError E_PLAYGROUND_NOT_FOUND, E_PLAYGROUND_REQUEST, E_MANIFEST_SYNTAX */
async function plan(workbook: Workbook, stream: string, steps: readonly PlaygroundStep[]): Promise<Planned> {
  checkIds(steps);
  const { file, manifest } = workbook.book;
  const before = await textOf(file);
  if (before === null) throw sluiceError('E_MANIFEST_READ', { message: 'the manifest is not there any more' });
  const changes: StepChange[] = [];
  const files: Draft[] = [];
  for (const step of steps) {
    const base = manifest.transformations.find(({ id }) => id === step.id);
    const made = base === undefined ? added(step) : await changed(workbook, base, step);
    if (made.change !== null) changes.push(made.change);
    if (made.file !== null) files.push(made.file);
  }
  const after = withChain(before, { stream, steps: changes, order: steps.map(({ id }) => id) });
  return { manifest: { path: file, before, after }, files };
}

interface Made {
  readonly change: StepChange | null;
  readonly file: Draft | null;
}

function added({ id, type, source, scope, images, state }: PlaygroundStep): Made {
  if (type === undefined || source === undefined) {
    throw sluiceError('E_PLAYGROUND_NOT_FOUND', {
      message: 'the manifest has no such transformation',
      fix: 'a new one needs `type` and `source`',
    });
  }
  const settings = definedOf({ scope, images, state });
  return { change: { id, type, code: { key: inlineKey[type], value: source }, ...settings }, file: null };
}

async function changed(workbook: Workbook, base: TransformRule, step: PlaygroundStep): Promise<Made> {
  const { id, source, scope, images, state } = step;
  if (!isEditable(base) && (source !== undefined || step.type !== undefined)) throw notEditable();
  const settings = definedOf({ scope, images, state });
  const type = step.type ?? base.type;
  const others = Object.keys(settings).length === 0 ? null : { id, ...settings };
  const code = source === undefined || source === base.source ? null : source;
  if (type === base.type) {
    if (code === null) return { change: others, file: null };
    if (isInline(base)) {
      return { change: { id, ...settings, code: { key: inlineKey[type as LanguageName], value: code } }, file: null };
    }
    const path = codeFileOf(base);
    return { change: others, file: { path, before: await textOf(path), after: code } };
  }
  // Another language: its code goes where the old code was, in the manifest or in a file of its own.
  const value = source ?? base.source;
  if (isInline(base))
    return { change: { id, type, ...settings, code: { key: inlineKey[type as LanguageName], value } }, file: null };
  const name = `${id}${languageNamed(type)!.ending}`;
  const path = join(base.dir, name);
  const from = codeFileOf(base);
  if (path !== from && existsSync(path)) {
    throw sluiceError('E_PLAYGROUND_CONFLICT', { message: `there is a file ${name} already`, fix: 'move it away' });
  }
  const written = pathInManifest(workbook.book.manifest.dir, path);
  return {
    change: { id, type, ...settings, code: { key: 'file', value: written } },
    file: { path, before: null, after: value },
  };
}

function notEditable() {
  return sluiceError('E_PLAYGROUND_NOT_FOUND', { message: 'a transformation of a plugin has no code here' });
}

function pathInManifest(dir: string, path: string): string {
  const short = relative(dir, path).replaceAll('\\', '/');
  return short.startsWith('.') ? short : `./${short}`;
}

function definedOf(settings: Readonly<Record<string, string | undefined>>): Partial<StepChange> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

export async function preview(
  workbook: Workbook,
  stream: string,
  steps: readonly PlaygroundStep[],
  mask: (text: string) => string,
): Promise<Response<'preview'>> {
  workbook.stream(stream);
  const { manifest, files } = await plan(workbook, stream, steps);
  const [now, then] = [await workbook.look(manifest.before!), await workbook.look(manifest.after)];
  const name = shownPath(manifest.path);
  // a file that is written with the manifest is not there yet
  const isNew = files.some(({ before }) => before === null);
  const isOfNewFile = ({ code, at }: Finding): boolean =>
    isNew && code === 'E_MANIFEST_FILE' && at?.pointer?.endsWith('/file') === true;
  const shownFiles = [
    { file: name, text: then.masked, diff: diffOf(now.masked, then.masked) },
    ...files.map(({ path, before, after }) => ({
      file: shownPath(path),
      text: mask(after),
      diff: diffOf(mask(before ?? ''), mask(after)),
    })),
  ];
  return {
    changed: manifest.before !== manifest.after || files.some(({ before, after }) => before !== after),
    hash: hashOfAll(manifest, files),
    files: shownFiles,
    findings: then.findings.filter((finding) => !isOfNewFile(finding)) as readonly PlaygroundFinding[],
    commands: commandsFor(name),
  };
}

function diffOf(before: string, after: string): readonly DiffLine[] {
  const lines = (text: string): string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));
  return lineDiff(lines(before), lines(after));
}

export function commandsFor(manifest: string): readonly string[] {
  const named = /[^\w./-]/.test(manifest) ? `'${manifest.replaceAll("'", `'\\''`)}'` : manifest;
  return [`sluice test ${named}`, `sluice run ${named}`];
}

/** Of all that the preview was made from: a change of any file since then is one. */
function hashOfAll(manifest: Draft, files: readonly Draft[]): string {
  return hashOf(JSON.stringify([manifest, ...files].map(({ path, before }) => [path, before])));
}

/** `base`: the hash in the preview. @throws ChangedOnDisk */
export async function write(
  workbook: Workbook,
  stream: string,
  steps: readonly PlaygroundStep[],
  base: string,
): Promise<readonly string[]> {
  workbook.stream(stream);
  const { manifest, files } = await plan(workbook, stream, steps);
  if (hashOfAll(manifest, files) !== base) throw new ChangedOnDisk(manifest.path, manifest.before ?? '');
  // the files first: a manifest never names one that is not there
  const changes = [...files, manifest].filter(({ before, after }) => before !== after);
  await replaceTexts(changes);
  return changes.map(({ path }) => shownPath(path));
}

/** Writes the code of one transformation where it stands. @throws ChangedOnDisk */
export async function saveCode(workbook: Workbook, rule: TransformRule, source: string, base: string): Promise<string> {
  if (!isEditable(rule)) throw notEditable();
  if (!isInline(rule)) {
    const path = codeFileOf(rule);
    const before = await textOf(path);
    if (before === null || hashOf(before) !== base) throw new ChangedOnDisk(path, before ?? '');
    await replaceTexts([{ path, before, after: source }]);
    return shownPath(path);
  }
  const { file, manifest, valid } = workbook.book;
  if (!valid) {
    // `rule` is of the last one without errors: what stands there now, nobody has seen
    throw sluiceError('E_PLAYGROUND_CONFLICT', {
      message: 'the manifest on disk has errors, and code that stands in it cannot be compared',
      fix: 'mend the manifest first',
    });
  }
  const stream = manifest.streams.find((one) => one.transformations.some(({ id }) => id === rule.id));
  const now = (await textOf(file)) ?? '';
  // what was read last must be what is there: `rule` is of that
  if (hashOf(rule.source) !== base || hashOf(now) !== workbook.book.hash) throw new ChangedOnDisk(rule.id, rule.source);
  const code = { key: inlineKey[rule.type as LanguageName], value: source };
  const order = stream?.transformations.map(({ id }) => id) ?? [];
  const after = withChain(now, {
    stream: stream?.id ?? manifest.streams[0]!.id,
    steps: [{ id: rule.id, code }],
    order,
  });
  await replaceTexts([{ path: file, before: now, after }]);
  return shownPath(file);
}
