// A page for Prometheus on the kernel's loopback: GET /metrics, and nothing else. It is asked for
// by address or as localhost: a page in a browser that was led here under another name gets
// nothing.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface MetricsServer {
  readonly url: string;
  close(): void;
}

/** Listens on 127.0.0.1. @param port 0: any. Rejects with Node's error of listening there. */
export async function serveMetrics(text: () => string, port: number): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const name = (request.headers.host ?? '').replace(/:\d+$/, '');
    const end = (status: number, body: string): void => {
      const type = 'text/plain; version=0.0.4; charset=utf-8';
      response.writeHead(status, { 'content-type': type }).end(body);
    };
    if (name !== '127.0.0.1' && name !== 'localhost') end(403, 'not by this name\n');
    else if (request.url !== '/metrics') end(404, 'GET /metrics\n');
    else if (request.method !== 'GET' && request.method !== 'HEAD') end(405, 'GET /metrics\n');
    else end(200, request.method === 'HEAD' ? '' : text());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve());
  });
  server.unref();
  const at = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${at.port}/metrics`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
