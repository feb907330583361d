// For the browser tests: a real Chromium with an empty profile, and a playground of its own, started by the verb as a person
// starts it. Nothing here waits for a time; nothing outlives its test.

import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
// @ts-expect-error a script without types
import { findChromium } from '../../scripts/chromium.mjs';
import { startSluice, until } from '../cli.ts';

/** Null: this machine has none, and the tests say that they were left out. */
export const chromiumPath: string | null = findChromium();

const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];

export interface Browser extends AsyncDisposable {
  readonly context: BrowserContext;
}

/** `height`, `width`: of its pages, in CSS pixels. */
export async function openBrowser(width = 1440, height = 900): Promise<Browser> {
  const profile = realpathSync(mkdtempSync(join(tmpdir(), 'sluice-chromium-')));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: chromiumPath!,
    args: FLAGS,
    viewport: { width, height },
    locale: 'en-US',
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  context.setDefaultTimeout(25_000);
  return {
    context,
    [Symbol.asyncDispose]: async () => {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

export interface Playground extends AsyncDisposable {
  /** With the token. */
  readonly address: string;
  readonly cwd: string;
  said(): { readonly stdout: string; readonly stderr: string };
}

/** Starts `sluice playground` in `cwd` and waits for the address that it prints. */
export async function startPlayground(cwd: string, ...args: readonly string[]): Promise<Playground> {
  const running = startSluice(['playground', ...args, '--no-open', '--port', '0'], { cwd, deadlineMs: 280_000 });
  let ended = false;
  void running.exited.then(() => {
    ended = true;
  });
  const address = await until('the playground prints its address', () => {
    if (ended) throw new Error(`the playground ended: ${running.said().stderr}`);
    return /^http:\/\/\S+\n/m.exec(running.said().stdout)?.[0].trim();
  });
  return {
    address,
    cwd,
    said: running.said,
    [Symbol.asyncDispose]: async () => {
      await running.kill('SIGTERM');
    },
  };
}

/** A page that fails the test when anything on it throws, is refused by the policy, or is asked of another machine. */
export async function openPage(
  browser: Browser,
  address: string,
): Promise<{ readonly page: Page; readonly faults: string[] }> {
  const page = await browser.context.newPage();
  const faults: string[] = [];
  const origin = new URL(address).origin;
  page.on('pageerror', (error) => faults.push(`threw: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      faults.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(origin) && !/^(?:data|blob):/.test(request.url()))
      faults.push(`asked ${request.url()}`);
  });
  await page.goto(address);
  return { page, faults };
}
