// `sluice new pipeline <name>`: a folder with a manifest and a transform that run as they are.

import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { sluiceError } from '../../errors.ts';
import { type Command, flag } from '../command.ts';
import { printJson, say } from '../output.ts';
import { takeSubverb } from '../subverb.ts';
import { pipelineFiles } from '../templates.ts';

const SUBVERBS = ['pipeline'] as const;

export const command: Command = {
  name: 'new',
  summary: 'Makes a new pipeline: a folder with a manifest and a transform that run as they are.',
  usage: 'new pipeline <name> [--dir folder]',
  examples: ['new pipeline my-shop', 'new pipeline my-shop --dir ./pipelines/my-shop'],
  options: { dir: { type: 'string', help: 'the folder; by default ./<name>' } },
  async run(given) {
    const { invocation } = takeSubverb(given, SUBVERBS, 'new');
    const name = invocation.positionals[0];
    if (name === undefined || !/^[a-z][a-z0-9-]*$/.test(name)) {
      throw sluiceError('E_USAGE', {
        message: 'new pipeline needs a name of lower-case letters, digits and dashes',
        fix: 'write `sluice new pipeline my-shop`',
      });
    }
    const dir = resolve(flag(invocation, 'dir') ?? name);
    if (existsSync(dir) && (await readdir(dir)).length > 0) {
      throw sluiceError('E_USAGE', {
        message: 'the folder is there already and is not empty',
        fix: 'name another with --dir',
      });
    }
    await mkdir(dir, { recursive: true });
    const files = pipelineFiles(name);
    for (const [file, text] of Object.entries(files)) await writeFile(join(dir, file), text, { flag: 'wx' });
    const manifest = join(relative(process.cwd(), dir) || '.', 'sluice.yaml');
    if (invocation.json) await printJson({ dir, files: Object.keys(files) });
    else
      say(
        [
          `✓ made ${Object.keys(files).join(', ')} in ${dir}`,
          '',
          'Next:',
          `  sluice validate ${manifest}`,
          `  sluice run ${manifest}`,
        ].join('\n'),
      );
    return 0;
  },
};
