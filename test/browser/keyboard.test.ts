// The playground by keyboard, in a real Chromium: the main path, completion, the palette and the key sheet.

import { describe, expect, test } from 'vitest';
import { keys } from '../../playground/web/keys.ts';
import { chromiumPath } from './chromium.ts';
import { code, row, until, untilSums, write } from './parts.ts';
import { openShop } from './shop.ts';

describe.skipIf(chromiumPath === null)('the playground by keyboard', () => {
  const shop = openShop();

  test('completion offers the fields that the events have', async () => {
    await shop.tab(async (page) => {
      await write(page, 'export default (row) => ({ x: row');
      await page.keyboard.type('.');
      const offers = page.getByRole('listbox', { name: 'Completions' });
      await offers.getByRole('option', { name: /^placed_at/ }).waitFor();
      await offers.getByRole('option', { name: /^email/ }).waitFor();
      await page.keyboard.press('Escape');
    });
  });

  test('the list is filtered, code is indented, an event is pinned, and an earlier draft comes back', async () => {
    await shop.tab(async (page) => {
      await page.getByRole('searchbox', { name: 'Filter the events' }).fill('table:customers fate:ok');
      await untilSums(page, '5 of 12 events');
      await page.getByRole('searchbox', { name: 'Filter the events' }).fill('');
      await write(page, 'export default (row) => {\nreturn { indented: row.id };\n};');
      await untilSums(page, '12 ok');
      await page.getByRole('button', { name: 'Format' }).click();
      await until('the line is indented', async () => (await code(page)).includes('\n  return'));
      await row(page, 'customers').click();
      await page.getByRole('button', { name: 'Pin' }).click();
      await page.getByRole('button', { name: 'Pinned' }).click();
      await page.getByRole('button', { name: 'Pin', exact: false }).getByText('☆').waitFor();
      await until(
        'the draft is in the history',
        async () =>
          await page.evaluate(() => Object.keys(localStorage).some((key) => key.startsWith('sluice.history'))),
      );
      await write(page, 'export default (row) => row;');
      await page.keyboard.press('Control+k');
      await page.keyboard.type('earlier');
      await page.keyboard.press('Enter');
      await page
        .getByRole('dialog', { name: 'Earlier drafts' })
        .getByRole('listitem')
        .filter({ hasText: 'export default (row) => {' })
        .getByRole('button')
        .click();
      await until('the draft is back', async () => (await code(page)).includes('indented'));
    });
  });

  test('the main path by keyboard alone: choose an event, change the code, see it, leave the editor, find a command', async () => {
    await shop.tab(async (page) => {
      await page.keyboard.press('Alt+1');
      await until(
        'the list has the focus',
        async () => await page.evaluate(() => document.activeElement?.getAttribute('role') === 'option'),
      );
      await page.keyboard.press('End');
      await until('the last event is chosen', async () =>
        (await page.locator('#app [role=option][aria-selected=true]').innerText()).includes('customers'),
      );
      await page.keyboard.press('Alt+2');
      await until(
        'the editor has the focus',
        async () => await page.evaluate(() => document.activeElement?.classList.contains('cm-content')),
      );
      await page.keyboard.press('Control+a');
      await page.keyboard.type('export default (row) => ({ by: "keyboard" })');
      await untilSums(page, '12 ok');
      await page.keyboard.press('Escape');
      await page.keyboard.press('Tab');
      expect(await page.evaluate(() => document.activeElement?.classList.contains('cm-content'))).toBe(false);
      await page.keyboard.press('Alt+3');
      await until(
        'the output has the focus',
        async () =>
          await page.evaluate(() => /Output|Difference/.test(document.activeElement?.getAttribute('aria-label') ?? '')),
      );
      await page.keyboard.press('Control+k');
      await page.getByRole('combobox', { name: 'Search a command' }).waitFor();
      await page.keyboard.type('typescript');
      await page.keyboard.press('Enter');
      await until(
        'the language is TypeScript',
        async () => (await page.getByRole('button', { name: 'TypeScript' }).getAttribute('aria-pressed')) === 'true',
      );
      expect(await page.getByRole('dialog').count()).toBe(0);
    });
  });

  test('the palette has every command of the table, and the sheet every key', async () => {
    await shop.tab(async (page) => {
      await page.keyboard.press('Control+k');
      const shown = await page.getByRole('dialog').getByRole('option').allInnerTexts();
      for (const one of keys.filter(({ action }) => action !== 'palette'))
        expect(shown.join('\n')).toContain(one.title);
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      await page.keyboard.press('?');
      const sheet = await page.getByRole('dialog', { name: 'Keys' }).innerText();
      for (const one of keys.filter(({ key }) => key !== undefined)) expect(sheet).toContain(one.title);
      await page.keyboard.press('Escape');
    });
  });
});
