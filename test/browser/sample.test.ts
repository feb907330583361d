// The playground on the sample shop, in a real Chromium: the first screen, typing, drafts, tabs, links, pasted events, the chain.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { chromiumPath, openPage } from './chromium.ts';
import { choose, code, fates, output, row, until, untilNotice, untilSums, write } from './parts.ts';
import { openShop } from './shop.ts';

describe.skipIf(chromiumPath === null)('the sample shop', () => {
  const shop = openShop();

  test('the first screen shows twelve events that are transformed already, each with its fate, and what changed in one', async () => {
    await shop.tab(async (page) => {
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
    await shop.tab(async (page) => {
      expect(page.url()).not.toContain('token');
      const answer = await page.request.get(new URL(shop.playground().address).origin);
      expect(answer.headers()['content-security-policy']).toMatch(/default-src 'self'/);
      expect(answer.headers()['content-security-policy']).not.toMatch(/unsafe/);
    });
  });

  test('typing changes the fates of all events', async () => {
    await shop.tab(async (page) => {
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

  test('a reload keeps the draft, reverting gives the file back', async () => {
    await shop.tab(async (page) => {
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
    await shop.tab(async (first) => {
      const { page: second } = await openPage(shop.browser(), shop.playground().address);
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
    await shop.tab(async (page) => {
      await choose(page, 'Language', 'JSONata');
      await write(page, '{ "id": id, "pieces": $sum(items.quantity) }');
      await untilSums(page, '12 ok');
      await choose(page, 'Language', 'Kazaam');
      await write(page, '[{ "operation": "shift", "spec": { "number": "id" } }]');
      await untilSums(page, '12 ok');
      await until('the output is Kazaam’s', async () => (await output(page)).includes('"number"'));
    });
  });

  test('two languages are compared over all events: the same, or where they differ', async () => {
    await shop.tab(async (page) => {
      const comparison = page.getByRole('group', { name: 'Compare with another version' });
      const compare = async (said: string): Promise<void> => {
        await comparison.getByRole('button', { name: 'JSONata' }).click();
        await until(`it says ${said}`, async () => (await comparison.innerText()).includes(said));
      };
      await choose(page, 'Language', 'JSONata');
      await write(page, '{ "number": id }');
      await untilSums(page, '12 ok');
      await choose(page, 'Language', 'Kazaam');
      await write(page, '[{ "operation": "shift", "spec": { "number": "id" } }]');
      await compare('✓ 12 of 12 events are as with JSONata');
      await write(page, '[{ "operation": "shift", "spec": { "number": "id", "more": "total" } }]');
      await compare('the first other one');
    });
  });

  test('a share link holds the code and the events of the shop, behind the #, and opens in another tab', async () => {
    await shop.tab(async (page) => {
      await write(page, 'export default (row) => ({ shared: row.id });');
      await untilSums(page, '12 ok');
      await page.getByRole('button', { name: 'Share' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Copy the link' }).click();
      await untilNotice(page, /Copied the link/);
      const link = await page.evaluate(() => navigator.clipboard.readText());
      expect(new URL(link).search).toBe('');
      expect(link).toMatch(/#v1=[\w-]+$/);
      const { page: other, faults } = await openPage(shop.browser(), link);
      await untilSums(other, '24 events · 24 ok');
      expect(await code(other)).toContain('shared: row.id');
      expect(faults).toEqual([]);
      await other.close();
      const elsewhere = await shop.browser().context.newPage();
      await elsewhere.setContent(`<a href="${link}">look at this</a>`); // of another origin
      await elsewhere.getByRole('link').click();
      await untilSums(elsewhere, '24 events · 24 ok');
      await elsewhere.close();
    });
  });

  test('when typing rests, each event that ran says what it took', async () => {
    await shop.tab(async (page) => {
      await write(page, 'export default (row) => ({ ...row, n: 1 });');
      await untilSums(page, '12 ok');
      await until('they are measured', async () => {
        const times = await page.getByRole('option').locator('.ms').allInnerTexts();
        return (
          (await page.locator('.list.unmeasured').count()) === 0 && times.every((text) => /\d (?:µs|ms)$/.test(text))
        );
      });
    });
  });

  test('pasted rows are events like the others, exact to the last digit', async () => {
    await shop.tab(async (page) => {
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
    await shop.tab(async (page) => {
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

  test('the sample is kept as a project', async () => {
    await shop.tab(async (page) => {
      await page.getByRole('button', { name: 'Export' }).click();
      await page.getByRole('button', { name: 'Keep the sample as a project' }).click();
      await untilNotice(page, /Wrote 3 files to sluice-shop/);
      expect(readdirSync(join(shop.folder, 'sluice-shop'))).toContain('mask-and-count.tests.yaml');
    });
  });

  test('without a token the page says what to do, and shows nothing else', async () => {
    const other = await shop.browser().context.browser()!.newContext();
    const page = await other.newPage();
    await page.goto(new URL(shop.playground().address).origin);
    await page.getByRole('heading', { name: 'This page has no valid token' }).waitFor();
    expect(await page.getByRole('listbox').count()).toBe(0);
    await other.close();
  });
});
