// The languages that the page can edit. Apart from the editor, so that plain data needs no CodeMirror.

export type LanguageName = 'javascript' | 'typescript' | 'jsonata' | 'kazaam';

export const languageNames: readonly LanguageName[] = ['javascript', 'typescript', 'jsonata', 'kazaam'];

export function isLanguageName(name: string): name is LanguageName {
  return (languageNames as readonly string[]).includes(name);
}
