// The playground's server, as the command line opens it.

export type { Replay } from './letters.ts';
export { isLoopback, type Listening, listen } from './listen.ts';
export { type SampleProject, sampleProject } from './sample.ts';
export { webFolder } from './web-folder.ts';
export { openWorkbench, type Workbench } from './workbench.ts';
