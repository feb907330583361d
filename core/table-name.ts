// Names of tables, `schema.table` or `table`, and what people mean by them.

export function withoutSchema(table: string): string {
  return table.slice(table.indexOf('.') + 1);
}

/** Of these tables those that a name means: itself, or else all whose name without the schema it is. */
export function tablesNamed(name: string, tables: readonly string[]): readonly string[] {
  return tables.includes(name) ? [name] : tables.filter((table) => withoutSchema(table) === name);
}
