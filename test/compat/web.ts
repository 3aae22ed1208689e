// What the programs on http, https, http2 and tls share: servers on 127.0.0.1, requests to their
// end, the certificate of the tests.

import * as http from 'node:http';
import * as https from 'node:https';
import type * as net from 'node:net';
import type * as tls from 'node:tls';
import { CERT, KEY } from '../fixtures/certificate.ts';
import { listening, once, type Transcript } from './transcript.ts';

export const SECURE = { key: KEY, cert: CERT };
/** What a client of SECURE's server needs. */
export const TRUST = { ca: CERT, host: '127.0.0.1', servername: 'portside.test' };

/** A program that needs nothing but Node's own modules. */
export type WebProgram = (t: Transcript) => Promise<void>;

export { listening, once };

export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
  socket: net.Socket | tls.TLSSocket;
  reused: boolean;
}

type Options = http.RequestOptions & tls.ConnectionOptions & { secure?: boolean };

/** One request and the whole of its response. */
export function ask({ secure, ...options }: Options, body?: string | Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = secure
      ? https.request({ ...TRUST, ...options })
      : http.request({ host: '127.0.0.1', ...options });
    request.on('response', (response) => {
      const { socket } = response;
      const parts: Buffer[] = [];
      response.on('data', (d) => parts.push(d));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(parts).toString('latin1'),
          socket,
          reused: request.reusedSocket,
        }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Closes a server and everything that is open on it. */
export async function stop(server: net.Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  (server as Partial<http.Server>).closeAllConnections?.();
  await closed;
}

/** Everything that comes until the other side ends. */
export async function text(stream: NodeJS.ReadableStream): Promise<string> {
  let all = '';
  stream.setEncoding('latin1');
  stream.on('data', (d) => {
    all += d;
  });
  await once(stream, 'end');
  return all;
}
