// Settings of the source that do nothing beside the others: whoever wrote them believes that they do.

import type { NoEffect } from 'sluice/sdk';

/** `given`: the configuration as it was written, so that a default is no finding. */
export function sourceNoEffect(given: Readonly<Record<string, unknown>>): readonly NoEffect[] {
  if (given['snapshot'] === 'never' && given['partition_changes'] === 'snapshot') {
    return [
      {
        key: 'partition_changes',
        message: '`partition_changes` has no effect with `snapshot: never`: no rows are read',
        fix: 'leave it out',
      },
    ];
  }
  if (given['snapshot'] !== 'only') return [];
  return ['slot', 'publication', 'create', 'messages', 'heartbeat', 'partition_changes']
    .filter((key) => given[key] !== undefined)
    .map((key) => ({
      key,
      message: `\`${key}\` has no effect with \`snapshot: only\`: the log is not read`,
      fix: 'leave it out',
    }));
}
