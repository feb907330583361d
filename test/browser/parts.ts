// What browser tests do on the page again and again, in the words of a person: they find things by role and name.

import type { Locator, Page } from 'playwright-core';
import { until as untilWithin } from '../cli.ts';

/** What the page does takes far less; a test that waits longer has failed. */
export async function until<T>(what: string, ask: () => Promise<T | null | undefined | false>): Promise<T> {
  return await untilWithin(what, ask, 25_000);
}

/** The events of the list, one text each: `✓ u update orders 41 ok`. */
export async function fates(page: Page): Promise<readonly string[]> {
  const rows = await page.getByRole('listbox', { name: 'Events and their fates' }).getByRole('option').allInnerTexts();
  return rows.map((text) => text.replace(/\s+/g, ' '));
}

/** How many events have each fate, as the list's last line says it. */
export async function sums(page: Page): Promise<string> {
  return await page.getByRole('region', { name: 'Events', exact: true }).locator('.sums').innerText();
}

/** Waits until the list says so. */
export async function untilSums(page: Page, wanted: string | RegExp): Promise<void> {
  await until(`the list says ${wanted}`, async () => {
    const said = await sums(page);
    return typeof wanted === 'string' ? said.includes(wanted) : wanted.test(said);
  }).catch(async (error: Error) => {
    throw new Error(`${error.message}; it says ${await sums(page)}\n${await problems(page)}`);
  });
}

export async function problems(page: Page): Promise<string> {
  return await page.getByRole('region', { name: 'Problems and console' }).innerText();
}

export function editor(page: Page): Locator {
  return page.getByRole('textbox', { name: 'Code of the transform' });
}

/** Puts `code` in the place of all there is, as one paste. */
export async function write(page: Page, code: string): Promise<void> {
  await editor(page).click();
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.insertText(code);
}

export async function code(page: Page): Promise<string> {
  return (await editor(page).locator('.cm-line').allInnerTexts()).map((line) => (line === '\n' ? '' : line)).join('\n');
}

/** What is marked in the editor: line and column from 1, and the text under the squiggle. */
export async function marks(page: Page): Promise<readonly { line: number; column: number; text: string }[]> {
  return await editor(page).evaluate((content) => {
    const lines = [...content.querySelectorAll('.cm-line')];
    return [...content.querySelectorAll('.cm-lintRange-error')].map((mark) => {
      const line = mark.closest('.cm-line')!;
      const range = document.createRange();
      range.setStart(line, 0);
      range.setEndBefore(mark);
      return { line: lines.indexOf(line) + 1, column: range.toString().length + 1, text: mark.textContent ?? '' };
    });
  });
}

export async function choose(page: Page, group: string, name: string): Promise<void> {
  await page.getByRole('group', { name: group }).getByRole('button', { name }).click();
}

/** The event whose row has all these words. */
export function row(page: Page, ...words: readonly string[]): Locator {
  return words
    .reduce(
      (rows, word) => rows.filter({ hasText: word }),
      page.getByRole('listbox', { name: 'Events and their fates' }).getByRole('option'),
    )
    .first();
}

/** The text of the output, as it is shown. */
export async function output(page: Page): Promise<string> {
  return await page.getByRole('textbox', { name: /^(?:Output|Difference from input to output)$/ }).innerText();
}

export async function notice(page: Page): Promise<string> {
  const said = page.locator('.status .notice');
  return (await said.count()) === 0 ? '' : await said.first().innerText();
}

export async function untilNotice(page: Page, wanted: RegExp): Promise<string> {
  return await until(`the status line says ${wanted}`, async () => {
    const said = await notice(page);
    return wanted.test(said) ? said : null;
  });
}
