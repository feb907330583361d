// Starts a process of the sandbox before the languages are loaded that will use it: by itself, so that it needs no more than that.

export { headStart } from '../sandbox/index.ts';
