// The SQL of a target table's name: in the sink's `schema`, or in the one that the setting `table` writes before a dot. A source
// table's own name may have dots, so only a name that somebody wrote as a setting is taken apart.

import type { SinkSettings } from './config.ts';
import { quoted } from './connection.ts';

export function namesOf({ schema, table }: Pick<SinkSettings, 'schema' | 'table'>): (name: string) => string {
  const written = new Set(typeof table === 'string' ? [table] : Object.values(table ?? {}));
  return (name) => {
    const dot = written.has(name) ? name.indexOf('.') : -1;
    const [where, own] = dot > 0 ? [name.slice(0, dot), name.slice(dot + 1)] : [schema, name];
    return `${quoted(where)}.${quoted(own)}`;
  };
}
