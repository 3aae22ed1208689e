// What differential runs against the kernel have taught the Berkeley-like sockets.

import { describe, expect, test } from 'vitest';
import { Shutdown } from '../../src/socket/stream-socket.ts';
import { octets, Pair, read } from './stream-pair.ts';

const EAGAIN = -11;
const ENOTCONN = -107;

describe('as on the kernel', () => {
  test('what came before shutdown for reading can still be read (Linux recv)', () => {
    const p = new Pair();
    const child = p.connected();
    p.client.send(octets(100));
    p.settle();
    expect(child.shutdown(Shutdown.READ)).toBe(0);
    expect(read(child, 60)).toEqual(octets(60));
    expect(child.receive(new Uint8Array(60))).toBe(40);
    expect(child.receive(new Uint8Array(60))).toBe(0);
  });

  test('a connection that is gone cannot be shut down, one that is opening has nothing to read yet (POSIX)', () => {
    const p = new Pair();
    const child = p.connected();
    child.abort();
    p.settle();
    expect(p.client.shutdown(Shutdown.WRITE)).toBe(ENOTCONN);
    const other = p.a.stack.stream();
    expect(other.connect('10.0.0.2', 4001)).toBe(0);
    expect(other.receive(new Uint8Array(10))).toBe(EAGAIN);
  });

  test('listen() twice keeps the first port, and close() frees it (POSIX listen)', () => {
    const p = new Pair();
    const s = p.b.stack.stream();
    expect(s.listen(5)).toBe(0);
    const port = s.localPort;
    expect(s.listen(9)).toBe(0);
    expect(s.localPort).toBe(port);
    s.close();
    expect(p.b.stack.tcp.ports.size).toBe(0);
  });
});

test('options with a key __proto__ change neither objects nor sockets (prototype keys)', () => {
  const p = new Pair();
  const child = p.connected();
  const hostile: unknown = JSON.parse('{"__proto__": {"lingerMs": 0, "noDelay": true}}');
  child.set(hostile as Parameters<typeof child.set>[0]);
  expect(Reflect.get({}, 'lingerMs')).toBeUndefined();
  child.close();
  p.settle();
  // lingerMs 0 would have sent RST
  expect(p.client.poll() & 32).toBe(32);
  expect(p.client.takeError()).toBe(0);
});
