// The built page: its size and what it may not ask for.

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';

const PAGE = fileURLToPath(new URL('../../dist/web/page/', import.meta.url));

test('the whole page is at most 80 KB gzipped', () => {
  const files = readdirSync(PAGE);
  expect(files.sort()).toEqual(['icon.svg', 'index.html', 'page.js', 'style.css']);
  const octets = files.map((file) => gzipSync(readFileSync(PAGE + file)).length);
  expect(octets.reduce((a, b) => a + b)).toBeLessThan(80 * 1024);
});

test('the page holds no script of its own and names no other place', () => {
  const html = readFileSync(`${PAGE}index.html`, 'utf8');
  expect(html.match(/<script[^>]*>/g)).toEqual(['<script type="module" src="page.js">']);
  expect(html).not.toMatch(/ on\w+=| style=|https?:/);
  expect(readFileSync(`${PAGE}style.css`, 'utf8')).not.toMatch(/https?:|@import/);
  const addresses = readFileSync(`${PAGE}page.js`, 'utf8').match(/https?:\/\/[^"'`\s]*/g) ?? [];
  // the namespace of SVG is a name, not a place
  expect(addresses.filter((a) => a !== 'http://www.w3.org/2000/svg')).toEqual([]);
});
