// What our own formats and bounds ask of a text; ajv and the walk before it (fits.ts) ask here.

import { durationMs, sizeBytes } from './units.ts';

function inBase(text: string): number | null {
  return durationMs(text) ?? sizeBytes(text);
}

export const meets = {
  format: {
    duration: (text: string) => durationMs(text) !== null,
    size: (text: string) => sizeBytes(text) !== null,
    path: (text: string) => !text.includes('\0'),
    uri: (text: string) => URL.canParse(text),
  } as Readonly<Record<string, (text: string) => boolean>>,
  /** A text that is neither a duration nor a size passes: its format is another keyword's matter. */
  least: (bound: string, text: string): boolean => inBase(text) === null || inBase(text)! >= inBase(bound)!,
  most: (bound: string, text: string): boolean => inBase(text) === null || inBase(text)! <= inBase(bound)!,
};
