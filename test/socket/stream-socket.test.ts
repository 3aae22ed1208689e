// Berkeley-like calls (IEEE Std 1003.1-2017, POSIX), between two hosts of the simulated world:
// nothing blocks, nothing is read that nobody asks for.

import { describe, expect, test } from 'vitest';
import { Code } from '../../src/base/code.ts';
import { Poll, Shutdown, type StreamSocket } from '../../src/socket/stream-socket.ts';
import { stateName } from '../../src/tcp/state.ts';
import { octets, Pair, PORT, read } from './stream-pair.ts';

describe('bind and listen', () => {
  test('an address in use is EADDRINUSE, one that is not ours EADDRNOTAVAIL (POSIX bind, listen)', () => {
    const p = new Pair().listen();
    const second = p.b.stack.stream();
    second.bind('10.0.0.2', PORT);
    expect(second.listen()).toBe(Code.EADDRINUSE);
    const foreign = p.b.stack.stream();
    foreign.bind('10.9.9.9', PORT);
    expect(foreign.listen()).toBe(Code.EADDRNOTAVAIL);
  });

  test('what is not an address is EINVAL (POSIX bind)', () => {
    const s = new Pair().client;
    s.bind('not an address', 1);
    expect(s.listen()).toBe(Code.EINVAL);
  });

  test('a socket that is connected or listens cannot be bound (POSIX bind: EINVAL)', () => {
    const p = new Pair();
    p.connected();
    expect(p.client.bind('10.0.0.1', 9)).toBe(Code.EINVAL);
    expect(p.listener.bind('10.0.0.2', 9)).toBe(Code.EINVAL);
    expect(p.client.listen()).toBe(Code.EINVAL);
  });

  test('port 0 is given a port (POSIX bind)', () => {
    const s = new Pair().listener;
    s.bind('10.0.0.2', 0);
    expect(s.listen()).toBe(0);
    expect(s.localPort).toBeGreaterThanOrEqual(1024);
    expect(stateName(s.state)).toBe('LISTEN');
  });
});

describe('connect and accept', () => {
  test('connect does not wait; both ends know each other afterwards (POSIX connect, accept)', () => {
    const p = new Pair().listen();
    expect(p.client.connect('10.0.0.2', PORT)).toBe(0);
    expect(p.client.poll() & Poll.OUT).toBe(0);
    p.settle();
    expect(p.client.poll() & Poll.OUT).toBe(Poll.OUT);
    const child = p.listener.accept() as StreamSocket;
    expect([child.localAddress, child.localPort]).toEqual(['10.0.0.2', PORT]);
    expect([child.remoteAddress, child.remotePort]).toEqual(['10.0.0.1', p.client.localPort]);
    expect([p.client.remoteAddress, p.client.remotePort]).toEqual(['10.0.0.2', PORT]);
  });

  test('accept without a connection is EAGAIN, and poll says when there is one (POSIX accept, poll)', () => {
    const p = new Pair().listen();
    expect(p.listener.accept()).toBe(Code.EAGAIN);
    expect(p.listener.poll()).toBe(0);
    p.client.connect('10.0.0.2', PORT);
    p.settle();
    expect(p.listener.poll()).toBe(Poll.IN);
    expect(p.listener.accept()).toBeTypeOf('object');
    expect(p.listener.accept()).toBe(Code.EAGAIN);
  });

  test('accept gives the oldest first (POSIX accept)', () => {
    const p = new Pair().listen();
    const clients = [1, 2, 3].map(() => {
      const s = p.a.stack.stream();
      s.connect('10.0.0.2', PORT);
      p.settle();
      return s;
    });
    const ports = clients.map(() => (p.listener.accept() as StreamSocket).remotePort);
    expect(ports).toEqual(clients.map((s) => s.localPort));
  });

  test('accept on a socket that does not listen is EINVAL (POSIX accept)', () => {
    expect(new Pair().client.accept()).toBe(Code.EINVAL);
  });

  test('a second connect is EALREADY while it goes on and EISCONN afterwards (POSIX connect)', () => {
    const p = new Pair().listen();
    p.client.connect('10.0.0.2', PORT);
    expect(p.client.connect('10.0.0.2', PORT)).toBe(Code.EALREADY);
    p.settle();
    expect(p.client.connect('10.0.0.2', PORT)).toBe(Code.EISCONN);
    expect(p.listener.connect('10.0.0.1', 1)).toBe(Code.EOPNOTSUPP);
  });

  test('a refused connection is POLLERR and POLLHUP, and SO_ERROR says ECONNREFUSED once (POSIX poll, getsockopt)', () => {
    const p = new Pair();
    p.client.connect('10.0.0.2', 9);
    p.settle();
    expect(p.client.poll() & (Poll.ERR | Poll.HUP)).toBe(Poll.ERR | Poll.HUP);
    expect(p.client.takeError()).toBe(Code.ECONNREFUSED);
    expect(p.client.takeError()).toBe(0);
  });

  test('the port that was bound is the one that connects (POSIX bind)', () => {
    const p = new Pair().listen();
    p.client.bind('10.0.0.1', 5555);
    p.client.connect('10.0.0.2', PORT);
    p.settle();
    expect((p.listener.accept() as StreamSocket).remotePort).toBe(5555);
  });

  test('a backlog that is full keeps clients waiting; accept lets them in (POSIX listen)', () => {
    const p = new Pair().listen(1);
    const clients = Array.from({ length: 6 }, () => {
      const s = p.a.stack.stream();
      s.connect('10.0.0.2', PORT);
      return s;
    });
    p.settle(500);
    let accepted = 0;
    for (let i = 0; i < 40; i++) {
      while (typeof p.listener.accept() !== 'number') accepted++;
      p.settle(1000);
    }
    expect(accepted).toBe(clients.length);
  });
});

describe('send and receive', () => {
  test('before there is a connection: ENOTCONN, for send EPIPE (POSIX recv, Linux tcp_sendmsg)', () => {
    const p = new Pair();
    expect(p.client.send(octets(1))).toBe(Code.EPIPE);
    expect(read(p.client, 1)).toBe(Code.ENOTCONN);
    expect(p.client.shutdown(Shutdown.WRITE)).toBe(Code.ENOTCONN);
  });

  test('octets arrive as they were sent, in pieces as asked for (POSIX recv)', () => {
    const p = new Pair();
    const child = p.connected();
    expect(p.client.send(octets(1000))).toBe(1000);
    p.settle();
    expect(child.unread).toBe(1000);
    expect(read(child, 300)).toEqual(octets(1000).subarray(0, 300));
    expect(read(child, 5000)).toEqual(octets(1000).subarray(300));
    expect(read(child, 1)).toBe(Code.EAGAIN);
  });

  test('peek leaves them (POSIX recv MSG_PEEK)', () => {
    const p = new Pair();
    const child = p.connected();
    p.client.send(octets(10));
    p.settle();
    const to = new Uint8Array(4);
    expect([child.receive(to, { peek: true }), child.receive(to, { peek: true })]).toEqual([4, 4]);
    expect(to).toEqual(octets(4));
    expect(child.unread).toBe(10);
  });

  test('reading into nothing reads nothing (POSIX recv)', () => {
    const p = new Pair();
    const child = p.connected();
    p.client.send(octets(10));
    p.settle();
    expect(read(child, 0)).toEqual(new Uint8Array(0));
    expect(child.unread).toBe(10);
  });

  test('poll says what there is to read and whether there is room (POSIX poll)', () => {
    const p = new Pair();
    const child = p.connected();
    expect(child.poll()).toBe(Poll.OUT);
    p.client.send(octets(10));
    p.settle();
    expect(child.poll()).toBe(Poll.IN | Poll.OUT);
    read(child, 10);
    expect(child.poll()).toBe(Poll.OUT);
  });

  test('who does not read is not flooded: the window closes, and opens again by reading (RFC 9293 §3.8.6)', () => {
    const p = new Pair();
    const child = p.connected();
    let sent = 0;
    for (let i = 0; i < 300; i++) {
      const n = p.client.send(octets(16_384));
      if (n > 0) sent += n;
      p.settle(20);
    }
    expect(p.client.send(octets(16_384))).toBe(Code.EAGAIN);
    expect(p.client.poll() & Poll.OUT).toBe(0);
    const waiting = child.unread;
    expect(sent - waiting).toBe(p.client.unacknowledged);
    let received = 0;
    for (let i = 0; i < 2000 && received < sent; i++) {
      const got = read(child, 65_536);
      if (typeof got === 'number') p.settle(300);
      else received += got.length;
    }
    expect(received).toBe(sent);
    expect(p.client.poll() & Poll.OUT).toBe(Poll.OUT);
  });

  test('urgent data is told and stands in the stream (RFC 9293 §3.8.5, RFC 6093 §3.2)', () => {
    const p = new Pair();
    const child = p.connected();
    p.client.send(octets(3), { urgent: true });
    p.settle();
    expect(child.urgentMarks).toBe(1);
    expect(read(child, 10)).toEqual(octets(3));
  });

  test('octets not yet acknowledged are counted (Linux SIOCOUTQ)', () => {
    const p = new Pair();
    p.connected();
    p.client.send(octets(100));
    expect(p.client.unacknowledged).toBe(100);
    p.settle(300);
    expect(p.client.unacknowledged).toBe(0);
  });
});

describe('the end', () => {
  test('shutdown for writing: the peer reads the rest, then 0; the other way goes on (POSIX shutdown)', () => {
    const p = new Pair();
    const child = p.connected();
    p.client.send(octets(5));
    expect(p.client.shutdown(Shutdown.WRITE)).toBe(0);
    p.settle();
    expect(child.poll() & (Poll.IN | Poll.RDHUP)).toBe(Poll.IN | Poll.RDHUP);
    expect(read(child, 10)).toEqual(octets(5));
    expect(read(child, 10)).toEqual(new Uint8Array(0));
    child.send(octets(7));
    p.settle();
    expect(read(p.client, 10)).toEqual(octets(7));
    expect(p.client.send(octets(1))).toBe(Code.EPIPE);
  });

  test('shutdown for reading: 0 from then on, sending goes on (POSIX shutdown)', () => {
    const p = new Pair();
    const child = p.connected();
    expect(child.shutdown(Shutdown.READ)).toBe(0);
    expect(read(child, 1)).toEqual(new Uint8Array(0));
    expect(child.send(octets(2))).toBe(2);
    p.settle();
    expect(read(p.client, 5)).toEqual(octets(2));
  });

  test('both sides close: nothing is left but TIME-WAIT at the first (RFC 9293 §3.6)', () => {
    const p = new Pair();
    const child = p.connected();
    p.client.close();
    p.settle();
    expect(read(child, 1)).toEqual(new Uint8Array(0));
    child.close();
    p.settle();
    expect(p.a.stack.sockets().map((r) => r.state)).toEqual(['TIME-WAIT']);
    expect(p.b.stack.sockets().map((r) => r.state)).toEqual(['LISTEN']);
  });

  test('close with octets unread sends RST: ECONNRESET at the other end (RFC 9293 §3.6.1, RFC 1122 §4.2.2.13)', () => {
    const p = new Pair();
    const child = p.connected();
    p.client.send(octets(5));
    p.settle();
    child.close();
    p.settle();
    expect(p.client.poll() & (Poll.ERR | Poll.HUP)).toBe(Poll.ERR | Poll.HUP);
    expect(read(p.client, 1)).toBe(Code.ECONNRESET);
    expect(read(p.client, 1)).toEqual(new Uint8Array(0));
  });

  test('close with linger 0 sends RST and leaves no TIME-WAIT (POSIX SO_LINGER)', () => {
    const p = new Pair();
    const child = p.connected();
    p.client.set({ lingerMs: 0 });
    p.client.close();
    p.settle();
    expect(read(child, 1)).toBe(Code.ECONNRESET);
    expect(p.a.stack.sockets()).toEqual([]);
  });

  test('octets that came before the RST can still be read, then the error (POSIX recv)', () => {
    const p = new Pair();
    const child = p.connected();
    p.client.send(octets(5));
    p.settle();
    p.client.abort();
    p.settle();
    const first = read(child, 10);
    // Linux throws them away with the RST; whoever gets them gets all of them
    if (first !== Code.ECONNRESET) expect(first).toEqual(octets(5));
    else expect(read(child, 10)).toEqual(new Uint8Array(0));
  });

  test('a listener that closes lets go of those who wait (POSIX close)', () => {
    const p = new Pair().listen();
    p.client.connect('10.0.0.2', PORT);
    p.settle();
    p.listener.close();
    p.settle();
    expect(read(p.client, 1)).toBe(Code.ECONNRESET);
    expect(p.b.stack.sockets()).toEqual([]);
    const again = p.b.stack.stream();
    again.bind('10.0.0.2', PORT);
    expect(again.listen()).toBe(0);
  });

  test('close can be called again and on a socket that was never used (POSIX close)', () => {
    const p = new Pair();
    p.connected();
    p.client.close();
    p.client.close();
    new Pair().client.close();
    p.settle();
    p.client.abort();
  });
});
