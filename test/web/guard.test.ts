import http from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Hello, Snapshot } from '../../src/web/frames.ts';
import { type Inspector, serveInspector } from '../../src/web/server.ts';
import type { Source } from '../../src/web/source.ts';

class Nothing implements Source {
  acts: string[] = [];
  pages = 0;
  looks = 0;
  hello(): Hello {
    return {
      ...{ kind: 'host', name: 'portside0', pid: 7, addresses: ['10.77.0.2/24'], mtu: 1500 },
      ...{ offloads: [], hosts: ['portside0'], meanings: {}, packets: false },
    };
  }
  async look(): Promise<Snapshot> {
    this.looks++;
    return { us: this.looks, epoch: 1, counters: { TcpInSegs: this.looks } };
  }
  packet(): null {
    return null;
  }
  async act(name: string): Promise<unknown> {
    this.acts.push(name);
    return 'done';
  }
  watched(pages: number): void {
    this.pages = pages;
  }
  close(): void {}
}

interface Said {
  status: number;
  body: string;
  headers: http.IncomingHttpHeaders;
}

const source = new Nothing();
let inspector: Inspector;
let key: string;

beforeAll(async () => {
  inspector = await serveInspector(source);
  key = new URL(inspector.url).pathname.slice(1, -1);
});
afterAll(() => inspector.close());

/** One request, with these headers and no others of its own but Host. */
function ask(path: string, headers: http.OutgoingHttpHeaders = {}, body?: string): Promise<Said> {
  return new Promise((resolve, reject) => {
    const { port } = inspector;
    const method = body === undefined ? 'GET' : 'POST';
    const request = http.request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

describe('who may speak to the inspector', () => {
  test('the address that it printed shows the page', async () => {
    const said = await ask(`/${key}/`);
    expect(said.status).toBe(200);
    expect(said.body).toContain('<title>portside</title>');
    expect(inspector.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[\w-]{32}\/$/);
  });

  test.each([
    ['without the key', '/'],
    ['with another key', `/${'A'.repeat(32)}/`],
    ['with a key that is too short', '/A/'],
    ['for the script', '/page.js'],
    ['for the events', '/events'],
    ['for a packet', '/packet/1'],
  ])('a request %s is refused with 401', async (_name, path) => {
    const said = await ask(path);
    expect(said.status).toBe(401);
    expect(said.body).not.toContain(key);
  });

  test.each([
    ['a name that was rebound to 127.0.0.1', 'evil.example:80'],
    ['that name with the right port', 'evil.example:PORT'],
    ['another address of this machine', '127.0.0.2:PORT'],
    ['the right name with another port', '127.0.0.1:1'],
    ['a name behind ours', '127.0.0.1.evil.example:PORT'],
  ])('Host with %s is refused with 421', async (_name, host) => {
    const said = await ask(`/${key}/`, { host: host.replace('PORT', String(inspector.port)) });
    expect(said.status).toBe(421);
  });

  test.each(['127.0.0.1', 'localhost', '[::1]'])('Host %s is this server', async (name) => {
    const said = await ask(`/${key}/`, { host: `${name}:${inspector.port}` });
    expect(said.status).toBe(200);
  });

  test.each([
    ['another origin', { origin: 'http://evil.example' }],
    ['the same name with another port', { origin: 'http://127.0.0.1:1' }],
    ['a sandboxed page', { origin: 'null' }],
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['another port of this machine', { 'sec-fetch-site': 'same-site' }],
  ])('a request of %s is refused with 403, key or not', async (_name, headers) => {
    expect((await ask(`/${key}/events`, headers)).status).toBe(403);
    expect((await ask(`/${key}/do/kill`, headers, '{}')).status).toBe(403);
    expect(source.acts).toEqual([]);
  });

  test('an order needs the key in a header too, which no form can send', async () => {
    expect((await ask(`/${key}/do/kill`, {}, '{}')).status).toBe(401);
    expect((await ask(`/${key}/do/kill`, { 'x-portside-token': 'x' }, '{}')).status).toBe(401);
    expect(source.acts).toEqual([]);
    const said = await ask(`/${key}/do/kill`, { 'x-portside-token': key }, '{}');
    expect([said.status, said.body, source.acts]).toEqual([200, '"done"', ['kill']]);
  });

  test('no other site may read, frame or script it', async () => {
    const { headers } = await ask(`/${key}/`);
    expect(headers['access-control-allow-origin']).toBeUndefined();
    const policy = headers['content-security-policy'];
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
    expect(headers['referrer-policy']).toBe('no-referrer');
  });

  test('paths do not lead out of the page', async () => {
    for (const path of ['/../../package.json', '/%2e%2e/package.json', '/constructor']) {
      expect((await ask(`/${key}${path}`)).status).toBe(404);
    }
  });

  test('a body that is too long ends the request', async () => {
    const long = JSON.stringify({ a: 'x'.repeat(100_000) });
    const request = ask(`/${key}/do/kill`, { 'x-portside-token': key }, long);
    await expect(request).rejects.toThrow();
    expect(source.acts).toEqual(['kill']);
  });
});

describe('events', () => {
  /** Reads frames until `done`, then goes. */
  function listen(done: (frames: Record<string, unknown>[]) => boolean): Promise<unknown[]> {
    return new Promise((resolve, reject) => {
      const frames: Record<string, unknown>[] = [];
      const { port } = inspector;
      const path = `/${key}/events`;
      const request = http.get({ host: '127.0.0.1', port, path }, (response) => {
        expect(response.headers['content-type']).toBe('text/event-stream');
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          for (const line of chunk.split('\n')) {
            if (line.startsWith('data: ')) frames.push(JSON.parse(line.slice(6)));
          }
          if (!done(frames)) return;
          request.destroy();
          resolve(frames);
        });
      });
      request.on('error', reject);
    });
  }

  test('the first frame says who it is, later ones what has changed; nobody asks when all have gone', async () => {
    expect([source.pages, source.looks]).toEqual([0, 0]);
    const frames = (await listen((list) => list.length === 3)) as Record<string, unknown>[];
    expect(frames[0]).toMatchObject({ client: 1, hello: { name: 'portside0', pid: 7 } });
    expect(frames[1]?.['counters']).toEqual({ TcpInSegs: 1 });
    expect(frames[2]?.['counters']).toEqual({ TcpInSegs: 2 });
    while (source.pages > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(source.looks).toBeLessThanOrEqual(3);
  });
});
