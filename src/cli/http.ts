// The HTTP service of `portside up`: Node's own http server (RFC 9110, 9112) on the stack's
// sockets. With a directory it serves files (files.ts); without one `/bytes/N` streams N octets,
// and every other path answers the 12 octets `hello, world`. A body sent by PUT or POST is counted;
// below `/sha256` its digest is the answer.

import { createHash } from 'node:crypto';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { Host } from '../node/host.ts';
import type { Service } from '../services/service.ts';
import { type Bytes, bytesOf, streamBytes } from './bytes.ts';
import { serveFile } from './files.ts';
import { parseRange } from './range.ts';

export const HTTP_PORT = 80;

const HELLO = 'hello, world';
const BYTES_PATH = /^\/bytes\/(\d{1,15})$/;

export interface HttpOptions {
  /** Directory to serve; null: the built-in paths. */
  readonly directory: string | null;
  readonly port?: number;
}

/** Starts to listen; the promise is fulfilled once it does. */
export function startHttp(host: Host, options: HttpOptions): Promise<Service> {
  const port = options.port ?? HTTP_PORT;
  const web = http.createServer((req, res) => answer(req, res, options.directory));
  // http ends connections itself, half-open ones too: the same option as in http.Server.
  const tcp = host.net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    web.emit('connection', socket);
  });
  return new Promise((resolve, reject) => {
    tcp.once('error', reject);
    tcp.listen(port, () => {
      tcp.removeListener('error', reject);
      resolve({
        name: 'http',
        listens: [{ protocol: 'tcp', port }],
        close(): void {
          tcp.close();
          web.closeAllConnections();
          web.close();
        },
      });
    });
  });
}

/** Exported for tests: any (req, res) of node:http will do. */
export function answer(req: IncomingMessage, res: ServerResponse, directory: string | null): void {
  // Neither a client that goes away nor a broken body is anybody's error here.
  res.on('error', () => {});
  const path = pathOf(req.url ?? '/');
  if (path === null) {
    sendText(res, 400, 'Bad Request\n');
    return;
  }
  const body = req.method === 'PUT' || req.method === 'POST';
  if (body && isDigestPath(path)) {
    answerDigest(req, res);
  } else if (directory !== null) {
    req.resume();
    if (body) sendText(res, 405, 'Method Not Allowed\n', { Allow: 'GET, HEAD' });
    else serveFile(req, res, directory, path);
  } else if (body) {
    answerCount(req, res);
  } else {
    const match = BYTES_PATH.exec(path);
    if (match === null) sendText(res, 200, HELLO);
    else answerBytes(req, res, bytesOf(Number(match[1])));
  }
}

/** The path of a request target without its query, decoded; null when it cannot be decoded. */
function pathOf(target: string): string | null {
  const query = target.indexOf('?');
  try {
    return decodeURIComponent(query < 0 ? target : target.slice(0, query));
  } catch {
    return null; // `%` without two digits after it
  }
}

function isDigestPath(path: string): boolean {
  return path === '/sha256' || path.startsWith('/sha256/');
}

export function sendText(
  res: ServerResponse,
  status: number,
  text: string,
  headers: Record<string, string> = {},
): void {
  res.writeHead(status, {
    'Content-Type': 'text/plain',
    'Content-Length': Buffer.byteLength(text),
    ...headers,
  });
  res.end(text);
}

function answerBytes(req: IncomingMessage, res: ServerResponse, bytes: Bytes): void {
  const range = parseRange(req.headers.range, bytes.length);
  if (range === 'unsatisfiable') {
    sendText(res, 416, 'Range Not Satisfiable\n', { 'Content-Range': `bytes */${bytes.length}` });
    return;
  }
  const headers = {
    'Content-Type': 'application/octet-stream',
    'Accept-Ranges': 'bytes',
    'Content-Length': range.to - range.from,
  };
  if (range.partial) {
    const span = `bytes ${range.from}-${range.to - 1}/${bytes.length}`;
    res.writeHead(206, { ...headers, 'Content-Range': span });
  } else res.writeHead(200, headers);
  if (req.method === 'HEAD') res.end();
  else streamBytes(res, range.from, range.to);
}

function answerDigest(req: IncomingMessage, res: ServerResponse): void {
  const hash = createHash('sha256');
  let bytes = 0;
  req.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  req.on('end', () => {
    const text = `${JSON.stringify({ bytes, sha256: hash.digest('hex') })}\n`;
    res.writeHead(200, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(text),
    });
    res.end(text);
  });
}

function answerCount(req: IncomingMessage, res: ServerResponse): void {
  let bytes = 0;
  req.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  req.on('end', () => sendText(res, 200, HELLO, { 'X-Octets-Received': String(bytes) }));
}
