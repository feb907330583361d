// The playground on a project of its own: dead letters, tests, export, files that change on disk, captures. What the page
// says was done is looked up where it counts: in the sink, in the files, and by the verbs in a shell.

import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sluice } from '../cli.ts';
import { type Browser, chromiumPath, openBrowser, openPage, startPlayground } from './chromium.ts';
import { choose, code, output, problems, row, until, untilNotice, untilSums, write } from './parts.ts';

const MANIFEST = `# Orders, summed.
version: 1
service:
  state: { type: sqlite, path: ./data/state.db }

transformations:
  - id: totals
    type: javascript
    file: ./totals.js # the sum of an order

streams:
  - id: orders
    source: { type: file, path: ./orders.ndjson, key: [id] }
    capture: { per_second: 1000 }
    transformations: [totals]
    sinks:
      - { id: copy, type: file, path: ./data/copy.ndjson }
`;

const TOTALS =
  'export default (row) => ({ id: row.id, total: row.lines.reduce((sum, line) => sum + line.qty * line.price, 0) });\n';
const MENDED =
  'export default (row) => ({ id: row.id, total: Object.values(row.lines).reduce((sum, line) => sum + line.qty * line.price, 0) });\n';

/** Five orders; the lines of the fourth are an object where all others have a list. */
const ORDERS = [1, 2, 3, 4, 5].map((id) => {
  const line = { sku: 'TEA', qty: id, price: 2 };
  return JSON.stringify({ id, mail: 'jane@example.org', lines: id === 4 ? { first: line } : [line] });
});

interface Project {
  readonly page: Page;
  readonly folder: string;
  readonly faults: readonly string[];
  read(file: string): string;
  copied(): readonly unknown[];
}

describe.skipIf(chromiumPath === null)('a project', { timeout: 120_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
  });

  /** Each test has a project that has run once: four orders are in the sink, one is a dead letter. */
  async function project(check: (given: Project) => Promise<void>): Promise<void> {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sluice-browser-')));
    try {
      writeFileSync(join(folder, 'sluice.yaml'), MANIFEST);
      writeFileSync(join(folder, 'totals.js'), TOTALS);
      writeFileSync(join(folder, 'orders.ndjson'), `${ORDERS.join('\n')}\n`);
      const ran = await sluice(['run'], { cwd: folder });
      expect([ran.code, ran.stderr]).toEqual([0, expect.any(String)]);
      const read = (file: string): string => readFileSync(join(folder, file), 'utf8');
      const copied = (): readonly unknown[] =>
        read('data/copy.ndjson')
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line));
      expect(copied()).toHaveLength(4);
      await using playground = await startPlayground(folder, 'sluice.yaml');
      const { page, faults } = await openPage(browser, playground.address);
      await untilSums(page, '5 events · 4 ok · 1 failed');
      await check({ page, folder, faults, read, copied });
      expect(faults).toEqual([]);
      await page.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  test('a dead letter is opened, mended, dry-run, replayed and resolved, and the sink has its order', async () => {
    await project(async ({ page, read, copied }) => {
      await choose(page, 'Which events', 'Dead letters');
      await untilSums(page, '1 event · 1 failed');
      await row(page, 'pending').click();
      const letter = page.locator('.letter');
      expect(await letter.innerText()).toContain('E_TRANSFORM_RUNTIME');
      await letter.getByRole('button', { name: 'Dry run' }).click();
      await letter.getByText('Still fails').waitFor();

      await write(page, MENDED);
      await untilSums(page, '1 event · 1 ok');
      await letter.getByRole('button', { name: 'Dry run' }).click();
      await letter.getByText('Would pass. Nothing was written.').waitFor();
      expect([copied().length, read('totals.js')]).toEqual([4, TOTALS]);

      await letter.getByRole('button', { name: 'Save and replay' }).click();
      await letter.getByText('Delivered').waitFor();
      await letter.getByText('resolved', { exact: true }).waitFor();
      expect(read('totals.js')).toBe(MENDED);
      expect(copied()).toContainEqual({ id: 4, total: 8 });
      await until('the list says it, too', async () => (await row(page, 'resolved').count()) === 1);
    });
  });

  test('what leaves the server is redacted: no mail address comes to the page', async () => {
    await project(async ({ page }) => {
      const bodies: string[] = [];
      page.on('response', async (answer) => {
        if (answer.url().includes('/api/') && !answer.url().endsWith('/changes'))
          bodies.push(await answer.text().catch(() => ''));
      });
      await choose(page, 'Which events', 'Dead letters');
      await untilSums(page, '1 event · 1 failed');
      await choose(page, 'Which events', 'Captured');
      await untilSums(page, '5 events · 4 ok');
      expect(bodies.length).toBeGreaterThan(3);
      expect(bodies.filter((text) => text.includes('jane@'))).toEqual([]);
      expect(bodies.some((text) => text.includes('lines'))).toBe(true);
    });
  });

  test('an event is saved as a test, which runs here and by `sluice test` in a shell, and fails when the code is broken', async () => {
    await project(async ({ page, folder, read }) => {
      await row(page, 'ok').click();
      await page.getByRole('button', { name: 'Save as test' }).click();
      await page.getByRole('dialog').getByRole('textbox', { name: 'Name of the test' }).fill('sums an order');
      await page.getByRole('dialog').getByRole('button', { name: 'Save the test' }).click();
      const tests = page.getByRole('region', { name: 'Tests' });
      await tests.getByText('1/1').waitFor();
      expect(read('totals.tests.yaml')).toContain('sums an order');
      const good = await sluice(['test', '.'], { cwd: folder });
      expect([good.code, good.stdout + good.stderr]).toEqual([0, expect.stringContaining('1')]);

      await write(page, 'export default (row) => ({ id: row.id, total: 0 });\n');
      await tests.getByText('0/1').waitFor();
      expect(await tests.innerText()).toContain('sums an order');
      await page.keyboard.press('Control+s');
      await untilNotice(page, /Wrote totals\.js/);
      expect((await sluice(['test', '.'], { cwd: folder })).code).toBe(1);
    });
  });

  test('an export shows the difference, writes it on request with all comments, and `sluice run` runs it', async () => {
    await project(async ({ page, folder, read, copied }) => {
      await choose(page, 'Language', 'JSONata');
      await write(page, '{ "order": id, "sum": $sum($each(lines, function($line) { $line.qty * $line.price })) }');
      await untilSums(page, /5 events · [1-5] ok/);
      await write(page, '{ "order": id, "kind": "order" }');
      await untilSums(page, '5 events · 5 ok');
      await page.keyboard.press('Control+e');
      const dialog = page.getByRole('dialog', { name: 'Export to the manifest' });
      await dialog.getByText('type: jsonata').waitFor();
      expect(read('sluice.yaml')).toBe(MANIFEST);
      await dialog.getByRole('button', { name: 'Write' }).click();
      await untilNotice(page, /Wrote /);
      const written = read('sluice.yaml');
      expect(written).toContain('type: jsonata');
      expect(written).toContain('# Orders, summed.');
      await untilSums(page, '5 events · 5 ok');
      expect((await sluice(['checkpoint', 'clear', '--yes'], { cwd: folder })).code, 'the stream begins anew').toBe(0);
      rmSync(join(folder, 'data/copy.ndjson'));
      const ran = await sluice(['run'], { cwd: folder });
      expect([ran.code, ran.stderr.includes('E_')]).toEqual([0, false]);
      expect(copied()).toContainEqual({ order: 4, kind: 'order' });
    });
  });

  test('a file that changes on disk appears; where a draft differs, a person decides', async () => {
    await project(async ({ page, folder, read }) => {
      writeFileSync(join(folder, 'totals.js'), 'export default (row) => row;\n');
      await untilSums(page, '5 events · 5 ok');
      expect(await code(page)).toContain('=> row;');

      await write(page, 'export default (row) => ({ mine: row.id });\n');
      await untilSums(page, '5 ok');
      writeFileSync(join(folder, 'totals.js'), 'export default (row) => ({ theirs: row.id });\n');
      await page.getByText('The file changed on disk, and this draft differs from it').waitFor();
      expect(await code(page), 'no draft is lost').toContain('mine');
      await page.getByRole('button', { name: 'Compare' }).click();
      const dialog = page.getByRole('dialog', { name: 'The file changed on disk' });
      await dialog.getByText('theirs').waitFor();
      await dialog.getByRole('button', { name: 'Write my draft over it' }).click();
      await until('the draft is in the file', async () => read('totals.js').includes('mine'));
      await dialog.waitFor({ state: 'detached' });
      await page.getByText('✓ saved').waitFor();
    });
  });

  test('a manifest that is broken on disk is a problem with its place, until it is mended', async () => {
    await project(async ({ page, folder, read }) => {
      const whole = read('sluice.yaml');
      writeFileSync(join(folder, 'sluice.yaml'), `${whole}nonsense: 1\n`);
      await untilNotice(page, /on disk has errors. What was open before is still open/);
      const place = `sluice.yaml:${whole.split('\n').length}:1`;
      await until('its place is told', async () => (await problems(page)).includes(place));
      expect(await problems(page)).toContain('`nonsense` is no key of the manifest');
      writeFileSync(join(folder, 'sluice.yaml'), whole);
      await untilNotice(page, /on disk is valid again/);
      await until('it is told no more', async () => !(await problems(page)).includes(place));
    });
  });

  test('saving over a change that the page has not heard of asks first', async () => {
    await project(async ({ page, folder, read }) => {
      // the page hears of no change any more
      await page.route('**/api/changes', (route) => route.abort());
      await page.route('**/api/session', (route) => route.abort());
      await write(page, 'export default (row) => ({ mine: row.id });\n');
      await untilSums(page, '5 ok');
      writeFileSync(join(folder, 'totals.js'), 'export default () => null;\n');
      await page.keyboard.press('Control+s');
      const dialog = page.getByRole('dialog', { name: 'The file changed on disk' });
      await dialog.getByRole('button', { name: 'Take the file’s' }).waitFor();
      expect(read('totals.js')).toBe('export default () => null;\n');
      await dialog.getByRole('button', { name: 'Take the file’s' }).click();
      await untilSums(page, '5 filtered');
    });
  });

  test('events are captured from the source on a click, and the stream knows nothing of it', async () => {
    await project(async ({ page, folder }) => {
      const before = (await sluice(['checkpoint', 'show', '--json'], { cwd: folder })).stdout;
      await page.getByRole('button', { name: 'Capture', exact: true }).click();
      await untilNotice(page, /Captured 5 events/);
      await untilSums(page, /^(?:5|10) events/);
      expect((await sluice(['checkpoint', 'show', '--json'], { cwd: folder })).stdout).toBe(before);
      expect(existsSync(join(folder, 'totals.tests.yaml'))).toBe(false);
    });
  });

  test('the link to a captured event has no data of it unless it is ticked', async () => {
    await project(async ({ page }) => {
      const link = async (): Promise<string> => {
        await page.getByRole('dialog').getByRole('button', { name: 'Copy the link' }).click();
        await untilNotice(page, /Copied the link/);
        await page.getByRole('dialog').waitFor({ state: 'detached' });
        return await page.evaluate(() => navigator.clipboard.readText());
      };
      await row(page, 'ok').click();
      await until('its output is shown', async () => (await output(page)).includes('total'));
      await page.getByRole('button', { name: 'Share' }).click();
      expect(await page.getByRole('checkbox').isChecked()).toBe(false);
      const bare = await link();
      await page.getByRole('button', { name: 'Share' }).click();
      await page.getByRole('checkbox').check();
      const full = await link();
      const events = async (text: string): Promise<number> =>
        await page.evaluate(async (hash) => {
          const bytes = Uint8Array.from(atob(hash.replaceAll('-', '+').replaceAll('_', '/')), (char) =>
            char.charCodeAt(0),
          );
          const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
          return (JSON.parse(await new Response(stream).text()) as { events: unknown[] }).events.length;
        }, text.split('#v1=')[1]!);
      expect([await events(bare), await events(full)]).toEqual([0, 1]);
    });
  });
});
