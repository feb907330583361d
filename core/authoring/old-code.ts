// The code of before, to compare with: as the last commit has it, or in a file that is named. Git is asked with an index of
// its own, so that neither the repository nor what is being edited is touched.
// Guarantee: helper modules come from the same commit as the transform that imports them.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { sluiceError } from '../errors.ts';

const run = promisify(execFile);
const MOST_OUTPUT = 64 << 20;

export interface OldTree extends AsyncDisposable {
  /** Where the path of today stood then. */
  pathOf(path: string): string;
  /** The commit, short. */
  readonly commit: string;
}

/** The tree of HEAD of the repository around a path, in a folder of its own. @throws SluiceError E_TEST_TARGET */
export async function treeOfHead(path: string): Promise<OldTree> {
  const here = await realpath(dirname(path));
  const git = async (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> => {
    try {
      const options = { cwd: here, env: { ...process.env, ...env }, maxBuffer: MOST_OUTPUT };
      return (await run('git', args, options)).stdout.trim();
    } catch (cause) {
      throw sluiceError('E_TEST_TARGET', {
        message:
          'the old code cannot be taken from git: there is no repository around the manifest, or no commit in it',
        fix: 'name the old code with --old',
        cause,
      });
    }
  };
  const top = await realpath(await git(['rev-parse', '--show-toplevel']));
  const commit = await git(['rev-parse', '--short', 'HEAD']);
  const folder = await mkdtemp(join(tmpdir(), 'sluice-old-'));
  const dispose = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const env = { GIT_INDEX_FILE: join(folder, '.index'), GIT_WORK_TREE: top };
    await git(['read-tree', 'HEAD'], env);
    await git(['-C', top, 'checkout-index', '--all', `--prefix=${folder}/tree/`], env);
    // Plugins that are installed are no part of the commit; those of today are taken.
    for (let at = here; at.startsWith(top); at = dirname(at)) {
      const [packages, link] = [join(at, 'node_modules'), join(folder, 'tree', relative(top, at), 'node_modules')];
      if (existsSync(packages) && !existsSync(link)) await symlink(packages, link, 'dir').catch(() => undefined);
      if (at === top) break;
    }
  } catch (thrown) {
    await dispose();
    throw thrown;
  }
  return {
    commit,
    pathOf: (now) => join(folder, 'tree', relative(top, join(here, relative(dirname(path), now)))),
    [Symbol.asyncDispose]: dispose,
  };
}
