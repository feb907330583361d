// Nothing is kept of what has ended: thousands of isolates, hundreds of killed processes, and resident memory stays where it was,
// in the pipeline process and in the children that live on. A tenth of it in `npm test`.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { scaled } from '../long.ts';

const SCRIPT = fileURLToPath(new URL('./soak.ts', import.meta.url));
const MOST = 10; // MB

interface Drift {
  readonly parent: number;
  readonly children: readonly number[];
}

test.runIf(process.platform === 'linux')(
  'memory does not drift over isolates that are made and ended, and children that are killed',
  { timeout: 1_200_000 },
  async () => {
    const isolates = scaled(2000);
    const kills = scaled(500);
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--conditions=source',
      '--no-warnings',
      '--expose-gc',
      SCRIPT,
      String(isolates),
      String(kills),
    ]);
    const { made, killed } = JSON.parse(stdout) as {
      made: Drift;
      killed: Drift & { dead: number; answered: number };
    };
    console.log(`soak: ${isolates} isolates ${JSON.stringify(made)}, ${kills} kills ${JSON.stringify(killed)} (MB)`);
    expect(made.children.length).toBe(2);
    expect(killed.children.length).toBe(1);
    expect(killed.dead).toBeGreaterThanOrEqual(kills * 0.9);
    expect(killed.answered).toBe(kills * 800); // nothing was lost on the way
    for (const drift of [made, killed]) {
      expect(drift.parent).toBeLessThan(MOST);
      for (const child of drift.children) expect(child).toBeLessThan(MOST);
    }
  },
);
