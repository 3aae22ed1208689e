// The inspector's server: the page and what it shows, on 127.0.0.1 of the kernel, behind the secret
// in its address. Server-sent events go out, small orders come in. Without a page nothing runs.

import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Feed } from './feed.ts';
import type { Frame, Wants } from './frames.ts';
import { admit, HEADERS, newToken } from './guard.ts';
import type { Source } from './source.ts';

/** Least time between two frames, and the share of time that asking may take. */
const EVERY_MS = 100;
const REST = 8;
const MOST_PAGES = 8;
/** Octets that wait for a slow page before frames are left out. */
const MOST_WAITING = 1 << 20;
const MOST_BODY = 16_384;
const ALIVE_MS = 15_000;

const ASSETS: Readonly<Record<string, [file: string, type: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
  '/style.css': ['style.css', 'text/css; charset=utf-8'],
  '/icon.svg': ['icon.svg', 'image/svg+xml'],
};

/** src/web/, dist/web/ and a test's bundle lie equally deep below the package's root. */
function asset(file: string): Buffer {
  return readFileSync(new URL(`../../dist/web/page/${file}`, import.meta.url));
}

export interface Inspector {
  /** To be opened in a browser; holds the secret. */
  readonly url: string;
  readonly port: number;
  close(): void;
}

interface Page {
  readonly feed: Feed;
  readonly response: ServerResponse;
  timer: NodeJS.Timeout | null;
  saidMs: number;
}

/** Serves `source` on 127.0.0.1. Rejects with Node's error when the port cannot be had. */
export async function serveInspector(
  source: Source,
  { port = 0, token = newToken() }: { port?: number; token?: string } = {},
): Promise<Inspector> {
  const room = new Room(source, token);
  const server = createServer((request, response) => room.answer(request, response));
  server.requestTimeout = 10_000;
  server.headersTimeout = 10_000;
  server.maxConnections = 64;
  await listen(server, port);
  const bound = server.address();
  room.port = typeof bound === 'object' && bound !== null ? bound.port : port;
  return {
    url: `http://127.0.0.1:${room.port}/${token}/`,
    port: room.port,
    close(): void {
      room.close();
      server.close();
      server.closeAllConnections();
      source.close();
    },
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}

class Room {
  port = 0;
  readonly #source: Source;
  readonly #token: string;
  readonly #pages = new Map<number, Page>();
  #last = 0;

  constructor(source: Source, token: string) {
    this.#source = source;
    this.#token = token;
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', () => response.destroy());
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const path = admit(request, this.#token, this.port);
    if (typeof path !== 'string') {
      say(response, path.status, path.text);
    } else if (request.method === 'POST') {
      this.#post(path, request, response);
    } else if (path === '/events') {
      this.#open(response);
    } else if (path.startsWith('/packet/')) {
      const found = this.#source.packet(Number(path.slice('/packet/'.length)));
      if (found === null) say(response, 404, 'that packet is not kept any more');
      else sayJson(response, found);
    } else {
      serveAsset(path, response);
    }
  }

  close(): void {
    for (const id of [...this.#pages.keys()]) this.#shut(id);
  }

  #open(response: ServerResponse): void {
    if (this.#pages.size >= MOST_PAGES) return say(response, 503, `${MOST_PAGES} pages are open`);
    const id = ++this.#last;
    const page: Page = { feed: new Feed(this.#source), response, timer: null, saidMs: Date.now() };
    this.#pages.set(id, page);
    response.on('close', () => this.#shut(id));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    tell(page, { us: 0, client: id, hello: this.#source.hello() });
    this.#source.watched(this.#pages.size);
    page.timer = setTimeout(() => void this.#tick(id), 0);
  }

  #shut(id: number): void {
    const page = this.#pages.get(id);
    if (page === undefined) return;
    this.#pages.delete(id);
    if (page.timer !== null) clearTimeout(page.timer);
    page.response.end();
    this.#source.watched(this.#pages.size);
  }

  /** Asks, tells, and rests for as long as the asking has cost, many times over. */
  async #tick(id: number): Promise<void> {
    const page = this.#pages.get(id);
    if (page === undefined) return;
    page.timer = null;
    const begin = performance.now();
    if (page.response.writableLength < MOST_WAITING) {
      try {
        const frame = await page.feed.next();
        if (frame !== null) tell(page, frame);
        else if (Date.now() - page.saidMs > ALIVE_MS) page.response.write(': alive\n\n');
      } catch (reason) {
        tell(page, { us: 0, error: (reason as Error).message });
        return this.#shut(id);
      }
    }
    const cost = performance.now() - begin;
    if (!this.#pages.has(id)) return;
    page.timer = setTimeout(() => void this.#tick(id), Math.max(EVERY_MS - cost, cost * REST));
  }

  #post(path: string, request: IncomingMessage, response: ServerResponse): void {
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > MOST_BODY) request.destroy();
    });
    request.on('end', () => {
      this.#order(path, text).then(
        (answer) => sayJson(response, answer ?? null),
        (reason: Error) => say(response, 400, reason.message),
      );
    });
  }

  async #order(path: string, text: string): Promise<unknown> {
    const body = JSON.parse(text) as Record<string, unknown>;
    if (path === '/want') {
      const page = this.#pages.get(Number(body.client));
      if (page === undefined) throw new Error('no such page');
      page.feed.wants = wantsOf(body);
      if (page.timer !== null) {
        clearTimeout(page.timer);
        page.timer = setTimeout(() => void this.#tick(Number(body.client)), 0);
      }
      return null;
    }
    if (!path.startsWith('/do/')) throw new Error(`there is no ${path}`);
    return await this.#source.act(path.slice('/do/'.length), body);
  }
}

/** Nothing that a page sends is taken as it is. */
function wantsOf(body: Record<string, unknown>): Wants {
  const { views, host, conn } = body as { views?: unknown; host?: unknown; conn?: unknown };
  const { host: of, key } = (conn ?? {}) as { host?: unknown; key?: unknown };
  return {
    views: Array.isArray(views) ? views.filter((v) => typeof v === 'string').slice(0, 32) : [],
    host: typeof host === 'string' ? host : '',
    conn: typeof of === 'string' && typeof key === 'string' ? { host: of, key } : null,
  };
}

function tell(page: Page, frame: Frame): void {
  page.saidMs = Date.now();
  page.response.write(`data: ${JSON.stringify(frame)}\n\n`);
}

function serveAsset(path: string, response: ServerResponse): void {
  const found = Object.hasOwn(ASSETS, path) ? ASSETS[path] : undefined;
  if (found === undefined) return say(response, 404, `there is no ${path}`);
  try {
    const body = asset(found[0]);
    response.writeHead(200, { 'content-type': found[1] }).end(body);
  } catch {
    say(response, 500, 'the page is not built: npm run build');
  }
}

function say(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent) return;
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}

function sayJson(response: ServerResponse, value: unknown): void {
  if (response.headersSent) return;
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}
