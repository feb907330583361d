// The version of this package: its own package.json is beside core/ in a checkout, and above dist/ when built.

import { readFileSync } from 'node:fs';

export function version(): string {
  for (const up of ['../../package.json', '../../../package.json']) {
    try {
      const found = JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')) as { name: string; version: string };
      if (found.name === 'sluice') return found.version;
    } catch {
      // the other place
    }
  }
  return 'unknown';
}
