// Rows of a snapshot into a table that has none of them: COPY straight into it, without looking for conflicts.
// When a row is in the way (somebody wrote it before), everything of the COPY is undone and the caller upserts instead.

import { isSluiceError, type Row } from 'sluice/sdk';
import { bind, UNFIT, unfitValue } from './sink-binds.ts';
import { faultOf } from './sink-faults.ts';
import { kindOf, nameList, type Place, writable } from './sink-statements.ts';

/** Fewer rows are not worth a statement of their own. */
export const LEAST_ROWS = 200;

const PIECE = 1 << 16;

/** False when a row is in the way or does not fit: nothing was written then. */
export async function copyRows(place: Place, names: readonly string[], rows: readonly Row[]): Promise<boolean> {
  const { session, target } = place;
  const columns = writable(place, names);
  const kinds = columns.map((column) => kindOf(place, column.name));
  function* lines(): Generator<string> {
    let piece = '';
    for (const row of rows) {
      for (let c = 0; c < columns.length; c++) {
        const text = bind(columns[c]!, kinds[c]!, row[columns[c]!.name]);
        if (text === UNFIT) throw unfitValue(target.name, columns[c]!, row[columns[c]!.name]);
        piece += `${c === 0 ? '' : '\t'}${text === null ? '\\N' : escaped(text)}`;
      }
      piece += '\n';
      if (piece.length < PIECE) continue;
      yield piece;
      piece = '';
    }
    if (piece !== '') yield piece;
  }
  await session.exec('savepoint before_copy');
  try {
    await session.copyIn(`copy ${target.sql} (${nameList(columns)}) from stdin`, lines());
  } catch (thrown) {
    // a value that does not fit is thrown again by the upsert, for the event that it is of
    if (session.broken || (faultOf(thrown) !== 'row' && !isSluiceError(thrown))) throw thrown;
    await session.exec('rollback to before_copy; release before_copy');
    return false;
  }
  await session.exec('release before_copy');
  return true;
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

function escaped(text: string): string {
  return /[\\\t\n\r]/.test(text) ? text.replace(/[\\\t\n\r]/g, (found) => ESCAPES[found]!) : text;
}
