// What a verb is, and what it gets. Each verb is a file in commands/, loaded only when it is called.

import type { ParseArgsOptionDescriptor } from 'node:util';
import { sluiceError } from '../errors.ts';

export interface Invocation {
  /** What stands after the verb and is no flag. */
  readonly positionals: readonly string[];
  readonly flags: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly color: boolean;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  /** How it is called, without `sluice`. */
  readonly usage: string;
  /** Two examples that run, without `sluice`, the first lines of --help. */
  readonly examples: readonly [string, string];
  readonly options: Readonly<Record<string, ParseArgsOptionDescriptor & { readonly help: string }>>;
  /** Returns the exit code. */
  run(invocation: Invocation): Promise<number>;
}

/** The value of a flag that takes one text. */
export function flag(invocation: Invocation, name: string): string | undefined {
  const value = invocation.flags[name];
  return typeof value === 'string' ? value : undefined;
}

export function isSet(invocation: Invocation, name: string): boolean {
  return invocation.flags[name] === true;
}

/** The value of a flag that takes a whole number from 1. */
export function count(invocation: Invocation, name: string): number | undefined {
  const text = flag(invocation, name);
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw sluiceError('E_USAGE', {
    message: `--${name} takes a whole number from 1`,
    fix: `write for example --${name} 10`,
  });
}
