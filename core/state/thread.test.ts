// The thread of a store that is started before anybody needs it.

import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { tempFolder } from './test-samples.ts';
import { endHeadStart, headStart, stateThread } from './thread.ts';

test('keeps no process that does not need it', () => {
  const code = `import { headStart } from '${new URL('./thread.ts', import.meta.url)}'; headStart();`;
  const ran = spawnSync(process.execPath, ['--conditions=source', '--input-type=module', '-e', code], {
    timeout: 20_000,
    encoding: 'utf8',
  });
  expect([ran.status, ran.stderr]).toEqual([0, '']);
});

test("is the first store's, and the second one has its own", async () => {
  using folder = tempFolder();
  headStart();
  const threads = [stateThread(undefined), stateThread(undefined)];
  expect(threads[0]).not.toBe(threads[1]);
  for (const [i, thread] of threads.entries()) {
    await thread.open(folder.file(`${i}.db`));
    expect(await thread.call('statuses', [])).toEqual([]);
    await thread.close();
  }
});

test('is not given to a store when it has ended', async () => {
  using folder = tempFolder();
  headStart();
  endHeadStart();
  const thread = stateThread(undefined);
  await thread.open(folder.file('state.db'));
  await thread.close();
});
