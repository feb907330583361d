// Settings of the source that do nothing beside the others: whoever wrote them believes that they do.

import type { NoEffect } from 'sluice/sdk';

/** `given`: the configuration as it was written, so that a default is no finding. */
export function sourceNoEffect(given: Readonly<Record<string, unknown>>): readonly NoEffect[] {
  if (given['snapshot'] !== 'only') return [];
  return ['slot', 'publication', 'create', 'messages', 'heartbeat']
    .filter((key) => given[key] !== undefined)
    .map((key) => ({
      key,
      message: `\`${key}\` has no effect with \`snapshot: only\`: the log is not read`,
      fix: 'leave it out',
    }));
}
