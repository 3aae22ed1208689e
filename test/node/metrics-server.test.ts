// The page that Prometheus reads, on the kernel's loopback.

import { get, request } from 'node:http';
import { expect, test } from 'vitest';
import { serveMetrics } from '../../src/node/metrics-server.ts';

function ask(url: string, headers: Record<string, string> = {}): Promise<[number, string, string]> {
  return new Promise((resolve, reject) => {
    get(url, { headers }, (response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => {
        resolve([response.statusCode ?? 0, body, response.headers['content-type'] ?? '']);
      });
    }).on('error', reject);
  });
}

test('answers GET /metrics on loopback, and nobody who calls it otherwise (DNS rebinding)', async () => {
  let n = 0;
  const server = await serveMetrics(() => `portside_n ${++n}\n`, 0);
  expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/);
  const type = 'text/plain; version=0.0.4; charset=utf-8';
  expect(await ask(server.url)).toEqual([200, 'portside_n 1\n', type]);
  expect(await ask(server.url, { host: 'localhost:80' })).toEqual([200, 'portside_n 2\n', type]);
  expect((await ask(server.url, { host: 'evil.example' }))[0]).toBe(403);
  expect((await ask(server.url.replace('/metrics', '/')))[0]).toBe(404);
  const status = await new Promise((resolve) => {
    request(server.url, { method: 'POST' }, (r) => resolve(r.resume().statusCode)).end();
  });
  expect(status).toBe(405);
  expect(n).toBe(2);
  server.close();
});
