// What transforms log while they run for the page: kept by event, bounded, and shown beside it rather than in the log.

import type { Logger } from 'sluice/sdk';
import type { RunLogLine } from './api.ts';

/** Lines of one run that are kept. */
const MOST = 1_000;

export interface LogBook {
  /** For the transform. */
  readonly log: Logger;
  /** Lines of a source event, and of the outputs that descend from it. */
  of(id: string): readonly RunLogLine[];
  clear(): void;
  /** Lines beyond `limits.logs`, or beyond what is kept here. */
  readonly dropped: number;
}

export function openLogBook(): LogBook {
  let lines: { readonly event: string; readonly line: RunLogLine }[] = [];
  let kept = 0;
  let dropped = 0;
  const keep =
    (level: RunLogLine['level']) =>
    (fields: object, text: string): void => {
      const { event, at, dropped: more } = fields as { event?: string; at?: RunLogLine['at']; dropped?: number };
      if (more !== undefined) dropped += more;
      if (event === undefined) return; // not the author's: which lane it takes, what its limits dropped
      if (kept >= MOST) {
        dropped++;
        return;
      }
      kept++;
      lines.push({ event, line: { level, text, ...(at === undefined ? {} : { at }) } });
    };
  return {
    log: { debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') },
    of: (id) => lines.filter(({ event }) => event === id || event.startsWith(`${id}/`)).map(({ line }) => line),
    clear() {
      lines = [];
    },
    get dropped() {
      return dropped;
    },
  };
}
