// Options of the Berkeley-like sockets: before there is a connection, inherited, and at once.

import { describe, expect, test } from 'vitest';
import type { StreamSocket } from '../../src/socket/stream-socket.ts';
import { newReno } from '../../src/tcp/congestion/newreno.ts';
import { octets, Pair, PORT, read } from './stream-pair.ts';

describe('options', () => {
  test('the ones of the listener go to its children; later ones hold at once (POSIX setsockopt)', () => {
    const p = new Pair();
    p.listener.set({ noDelay: true, controller: newReno, userTimeoutMs: 1234, tos: 0x28 });
    const child = p.connected();
    const t = child.handle?.tcb;
    expect([t?.noDelay, t?.userTimeoutMs, t?.tos, child.info()?.congestion]).toEqual([
      true,
      1234,
      0x28,
      'reno',
    ]);
    child.set({ userTimeoutMs: 99, keepAlive: true, keepAliveIdleMs: 5000 });
    expect([t?.userTimeoutMs, t?.keepAlive, t?.keepIdleMs]).toEqual([99, true, 5000]);
  });

  test('a small receive buffer is a small window (POSIX SO_RCVBUF)', () => {
    const p = new Pair();
    p.listener.set({ receiveBuffer: 4096 });
    const child = p.connected();
    for (let i = 0; i < 10; i++) {
      p.client.send(octets(4096));
      p.settle(300);
    }
    expect(child.unread).toBeLessThanOrEqual(8192);
    expect(child.unread).toBeGreaterThan(2000);
  });

  test('cork holds small segments until it is taken away (Linux TCP_CORK)', () => {
    const p = new Pair();
    const child = p.connected();
    p.client.set({ cork: true });
    p.client.send(octets(10));
    p.settle(50);
    expect(child.unread).toBe(0);
    p.client.set({ cork: false });
    p.settle(50);
    expect(child.unread).toBe(10);
  });

  test('the largest segment can be set before connecting (Linux TCP_MAXSEG)', () => {
    const p = new Pair();
    p.client.set({ maxSegment: 600 });
    p.connected();
    expect(p.client.info()?.snd_mss).toBeLessThanOrEqual(600);
  });

  test('Fast Open by option on both ends: the second connection brings its data with the SYN (RFC 7413)', () => {
    const p = new Pair();
    p.listener.set({ fastOpen: 5 });
    p.client.set({ fastOpen: 1 });
    p.connected();
    const second = p.a.stack.stream();
    second.set({ fastOpen: 1 });
    second.connect('10.0.0.2', PORT);
    second.send(octets(20));
    p.settle(6);
    // half a round trip: no handshake can be complete
    const child = p.listener.accept() as StreamSocket;
    expect(read(child, 100)).toEqual(octets(20));
  });
});
