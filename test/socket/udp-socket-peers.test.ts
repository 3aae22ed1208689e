import { describe, expect, test } from 'vitest';
import {
  openUdpSocket,
  type UdpHandler,
  type UdpOptions,
  type UdpSocket,
} from '../../src/socket/udp-socket.ts';
import { Bench, icmpMessage, ip4, pattern, udpPacket } from '../ip/fixture.ts';
import { to } from '../udp/kit.ts';

class Log implements UdpHandler {
  readonly lines: string[] = [];
  onDatagram: ((s: UdpSocket, u8: Uint8Array, off: number, len: number) => void) | null = null;
  datagram: UdpHandler['datagram'] = (s, u8, off, len, from) => {
    this.lines.push(`${len} from ${from.remote()}:${from.port} to ${from.local()} ttl ${from.ttl}`);
    this.onDatagram?.(s, u8, off, len);
  };
  error: UdpHandler['error'] = (_s, code) => void this.lines.push(`error ${code}`);
  writable: UdpHandler['writable'] = () => void this.lines.push('writable');
}

function open(b: Bench, options: Omit<UdpOptions, 'handler'> = {}): { s: UdpSocket; log: Log } {
  const log = new Log();
  return { s: openUdpSocket(b.udp, { ...options, handler: log }), log };
}

const HELLO = pattern(5);

describe('connect', () => {
  test('fixes both ends; only the peer is heard', () => {
    const b = new Bench();
    const { s, log } = open(b, { port: 7 });
    s.connect('10.0.0.1', 4000);
    expect([s.address, s.remoteAddress, s.remotePort, s.connected]).toEqual([
      '10.0.0.2',
      '10.0.0.1',
      4000,
      true,
    ]);
    b.feed(udpPacket(HELLO, [4000, 7]));
    b.feed(udpPacket(HELLO, [4001, 7]));
    b.drain();
    expect(log.lines.length).toBe(1);
    expect(b.reasons()).toEqual(['NO_SOCKET']);
    b.sent();
    expect(s.send(HELLO, 0, 5)).toBe(0);
    expect(s.send(HELLO, 0, 5, to('10.0.0.77'), 5)).toBe(0);
    expect(b.sent().map((p) => p.slice(16, 20).join('.'))).toEqual(['10.0.0.1', '10.0.0.77']);
    s.connect('10.0.0.9', 4001);
    expect(s.remoteAddress).toBe('10.0.0.9');
    s.disconnect();
    expect([s.address, s.remoteAddress, s.connected]).toEqual(['::', null, false]);
    b.feed(udpPacket(HELLO, [4001, 7]));
    b.drain();
    expect(log.lines.length).toBe(2);
    expect(() => s.disconnect()).toThrow('ENOTCONN');
  });

  const rows: [string, string, number, string][] = [
    ['nonsense', 'x', 9, 'connect EINVAL x:9'],
    ['port 0', '10.0.0.1', 0, 'connect EINVAL 10.0.0.1:0'],
    ['a broadcast', '10.0.0.255', 9, 'connect EACCES 10.0.0.255:9'],
    ['no route', '2001:db8::1', 9, 'connect ENETUNREACH 2001:db8::1:9'],
  ];
  test.each(rows)('%s throws and changes nothing', (_name, address, port, message) => {
    const b = new Bench();
    const { s } = open(b, { port: 7 });
    expect(() => s.connect(address, port)).toThrow(message);
    expect([s.connected, s.address]).toEqual([false, '::']);
    expect(s.send(HELLO, 0, 5, to('10.0.0.1'), 9)).toBe(0);
  });

  test('disconnect cannot take a port back that somebody else holds by now', () => {
    const b = new Bench();
    const { s } = open(b, { port: 7 });
    s.connect('10.0.0.1', 4000);
    open(b, { port: 7 });
    expect(() => s.disconnect()).toThrow('EADDRINUSE');
    expect(s.connected).toBe(true);
  });
});

describe('ICMP errors (RFC 1122 §4.1.3.3)', () => {
  const about = (quote: Uint8Array, type: number, code: number, mtu = 0): Uint8Array =>
    ip4({
      proto: 1,
      payload: icmpMessage(type, code, [0, 0, mtu >>> 8, mtu & 255], quote.slice(0, 28)),
    });
  const rows: [string, number, number, string[]][] = [
    ['port unreachable', 3, 3, ['error -111']],
    ['protocol unreachable', 3, 2, ['error -92']],
    ['administratively prohibited', 3, 13, ['error -113']],
    ['host unreachable is soft', 3, 1, []],
    ['time exceeded is soft', 11, 0, []],
    ['parameter problem is soft', 12, 0, []],
  ];
  test.each(rows)('a connected socket hears: %s', (_name, type, code, lines) => {
    const b = new Bench();
    const { s, log } = open(b, { port: 7 });
    s.connect('10.0.0.1', 4000);
    s.send(HELLO, 0, 5);
    const [sent] = b.sent() as [Uint8Array];
    b.feed(about(sent, type, code));
    expect(log.lines).toEqual([]);
    b.drain();
    expect(log.lines).toEqual(lines);
  });

  test('not of datagrams that were not its own, and never without a peer', () => {
    const b = new Bench();
    const { s, log } = open(b, { port: 7 });
    s.send(HELLO, 0, 5, to('10.0.0.1'), 4000);
    const [sent] = b.sent() as [Uint8Array];
    b.feed(about(sent, 3, 3));
    s.connect('10.0.0.1', 4001);
    b.feed(about(sent, 3, 3));
    b.drain();
    expect(log.lines).toEqual([]);
    expect(b.reasons()).toEqual(['NO_SOCKET']);
  });

  test('fragmentation needed: EMSGSIZE, and the next datagram goes in fragments (RFC 1191)', () => {
    const b = new Bench();
    const { s, log } = open(b, { port: 7 });
    s.connect('10.0.0.1', 4000);
    s.send(pattern(1400), 0, 1400);
    const [sent] = b.sent() as [Uint8Array];
    b.feed(about(sent, 3, 4, 1000));
    b.drain();
    expect(log.lines).toEqual(['error -90']);
    expect(s.send(pattern(1400), 0, 1400)).toBe(0);
    expect(b.sent().map((p) => p.length)).toEqual([996, 452]);
    expect(s.pathMtu).toBe(1000);
  });

  test('and it is not believed of a destination that nobody sent to (RFC 5927 §7)', () => {
    const b = new Bench();
    const { s } = open(b, { port: 7 });
    s.send(pattern(1400), 0, 1400, to('10.0.0.1'), 4000);
    b.sent();
    const forged = udpPacket(pattern(1400), [7, 53], { src: '10.0.0.2', dst: '8.8.8.8' });
    b.feed(about(forged, 3, 4, 600));
    expect(b.ip.pmtu.size).toBe(0);
    const genuine = udpPacket(pattern(1400), [7, 4000], { src: '10.0.0.2', dst: '10.0.0.1' });
    b.feed(about(genuine, 3, 4, 600));
    expect(b.ip.pmtu.size).toBe(1);
  });
});

describe('over loopback', () => {
  test('127.0.0.1 and our own address reach our own sockets; checksums are not needed', () => {
    const b = new Bench();
    const { log } = open(b, { port: 7 });
    const { s, log: back } = open(b, { port: 9 });
    log.onDatagram = (sock, u8, off, len) => void sock.send(u8, off, len, to('10.0.0.2'), 9);
    s.send(pattern(60_000), 0, 60_000, to('127.0.0.1'), 7);
    b.drain();
    expect(log.lines).toEqual(['60000 from 127.0.0.1:9 to 127.0.0.1 ttl 64']);
    expect(back.lines).toEqual(['60000 from 10.0.0.2:7 to 10.0.0.2 ttl 64']);
    expect(b.device.take()).toEqual([]);
  });

  test('nobody there is ECONNREFUSED, as from another host', () => {
    const b = new Bench();
    const { s, log } = open(b, { port: 9 });
    s.connect('127.0.0.1', 7);
    s.send(HELLO, 0, 5);
    b.drain();
    expect(log.lines).toEqual(['error -111']);
  });

  test('0.0.0.0 as a destination means this host (Linux)', () => {
    const b = new Bench();
    const { log } = open(b, { port: 7 });
    const { s } = open(b, { port: 9 });
    expect(s.send(HELLO, 0, 5, to('0.0.0.0'), 7)).toBe(0);
    b.drain();
    expect(log.lines).toEqual(['5 from 127.0.0.1:9 to 127.0.0.1 ttl 64']);
  });
});
