// Completion from the data: the fields that the events on the screen really have, with their kinds and an example, beside
// what each language offers by itself. One source per language; `complete` decides from the text before the cursor alone, so
// that it is tested without an editor.

import type { Completion, CompletionContext, CompletionResult, CompletionSource } from '@codemirror/autocomplete';
import { type Field, fieldAt } from '../fields.ts';
import type { LanguageName } from '../language-names.ts';
import { jsonataFunctions } from './jsonata-functions.ts';

export interface KnownFields {
  /** Of the value that the function gets: the row, or with `scope: event` the event. */
  readonly input: Field;
  readonly event: Field;
}

export interface Offer {
  /** How many characters before the cursor are replaced. */
  readonly back: number;
  readonly options: readonly Completion[];
}

const KAZAAM_OPERATIONS = [
  'shift',
  'concat',
  'coalesce',
  'extract',
  'timestamp',
  'uuid',
  'default',
  'pass',
  'delete',
  'merge',
  'steps',
];
const PATH = String.raw`((?:\??\.[\p{L}_$][\p{L}\p{N}_$]*|\[\d+\])*)`;

/** What to offer after `before` (the text up to the cursor); null: nothing of ours. `asked`: by Ctrl+Space. */
export function complete(language: LanguageName, before: string, fields: KnownFields, asked: boolean): Offer | null {
  if (language === 'jsonata') return inJsonata(before, fields, asked);
  if (language === 'kazaam') return inKazaam(before, fields);
  return inJavaScript(before, fields);
}

export function completionSource(language: LanguageName, fields: () => KnownFields): CompletionSource {
  return (context: CompletionContext): CompletionResult | null => {
    const offer = complete(
      language,
      context.state.sliceDoc(Math.max(0, context.pos - 2000), context.pos),
      fields(),
      context.explicit,
    );
    if (offer === null || offer.options.length === 0) return null;
    return { from: context.pos - offer.back, options: offer.options as Completion[], validFor: /^[\p{L}\p{N}_$]*$/u };
  };
}

/** The author may call the parameters as he likes; without a function in sight they are `row` and `ctx`. */
function parameterNames(text: string): readonly [string, string] {
  const found = /export\s+default\s+(?:async\s+)?(?:function\s*\w*\s*)?\(?\s*(\w+)?\s*(?::[^,)]*)?(?:,\s*(\w+))?/u.exec(
    text,
  );
  return [found?.[1] ?? 'row', found?.[2] ?? 'ctx'];
}

function inJavaScript(before: string, fields: KnownFields): Offer | null {
  const [row, ctx] = parameterNames(before);
  const found = new RegExp(String.raw`(?<![\w$.])([\w$]+)${PATH}\??\.([\p{L}\p{N}_$]*)$`, 'u').exec(before);
  if (found === null) return null;
  const names = namesOf(found[2]!);
  const typed = found[3]!;
  if (found[1] === row) return offered(fieldAt(fields.input, names), typed);
  if (found[1] !== ctx) return null;
  if (names.length === 0) {
    const options = [
      { label: 'event', type: 'property', detail: 'the whole change event' },
      { label: 'log', type: 'method', detail: '(…values)', info: 'Shown under Console.' },
    ];
    return { back: typed.length, options };
  }
  return names[0] === 'event' ? offered(fieldAt(fields.event, names.slice(1)), typed) : null;
}

function inJsonata(before: string, fields: KnownFields, asked: boolean): Offer | null {
  const path = new RegExp(
    String.raw`(?<![\w$.])(\$event|\$|[\p{L}_][\p{L}\p{N}_]*)?${PATH}\.([\p{L}\p{N}_]*)$`,
    'u',
  ).exec(before);
  if (path !== null) {
    const names = namesOf(path[2]!);
    if (path[1] === '$event') return offered(fieldAt(fields.event, names), path[3]!);
    const all = path[1] === '$' || path[1] === undefined ? names : [path[1], ...names];
    return offered(fieldAt(fields.input, all), path[3]!);
  }
  const variable = /\$(\w*)$/u.exec(before);
  if (variable !== null) {
    const functions = Object.entries(jsonataFunctions).map(([name, detail]) => ({
      label: `$${name}`,
      detail,
      type: 'function',
    }));
    return {
      back: variable[0].length,
      options: [{ label: '$event', detail: 'the whole change event', type: 'variable' }, ...functions],
    };
  }
  if (inString(before)) return null;
  const word = /[\p{L}_][\p{L}\p{N}_]*$/u.exec(before)?.[0] ?? '';
  return word === '' && !asked ? null : offered(fields.input, word);
}

function inKazaam(before: string, fields: KnownFields): Offer | null {
  const operation = /"operation"\s*:\s*"(\w*)$/u.exec(before);
  if (operation !== null) {
    return {
      back: operation[1]!.length,
      options: KAZAAM_OPERATIONS.map((label) => ({ label, type: 'keyword', detail: 'operation' })),
    };
  }
  // a path stands where a text stands as a value, also in a list of texts
  const path = /[:[,]\s*"((?:[^"\\.]+\.)*)([^"\\.]*)$/u.exec(before);
  if (path === null) return null;
  const names = path[1]!
    .split('.')
    .filter((part) => part !== '')
    .map((part) => part.replace(/\[[^\]]*\]$/u, ''));
  return offered(fieldAt(fields.input, names), path[2]!);
}

function namesOf(path: string): string[] {
  return path
    .replace(/\[\d+\]/gu, '')
    .split(/\??\./u)
    .filter((name) => name !== '');
}

/** An odd number of double quotes on the last line: within a text. */
function inString(before: string): boolean {
  const line = before.slice(before.lastIndexOf('\n') + 1);
  return (line.match(/(?<!\\)"/gu)?.length ?? 0) % 2 === 1;
}

function offered(field: Field | null, typed: string): Offer | null {
  if (field === null) return null;
  const options = [...field.fields.values()].map((one) => ({
    label: one.name,
    type: 'property',
    detail: [...one.kinds].filter((kind) => kind !== 'null' || one.kinds.size === 1).join(' | '),
    ...(one.example === null ? {} : { info: `for example ${one.example}` }),
    boost: 50,
  }));
  return { back: typed.length, options };
}
