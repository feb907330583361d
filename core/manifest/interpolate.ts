// Replaces ${env:NAME}, ${env:NAME:-default} and ${file:path} in one text; $${ stands for a plain ${.
// Guarantees: every placeholder that cannot be resolved is named, with its place in the text; never a value in a message.
// Refuses placeholders within placeholders. A variable that is set but empty takes the default, as in a shell.

import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';

const TOKEN = /\$\$\{|\$\{(env|file):([^}]*)(\}?)/g;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const SHELL_STYLE = /\$\{([A-Z_][A-Z0-9_]*)\}/;
const MAX_FILE_BYTES = 1024 * 1024;

export interface Trouble {
  /** Where in the text the placeholder begins. */
  readonly index: number;
  readonly message: string;
  readonly fix: string;
  readonly severity: 'error' | 'warning';
}

export interface Interpolated {
  readonly text: string;
  /** The whole text is one placeholder. */
  readonly whole: boolean;
  readonly taken: readonly { readonly value: string; readonly from: 'env' | 'file' }[];
  readonly troubles: readonly Trouble[];
}

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly dir: string;
}

/** True when the text has anything that interpolate() would look at. */
export function hasPlaceholder(text: string): boolean {
  return text.includes('${');
}

export function interpolate(text: string, around: Surroundings): Interpolated {
  const taken: { value: string; from: 'env' | 'file' }[] = [];
  const troubles: Trouble[] = [];
  const trouble = (index: number, message: string, fix: string): string => {
    troubles.push({ index, message, fix, severity: 'error' });
    return '';
  };
  let whole = false;
  const result = text.replaceAll(TOKEN, (token, kind: string | undefined, body: string, end: string, index: number) => {
    if (kind === undefined) return '${';
    whole = token.length === text.length;
    if (end === '') return trouble(index, `a \${${kind}:… has no end`, 'close it with }');
    if (body.includes('${'))
      return trouble(index, 'a placeholder stands within a placeholder', 'use one after the other');
    if (kind === 'file') {
      const read = readText(resolve(around.dir, body), body);
      if ('problem' in read)
        return trouble(index, `the file of \${file:…} ${read.problem}`, 'check its path and rights');
      taken.push({ value: read.text, from: 'file' });
      return read.text;
    }
    const split = body.indexOf(':-');
    const name = split < 0 ? body : body.slice(0, split);
    if (!NAME.test(name)) {
      return trouble(index, '${env:…} needs the name of a variable', 'write ${env:NAME} or ${env:NAME:-default}');
    }
    const value = Object.hasOwn(around.env, name) ? around.env[name] : undefined;
    if (split >= 0 && (value === undefined || value === '')) return body.slice(split + 2);
    if (value === undefined) {
      return trouble(index, `the variable ${name} is not set`, `set ${name}, or give a default: \${env:${name}:-…}`);
    }
    taken.push({ value, from: 'env' });
    return value;
  });
  // looked for in what was written, not in what came out: a secret may hold anything
  const shell = SHELL_STYLE.exec(text);
  if (shell !== null && text[shell.index - 1] !== '$') {
    troubles.push({
      index: shell.index,
      message: `\${${shell[1]}} is taken as it stands`,
      fix: `write \${env:${shell[1]}} for the variable, or $\${${shell[1]}} for the text`,
      severity: 'warning',
    });
  }
  return { text: result, whole, taken, troubles };
}

function readText(path: string, written: string): { text: string } | { problem: string } {
  if (written.trim() === '') return { problem: 'has no path' };
  try {
    const stat = statSync(path);
    // a pipe or a device could hold the start up for ever
    if (!stat.isFile()) return { problem: 'is no file' };
    if (stat.size > MAX_FILE_BYTES) return { problem: 'is larger than 1 MiB' };
    return { text: readFileSync(path, 'utf8').replace(/\r?\n$/, '') };
  } catch (error) {
    return { problem: `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})` };
  }
}
