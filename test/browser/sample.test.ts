// The playground on the sample shop, in a real Chromium: the first screen, typing, errors at their places in each language,
// drafts, two tabs, links, keys. One playground for all tests; each test has a tab of its own.

import { mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keys } from '../../playground/web/keys.ts';
import { type Browser, chromiumPath, openBrowser, openPage, type Playground, startPlayground } from './chromium.ts';
import {
  choose,
  code,
  editor,
  fates,
  marks,
  output,
  problems,
  row,
  until,
  untilNotice,
  untilSums,
  write,
} from './parts.ts';

describe.skipIf(chromiumPath === null)('the sample shop', () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sluice-browser-')));
  let playground: Playground;
  let browser: Browser;

  beforeAll(async () => {
    playground = await startPlayground(folder);
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await playground?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A tab on the shop as it is at the start: no draft of an earlier test. */
  async function tab(check: (page: Page) => Promise<void>): Promise<void> {
    const { page, faults } = await openPage(browser, playground.address);
    try {
      await untilSums(page, '12 events · 10 ok · 1 filtered · 1 failed');
      await check(page);
      expect(faults).toEqual([]);
    } finally {
      await page.evaluate(() => {
        for (const key of Object.keys(localStorage)) if (key !== 'sluice.token') localStorage.removeItem(key);
        sessionStorage.clear();
      });
      await page.close({ runBeforeUnload: false });
    }
  }

  test('the first screen shows twelve events that are transformed already, each with its fate, and what changed in one', async () => {
    await tab(async (page) => {
      const all = await fates(page);
      expect(all).toHaveLength(12);
      expect(all.filter((one) => one.startsWith('✓') && one.includes(' ok'))).toHaveLength(10);
      expect(all.filter((one) => one.startsWith('∅') && one.includes('filtered'))).toHaveLength(1);
      expect(all.filter((one) => one.startsWith('✗') && one.includes('failed'))).toHaveLength(1);
      await row(page, 'orders', 'ok').click();
      await until('the output is shown', async () => (await output(page)).includes('"pieces"'));
      await row(page, 'customers', 'ok').click();
      await until('the masked mail is shown', async () => (await output(page)).includes('"***@'));
      expect(await page.getByRole('region', { name: 'Tests' }).innerText()).toContain('hides who a mail goes to');
    });
  });

  test('the address keeps no token, and all of the page came from here, under its policy', async () => {
    await tab(async (page) => {
      expect(page.url()).not.toContain('token');
      const answer = await page.request.get(new URL(playground.address).origin);
      expect(answer.headers()['content-security-policy']).toMatch(/default-src 'self'/);
      expect(answer.headers()['content-security-policy']).not.toMatch(/unsafe/);
    });
  });

  test('typing changes the fates of all events', async () => {
    await tab(async (page) => {
      await write(
        page,
        'export default (row, ctx) => (ctx.event.source.table === "orders" ? [row, { ...row, id: `${row.id}-copy` }] : null);',
      );
      await untilSums(page, '12 events · 5 filtered · 7 fanned out');
      expect((await fates(page)).filter((one) => one.startsWith('2') && one.includes('2 rows'))).toHaveLength(7);
      await write(page, 'export default (row) => row;');
      await untilSums(page, '12 events · 12 ok');
    });
  });

  test.each([
    [
      'JavaScript',
      'export default (row) => {\n  const x = 1;\n  return row.nothing.here;\n};\n',
      { line: 3, column: 22, text: 'here' },
      'E_TRANSFORM_RUNTIME',
    ],
    [
      'TypeScript',
      'export default (row: { id: string }): object => {\n  const wrong: number = ;\n  return row;\n};\n',
      { line: 2, column: 25, text: ';' },
      'E_TRANSFORM_SYNTAX',
    ],
    [
      'TypeScript',
      'type Row = { a?: { b: string } };\n\nexport default (row: Row) => {\n  return { x: row.a!.b };\n};\n',
      { line: 4, column: 22, text: 'b' },
      'E_TRANSFORM_RUNTIME',
    ],
    [
      'JSONata',
      '{\n  "id": id,\n  "sum": $sum("x" & id)\n}',
      { line: 3, column: 14, text: '(' },
      'E_TRANSFORM_RUNTIME',
    ],
    ['JSONata', '{\n  "id": id,,\n}', { line: 2, column: 12, text: ',' }, 'E_TRANSFORM_SYNTAX'],
    [
      'Kazaam',
      '[\n  { "operation": "shift", "spec": { "a": "id" } },\n  { "operation": "shoft", "spec": { "a": "b" } }\n]',
      { line: 3, column: 3, text: '{' },
      'E_TRANSFORM_SYNTAX',
    ],
    [
      'Kazaam',
      '[\n  { "operation": "shift", "spec": { "a": "id" } },\n  { "operation": "shift", "spec": { "b": "nowhere" }, "require": true }\n]',
      { line: 3, column: 3, text: '{' },
      'E_TRANSFORM_RUNTIME',
    ],
  ])('%s: an error is marked at its line and column: %#', async (language, text, mark, errorCode) => {
    await tab(async (page) => {
      await choose(page, 'Language', language);
      await write(page, text);
      await until('the place is marked', async () =>
        (await marks(page)).some((one) => one.line === mark.line && one.column === mark.column),
      ).catch(async (error: Error) => {
        throw new Error(`${error.message}: ${JSON.stringify(await marks(page))}\n${await problems(page)}`);
      });
      expect((await marks(page)).find((one) => one.line === mark.line)?.text).toBe(mark.text);
      const said = await problems(page);
      expect(said).toContain(errorCode);
      expect(said).toContain(`:${mark.line}:${mark.column}`);
    });
  });

  test('code that does not load leaves the last results, says that they are old, and mends without a trace', async () => {
    await tab(async (page) => {
      await write(page, 'export default (row) => row;');
      await untilSums(page, '12 ok');
      await write(page, 'export default (row) => row.;');
      await page.getByText('From an earlier run').waitFor();
      expect(await fates(page)).toHaveLength(12);
      await untilSums(page, '12 ok');
      await write(page, 'export default (row) => row;');
      await page.getByText('From an earlier run').waitFor({ state: 'detached' });
      expect(await problems(page)).toContain('No problems.');
    });
  });

  test('an endless loop costs its own events, and the next edit works', async () => {
    await tab(async (page) => {
      await write(page, 'export default (row, ctx) => { while (ctx.event.op === "d"); return row; };');
      await untilSums(page, '11 ok · 1 failed');
      expect(await problems(page)).toContain('E_TRANSFORM_TIMEOUT');
      await write(page, 'export default (row) => row;');
      await untilSums(page, '12 ok');
    });
  });

  test('what the code logs is in the console, with its event', async () => {
    await tab(async (page) => {
      await write(page, 'export default (row, ctx) => { ctx.log("seen", row.id); return row; };');
      await untilSums(page, '12 ok');
      await choose(page, 'Problems or console', 'Console');
      await until('the lines are there', async () => ((await problems(page)).match(/seen/g) ?? []).length === 12);
    });
  });

  test('completion offers the fields that the events have', async () => {
    await tab(async (page) => {
      await write(page, 'export default (row) => ({ x: row');
      await page.keyboard.type('.');
      const offers = page.getByRole('listbox', { name: 'Completions' });
      await offers.getByRole('option', { name: /^placed_at/ }).waitFor();
      await offers.getByRole('option', { name: /^email/ }).waitFor();
      await page.keyboard.press('Escape');
    });
  });

  test('a reload keeps the draft, reverting gives the file back', async () => {
    await tab(async (page) => {
      const before = await code(page);
      await write(page, 'export default (row) => ({ ...row, kept: true });');
      await untilSums(page, '12 ok');
      await page.reload();
      await untilSums(page, '12 ok');
      expect(await code(page)).toBe('export default (row) => ({ ...row, kept: true });');
      await page.getByRole('button', { name: 'Revert' }).click();
      await untilSums(page, '10 ok · 1 filtered · 1 failed');
      expect(await code(page)).toBe(before);
    });
  });

  test('two tabs work on drafts of their own, and a loop in one does not stop the other', async () => {
    await tab(async (first) => {
      const { page: second } = await openPage(browser, playground.address);
      await untilSums(second, '10 ok');
      await write(first, 'export default () => { for (;;); };');
      await write(second, 'export default (row) => row;');
      await untilSums(second, '12 ok');
      await untilSums(first, /failed|not run/);
      expect(await code(first)).toContain('for (;;)');
      await first.reload();
      await untilSums(first, /failed|not run/);
      expect(await code(first), 'each keeps its own').toContain('for (;;)');
      await second.close();
    });
  });

  test('the same event in another language: JSONata and Kazaam give rows, too', async () => {
    await tab(async (page) => {
      await choose(page, 'Language', 'JSONata');
      await write(page, '{ "id": id, "pieces": $sum(items.quantity) }');
      await untilSums(page, '12 ok');
      await choose(page, 'Language', 'Kazaam');
      await write(page, '[{ "operation": "shift", "spec": { "number": "id" } }]');
      await untilSums(page, '12 ok');
      await until('the output is Kazaam’s', async () => (await output(page)).includes('"number"'));
    });
  });

  test('a share link holds the code and the events of the shop, behind the #, and opens in another tab', async () => {
    await tab(async (page) => {
      await write(page, 'export default (row) => ({ shared: row.id });');
      await untilSums(page, '12 ok');
      await page.getByRole('button', { name: 'Share' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Copy the link' }).click();
      await untilNotice(page, /Copied the link/);
      const link = await page.evaluate(() => navigator.clipboard.readText());
      expect(new URL(link).search).toBe('');
      expect(link).toMatch(/#v1=[\w-]+$/);
      const { page: other, faults } = await openPage(browser, link);
      await untilSums(other, '24 events · 24 ok');
      expect(await code(other)).toContain('shared: row.id');
      expect(faults).toEqual([]);
      await other.close();
    });
  });

  test('pasted rows are events like the others, exact to the last digit', async () => {
    await tab(async (page) => {
      await write(page, 'export default (row) => row;');
      await untilSums(page, '12 ok');
      await page.getByRole('button', { name: 'Paste' }).click();
      await page.getByRole('dialog').getByRole('textbox').fill('{"id": "b", "n": 9007199254740993}');
      await page.getByRole('button', { name: 'Take them' }).click();
      await page.getByRole('dialog').getByText('9007199254740993 would be rounded').waitFor();
      await page
        .getByRole('dialog')
        .getByRole('textbox')
        .fill('{"id": "a", "n": 1.5}\n{"id": "b", "n": "9007199254740993"}');
      await page.getByRole('button', { name: 'Take them' }).click();
      await untilSums(page, '14 events · 14 ok');
    });
  });

  test('a step is added behind another, gets what that one gave, and can be left out again', async () => {
    await tab(async (page) => {
      await page.getByRole('button', { name: 'Add a step to the chain' }).click();
      await page.getByRole('dialog').getByRole('textbox').fill('second');
      await page.getByRole('dialog').getByRole('button', { name: 'Add', exact: true }).click();
      await page.getByRole('heading', { name: 'Step 2 of 2' }).waitFor();
      await write(page, 'export default (row) => ({ id: row.id, seen: row.pieces ?? row.email });');
      await row(page, 'orders', 'ok').click();
      await until('the second step saw what the first gave', async () => /"seen": \d/.test(await output(page)));
      await page.getByRole('button', { name: 'Remove step' }).click();
      await untilSums(page, '10 ok · 1 filtered · 1 failed');
    });
  });

  test('the list is filtered, code is indented, an event is pinned, and an earlier draft comes back', async () => {
    await tab(async (page) => {
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
        .getByRole('button', { name: 'mask-and-count' })
        .first()
        .click();
      await until('the draft is back', async () => (await code(page)).includes('indented'));
    });
  });

  test('F8 goes to the problem: its event is chosen and the cursor is at its place', async () => {
    await tab(async (page) => {
      await row(page, 'customers').click();
      await page.keyboard.press('F8');
      await until(
        'the failed event is chosen',
        async () => (await row(page, 'failed').getAttribute('aria-selected')) === 'true',
      );
      await until(
        'the cursor is in the code',
        async () => await editor(page).evaluate((element) => element.contains(document.activeElement)),
      );
      const at = await editor(page).evaluate(
        () => getSelection()!.anchorNode!.parentElement!.closest('.cm-line')!.textContent,
      );
      expect(at).toContain('row.items.reduce');
    });
  });

  test('the main path by keyboard alone: choose an event, change the code, see it, leave the editor, find a command', async () => {
    await tab(async (page) => {
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
    await tab(async (page) => {
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

  test('the sample is kept as a project', async () => {
    await tab(async (page) => {
      await page.getByRole('button', { name: 'Export' }).click();
      await page.getByRole('button', { name: 'Keep the sample as a project' }).click();
      await untilNotice(page, /Wrote 3 files to sluice-shop/);
      expect(readdirSync(join(folder, 'sluice-shop'))).toContain('mask-and-count.tests.yaml');
    });
  });

  test('without a token the page says what to do, and shows nothing else', async () => {
    const other = await browser.context.browser()!.newContext();
    const page = await other.newPage();
    await page.goto(new URL(playground.address).origin);
    await page.getByRole('heading', { name: 'This page has no valid token' }).waitFor();
    expect(await page.getByRole('listbox').count()).toBe(0);
    await other.close();
  });
});
