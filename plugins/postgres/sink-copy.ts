// Rows of a snapshot into a table that has none of them: COPY straight into it, without looking for conflicts.
// When a row is in the way (somebody wrote it before), everything of the COPY is undone and the caller upserts instead.

import { isSluiceError, type RowSet } from 'sluice/sdk';
import { faultOf } from './sink-faults.ts';
import { nameList, type Place, textAt, writable } from './sink-statements.ts';

/** Fewer rows are not worth a statement of their own. */
export const LEAST_ROWS = 200;

const PIECE = 1 << 16;

/** False when a row is in the way or does not fit: nothing was written then. */
export async function copyRows(place: Place, set: RowSet): Promise<boolean> {
  const { session, target } = place;
  const columns = writable(place, set.names);
  const at = textAt(place, columns, set);
  function* lines(): Generator<string> {
    let piece = '';
    for (let r = 0; r < set.length; r++) {
      for (let c = 0; c < columns.length; c++) {
        const text = at(r, c);
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
