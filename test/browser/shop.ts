// One playground on the sample shop and one Chromium for all tests of a file; each test has a tab of its own.

import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Browser, openBrowser, openPage, type Playground, startPlayground } from './chromium.ts';
import { untilSums } from './parts.ts';

export interface Shop {
  /** Where the verb was called. */
  readonly folder: string;
  playground(): Playground;
  browser(): Browser;
  /** A tab on the shop as it is at the start, with no draft of an earlier test. Fails when the page had a fault. */
  tab(check: (page: Page) => Promise<void>): Promise<void>;
}

/** To be called within a describe. */
export function openShop(): Shop {
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
  return {
    folder,
    playground: () => playground,
    browser: () => browser,
    async tab(check) {
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
    },
  };
}
