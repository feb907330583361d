// Settings that do nothing beside the others that were chosen.

import type { NoEffect } from 'sluice/sdk';

export function sourceNoEffect(given: Readonly<Record<string, unknown>>): NoEffect[] {
  if (given['format'] !== 'event' || given['key'] === undefined) return []; // `table` still names that of an unreadable event
  const message = '`key` has no effect with `format: event`: the event has its own';
  return [{ key: 'key', message, fix: 'leave `key` out' }];
}

export function sinkNoEffect(given: Readonly<Record<string, unknown>>): NoEffect[] {
  const single = (given['batch'] ?? 'single') === 'single';
  const found: NoEffect[] = [];
  const tell = (key: string, when: string): void => {
    if (given[key] !== undefined)
      found.push({ key, message: `\`${key}\` has no effect with ${when}`, fix: `leave \`${key}\` out` });
  };
  if (single) {
    tell('max_events', '`batch: single`');
    tell('max_bytes', '`batch: single`');
  } else {
    tell('max_in_flight', '`batch: array` and `batch: ndjson`');
  }
  return found;
}
