// The checkpoint's home: the sink that `checkpoint` names, else the only transactional one, else the state store.
// Two and no choice is a finding: a guess would move the checkpoint when a sink is added.

import { checkReference } from './ids.ts';
import type { SinkConfig } from './model.ts';
import type { Work } from './work.ts';

export function homeOf(
  work: Work,
  pointer: string,
  choice: string | undefined,
  sinks: readonly SinkConfig[],
  known: {
    readonly letterSinks: ReadonlySet<string>;
    /** All that are declared, also those with findings. */
    readonly ids: readonly string[];
    /** False when some sink has findings: it might have been a candidate. */
    readonly whole: boolean;
  },
): string | null {
  const { letterSinks } = known;
  const at = `${pointer}/checkpoint`;
  if (choice === 'state') return null;
  const candidates = sinks.filter((sink) => !letterSinks.has(sink.id) && canBeHome(sink)).map((sink) => sink.id);
  if (choice !== undefined) {
    if (!checkReference(work, at, choice, [...known.ids, 'state'], 'sink')) return null;
    if (candidates.includes(choice)) return choice;
    if (!letterSinks.has(choice) && !sinks.some((sink) => sink.id === choice)) return null; // it has findings of its own
    const why = letterSinks.has(choice)
      ? 'gets dead letters only'
      : 'cannot write rows and checkpoint in one transaction';
    const fix = candidates[0] === undefined ? 'use `state`' : `use \`${candidates[0]}\` or \`state\``;
    work.error('E_MANIFEST_INVALID', at, `this sink ${why}`, fix);
    return null;
  }
  if (candidates.length > 1) {
    const ids = candidates.map((id) => `\`${id}\``).join(' and ');
    work.error(
      'E_MANIFEST_INVALID',
      `${pointer}/sinks`,
      `the sinks ${ids} can each be the checkpoint's home`,
      `choose one with \`checkpoint: ${candidates[0]!}\`, or the state store with \`checkpoint: state\``,
      'key',
    );
  }
  return known.whole ? (candidates[0] ?? null) : null;
}

function canBeHome(sink: SinkConfig): boolean {
  try {
    return sink.plugin.sink?.home?.(sink.config as never) === true;
  } catch {
    return false; // a configuration with unresolved parts (inspect), or a faulty plugin
  }
}
