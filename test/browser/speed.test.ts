// How long a keystroke takes until its results are painted: 100 events of 1 KB, in each language, the typing pause of 100 ms
// included. The figures are printed. The aim is 200 ms (p95) on a machine that does nothing else; what fails the test is
// a result that does not come, or one that takes seconds. SLUICE_QUIET=1 holds it to the aim.

import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { chromiumPath, openBrowser, openPage, startPlayground } from './chromium.ts';
import { choose, editor, output, until, untilSums, write } from './parts.ts';

const KEYS = 20;
const quiet = process.env['SLUICE_QUIET'] === '1';

const MANIFEST = `version: 1
service: { state: { type: sqlite, path: ./data/state.db } }
transformations:
  - { id: shape, type: javascript, code: 'export default (row) => row;' }
streams:
  - id: orders
    source: { type: file, path: ./orders.ndjson, key: [id] }
    transformations: [shape]
    sinks: [{ id: copy, type: file, path: ./data/copy.ndjson }]
`;

/** 1 KB each. */
const ORDERS = Array.from({ length: 100 }, (_, id) => {
  const row = { id, status: 'paid', lines: [{ sku: 'TEA-01', qty: 2, price: 12.5 }], note: '' };
  return JSON.stringify({ ...row, note: 'x'.repeat(1024 - JSON.stringify(row).length) });
});

/** Code with a text that every key makes longer, before and behind the cursor. */
const CODES = [
  ['JavaScript', "export default (row) => ({ seen: 'x", "', ...row });"],
  ['TypeScript', "export default (row: { id: number }): object => ({ seen: 'x", "', ...row });"],
  ['JSONata', '$merge([{ "seen": "x', '" }, $])'],
  ['Kazaam', '[{ "operation": "default", "spec": { "seen": "x', '" } }]'],
] as const;

describe.skipIf(chromiumPath === null)('from a keystroke to the painted result', () => {
  test('100 events of 1 KB, in each language', { timeout: 240_000 }, async () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sluice-browser-')));
    try {
      writeFileSync(join(folder, 'sluice.yaml'), MANIFEST);
      writeFileSync(join(folder, 'orders.ndjson'), `${ORDERS.join('\n')}\n`);
      await using playground = await startPlayground(folder, 'sluice.yaml');
      await using browser = await openBrowser();
      const { page } = await openPage(browser, playground.address);
      await page.getByRole('button', { name: 'Capture', exact: true }).click();
      await untilSums(page, '100 events · 100 ok');
      await page.getByRole('button', { name: 'In and out' }).click();
      // at its first start beside a state store the sandbox proves itself, which takes two seconds of a core
      const proof = join(folder, 'data', 'state.db.sandbox.json');
      await until('the sandbox is proved', async () => existsSync(proof));
      for (const [language, before, behind] of CODES) {
        await choose(page, 'Language', language);
        await write(page, before + behind);
        await until('the first result is there', async () => (await output(page)).includes('"seen": "x"'));
        await editor(page).click();
        await page.keyboard.press('Control+End');
        for (const _ of behind) await page.keyboard.press('ArrowLeft');
        const times: number[] = [];
        for (let n = 1; n <= KEYS; n++) times.push(await keystroke(page, `"seen": "x${'a'.repeat(n)}"`));
        times.sort((a, b) => a - b);
        const p = (share: number): number => Math.round(times[Math.ceil(times.length * share) - 1]!);
        console.log(
          `${language}: fastest ${p(0.05)} ms, p50 ${p(0.5)} ms, p95 ${p(0.95)} ms, longest ${p(1)} ms of ${KEYS} keys`,
        );
        expect(p(0.95), language).toBeLessThan(quiet ? 200 : 5_000);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** Types one letter, and gives the ms from the key until the browser has painted an output that holds `wanted`. */
async function keystroke(page: Page, wanted: string): Promise<number> {
  await page.evaluate((text) => {
    const painted = new Promise<number>((resolve) => {
      let pressed = 0;
      document.addEventListener('keydown', (event) => (pressed = event.timeStamp), { capture: true, once: true });
      const look = (): void => {
        const shown = document.querySelector('[aria-label="Output"]')?.textContent ?? '';
        // seen at the start of a frame: the first message after it comes when that frame is painted
        if (pressed > 0 && shown.includes(text)) {
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = () => resolve(performance.now() - pressed);
          port2.postMessage(null);
        } else requestAnimationFrame(look);
      };
      look();
    });
    (globalThis as unknown as { painted: Promise<number> }).painted = painted;
  }, wanted);
  await page.keyboard.press('a');
  return await page.evaluate(() => (globalThis as unknown as { painted: Promise<number> }).painted);
}
