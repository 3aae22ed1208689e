// A tab of a real chromium on the inspector's page: what the browser complains of, whom it asks,
// and pictures of what it shows, in build/screenshots.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { ROOT } from '../system/netns.ts';

/** Against hangs: a busy machine must not come near it. */
export const LIMIT_MS = 120_000;
const PICTURES = join(ROOT, 'build/screenshots');

export interface Look {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
}

export interface Tab {
  readonly page: Page;
  /** Words on the console, exceptions, requests that failed. */
  readonly said: string[];
  /** Origins that the page has asked. */
  readonly asked: Set<string>;
  /** Goes to a view by its tab. */
  view(name: string): Promise<void>;
  /** Waits until an element that can be seen has that text. */
  shows(selector: string, text: string | RegExp): Promise<void>;
  /** The rows of the table that are laid out now. */
  rows(): Promise<string[]>;
  /** Opens the row with that text, as a click does. */
  open(text: RegExp): Promise<void>;
  picture(name: string): Promise<void>;
  close(): Promise<void>;
}

export function launch(home: string): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--disable-background-networking', '--disable-component-update'],
    env: { ...(process.env as Record<string, string>), HOME: home },
    timeout: LIMIT_MS,
  });
}

/** How far the page is wider than its window, in pixels. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate(() => {
    const { document, innerWidth } = globalThis as unknown as Browsing;
    return Math.max(0, document.documentElement.scrollWidth - innerWidth);
  });
}

/** What is asked of the browser's own global object. */
interface Browsing {
  readonly innerWidth: number;
  readonly document: { readonly documentElement: { readonly scrollWidth: number } };
}

export async function openTab(browser: Browser, url: string, look: Look = {}): Promise<Tab> {
  const { width = 1360, height = 820, dark = false } = look;
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
  });
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  const said: string[] = [];
  const asked = new Set<string>();
  page.on('console', (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => said.push(error.message));
  page.on('request', (request) => asked.add(new URL(request.url()).origin));
  page.on('requestfailed', (r) => said.push(`${r.url()}: ${r.failure()?.errorText}`));
  await page.goto(url, { waitUntil: 'domcontentloaded', timeout: LIMIT_MS });
  return {
    ...{ page, said, asked },
    async view(name) {
      await page.click(`#tab-${name}`);
      await page.locator(`#tab-${name}[aria-current=page]`).waitFor();
    },
    async shows(selector, text) {
      const all = page.locator(`${selector}:visible`, { hasText: text });
      await all.first().waitFor();
    },
    async rows() {
      const texts = await page.locator('.row:visible').allInnerTexts();
      return texts.map((text) => text.replaceAll(/\s+/g, ' '));
    },
    async open(text) {
      await page.locator('.row:visible', { hasText: text }).first().click();
    },
    async picture(name) {
      mkdirSync(PICTURES, { recursive: true });
      await page.screenshot({ path: join(PICTURES, `${name}.png`) });
    },
    async close() {
      // its stream of events ends with it, which is no complaint
      await context.close();
    },
  };
}
