// An isolate made ahead, in a child: for the first program, while the parent still reads the manifest, and for the next one, while
// somebody writes it. No program and no event was ever in it.

import type { Cell } from './isolate.ts';
import type { LoadMessage, ToChild } from './protocol.ts';

export type AheadMessage = Extract<ToChild, { t: 'ahead' }>;

/** A program with its guest script. */
export type Load = LoadMessage & { readonly guest: string };

export interface Ahead {
  /** The isolate, if it is for such a program. It is then the program's. */
  take(load: Load): Cell | null;
  has(load: Load): boolean;
  make(message: AheadMessage): Promise<void>;
}

export function createAhead(newCell: (limits: LoadMessage['limits']) => Cell): Ahead {
  let made: { readonly cell: Cell; readonly message: AheadMessage } | null = null;
  const has = ({ guest, limits }: Load): boolean =>
    made !== null &&
    (made.message.guest === null || made.message.guest === guest) &&
    JSON.stringify(made.message.limits) === JSON.stringify(limits);
  return {
    has,
    take(load) {
      const fits = has(load);
      if (made === null || (!fits && made.message.guest !== null)) return null;
      const { cell } = made;
      made = null;
      if (fits) return cell;
      cell.dispose(); // it was for the first program, which has other limits
      return null;
    },
    async make(message) {
      made?.cell.dispose();
      made = null;
      const { guest, limits } = message;
      const cell = newCell(limits);
      const error = guest === null ? '' : await cell.prepare(guest).catch((thrown: Error) => thrown.message);
      if (error === '') made = { cell, message };
      else cell.dispose(); // it will be made when it is needed, and say so then
    },
  };
}
