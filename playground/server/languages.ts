// The languages that the page can write, and how a transformation in one of them is begun.

import type { PlaygroundLanguage } from './api.ts';

export type LanguageName = PlaygroundLanguage['name'];

export const languages: readonly PlaygroundLanguage[] = [
  {
    name: 'javascript',
    title: 'JavaScript',
    ending: '.js',
    template: 'export default (row, ctx) => {\n  return { ...row };\n};\n',
  },
  {
    name: 'typescript',
    title: 'TypeScript',
    ending: '.ts',
    template: 'export default (row: Record<string, unknown>) => {\n  return { ...row };\n};\n',
  },
  { name: 'jsonata', title: 'JSONata', ending: '.jsonata', template: '$merge([$, {}])\n' },
  {
    name: 'kazaam',
    title: 'Kazaam',
    ending: '.json',
    template: '[\n  { "operation": "pass" }\n]\n',
  },
];

/** The key of a manifest that holds code of a language. */
export const inlineKey = {
  javascript: 'code',
  typescript: 'code',
  jsonata: 'expression',
  kazaam: 'specification',
} as const satisfies Readonly<Record<LanguageName, string>>;

export function languageNamed(name: string): PlaygroundLanguage | null {
  return languages.find((one) => one.name === name) ?? null;
}
