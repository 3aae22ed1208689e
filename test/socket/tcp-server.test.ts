// The handle of a listening port: binding, accepting, pausing, closing.

import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import type { TcpHandler, TcpSocket } from '../../src/socket/tcp-socket.ts';
import { Stack } from '../../src/stack/stack.ts';

class Ear implements TcpHandler {
  readonly log: string[] = [];
  opened(): void {
    this.log.push('opened');
  }
  data(_s: TcpSocket, u8: Uint8Array, off: number, len: number): void {
    this.log.push(`data ${String.fromCharCode(...u8.subarray(off, off + len))}`);
  }
  ended(): void {
    this.log.push('ended');
  }
  writable(): void {}
  written(_s: TcpSocket, n: number): void {
    this.log.push(`written ${n}`);
  }
  closed(_s: TcpSocket, code: number): void {
    this.log.push(`closed ${code}`);
  }
}

/** A stack on loopback alone; `turn` is a turn of its driver. */
function loopback(): { stack: Stack; turn: (us?: number) => void } {
  let now = 0;
  const stack = new Stack({ random: new SeededRandom(1), nowUs: 0 });
  const turn = (us = 0): void => {
    const end = now + us;
    for (let i = 0; i < 10_000; i++) {
      stack.advance(now);
      stack.drain();
      const next = stack.nextDeadline();
      if (next > end && stack.loopback.pending === 0) break;
      now = Math.min(Math.max(now, next), end);
    }
    now = end;
    stack.advance(now);
    stack.drain();
  };
  return { stack, turn };
}

const refuse = { accept: () => null };

describe('listening', () => {
  test('on port 0 takes a free ephemeral port', () => {
    const { stack } = loopback();
    const ports = Array.from({ length: 20 }, () => stack.listen({ port: 0, handler: refuse }).port);
    expect(new Set(ports).size).toBe(20);
    for (const port of ports) expect(port >= 32_768 && port <= 60_999).toBe(true);
  });

  test('on a port that is held is EADDRINUSE with Node\u2019s fields', () => {
    const { stack } = loopback();
    const server = stack.listen({ port: 80, address: '127.0.0.1', handler: refuse });
    const again = (): void => {
      stack.listen({ port: 80, address: '127.0.0.1', handler: refuse });
    };
    expect(again).toThrow(
      expect.objectContaining({
        code: 'EADDRINUSE',
        errno: -98,
        syscall: 'listen',
        address: '127.0.0.1',
        port: 80,
      }),
    );
    server.close();
    expect(again).not.toThrow();
  });

  // biome-ignore format: a table
  const pairs = [
    { first: '0.0.0.0', then: '127.0.0.1', free: false },
    { first: '127.0.0.1', then: '127.0.0.2', free: true },
    { first: '::', then: '0.0.0.0', free: false },
    { first: '127.0.0.1', then: '::', free: false },
  ];
  test.each(pairs)(
    'on $then beside $first is free = $free (Linux, Node)',
    ({ first, then, free }) => {
      const { stack } = loopback();
      stack.listen({ port: 80, address: first, handler: refuse });
      const second = (): void => {
        stack.listen({ port: 80, address: then, handler: refuse });
      };
      if (free) expect(second).not.toThrow();
      else expect(second).toThrow(/EADDRINUSE/);
    },
  );

  test('on an address that is not ours is EADDRNOTAVAIL', () => {
    const { stack } = loopback();
    const wrong = (): void => {
      stack.listen({ port: 80, address: '192.0.2.77', handler: refuse });
    };
    expect(wrong).toThrow(expect.objectContaining({ code: 'EADDRNOTAVAIL', syscall: 'listen' }));
  });

  test('on what is no address is EINVAL', () => {
    const { stack } = loopback();
    expect(() => stack.listen({ port: 80, address: 'nonsense', handler: refuse })).toThrow(
      /EINVAL/,
    );
  });

  test('with reusePort is shared by those who say so', () => {
    const { stack } = loopback();
    stack.listen({ port: 80, reusePort: true, handler: refuse });
    expect(() => stack.listen({ port: 80, reusePort: true, handler: refuse })).not.toThrow();
    expect(() => stack.listen({ port: 80, handler: refuse })).toThrow(/EADDRINUSE/);
  });

  test('tells address, port, family, backlog', () => {
    const { stack } = loopback();
    const server = stack.listen({ port: 80, address: '127.0.0.1', backlog: 7, handler: refuse });
    expect([server.address, server.port, server.family, server.backlog, server.listening]).toEqual([
      '127.0.0.1',
      80,
      4,
      7,
      true,
    ]);
    server.close();
    expect([server.port, server.listening]).toEqual([0, false]);
    server.close();
  });
});

describe('accepting', () => {
  test('hands over a connection that can be written to at once', () => {
    const { stack, turn } = loopback();
    const [client, inside] = [new Ear(), new Ear()];
    stack.listen({
      port: 80,
      handler: {
        accept(_server, s) {
          s.write(new Uint8Array([104, 105]));
          return inside;
        },
      },
    });
    const s = stack.connect({ address: '127.0.0.1', port: 80, handler: client });
    turn(1000);
    expect(client.log).toEqual(['opened', 'data hi']);
    expect([s.remoteAddress, s.remotePort, s.localAddress]).toEqual(['127.0.0.1', 80, '127.0.0.1']);
    s.shutdown();
    turn(1000);
    expect(inside.log).toContain('ended');
    expect(inside.log).not.toContain('opened');
  });

  test('null refuses: the client hears ECONNRESET', () => {
    const { stack, turn } = loopback();
    const client = new Ear();
    stack.listen({ port: 80, handler: refuse });
    stack.connect({ address: '127.0.0.1', port: 80, handler: client });
    turn(1000);
    expect(client.log).toEqual(['opened', 'closed -104']);
  });

  test('a handler that throws refuses, and drain raises its error once everything is done', () => {
    const { stack, turn } = loopback();
    const client = new Ear();
    const accept = (): TcpHandler => {
      throw new Error('from accept');
    };
    stack.listen({ port: 80, handler: { accept } });
    stack.connect({ address: '127.0.0.1', port: 80, handler: client });
    expect(() => turn(1000)).toThrow(/from accept/);
    turn(1000);
    expect(client.log.at(-1)).toBe('closed -104');
    expect(stack.counters.get('PortsideExceptions')).toBe(0);
  });

  test('waits while paused and goes on after resume, data included', () => {
    const { stack, turn } = loopback();
    const [client, inside] = [new Ear(), new Ear()];
    const server = stack.listen({ port: 80, handler: { accept: () => inside } });
    server.pause();
    const s = stack.connect({ address: '127.0.0.1', port: 80, handler: client });
    turn(1000);
    s.write(new Uint8Array([97, 98]));
    turn(1000);
    expect([client.log[0], server.waiting, inside.log]).toEqual(['opened', 1, []]);
    server.resume();
    turn(1000);
    expect([server.waiting, inside.log[0]]).toEqual([0, 'data ab']);
  });

  test('connections that are accepted outlive their server', () => {
    const { stack, turn } = loopback();
    const [client, inside] = [new Ear(), new Ear()];
    const server = stack.listen({ port: 80, handler: { accept: () => inside } });
    const s = stack.connect({ address: '127.0.0.1', port: 80, handler: client });
    turn(1000);
    server.close();
    s.write(new Uint8Array([120]));
    turn(1000);
    expect(inside.log).toEqual(['data x']);
  });

  test('nobody listens: the client hears ECONNREFUSED', () => {
    const { stack, turn } = loopback();
    const client = new Ear();
    stack.connect({ address: '127.0.0.1', port: 80, handler: client });
    turn(1000);
    expect(client.log).toEqual(['closed -111']);
  });
});

describe('a peer that opens and resets at once', () => {
  test('is accepted all the same, and then its end is told (Linux accept(2))', () => {
    const { stack, turn } = loopback();
    const ear = new Ear();
    const server = stack.listen({ port: 80, handler: { accept: () => ear } });
    const client: TcpHandler = {
      opened: (s) => s.abort(),
      data() {},
      ended() {},
      writable() {},
      written() {},
      closed() {},
    };
    stack.connect({ address: '127.0.0.1', port: 80, handler: client });
    turn();
    expect(ear.log).toEqual(['closed -104']);
    expect(server.waiting).toBe(0);
  });

  test('does not make a program throw that greets it: the octets go nowhere, and no timer stays', () => {
    const { stack, turn } = loopback();
    const ear = new Ear();
    const said: (number | boolean)[] = [];
    const accept = (_: unknown, s: TcpSocket): Ear => {
      s.setKeepAlive(true, 1000);
      said.push(s.send(new Uint8Array(5), 0, 5), s.write(new Uint8Array(5), 0, 5));
      s.shutdown();
      return ear;
    };
    const server = stack.listen({ port: 80, handler: { accept } });
    const client = new Ear();
    client.opened = (s?: TcpSocket) => s?.abort();
    stack.connect({ address: '127.0.0.1', port: 80, handler: client });
    turn();
    expect(said).toEqual([5, true]);
    expect(ear.log).toEqual(['closed -104']);
    expect([stack.tcp.live, stack.tcp.deadlines.armed]).toEqual([0, 0]);
    server.close();
    turn();
  });

  test('is refused without another word when nobody wants it', () => {
    const { stack, turn } = loopback();
    let asked = 0;
    const handler = {
      accept: () => {
        asked++;
        return null;
      },
    };
    const server = stack.listen({ port: 80, handler });
    const client = new Ear();
    client.opened = (s?: TcpSocket) => s?.abort();
    stack.connect({ address: '127.0.0.1', port: 80, handler: client });
    turn();
    expect([asked, server.waiting]).toEqual([1, 0]);
    server.close();
    turn();
  });
});
