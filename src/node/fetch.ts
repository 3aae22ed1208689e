// `host.fetch`: Node's own fetch (redirects, bodies, aborts are its code) over a dispatcher whose
// requests are made by `host.http` and `host.https`. The dispatcher speaks undici's interface of
// Node 20 and 22: https://github.com/nodejs/undici/blob/v6.x/docs/docs/api/Dispatcher.md.

import type http from 'node:http';
import { Readable } from 'node:stream';
import type { Host } from './host.ts';

export type Fetch = typeof globalThis.fetch;

/** What fetch gives to `dispatch`. */
interface DispatchOptions {
  origin: string | URL;
  path: string;
  method: string;
  headers?: Record<string, string> | [string, string][] | string[];
  body?: unknown;
}

interface DispatchHandler {
  onConnect(abort: (reason?: Error) => void): void;
  onHeaders(status: number, headers: Buffer[], resume: () => void, text: string): boolean;
  onData(chunk: Buffer): boolean;
  onComplete(trailers: Buffer[]): void;
  onError(error: Error): void;
}

/** undici's lists of headers: name and value in turn, pairs, or an object. */
function headersOf(headers: DispatchOptions['headers']): [string, string][] {
  if (headers === undefined || headers === null) return [];
  if (!Array.isArray(headers)) return Object.entries(headers);
  if (Array.isArray(headers[0])) return headers as [string, string][];
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    pairs.push([String(headers[i]), String(headers[i + 1])]);
  }
  return pairs;
}

function sendBody(request: http.ClientRequest, body: unknown): void {
  if (body === null || body === undefined) request.end();
  else if (typeof body === 'string' || body instanceof Uint8Array) request.end(body);
  else {
    const source = Readable.from(body as AsyncIterable<Uint8Array>, { objectMode: false });
    source.on('error', (error) => request.destroy(error));
    source.pipe(request);
  }
}

function take(response: http.IncomingMessage, handler: DispatchHandler): void {
  const raw = response.rawHeaders.map((text) => Buffer.from(text, 'latin1'));
  const resume = (): void => void response.resume();
  const { statusCode = 0, statusMessage = '' } = response;
  response.on('data', (chunk: Buffer) => {
    if (handler.onData(chunk) === false) response.pause();
  });
  response.on('end', () => {
    handler.onComplete(response.rawTrailers.map((text) => Buffer.from(text, 'latin1')));
  });
  if (handler.onHeaders(statusCode, raw, resume, statusMessage) === false) response.pause();
}

function dispatch(host: Host, options: DispatchOptions, handler: DispatchHandler): boolean {
  const url = new URL(options.path, options.origin);
  const { request } = url.protocol === 'https:' ? host.https : host.http;
  let over = false;
  const fail = (error: Error): void => {
    if (over) return;
    over = true;
    handler.onError(error);
  };
  const made = request(url, { method: options.method });
  for (const [name, value] of headersOf(options.headers)) made.appendHeader(name, value);
  made.on('error', fail);
  made.on('response', (response) => {
    response.on('error', fail);
    response.on('end', () => {
      over = true;
    });
    take(response, handler);
  });
  handler.onConnect((reason) => {
    const error = reason ?? new Error('aborted');
    fail(error);
    made.destroy(error);
  });
  if (!over) sendBody(made, options.body);
  return true;
}

/** fetch as the program knows it, on this host; `dispatcher` in its options is not looked at. */
export function makeFetch(host: Host): Fetch {
  const dispatcher = {
    dispatch: (options: DispatchOptions, handler: DispatchHandler) =>
      dispatch(host, options, handler),
  };
  const fetch = (input: unknown, init: object = {}): Promise<Response> =>
    globalThis.fetch(input as string, { ...init, dispatcher } as unknown as RequestInit);
  return fetch as Fetch;
}
