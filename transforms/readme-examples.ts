// The examples of a language's README: three blocks one after the other are the code, the row that goes in, and what comes out: a
// list of rows, or the words that the event fails with. Not used by anything but tests.

import { readFileSync } from 'node:fs';
import { batchOf, type Row } from 'sluice/sdk';
import { type Bench, eventOf, type RuleParts, rowsOf } from './test-rule.ts';

export interface Example {
  /** What its code is marked as: `ts`, `jsonata`, … */
  readonly language: string;
  readonly code: string;
  readonly row: Row;
  /** Rows, or a message. */
  readonly expected: unknown;
}

/** `languages`: the marks of code, as an expression. */
export function examplesOf(readme: URL, languages: string): readonly Example[] {
  const [, text = ''] = /^## Ten examples\n([\s\S]*?)(?=^## )/m.exec(readFileSync(readme, 'utf8')) ?? [];
  const blocks = new RegExp(
    `\`\`\`(${languages})\\n([\\s\\S]*?)\`\`\`\\s+\`\`\`json\\n([\\s\\S]*?)\`\`\`\\s+\`\`\`json\\n([\\s\\S]*?)\`\`\``,
    'g',
  );
  return [...text.matchAll(blocks)].map(([, language, code, row, expected]) => ({
    language: language!,
    code: code!,
    row: JSON.parse(row!) as Row,
    expected: JSON.parse(expected!) as unknown,
  }));
}

/** What an example gives, in the form in which the README has it. */
export async function given({ code, row }: Example, { run }: Bench, parts: RuleParts): Promise<unknown> {
  const result = await run(code, batchOf([eventOf(1, { after: row })]), parts);
  return result.failed[0]?.error.message ?? rowsOf(result);
}
