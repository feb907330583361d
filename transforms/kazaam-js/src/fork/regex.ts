// Regular expressions and templates as Go has them, on JavaScript's. Where the two differ in syntax, the text is rewritten; what only
// a backtracking engine can do (look-around, back-references) is refused, as Go refuses it.

import { specError } from '../errors.ts';

export interface Replacement {
  matches(text: string): boolean;
  /** All matches replaced. */
  replace(text: string): string;
}

/** @throws KazaamError SpecError for a pattern that is none */
export function compileRegex(pattern: string, template: string): Replacement {
  const [, flags = '', body = ''] = /^(?:\(\?([imsU]+)\))?([\s\S]*)$/.exec(pattern) ?? [];
  if (flags.includes('U')) throw specError(`the flag U of "${pattern}" is not supported`);
  if (/\(\?(?:[=!]|<[=!])|\\[1-9]/.test(body)) throw specError(`"${pattern}" needs an engine that goes back`);
  const source = body
    .replaceAll('(?P<', '(?<')
    .replaceAll('\\z', '$')
    .replaceAll('\\A', '^')
    .replace(/\[\[:(\w+):\]\]/g, (whole, name: string) => POSIX[name] ?? whole);
  let expression: RegExp;
  try {
    expression = new RegExp(source, `gu${flags}`);
  } catch {
    throw specError(`"${pattern}" is no regular expression`);
  }
  return {
    matches(text) {
      expression.lastIndex = 0;
      return expression.test(text);
    },
    replace: (text) =>
      text.replace(expression, (...found: unknown[]) => {
        const last = found.at(-1);
        const names = typeof last === 'object' && last !== null ? (last as Record<string, string | undefined>) : {};
        return expand(template, found as (string | undefined)[], names);
      }),
  };
}

const POSIX: Readonly<Record<string, string>> = {
  alpha: '[A-Za-z]',
  digit: '[0-9]',
  alnum: '[0-9A-Za-z]',
  space: '[\\t\\n\\v\\f\\r ]',
  upper: '[A-Z]',
  lower: '[a-z]',
};

/** `$1`, `${1}`, `$name`: the name is as long as it can be, so `$1x` is a group "1x", and what is no group is empty. `$$` is a $. */
function expand(template: string, groups: readonly (string | undefined)[], names: Record<string, string | undefined>) {
  return template.replace(/\$(?:(\$)|\{(\w+)\}|(\w+))/g, (_whole, dollar, braced, bare) => {
    if (dollar !== undefined) return '$';
    const name: string = braced ?? bare;
    const group = /^[0-9]+$/.test(name) ? groups[Number(name)] : names[name];
    return typeof group === 'string' ? group : '';
  });
}
