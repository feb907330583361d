// The package's main entry: the engine with our own languages.

export { createLanguages } from '../../transforms/index.ts';
export * from '../index.ts';
