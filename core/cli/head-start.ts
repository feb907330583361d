// What takes as long to start as everything else of a run: a process of the sandbox. It starts first, and gets ready while the verb
// and the manifest are loaded (openWorkspace() of a verb that runs transforms takes it).

import { manifestFile, mayHaveTransforms } from './manifest-file.ts';

/** `words`: those after the verb. Not parsed yet: a wrong guess costs no more than a process that ends with this one. */
export async function headStart(words: readonly string[]): Promise<void> {
  if (words.includes('--help') || words.includes('-h')) return;
  const { file } = manifestFile(words.filter((word) => !word.startsWith('-')));
  if (mayHaveTransforms(file)) (await import('../../transforms/head-start.ts')).headStart();
}
