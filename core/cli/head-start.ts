// What takes as long to start as everything else of a run: a process of the sandbox, and the thread of the state store. They start
// first, and get ready while the verb and the manifest are loaded (openWorkspace() and openStore() of a run take them).

import { headStart as startStateThread } from '../state/thread.ts';
import { manifestFile, mayHaveTransforms } from './manifest-file.ts';

/** `words`: those after the verb. Not parsed yet: a wrong guess costs no more than what ends with this process. */
export async function headStart(words: readonly string[]): Promise<void> {
  if (words.includes('--help') || words.includes('-h')) return;
  const { file } = manifestFile(words.filter((word) => !word.startsWith('-')));
  if (mayHaveTransforms(file)) (await import('../../transforms/head-start.ts')).headStart();
  startStateThread();
}
