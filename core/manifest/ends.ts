// The two kinds of ends of a stream: its source and its sinks, with their plugin found and their configuration decoded.
// Null stands for an end that has findings of its own.

import type { Auth, LoadedSinkPart } from '../plugin.ts';
import { checkHandling, handlingOf } from './handling.ts';
import { checkReference } from './ids.ts';
import type { AnySchema } from './keywords.ts';
import type { SinkConfig, SourceConfig } from './model.ts';
import type { Work } from './work.ts';
import { engineKeys, type WrittenSink, type WrittenSource } from './written.ts';

/** By id; null for one that has findings of its own. */
export type Auths = ReadonlyMap<string, Auth | null>;

export async function sourceOf(
  work: Work,
  written: WrittenSource,
  pointer: string,
  auths: Auths,
): Promise<SourceConfig | null> {
  const handling = handlingOf(written.error_handling, 'source');
  checkHandling(work, `${pointer}/error_handling`, handling, 'source');
  const plugin = await work.plugin(written.type, 'source', `${pointer}/type`);
  const auth = authOf(
    work,
    written.auth_id,
    `${pointer}/auth_id`,
    auths,
    plugin === null ? null : (plugin.source?.auth ?? []),
  );
  if (plugin?.source === undefined) return null;
  tellNoEffect(work, pointer, plugin.source);
  const schema = plugin.source.config as unknown as AnySchema;
  const decoded = work.configOf(schema, work.raw(pointer), pointer, `the source \`${plugin.name}\``, engineKeys.source);
  if (decoded === null) return null;
  return {
    type: written.type!,
    plugin,
    auth,
    error_handling: handling,
    verify: written.verify,
    config: decoded.config,
    at: work.doc.places.at(pointer, 'value'),
  };
}

export async function sinkOf(
  work: Work,
  written: WrittenSink,
  pointer: string,
  auths: Auths,
): Promise<SinkConfig | null> {
  const handling = handlingOf(written.error_handling, 'sink');
  checkHandling(work, `${pointer}/error_handling`, handling, 'sink');
  const plugin = await work.plugin(written.type, 'sink', `${pointer}/type`);
  const auth = authOf(
    work,
    written.auth_id,
    `${pointer}/auth_id`,
    auths,
    plugin === null ? null : (plugin.sink?.auth ?? []),
  );
  if (plugin?.sink === undefined) return null;
  tellNoEffect(work, pointer, plugin.sink);
  const schema = plugin.sink.config as unknown as AnySchema;
  const decoded = work.configOf(schema, work.raw(pointer), pointer, `the sink \`${plugin.name}\``, engineKeys.sink);
  if (decoded === null || written.id === undefined) return null;
  return {
    id: written.id,
    type: written.type!,
    plugin,
    auth,
    required: written.required,
    write_timeout: written.write_timeout,
    error_handling: handling,
    config: decoded.config,
    at: work.doc.places.at(pointer, 'value'),
  };
}

/** `taken`: the kinds that the plugin takes; null where there is no plugin to ask. */
function authOf(
  work: Work,
  id: string | undefined,
  pointer: string,
  auths: Auths,
  taken: readonly Auth['type'][] | null,
): Auth | null {
  if (id === undefined || !work.isResolved(pointer)) return null;
  checkReference(work, pointer, id, [...auths.keys()], 'authentication');
  const auth = auths.get(id) ?? null;
  if (auth === null || taken === null || taken.includes(auth.type)) return auth;
  const kinds = taken.length === 0 ? 'no authentication' : `only ${taken.join(' or ')}`;
  work.error('E_CONFIG_INVALID', pointer, `this plugin takes ${kinds}`, 'leave `auth_id` out');
  return null;
}

function tellNoEffect(work: Work, pointer: string, part: Pick<LoadedSinkPart, 'noEffect'>): void {
  const given = work.raw(pointer) as Readonly<Record<string, unknown>>;
  for (const { key, message, fix } of part.noEffect?.(given) ?? []) work.noEffect(`${pointer}/${key}`, message, fix);
}
