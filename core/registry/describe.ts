// What `sluice plugins describe` shows: the table of a configuration, made from its schema and from nothing else, so that
// it cannot say something that is not enforced.

import type { PluginDefinition } from '../plugin.ts';
import type { ConfigSchema, ObjectSchema } from '../schema.ts';

export interface SettingRow {
  /** `tables`, `tls.ca` for a field of an object, `batch[].size` for one in a list. */
  readonly name: string;
  readonly type: string;
  readonly default: string;
  readonly required: boolean;
  readonly secret: boolean;
  readonly description: string;
}

/** The settings of a part, objects opened up to their fields. */
export function settingsOf(schema: ObjectSchema, prefix = ''): SettingRow[] {
  const rows: SettingRow[] = [];
  for (const [name, field] of Object.entries(schema.properties)) {
    const path = prefix + name;
    rows.push({
      name: path,
      type: typeText(field),
      default: field.default === undefined ? '' : JSON.stringify(field.default),
      required: schema.required?.includes(name) ?? false,
      secret: field.secret === true,
      description: descriptionOf(field),
    });
    for (const { inner, suffix } of innerObjects(field)) rows.push(...settingsOf(inner, path + suffix));
  }
  return rows;
}

/** The settings as aligned text, for a terminal. */
export function settingsText(schema: ObjectSchema): string {
  const rows = settingsOf(schema);
  if (rows.length === 0) return 'no settings\n';
  const cells = rows.map((row) => [
    row.name,
    row.type,
    row.required ? 'required' : row.default,
    (row.secret ? '(secret) ' : '') + row.description,
  ]);
  const lines = [['setting', 'type', 'default', 'what it does'], ...cells];
  const widths = [0, 1, 2].map((column) => Math.min(36, Math.max(...lines.map((line) => line[column]!.length))));
  return lines
    .map((line) => line.map((cell, column) => (column < 3 ? cell.padEnd(widths[column]!) : cell)).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

/** What `describe --json` gives: the schemas themselves. */
export function schemasOf(plugin: PluginDefinition): Readonly<Record<string, ObjectSchema>> {
  const found: Record<string, ObjectSchema> = {};
  for (const kind of ['source', 'sink', 'transform'] as const) {
    const part = plugin[kind];
    if (part !== undefined) found[kind] = part.config;
  }
  return found;
}

function typeText(schema: ConfigSchema): string {
  if ('anyOf' in schema) return schema.anyOf.map(typeText).join(' | ');
  switch (schema.type) {
    case 'string':
      if (schema.const !== undefined) return JSON.stringify(schema.const);
      if (schema.enum !== undefined) return schema.enum.join(' | ');
      return (schema.format ?? 'string') + rangeText(schema.least, schema.most);
    case 'integer':
    case 'number':
      return schema.type + rangeText(schema.minimum, schema.maximum, schema.exclusiveMinimum);
    case 'array': {
      const inner = typeText(schema.items);
      return inner.includes(' ') ? `list of (${inner})` : `list of ${inner}`;
    }
    case 'object':
      if (schema.properties !== undefined) return 'object';
      return schema.additionalProperties === true ? 'any object' : `map of ${typeText(schema.additionalProperties)}`;
    default:
      return schema.type;
  }
}

function rangeText(minimum?: number | string, maximum?: number | string, above?: number): string {
  const low = above === undefined ? (minimum === undefined ? '' : `≥ ${minimum}`) : `> ${above}`;
  const high = maximum === undefined ? '' : `≤ ${maximum}`;
  return low === '' && high === '' ? '' : ` ${[low, high].filter((text) => text !== '').join(', ')}`;
}

function descriptionOf(field: ConfigSchema): string {
  const notes = [
    field.description ?? '',
    field.deprecated === true ? 'Deprecated.' : '',
    field.notBuilt === undefined ? '' : `Not built yet: ${field.notBuilt}.`,
  ];
  return notes.filter((note) => note !== '').join(' ');
}

function innerObjects(field: ConfigSchema): { inner: ObjectSchema; suffix: string }[] {
  if ('anyOf' in field) return field.anyOf.flatMap(innerObjects);
  if (field.type === 'array')
    return innerObjects(field.items).map(({ inner, suffix }) => ({ inner, suffix: `[]${suffix}` }));
  if (field.type !== 'object') return [];
  if (field.properties !== undefined) return [{ inner: field, suffix: '.' }];
  if (field.additionalProperties === true) return [];
  return innerObjects(field.additionalProperties).map(({ inner, suffix }) => ({ inner, suffix: `.<name>${suffix}` }));
}
