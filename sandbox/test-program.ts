// For tests: small programs for the sandbox, slices of events for them, and programs of Node that have a sandbox of their own.

import type { Program, ProgramLimits, Slice } from './index.ts';

export const LIMITS: ProgramLimits = {
  timeout: 500,
  memory: 64 << 20,
  output: 1 << 20,
  fan_out: 10,
  logs: 1000,
  load: 5000,
  depth: 100,
  deaths: 1000,
};

/** Nothing but SIGKILL ends it. */
export const ENDLESS = 'Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1);';

export interface ProgramParts extends Partial<Omit<Program, 'limits'>> {
  /** What differs from LIMITS. */
  readonly limits?: Partial<ProgramLimits>;
  /** Runs once, when the program is loaded; `body` sees what it declares. */
  readonly atLoad?: string;
}

/** `body` is that of a function of (main, second, head), with `text` and `host` around it. */
export function program(body: string, parts: ProgramParts = {}): Program {
  const { atLoad = '', limits, ...rest } = parts;
  return {
    guest: `(text, host) => { ${atLoad}\nreturn (main, second, head) => { ${body} } }`,
    text: '',
    heads: 'on_demand',
    ...rest,
    limits: { ...LIMITS, ...limits },
  };
}

/** Events whose text is their number, unless `text` says another. */
export function slice(length: number, text: (i: number) => string = String): Slice {
  return {
    length,
    main: text,
    second: () => null,
    seconds: false,
    head: (i) => `{"head":${i}}`,
    id: (i) => `id${i}`,
    time: (i) => i,
  };
}

export const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

/** Arguments for Node: an ES module's code, with the names of this file and those of the sandbox's own that tests use. */
export function nodeArgs(code: string): string[] {
  const from = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href);
  const head = `
    import { createSandbox, readProof } from ${from('./index.ts')};
    import { createPool } from ${from('./pool.ts')};
    import { makeProof, saveProof } from ${from('./proof.ts')};
    import { program, slice } from ${from('./test-program.ts')};`;
  return ['--no-warnings', '--input-type=module', '-e', `${head}\n${code}`];
}
