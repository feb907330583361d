// What a sink of tables says where a table, a column or a unique key is missing.

import { type SluiceError, sluiceError } from '../errors.ts';

export function noTable(table: string): SluiceError {
  return sluiceError('E_SINK_REJECT', {
    message: `there is no table "${table}", and \`auto_create\` is off`,
    fix: 'make the table, or set `auto_create: true`',
  });
}

export function noColumn(table: string, column: string): SluiceError {
  return sluiceError('E_SINK_REJECT', {
    message: `table "${table}" has no column "${column}" that can be written`,
    fix: 'add the column, set `auto_evolve: true`, or drop it from the row in a transform',
  });
}

export function noUniqueKey(table: string, columns: readonly string[], more = ''): SluiceError {
  return sluiceError('E_SINK_WRITE', {
    message: `table "${table}" has no primary key or unique index on (${columns.join(', ')}), which the sink writes by${more}`,
    fix: 'make one, or set `key` to the columns that the table has one on',
    permanent: true,
  });
}
