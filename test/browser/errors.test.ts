// Errors in the playground, in a real Chromium: at their line and column in each language, in their own event only, and with
// a way there.

import { describe, expect, test } from 'vitest';
import { chromiumPath } from './chromium.ts';
import { choose, editor, fates, marks, problems, row, until, untilSums, write } from './parts.ts';
import { openShop } from './shop.ts';

describe.skipIf(chromiumPath === null)('errors in the playground', () => {
  const shop = openShop();

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
    await shop.tab(async (page) => {
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
    await shop.tab(async (page) => {
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
    await shop.tab(async (page) => {
      await write(page, 'export default (row, ctx) => { while (ctx.event.op === "d"); return row; };');
      await untilSums(page, '11 ok · 1 failed');
      expect(await problems(page)).toContain('E_TRANSFORM_TIMEOUT');
      await write(page, 'export default (row) => row;');
      await untilSums(page, '12 ok');
    });
  });

  test('what the code logs is in the console, with its event', async () => {
    await shop.tab(async (page) => {
      await write(page, 'export default (row, ctx) => { ctx.log("seen", row.id); return row; };');
      await untilSums(page, '12 ok');
      await choose(page, 'Problems or console', 'Console');
      await until('the lines are there', async () => ((await problems(page)).match(/seen/g) ?? []).length === 12);
    });
  });

  test('F8 goes to the problem: its event is chosen and the cursor is at its place', async () => {
    await shop.tab(async (page) => {
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
});
