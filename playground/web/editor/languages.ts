// What the editor has to know of each language: how it is coloured, indented and commented.

import { javascript } from '@codemirror/lang-javascript';
import { json } from '@codemirror/lang-json';
import type { Extension } from '@codemirror/state';
import type { LanguageName } from '../language-names.ts';
import { jsonata } from './jsonata-mode.ts';

export const languageExtensions: Readonly<Record<LanguageName, () => Extension>> = {
  javascript: () => javascript(),
  typescript: () => javascript({ typescript: true }),
  jsonata: () => jsonata(),
  kazaam: () => json(),
};
