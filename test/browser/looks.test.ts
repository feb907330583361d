// How the page looks and reads: axe-core finds nothing serious in light, dark and narrow, on every pane and dialog; screenshots
// are taken for people to look at (SLUICE_SCREENSHOTS names a folder; the README's picture is one of them).

import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, chromiumPath, openBrowser, openPage, type Playground, startPlayground } from './chromium.ts';
import { row, until, untilSums, write } from './parts.ts';

interface Violation {
  readonly id: string;
  readonly impact?: string | null;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const pictures = process.env['SLUICE_SCREENSHOTS'];

describe.skipIf(chromiumPath === null)('the looks of the page', () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sluice-browser-')));
  let playground: Playground;
  let browser: Browser;

  beforeAll(async () => {
    playground = await startPlayground(folder);
    browser = await openBrowser();
    if (pictures !== undefined) mkdirSync(pictures, { recursive: true });
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await playground?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  async function opened(look: {
    readonly scheme: 'light' | 'dark';
    readonly width?: number;
    readonly height?: number;
  }): Promise<Page> {
    const { page } = await openPage(browser, playground.address);
    await page.emulateMedia({ colorScheme: look.scheme, reducedMotion: 'reduce' });
    await untilSums(page, '10 ok · 1 filtered · 1 failed');
    // the list is behind a tab on a narrow screen
    await page.setViewportSize({ width: look.width ?? 1440, height: look.height ?? 900 });
    return page;
  }

  async function picture(page: Page, name: string): Promise<void> {
    const shot = await page.screenshot(pictures === undefined ? {} : { path: join(pictures, `${name}.png`) });
    expect(shot.length, 'a picture of something').toBeGreaterThan(10_000);
  }

  /** What axe-core finds serious or critical, as text. Evaluated by the debugger's door: the page's policy lets no script in. */
  async function serious(page: Page): Promise<readonly string[]> {
    await page.evaluate(axe);
    const violations = await page.evaluate(async () => {
      const found = await (globalThis as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } }).axe.run();
      return found.violations;
    });
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary ?? ''}`));
  }

  test.each(['light', 'dark'] as const)('%s: nothing serious on the desk and in any dialog', async (scheme) => {
    const page = await opened({ scheme });
    await row(page, 'orders', 'ok').click();
    await page.getByRole('region', { name: 'Tests' }).getByText('2/2').waitFor();
    await picture(page, `desk-${scheme}`);
    expect(await serious(page)).toEqual([]);
    for (const [name, title] of [
      ['Control+k', 'Commands'],
      ['?', 'Keys'],
      ['Control+e', 'Export to the manifest'],
      ['Control+Shift+s', 'Save this event as a test'],
    ] as const) {
      await page.keyboard.press(name);
      const dialog = page.getByRole('dialog', { name: title });
      await dialog.waitFor();
      if (name === 'Control+e') await dialog.getByText('as the editor shows them').waitFor();
      await picture(page, `${title.split(' ')[0]!.toLowerCase()}-${scheme}`);
      expect(await serious(page), title).toEqual([]);
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
    }
    await write(page, 'export default (row) => row.;');
    await page.getByText('From an earlier run').waitFor();
    await picture(page, `broken-${scheme}`);
    expect(await serious(page), 'broken code').toEqual([]);
    await page.getByRole('button', { name: 'Revert' }).click();
    await page.getByText('From an earlier run').waitFor({ state: 'detached' });
    await page.close();
  });

  test.each(['light', 'dark'] as const)(
    '%s: on a screen of 390 pixels every pane is a tab, nothing is cut off, nothing serious',
    async (scheme) => {
      const page = await opened({ scheme, width: 390, height: 844 });
      for (const pane of ['Events', 'Code', 'Output', 'Problems', 'Tests']) {
        await page.getByRole('navigation', { name: 'Panes' }).getByRole('button', { name: pane }).click();
        await picture(page, `narrow-${pane.toLowerCase()}-${scheme}`);
        expect(await page.evaluate(() => document.documentElement.scrollWidth), `${pane} fits`).toBeLessThanOrEqual(
          390,
        );
        expect(await serious(page), pane).toEqual([]);
      }
      await page.close();
    },
  );

  test('at twice the size nothing is lost: the same panes as tabs', async () => {
    const page = await opened({ scheme: 'light', width: 720, height: 450 });
    await page.getByRole('navigation', { name: 'Panes' }).getByRole('button', { name: 'Output' }).click();
    await page.getByRole('region', { name: 'Input and output' }).waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(720);
    await page.close();
  });

  test('the edges between panes are moved by keys and by pointer, and stay after a reload', async () => {
    const page = await opened({ scheme: 'light' });
    const width = async (): Promise<number> =>
      (await page.getByRole('region', { name: 'Events', exact: true }).boundingBox())!.width;
    const before = await width();
    await page.getByRole('separator', { name: 'Width of the events' }).focus();
    for (let i = 0; i < 5; i++) await page.keyboard.press('ArrowRight');
    await until('the column is wider', async () => (await width()) > before + 100);
    const bar = (await page.getByRole('separator', { name: 'Height of the code' }).boundingBox())!;
    const code = async (): Promise<number> =>
      (await page.getByRole('region', { name: 'Transform' }).boundingBox())!.height;
    const height = await code();
    await page.mouse.move(bar.x + 700, bar.y + 2);
    await page.mouse.down();
    await page.mouse.move(bar.x + 700, bar.y - 98, { steps: 3 });
    await page.mouse.up();
    await until('the code is lower', async () => Math.abs((await code()) - (height - 100)) < 5);
    await page.reload();
    await untilSums(page, '10 ok');
    expect(await width()).toBeGreaterThan(before + 100);
    await page.evaluate(() => localStorage.removeItem('sluice.look'));
    await page.close();
  });

  test('the theme that was chosen stays, and each run is told to a screen reader in one sentence', async () => {
    const page = await opened({ scheme: 'light' });
    await page.getByRole('button', { name: /^System theme/ }).click();
    await page.getByRole('button', { name: /^Light theme/ }).click();
    const ground = async (): Promise<string> =>
      await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    expect(await ground()).toBe('rgb(20, 24, 28)');
    await page.reload();
    await untilSums(page, '10 ok');
    expect(await ground()).toBe('rgb(20, 24, 28)');
    expect(await page.locator('p.heard[role=status]').innerText()).toMatch(
      /^10 ok, 1 filtered, 1 failed\. E_TRANSFORM_RUNTIME at line 8, column 28/,
    );
    expect(await page.getByRole('main').count()).toBe(1);
    expect(await page.getByRole('banner').count()).toBe(1);
    await page.close();
  });
});
