// What the dgram programs share.

import type * as dgram from 'node:dgram';
import type { AddressInfo } from 'node:net';
import { once, type Transcript } from './transcript.ts';

/** Logs what a call answers or throws. */
export function attempt(t: Transcript, what: string, run: () => unknown): void {
  try {
    const value = run();
    t.log(what, typeof value === 'object' && value !== null ? 'something' : value);
  } catch (error) {
    t.log(what, error);
  }
}

export async function bound(
  s: dgram.Socket,
  t: Transcript,
  name: string,
  address = '127.0.0.1',
): Promise<AddressInfo> {
  s.bind(0, address);
  await once(s, 'listening');
  const at = s.address();
  t.call(at.port, name);
  return at;
}

export async function shut(...sockets: dgram.Socket[]): Promise<void> {
  for (const s of sockets) {
    const closed = once(s, 'close');
    s.close();
    await closed;
  }
}

/** Sends, and waits for the callback, which is logged. */
export function sent(t: Transcript, s: dgram.Socket, ...args: unknown[]): Promise<void> {
  return new Promise((resolve) => {
    (s.send as (...a: unknown[]) => void)(...args, (error: unknown, n: unknown) => {
      t.log('sent', error, n);
      resolve();
    });
  });
}

export async function connected(s: dgram.Socket, port: number, address: string): Promise<void> {
  const done = once(s, 'connect');
  s.connect(port, address);
  await done;
}

/** A port of 127.0.0.1 where nobody listens. */
export async function emptyPort(module: typeof dgram, t: Transcript): Promise<number> {
  const s = module.createSocket('udp4');
  const { port } = await bound(s, t, 'EMPTY');
  await shut(s);
  return port;
}
