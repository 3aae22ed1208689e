// A real chromium loads a page with fifty assets and a websocket from servers on a portside host: by
// HTTP/1.1, and by HTTP/2 over TLS. What the page itself says of its parts is the judge, and the
// browser's console has nothing to say.

import { chmodSync, writeFileSync } from 'node:fs';
import type http from 'node:http';
import http2 from 'node:http2';
import type net from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { bytesDigest, streamBytes } from '../../src/cli/bytes.ts';
import { createHost, type Host } from '../../src/node/host.ts';
import { CERT, KEY } from '../fixtures/certificate.ts';
import { openRows } from '../system/leftovers.ts';
import { FULL, Lab, US, until } from '../system/netns.ts';

const EACH = { css: 15, js: 15, svg: 20 };
const BODY = FULL ? 100_000_000 : 10_000_000;
const MESSAGE = 2_000_000;
const LIMIT_MS = 300_000;

const lab = new Lab();
const sessions = new Set<unknown>();
let host: Host;
let browser: Browser;
let connections = 0;
let requests: string[] = [];
let versions: string[] = [];

function page(): string {
  const list = (n: number, make: (i: number) => string): string =>
    Array.from({ length: n }, (_, i) => make(i)).join('\n');
  return `<!doctype html><meta charset="utf-8"><title>portside</title><link rel="icon" href="data:,">
    ${list(EACH.css, (i) => `<link rel="stylesheet" href="/${i}.css">`)}
    ${list(EACH.js, (i) => `<script src="/${i}.js" defer></script>`)}
    ${list(EACH.svg, (i) => `<img src="/${i}.svg" alt="${i}">`)}
    <p id="word">a page</p>`;
}

/** Assets are padded, so that each takes several segments. */
const PADDING = `/*${' '.repeat(20_000)}*/`;

function asset(path: string): [string, string] | null {
  const [, n, kind] = /^\/(\d+)\.(css|js|svg)$/.exec(path) ?? [];
  const i = Number(n);
  if (kind === 'css') return ['text/css', `:root { --word-${i}: ${i * i}; } ${PADDING}`];
  if (kind === 'js') return ['text/javascript', `(self.ran ??= []).push(${i}); ${PADDING}`];
  if (kind !== 'svg') return null;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${i + 1}" height="2">`;
  return ['image/svg+xml', `${svg}<!--${' '.repeat(20_000)}--></svg>`];
}

function serve(req: http.IncomingMessage, res: http.ServerResponse): void {
  const path = req.url ?? '/';
  requests.push(path);
  versions.push(req.httpVersion);
  const found = path === '/' ? ['text/html', page()] : asset(path);
  if (path === '/bytes') streamBytes(res, 0, BODY);
  else if (found === null) res.writeHead(404).end();
  else res.writeHead(200, { 'content-type': found[0] as string }).end(found[1]);
}

function echo(site: NodeJS.EventEmitter): void {
  const chat = new WebSocketServer({ noServer: true });
  site.on('upgrade', (req: http.IncomingMessage, socket: Duplex, head: Buffer) => {
    chat.handleUpgrade(req, socket, head, (peer) => {
      peer.on('message', (data, binary) => peer.send(data, { binary }));
    });
  });
}

async function listen(server: net.Server, port: number): Promise<void> {
  server.on('connection', () => connections++);
  await new Promise<void>((resolve) => server.listen(port, US, resolve));
}

beforeAll(async () => {
  host = await createHost({ tun: { name: 'ps0', netns: lab.name }, addresses: [`${US}/24`] });
  const plain = host.http.createServer(serve);
  echo(plain);
  await listen(plain, 80);
  const secure = http2.createSecureServer({ key: KEY, cert: CERT, allowHTTP1: true }, (req, res) =>
    serve(req as unknown as http.IncomingMessage, res as unknown as http.ServerResponse),
  );
  secure.on('session', (session) => sessions.add(session));
  echo(secure);
  await listen(
    host.net.createServer((socket) => secure.emit('connection', socket)),
    443,
  );
  // The browser talks to us through pipes that it inherits; its network is the namespace's.
  const inside = join(lab.dir, 'chromium');
  writeFileSync(inside, `#!/bin/sh\nexec ip netns exec ${lab.name} chromium "$@"\n`);
  chmodSync(inside, 0o755);
  browser = await chromium.launch({
    executablePath: inside,
    args: ['--disable-quic', '--disable-background-networking', '--disable-component-update'],
    env: { ...(process.env as Record<string, string>), HOME: lab.dir },
    timeout: LIMIT_MS,
  });
});

afterAll(async () => {
  await browser?.close();
  await host?.close({ deadlineMs: 100 });
  lab.close();
});

/** A page of its own context that keeps what the browser complains of. */
async function open(url: string): Promise<{ tab: Page; said: string[] }> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const tab = await context.newPage();
  tab.setDefaultTimeout(LIMIT_MS);
  const said: string[] = [];
  tab.on('console', (message) => said.push(`${message.type()}: ${message.text()}`));
  tab.on('pageerror', (error) => said.push(error.message));
  tab.on('requestfailed', (r) => said.push(`${r.url()}: ${r.failure()?.errorText}`));
  await tab.goto(url, { waitUntil: 'load', timeout: LIMIT_MS });
  return { tab, said };
}

/** What is asked of the browser's own global object. */
interface Browsing {
  readonly ran: number[];
  readonly document: {
    readonly documentElement: object;
    readonly images: Iterable<{ naturalWidth: number }>;
    querySelector(selector: string): { textContent: string } | null;
  };
  getComputedStyle(element: object): { getPropertyValue(name: string): string };
}

/** What the page has of its assets: scripts in order, variables of the style sheets, widths. */
function parts(): { ran: number[]; words: string[]; widths: number[]; text: string } {
  const page = globalThis as unknown as Browsing;
  const style = page.getComputedStyle(page.document.documentElement);
  return {
    ran: page.ran,
    words: Array.from({ length: 15 }, (_, i) => style.getPropertyValue(`--word-${i}`).trim()),
    widths: [...page.document.images].map((image) => image.naturalWidth),
    text: page.document.querySelector('#word')?.textContent ?? '',
  };
}

/** Sends a text and a long message, answers what came back and how it was closed. */
function converse([url, length]: [string, number]): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    const got: unknown[] = [];
    socket.binaryType = 'arraybuffer';
    socket.onerror = () => reject(new Error('websocket'));
    socket.onopen = () => {
      socket.send('hello');
      socket.send(new Uint8Array(length).map((_, i) => i % 251));
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string') got.push(data);
      else {
        const octets = new Uint8Array(data as ArrayBuffer);
        got.push(
          octets.length,
          octets.every((v, i) => v === i % 251),
        );
        socket.close(1000, 'done');
      }
    };
    socket.onclose = (event) => resolve([...got, event.code, event.wasClean]);
  });
}

const EXPECTED = {
  ran: Array.from({ length: 15 }, (_, i) => i),
  words: Array.from({ length: 15 }, (_, i) => String(i * i)),
  widths: Array.from({ length: 20 }, (_, i) => i + 1),
  text: 'a page',
};

describe.each([
  ['HTTP/1.1', `http://${US}`, '1.1'],
  ['HTTP/2 over TLS', `https://${US}`, '2.0'],
])('chromium by %s', (_name, base, version) => {
  test('a page, its fifty assets, a websocket, and no word on the console', async () => {
    [connections, requests, versions] = [0, [], []];
    sessions.clear();
    const { tab, said } = await open(`${base}/`);
    expect(await tab.evaluate(parts)).toEqual(EXPECTED);
    expect(requests.length).toBe(51);
    expect([...new Set(versions)]).toEqual([version]);
    if (version === '2.0') expect(sessions.size).toBe(1);
    else expect(connections).toBeLessThanOrEqual(7); // six, and one that chromium opens ahead
    const back = await tab.evaluate(converse, [`${base.replace('http', 'ws')}/chat`, MESSAGE] as [
      string,
      number,
    ]);
    expect(back).toEqual(['hello', MESSAGE, true, 1000, true]);
    expect(said).toEqual([]);
    await tab.context().close();
  });

  test('the page again, ten times, its parts from the network each time', async () => {
    const { tab, said } = await open(`${base}/`);
    for (let i = 0; i < 10; i++) {
      await tab.reload({ waitUntil: 'load', timeout: LIMIT_MS });
      expect(await tab.evaluate(parts)).toEqual(EXPECTED);
    }
    expect(said).toEqual([]);
    await tab.context().close();
  });
});

test('a long body has the right digest in the browser', { timeout: LIMIT_MS }, async () => {
  const { tab, said } = await open(`https://${US}/`);
  const digest = await tab.evaluate(async () => {
    const octets = await (await fetch('/bytes')).arrayBuffer();
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', octets));
    return [...hash].map((octet) => octet.toString(16).padStart(2, '0')).join('');
  });
  expect(digest).toBe(bytesDigest(BODY));
  expect(said).toEqual([]);
  await tab.context().close();
});

test('a browser that has ended leaves no connection behind', async () => {
  await browser.close();
  await until('its connections are gone', () => openRows(host).length === 0);
});
