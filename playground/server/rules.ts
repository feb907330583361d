// From the steps that the page sends to rules that can run: those of the manifest, or drafts in their place, with the limits
// and policies that the manifest gives them. A draft that the manifest does not know gets the defaults.

import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type PluginDefinition, sluiceError } from 'sluice/sdk';
import { loneRule, type StreamConfig, type TransformRule } from '../../core/workbench.ts';
import type { PlaygroundStep } from './api.ts';
import { inlineKey, type LanguageName, languageNamed } from './languages.ts';
import { isEditable, isInline, type Workbook } from './workbook.ts';

/** As it stands in errors: the name of its file, or one that its id and language would give it. */
export function labelOf(rule: Pick<TransformRule, 'id' | 'type' | 'file'>, inline: boolean): string {
  return inline ? `${rule.id}${languageNamed(rule.type)?.ending ?? ''}` : basename(rule.file);
}

/** Steps up to `until`. @throws SluiceError E_PLAYGROUND_NOT_FOUND */
export async function rulesOf(
  workbook: Workbook,
  stream: StreamConfig,
  steps: readonly PlaygroundStep[] | undefined,
  until?: string,
): Promise<readonly TransformRule[]> {
  const all = steps ?? stream.transformations.map(({ id }) => ({ id }));
  checkIds(all);
  const end = until === undefined ? all.length - 1 : all.findIndex(({ id }) => id === until);
  if (until !== undefined && end < 0) {
    throw sluiceError('E_PLAYGROUND_NOT_FOUND', { message: 'no step has the id that `until` names' });
  }
  return await Promise.all(all.slice(0, end + 1).map((step) => ruleOf(workbook, step)));
}

/** @throws SluiceError E_PLAYGROUND_REQUEST */
export function checkIds(steps: readonly PlaygroundStep[]): void {
  if (new Set(steps.map(({ id }) => id)).size === steps.length) return;
  throw sluiceError('E_PLAYGROUND_REQUEST', { message: 'two steps have one id' });
}

/** @throws SluiceError E_PLAYGROUND_NOT_FOUND, E_PLAYGROUND_REQUEST */
export async function ruleOf(workbook: Workbook, step: PlaygroundStep): Promise<TransformRule> {
  const base = workbook.book.manifest.transformations.find(({ id }) => id === step.id);
  if (base !== undefined && !isEditable(base)) return base;
  const type = step.type ?? base?.type;
  if (base === undefined && (type === undefined || step.source === undefined)) {
    throw sluiceError('E_PLAYGROUND_NOT_FOUND', {
      message: 'the manifest has no such transformation',
      fix: 'a new one needs `type` and `source`',
    });
  }
  const { scope, images, state } = step;
  const settings = {
    ...(scope === undefined ? {} : { scope }),
    ...(images === undefined ? {} : { images }),
    ...(state === undefined ? {} : { state }),
  };
  // places in the code are those of the editor, which shows nothing but the code
  const start = { line: 1, column: 1 };
  if (base !== undefined && type === base.type) {
    const file = labelOf(base, isInline(base));
    const code = { source: step.source ?? base.source, file, offset: start };
    return { ...base, ...settings, ...code, ...withinProject(workbook, step) };
  }
  const plain = await plainRule(workbook, step.id, type as LanguageName);
  const { limits, error_handling } = base ?? plain;
  const draft = { ...plain, ...settings, limits, error_handling, source: step.source ?? base?.source ?? '' };
  const code = { dir: base?.dir ?? plain.dir, file: labelOf(draft, true), offset: start };
  return { ...draft, ...code, ...withinProject(workbook, step) };
}

// Code of a request must not open files that the manifest could not mean: helper modules come from its project alone, which is
// the nearest folder around it with a package.json or a repository, or its own folder. What is on disk may do what it does there.
function withinProject(workbook: Workbook, { source }: PlaygroundStep): { readonly within?: string } {
  return source === undefined ? {} : { within: projectOf(workbook.book.manifest.dir) };
}

function projectOf(folder: string): string {
  for (let at = folder; at !== dirname(at); at = dirname(at)) {
    if (existsSync(join(at, 'package.json')) || existsSync(join(at, '.git'))) return at;
  }
  return folder;
}

/** A rule of this language with nothing but defaults. */
export async function plainRule(workbook: Workbook, id: string, type: LanguageName): Promise<TransformRule> {
  const entry = { id, type, [inlineKey[type]]: languageNamed(type)!.template };
  const none = async (): Promise<PluginDefinition> => {
    throw sluiceError('E_PLAYGROUND_NOT_FOUND', { message: 'there is no such language' });
  };
  const { rule } = await loneRule(entry, workbook.book.manifest.dir, null, none);
  return rule!;
}
