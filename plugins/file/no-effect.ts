// Settings that do nothing beside the others that were chosen.

import type { NoEffect } from 'sluice/sdk';

export function sourceNoEffect(given: Readonly<Record<string, unknown>>): NoEffect[] {
  const found: NoEffect[] = [];
  const tell = (key: string, when: string): void => {
    if (given[key] !== undefined)
      found.push({ key, message: `\`${key}\` has no effect ${when}`, fix: `leave \`${key}\` out` });
  };
  if (given['format'] === 'event')
    for (const key of ['table', 'key', 'time']) tell(key, 'with `format: event`: the event has its own');
  if (given['follow'] !== true) tell('poll', 'without `follow: true`');
  return found;
}

export function sinkNoEffect(given: Readonly<Record<string, unknown>>): NoEffect[] {
  const rotate = given['rotate'];
  if (typeof rotate !== 'object' || rotate === null || Object.keys(rotate).length > 0) return [];
  return [
    {
      key: 'rotate',
      message: '`rotate` has no effect without `size` or `every`',
      fix: 'give one of them, or leave it out',
    },
  ];
}
