// A temporary folder for one stage, removed when the stage ends.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface StageFolder {
  at(name: string): string;
  remove(): Promise<void>;
}

export function stageFolder(): StageFolder {
  const path = mkdtempSync(join(tmpdir(), 'sluice-conformance-'));
  return {
    at: (name) => join(path, name),
    async remove() {
      rmSync(path, { recursive: true, force: true });
    },
  };
}
