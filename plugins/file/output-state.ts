// What the file sink keeps in the checkpoint.

import { basename } from 'node:path';
import { isRow, type Json, sluiceError } from 'sluice/sdk';
import type { Print } from './position.ts';

export type OutputState = {
  /** The file's name as the manifest has it, without its folder, so that a project may be moved. */
  readonly file: string;
  /** The number of the rotated file; 0 without rotation. */
  readonly index: number;
  /** In bytes: everything before it is delivered, everything after it is not. */
  readonly length: number;
  /** The bytes just before `length`, by their hash. */
  readonly tail: Print;
  /** When the file was begun: milliseconds since 1970 UTC. */
  readonly started: number;
  /** The file's inode; missing in a state of an earlier version. */
  readonly ino?: string;
};

/** null when nothing was saved, or for a file of another name. @throws SluiceError E_STATE_CORRUPT */
export function toState(saved: Json | null, path: string): OutputState | null {
  if (saved === null) return null;
  const state = saved as OutputState;
  const counts = isRow(saved) ? [state.index, state.length, state.started, state.tail?.n] : [];
  if (counts.length === 0 || !counts.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    throw sluiceError('E_STATE_CORRUPT', {
      message: 'what the checkpoint holds for the file sink is not what a file sink saves',
      permanent: true,
    });
  }
  return state.file === basename(path) ? state : null;
}
