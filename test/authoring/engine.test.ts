// `sluice test --engine`: the same tests on another version of JSONata, and what differs.

import { symlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parsed, pipeline } from '../faults/pipeline.ts';

const MODULES = new URL('../../node_modules', import.meta.url).pathname;

// 2.1.0 lost the sign of an index before `?:` (its own fault)
const files = {
  'last.jsonata': '{ "last": [1, 2, 3][-1] ?: 42 }',
  'last.tests.yaml': 'tests:\n  - name: the last one\n    row: { id: 1 }\n    expect: { row: { last: 3 } }\n',
  'same.jsonata': '{ "twice": id * 2 }',
  'same.tests.yaml': 'tests:\n  - name: twice\n    row: { id: 1 }\n    expect: { row: { twice: 2 } }\n',
};

interface Told {
  readonly passed: number;
  readonly failed: number;
  readonly differing: readonly { readonly test: string; readonly before: string; readonly after: string }[];
}

describe.concurrent('tests on another engine', () => {
  it('show what it changes, test by test, and fail where it breaks them', async () => {
    await using p = await pipeline(undefined, files);
    symlinkSync(MODULES, p.path('node_modules'));
    const result = await p.sluice(['test', '--engine', 'jsonata@2.1.0', '--json']);
    expect(result.code).toBe(1);
    const told = parsed<Told>(result);
    expect(told).toMatchObject({ passed: 1, failed: 1 });
    expect(told.differing.map((one) => one.test)).toEqual(['the last one']);
    expect(told.differing[0]!.before).toContain('"last":3');
    expect(told.differing[0]!.after).toContain('"last":2');
  });

  it('say that nothing differs where nothing does', async () => {
    await using p = await pipeline(undefined, files);
    symlinkSync(MODULES, p.path('node_modules'));
    const result = await p.sluice(['test', 'same.tests.yaml', '--engine', 'jsonata@2.1.0']);
    expect(result).toMatchObject({ code: 0 });
    expect(result.stdout).toContain('on jsonata@2.1.0 everything comes out as it does now');
  });

  it('are refused where nothing is written in its language, or it is not there', async () => {
    await using p = await pipeline(undefined, {
      ...files,
      'code.js': 'export default (row) => row;\n',
      'code.tests.yaml': 'tests:\n  - name: passes\n    row: { id: 1 }\n    expect: { row: { id: 1 } }\n',
    });
    const other = await p.sluice(['test', 'code.tests.yaml', '--engine', 'jsonata@2.1.0']);
    expect(other.code).toBe(2);
    expect(other.stderr).toContain('none of what is tested here is written in jsonata');
    const missing = await p.sluice(['test', 'same.tests.yaml', '--engine', 'jsonata@1.0.0']);
    expect(missing.code).not.toBe(0);
    expect(missing.stdout + missing.stderr).toContain('npm install jsonata-1.0.0@npm:jsonata@1.0.0');
  });
});
