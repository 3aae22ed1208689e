// The handle of a connection between two ends of one stack: order of events, backpressure, ends.

import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import type { TcpHandler, TcpSocket } from '../../src/socket/tcp-socket.ts';
import { Stack } from '../../src/stack/stack.ts';

class Ear implements TcpHandler {
  readonly log: string[] = [];
  octets = 0;
  writables = 0;
  writtenCalls = 0;
  onData: ((s: TcpSocket) => void) | null = null;
  opened(): void {
    this.log.push('opened');
  }
  data(s: TcpSocket, _u8: Uint8Array, _off: number, len: number): void {
    this.octets += len;
    this.onData?.(s);
  }
  ended(): void {
    this.log.push('ended');
  }
  writable(): void {
    this.writables++;
  }
  written(_s: TcpSocket, n: number): void {
    this.writtenCalls += n;
  }
  closed(_s: TcpSocket, code: number): void {
    this.log.push(`closed ${code}`);
  }
}

interface Pair {
  stack: Stack;
  turn: (us?: number) => void;
  client: TcpSocket;
  server: TcpSocket;
  atClient: Ear;
  atServer: Ear;
}

function pair(): Pair {
  let now = 0;
  const stack = new Stack({ random: new SeededRandom(1), nowUs: 0 });
  const turn = (us = 0): void => {
    const end = now + us;
    for (let i = 0; i < 100_000; i++) {
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
  const [atClient, atServer] = [new Ear(), new Ear()];
  let server: TcpSocket | null = null;
  const accept = (_: unknown, s: TcpSocket): TcpHandler => {
    server = s;
    return atServer;
  };
  stack.listen({ port: 80, handler: { accept } });
  const client = stack.connect({ address: '127.0.0.1', port: 80, handler: atClient });
  turn(1000);
  if (server === null) throw new Error('no connection');
  return { stack, turn, client, server, atClient, atServer };
}

describe('a connection', () => {
  test('opens, carries data both ways, ends on both sides with 0', () => {
    const p = pair();
    p.client.write(new Uint8Array(100_000));
    p.server.write(new Uint8Array(50_000));
    p.turn(1_000_000);
    expect([p.atServer.octets, p.atClient.octets]).toEqual([100_000, 50_000]);
    expect([p.client.bytesReceived, p.server.bytesReceived]).toEqual([50_000, 100_000]);
    p.client.close();
    p.turn(1_000_000);
    expect(p.atServer.log).toEqual(['ended']);
    p.server.close();
    p.turn(1_000_000);
    expect(p.atServer.log).toEqual(['ended', 'closed 0']);
    expect(p.atClient.log).toEqual(['opened', 'closed 0']);
  });

  test('write answers false at the high-water mark, and writable follows when there is room', () => {
    const p = pair();
    p.server.pause();
    const chunk = new Uint8Array(65_536);
    let writes = 0;
    while (writes < 1000 && p.client.write(chunk)) writes++;
    expect(writes).toBeLessThan(1000);
    expect(p.client.queued).toBeGreaterThanOrEqual(p.client.sendHighWater);
    p.turn(1_000_000);
    expect(p.atClient.writables).toBe(0);
    p.server.resume();
    p.turn(5_000_000);
    expect(p.atClient.writables).toBe(1);
    expect([p.client.queued, p.client.unsent]).toEqual([0, 0]);
    expect(p.atServer.octets).toBe((writes + 1) * 65_536);
    expect(p.atClient.writtenCalls).toBe(writes + 1);
  });

  test('after close nobody is told of room: what is queued goes, and then comes closed', () => {
    const p = pair();
    p.server.pause();
    const chunk = new Uint8Array(65_536);
    for (let writes = 0; writes < 1000 && p.client.write(chunk); writes++);
    p.client.close();
    p.server.resume();
    p.turn(5_000_000);
    expect([p.client.queued, p.atClient.writables]).toEqual([0, 0]);
  });

  test('send copies: the memory may be used again at once', () => {
    const p = pair();
    const u8 = new Uint8Array([1, 2, 3]);
    const got: number[] = [];
    p.server.handler = {
      ...p.atServer,
      data: (_s, d, off, len) => void got.push(...d.subarray(off, off + len)),
      opened() {},
      ended() {},
      writable() {},
      written() {},
      closed() {},
    };
    expect(p.client.send(u8)).toBe(3);
    u8.fill(99);
    p.turn(1_000_000);
    expect(got).toEqual([1, 2, 3]);
    expect(p.atClient.writtenCalls).toBe(0);
  });

  test('a reader that pauses in data gets no more of it, and the end not before resume', () => {
    const p = pair();
    p.atServer.onData = (s) => s.pause();
    p.client.write(new Uint8Array(300_000));
    p.client.shutdown();
    p.turn(1_000_000);
    const first = p.atServer.octets;
    expect(first).toBeLessThan(300_000);
    expect(p.atServer.log).toEqual([]);
    p.atServer.onData = null;
    p.server.resume();
    p.turn(5_000_000);
    expect(p.atServer.octets).toBe(300_000);
    expect(p.atServer.log).toEqual(['ended']);
  });

  test('memory in flight is bounded by the window while the reader pauses', () => {
    const p = pair();
    p.server.pause();
    for (let i = 0; i < 100; i++) p.client.write(new Uint8Array(65_536));
    p.turn(10_000_000);
    expect(p.server.info().recv_q).toBeLessThanOrEqual(6_291_456);
    expect(p.stack.tcp.rcvMemory).toBeLessThanOrEqual(2 * 6_291_456);
  });

  test('abort is ECONNABORTED here and ECONNRESET there', () => {
    const p = pair();
    p.client.abort();
    p.turn(1000);
    expect(p.atClient.log).toEqual(['opened', 'closed -103']);
    expect(p.atServer.log).toEqual(['closed -104']);
  });

  test('calls made inside of a handler are legal, closing too', () => {
    const p = pair();
    p.atServer.onData = (s) => {
      s.write(new Uint8Array(10));
      s.close();
    };
    p.client.write(new Uint8Array(10));
    p.turn(1_000_000);
    expect(p.atClient.octets).toBe(10);
    expect(p.atClient.log).toEqual(['opened', 'ended']);
    p.client.close();
    p.turn(1_000_000);
    expect(p.atServer.log).toEqual(['closed 0']);
  });

  test('a handler that throws does not stop the others, and its error is raised', () => {
    const p = pair();
    p.atServer.onData = () => {
      throw new Error('from data');
    };
    p.client.write(new Uint8Array(10));
    expect(() => p.turn(1_000_000)).toThrow(/from data/);
    p.atServer.onData = null;
    p.client.write(new Uint8Array(10));
    p.turn(1_000_000);
    expect(p.atServer.octets).toBe(20);
    expect(p.stack.counters.get('PortsideExceptions')).toBe(0);
  });

  test('onWork is called once for any number of calls in a turn', () => {
    const p = pair();
    let calls = 0;
    p.stack.onWork = () => {
      calls++;
    };
    p.client.write(new Uint8Array(10));
    p.client.write(new Uint8Array(10));
    p.server.write(new Uint8Array(10));
    expect(calls).toBe(1);
  });

  test('closed is the last call, exactly once, and nothing is left in the stack', () => {
    const p = pair();
    p.client.write(new Uint8Array(1000));
    p.client.close();
    p.server.close();
    p.turn(200_000_000);
    expect(p.atClient.log.filter((l) => l.startsWith('closed')).length).toBe(1);
    expect(p.atServer.log.filter((l) => l.startsWith('closed')).length).toBe(1);
    const { tcp } = p.stack;
    expect([tcp.live, tcp.flows.size, tcp.rcvMemory]).toEqual([0, 0, 0]);
  });
});
