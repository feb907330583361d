// A transformation by itself, outside of any manifest: an entry as a manifest would hold it becomes a rule through the
// manifest's own loader. So defaults, limits, checks and whatever a language adds are the same, and are written once.

import { join } from 'node:path';
import type { Finding } from '../manifest/finding.ts';
import { readManifest } from '../manifest/load.ts';
import type { StreamConfig, TransformRule } from '../manifest/model.ts';
import type { Compiler } from '../manifest/transformations.ts';
import type { ResolvePlugin } from '../manifest/work.ts';
import { noEnds } from './memory-plugin.ts';

export interface LoneRule {
  /** null when there are errors among the findings. */
  readonly rule: TransformRule | null;
  /** A stream with this rule alone, for those who run it as a stream does. */
  readonly stream: StreamConfig | null;
  /** Places have a pointer into the entry (`/limits/timeout`); those in code have file, line and column. */
  readonly findings: readonly Finding[];
}

const ENTRY = '/transformations/0';

/** `dir`: absolute; what paths of the entry are relative to. `resolve`: where a language comes from that is a plugin's. */
export async function loneRule(
  entry: Readonly<Record<string, unknown>>,
  dir: string,
  languages: Compiler | null,
  resolve: ResolvePlugin,
): Promise<LoneRule> {
  const id = typeof entry['id'] === 'string' ? entry['id'] : 'transform';
  const end = { type: 'given' };
  const text = JSON.stringify({
    version: 1,
    transformations: [{ ...entry, id }],
    streams: [{ id: 'authoring', source: end, transformations: [id], sinks: [{ id: 'out', ...end }] }],
  });
  const file = join(dir, '(given)');
  const resolvePlugin: ResolvePlugin = async (name, kind) => (kind === 'transform' ? resolve(name, kind) : noEnds);
  const { manifest, findings } = await readManifest(text, file, { resolvePlugin, languages });
  return {
    rule: manifest?.transformations[0] ?? null,
    stream: manifest?.streams[0] ?? null,
    findings: findings.map((finding) => inEntry(finding, file)),
  };
}

// The text that was loaded is nobody's: of its places only the pointer means something.
function inEntry(finding: Finding, file: string): Finding {
  if (finding.at?.file !== file) return finding;
  const { at, ...rest } = finding;
  const pointer = at.pointer ?? '';
  return { ...rest, at: { pointer: pointer.startsWith(ENTRY) ? pointer.slice(ENTRY.length) : pointer } };
}
