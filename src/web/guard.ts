// Who may speak to the inspector: only a page that it served itself, to somebody who was given the
// secret in its address. Pages of other origins, names that were rebound to 127.0.0.1 and programs
// without the secret are refused before anything is looked at.

import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** 192 bits in an address that can be copied. */
export function newToken(): string {
  return randomBytes(24).toString('base64url');
}

export interface Refusal {
  readonly status: number;
  readonly text: string;
}

export const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cache-control': 'no-store',
};

export const TOKEN_HEADER = 'x-portside-token';

function same(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}

/** What stands behind the secret in the path, or why the request is refused. */
export function admit(request: IncomingMessage, token: string, port: number): string | Refusal {
  const { host, origin } = request.headers;
  // a name that was rebound to 127.0.0.1 still stands in Host
  const names = [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`];
  if (host === undefined || !names.includes(host)) {
    return { status: 421, text: 'this server is 127.0.0.1 and nobody else' };
  }
  if (origin !== undefined && origin !== `http://${host}`) {
    return { status: 403, text: 'another origin asks' };
  }
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    return { status: 403, text: 'another site asks' };
  }
  const path = (request.url ?? '/').split('?')[0] as string;
  const end = path.indexOf('/', 1);
  const given = path.slice(1, end < 0 ? undefined : end);
  if (!same(given, token)) {
    return { status: 401, text: 'the address that portside printed holds the key' };
  }
  if (request.method === 'GET') return end < 0 ? '' : path.slice(end);
  // what changes something needs the key in a header, which no form can send
  if (request.method !== 'POST') return { status: 405, text: 'GET and POST' };
  const header = request.headers[TOKEN_HEADER];
  if (typeof header !== 'string' || !same(header, token)) {
    return { status: 401, text: 'the key is missing' };
  }
  return path.slice(end);
}
