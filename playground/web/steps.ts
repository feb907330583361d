// The steps of a chain as they stand in the editor, beside what is on disk: drafts, conflicts, and what the server is sent.

import type { LanguageName } from './language-names.ts';
import type { DraftStep, Scope, Session, Transformation } from './state.ts';

/** One step of the chain as it stands in the editor, beside what is on disk. */
export interface Step {
  readonly id: string;
  readonly type: string;
  readonly scope: Scope;
  /** The draft of each language that was written in. */
  readonly drafts: Readonly<Record<string, string>>;
  readonly editable: boolean;
  /** What is on disk; null: the step is new. */
  readonly disk: Disk | null;
  /** The file changed while this draft differs from it. */
  readonly conflict: { readonly source: string; readonly hash: string } | null;
}

export interface Disk {
  readonly type: string;
  readonly scope: Scope;
  readonly source: string;
  readonly hash: string;
  /** What its code is called in errors; of inline code, too. */
  readonly file: string | null;
  readonly inline: boolean;
}

/** A draft that the browser kept, to be taken up where its step still is, or as a step of its own. */
export interface KeptStep {
  readonly language: LanguageName;
  readonly source: string;
  readonly scope: Scope;
  /** Hash of what it was made from; empty: the step was new. */
  readonly base: string;
}

export function sourceOf(step: Step): string {
  return step.drafts[step.type] ?? '';
}

/** The draft is not what is on disk. */
export function isDirty(step: Step): boolean {
  if (step.disk === null) return true;
  return step.type !== step.disk.type || step.scope !== step.disk.scope || sourceOf(step) !== step.disk.source;
}

/** Saving the file is not enough: what differs stands in the manifest. */
export function needsManifest(step: Step): boolean {
  return step.disk === null || step.type !== step.disk.type || step.scope !== step.disk.scope;
}

/** The chain as the server takes it: a step of the manifest by its id, a draft with its code. */
export function draftSteps(chain: readonly Step[]): DraftStep[] {
  return chain.map((step) =>
    isDirty(step) && step.editable
      ? { id: step.id, type: step.type as LanguageName, source: sourceOf(step), scope: step.scope }
      : { id: step.id },
  );
}

/** Another version of a step, to compare with: as the file has it, or the draft in another language. */
export interface Version {
  readonly name: string;
  readonly step: DraftStep;
}

export function versionsOf(step: Step): readonly Version[] {
  const { id, disk, drafts, scope } = step;
  const file = disk === null || !isDirty(step) ? [] : [{ name: 'the file', step: { id } }];
  const isFile = (type: string, source: string): boolean => type === disk?.type && source === disk.source;
  const others = Object.entries(drafts).filter(([type, source]) => type !== step.type && !isFile(type, source));
  return [
    ...file,
    ...others.map(([type, source]) => ({ name: type, step: { id, type: type as LanguageName, source, scope } })),
  ];
}

function diskOf(transformation: Transformation): Disk {
  return {
    type: transformation.type,
    scope: transformation.scope ?? 'row',
    source: transformation.source,
    hash: transformation.hash,
    file: transformation.file ?? null,
    inline: transformation.inline,
  };
}

export function chainOf(
  session: Session | null,
  stream: string,
  drafts: Readonly<Record<string, KeptStep>>,
): readonly Step[] {
  const ids = session?.streams.find((one) => one.id === stream)?.transformations ?? [];
  const steps = ids.flatMap((id): Step[] => {
    const found = session?.transformations.find((one) => one.id === id);
    if (found === undefined) return [];
    const disk = diskOf(found);
    const step: Step = {
      id,
      type: disk.type,
      scope: disk.scope,
      drafts: { [disk.type]: disk.source },
      editable: found.editable,
      disk,
      conflict: null,
    };
    const kept = Object.hasOwn(drafts, id) ? drafts[id] : undefined;
    if (kept === undefined || !found.editable) return [step];
    const taken = {
      ...step,
      type: kept.language,
      scope: kept.scope,
      drafts: { ...step.drafts, [kept.language]: kept.source },
    };
    // the file went on while the draft lay in the browser
    const conflict = kept.base !== disk.hash && isDirty(taken) ? { source: disk.source, hash: disk.hash } : null;
    return [{ ...taken, conflict }];
  });
  const fresh = Object.entries(drafts).filter(([id, kept]) => kept.base === '' && !ids.includes(id));
  return [
    ...steps,
    ...fresh.map(
      ([id, kept]): Step => ({
        id,
        type: kept.language,
        scope: kept.scope,
        drafts: { [kept.language]: kept.source },
        editable: true,
        disk: null,
        conflict: null,
      }),
    ),
  ];
}
