// Echo, discard and chargen on the core's handles, over the stack's own loopback.

import { describe, expect, test } from 'vitest';
import { startChargen } from '../../src/services/chargen.ts';
import { startDiscard } from '../../src/services/discard.ts';
import { startEcho } from '../../src/services/echo.ts';
import { Loop } from './loop.ts';

const OWN = new Set([7, 9, 19, 5201]);

describe('echo', () => {
  test('returns what it gets and ends when the client does (RFC 862)', () => {
    const loop = new Loop();
    startEcho(loop.stack, OWN);
    const client = loop.connect(7);
    client.say([1, 2, 3]);
    expect(client.hear()).toEqual([1, 2, 3]);
    client.say([4]);
    client.socket.shutdown();
    loop.run(10);
    expect(client.hear()).toEqual([4]);
    expect(client.hasEnded).toBe(true);
  });

  test('stops reading while its answer is not taken, and loses nothing', () => {
    const loop = new Loop();
    startEcho(loop.stack, OWN);
    const client = loop.connect(7);
    client.socket.pause();
    const block = new Uint8Array(1 << 20).fill(0x5a);
    for (let i = 0; i < 32; i++) client.socket.write(block, 0, block.length);
    loop.run(500);
    // The client has not read: windows and one rest hold a part of the 32 MB, the client the rest.
    expect(client.socket.queued).toBeGreaterThan(8 << 20);
    client.socket.resume();
    loop.run(500);
    expect(client.socket.queued).toBe(0);
    expect(client.octets).toBe(32 << 20);
  });

  const ports = [
    [20_007, 1],
    [1024, 1],
    [1023, 0],
    [53, 0],
    [19, 0],
    [5201, 0],
  ] as const;
  test.each(ports)('gives a datagram from port %i %i answers (CVE-1999-0103)', (port, answers) => {
    const loop = new Loop();
    startEcho(loop.stack, OWN);
    const client = loop.udp(port);
    client.say([1, 2, 3], 7);
    expect(client.heard).toEqual(answers === 1 ? [[1, 2, 3]] : []);
  });

  test('closes its ports and connections', () => {
    const loop = new Loop();
    const service = startEcho(loop.stack, OWN);
    expect(service.listens).toEqual([
      { protocol: 'tcp', port: 7 },
      { protocol: 'udp', port: 7 },
    ]);
    const client = loop.connect(7);
    service.close();
    loop.run(5);
    expect(client.code).toBe(-104); // ECONNRESET
    expect(loop.connect(7).code).toBe(-111); // ECONNREFUSED
    startEcho(loop.stack, OWN); // the ports are free again
  });
});

describe('discard', () => {
  test('reads, answers nothing and ends when the client does (RFC 863)', () => {
    const loop = new Loop();
    startDiscard(loop.stack);
    const client = loop.connect(9);
    client.say(new Uint8Array(100_000));
    loop.run(50);
    expect(client.socket.queued).toBe(0);
    client.socket.shutdown();
    loop.run(5);
    expect([client.octets, client.hasEnded]).toEqual([0, true]);
    const udp = loop.udp(20_009);
    udp.say([1], 9);
    expect([udp.heard, udp.errors]).toEqual([[], []]);
  });
});

describe('chargen', () => {
  test('sends the pattern without a gap and ends after the client (RFC 864)', () => {
    const loop = new Loop();
    startChargen(loop.stack);
    const client = loop.connect(19);
    loop.run(20);
    const heard = client.hear();
    expect(heard.length).toBeGreaterThan(7030 * 3);
    expect(String.fromCharCode(...heard.slice(0, 8))).toBe(' !"#$%&\'');
    // the second period repeats the first
    expect(heard.slice(7030, 14_060)).toEqual(heard.slice(0, 7030));
    client.socket.shutdown();
    loop.run(300);
    expect(client.hasEnded).toBe(true);
    const total = client.octets;
    loop.run(20);
    expect(client.octets).toBe(total);
  });

  test('has no UDP service: port unreachable (RFC 1122 §4.1.3.1)', () => {
    const loop = new Loop();
    startChargen(loop.stack);
    const client = loop.udp(20_019);
    client.say([1], 19);
    expect(client.heard).toEqual([]);
    expect(client.errors).toEqual([-111]);
  });
});
