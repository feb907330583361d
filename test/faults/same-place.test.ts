// Places that may not be shared: the state store's file, and the database that holds the checkpoint.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sluice } from '../cli.ts';

async function pointers(state: string, checkpoint: string | undefined, sinks: readonly object[]): Promise<string[]> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-same-place-'));
  try {
    const manifest = {
      version: 1,
      service: { state: { type: 'sqlite', path: state } },
      streams: [
        {
          id: 's',
          source: { type: 'sqlite', path: './in.db', tables: ['t'] },
          sinks,
          ...(checkpoint === undefined ? {} : { checkpoint }),
        },
      ],
    };
    writeFileSync(join(dir, 'sluice.json'), JSON.stringify(manifest));
    const { stdout } = await sluice(['validate', 'sluice.json', '--json'], { cwd: dir });
    const { findings } = JSON.parse(stdout) as { findings: { code: string; at: { pointer: string } }[] };
    return findings.map(({ code, at }) => `${code} ${at.pointer}`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const sink = (id: string, path: string) => ({ id, type: 'sqlite', path, table: id });

test('the state store in the file of a sink or of the source is refused', async () => {
  expect(await pointers('./out.db', undefined, [sink('one', './out.db')])).toEqual([
    'E_MANIFEST_SAME_PLACE /streams/0/sinks/0',
  ]);
  expect(await pointers('./in.db', undefined, [sink('one', './out.db')])).toEqual([
    'E_MANIFEST_SAME_PLACE /streams/0/source',
  ]);
  expect(await pointers('./state.db', undefined, [sink('one', './out.db')])).toEqual([]);
});

test('a second sink on the database of the checkpoint is refused; without a home it is not', async () => {
  const sinks = [sink('one', './out.db'), sink('two', './out.db')];
  expect(await pointers('./state.db', 'one', sinks)).toEqual(['E_MANIFEST_SAME_PLACE /streams/0/sinks/1']);
  expect(await pointers('./state.db', 'state', sinks)).toEqual([]);
});
