import { describe, expect, test } from 'vitest';
import {
  openUdpSocket,
  type UdpHandler,
  type UdpOptions,
  type UdpSocket,
} from '../../src/socket/udp-socket.ts';
import { Bench, concat, expectSame, ip4, pattern, referenceSum, udpPacket } from '../ip/fixture.ts';
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

describe('names and binding', () => {
  test('without an address: every address, a random port', () => {
    const { s } = open(new Bench());
    expect(s.address).toBe('::');
    expect(s.port).toBeGreaterThanOrEqual(32_768);
    expect(s.port).toBeLessThanOrEqual(60_999);
    expect([s.remoteAddress, s.remotePort, s.connected]).toEqual([null, 0, false]);
  });

  const rows: [string, Omit<UdpOptions, 'handler'>, string][] = [
    ['not an address', { address: 'localhost' }, 'bind EINVAL localhost:0'],
    ['not ours', { address: '10.0.0.9', port: 5 }, 'bind EADDRNOTAVAIL 10.0.0.9:5'],
    ['a port too large', { port: 65_536 }, 'bind EINVAL :::65536'],
    ['a port too small', { port: -1 }, 'bind EINVAL :::-1'],
    ['half a port', { port: 1.5 }, 'bind EINVAL :::1.5'],
  ];
  test.each(rows)('%s throws', (_name, options, message) => {
    expect(() => open(new Bench(), options)).toThrow(message);
  });

  test('a taken port throws EADDRINUSE with its fields', () => {
    const b = new Bench();
    open(b, { port: 53 });
    try {
      open(b, { address: '10.0.0.2', port: 53 });
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({
        code: 'EADDRINUSE',
        errno: -98,
        syscall: 'bind',
        address: '10.0.0.2',
        port: 53,
      });
    }
  });

  test('127.0.0.1, a broadcast address and one of a prefix owned whole may be bound', () => {
    const b = new Bench();
    b.address('10.9.0.0/16', true);
    for (const address of ['127.0.0.1', '127.8.8.8', '10.0.0.255', '10.9.1.2', '0.0.0.0']) {
      expect(open(b, { address }).s.address).toBe(address);
    }
  });
});

describe('send', () => {
  test('makes the datagram that the RFC describes, with DF when it fits (RFC 768, RFC 1191)', () => {
    const b = new Bench();
    const { s } = open(b, { address: '10.0.0.2', port: 7 });
    s.setTtl(33);
    s.setTos(0xb8);
    expect(s.send(pattern(20), 2, 9, to('10.0.0.1'), 4000)).toBe(0);
    expect(b.work).toBe(1);
    const [packet] = b.sent() as [Uint8Array];
    const want = udpPacket(pattern(20).slice(2, 11), [7, 4000], {
      src: '10.0.0.2',
      dst: '10.0.0.1',
      ttl: 33,
      tos: 0xb8,
      frag: 0x4000,
    });
    expect(packet).toEqual(want);
    expect(b.counters.get('UdpOutDatagrams')).toBe(1);
  });

  test('a checksum that comes out as zero is sent as 0xffff (RFC 768)', () => {
    const b = new Bench();
    const { s } = open(b, { address: '10.0.0.2', port: 7 });
    const data = Uint8Array.of(0, 0);
    s.send(data, 0, 2, to('10.0.0.1'), 4000);
    const field = referenceSum(Uint8Array.from([...(b.sent()[0] as Uint8Array).slice(26, 28)]));
    data.set([(~field & 0xffff) >>> 8, ~field & 255]);
    s.send(data, 0, 2, to('10.0.0.1'), 4000);
    expect([...(b.sent()[0] as Uint8Array).slice(26, 28)]).toEqual([0xff, 0xff]);
  });

  test.each([0, 1, 1472])('%i octets go whole', (n) => {
    const b = new Bench();
    const { s } = open(b);
    expect(s.send(pattern(n), 0, n, to('10.0.0.1'), 9)).toBe(0);
    expect(b.sent().map((p) => p.length)).toEqual([28 + n]);
  });

  test('1,473 and 65,507 octets go in fragments with a right checksum', () => {
    for (const n of [1473, 65_507]) {
      const b = new Bench();
      const { s } = open(b, { address: '10.0.0.2', port: 7 });
      expect(s.send(pattern(n), 0, n, to('10.0.0.1'), 9)).toBe(0);
      const whole = concat(b.sent().map((p) => p.slice(20)));
      expectSame(
        whole,
        udpPacket(pattern(n), [7, 9], { src: '10.0.0.2', dst: '10.0.0.1' }).slice(20),
      );
    }
  });

  test('with dontFragment what does not fit is EMSGSIZE (RFC 8085 §3.2)', () => {
    const b = new Bench();
    const { s } = open(b);
    s.setDontFragment(true);
    expect(s.send(pattern(1473), 0, 1473, to('10.0.0.1'), 9)).toBe(-90);
    expect(s.pathMtu).toBe(1500);
  });

  const rows: [string, string | null, number, number, number][] = [
    ['65,508 octets: EMSGSIZE', '10.0.0.1', 9, 65_508, -90],
    ['no destination: EDESTADDRREQ', null, 9, 5, -89],
    ['port 0: EINVAL', '10.0.0.1', 0, 5, -22],
    ['a broadcast: EACCES', '10.0.0.255', 9, 5, -13],
    ['the limited broadcast: EACCES', '255.255.255.255', 9, 5, -13],
    ['no route: ENETUNREACH', '2001:db8::1', 9, 5, -101],
    ['a group needs no leave', '224.0.0.251', 9, 5, 0],
  ];
  test.each(rows)('%s', (_name, dst, port, n, code) => {
    const b = new Bench();
    const { s } = open(b);
    const address = dst === null ? undefined : to(dst);
    expect(s.send(pattern(n), 0, n, address, port)).toBe(code);
    expect(b.sent().length).toBe(code === 0 ? 1 : 0);
  });

  test('families must agree: EAFNOSUPPORT, ENETUNREACH (Linux)', () => {
    const b = new Bench();
    expect(open(b, { address: '0.0.0.0' }).s.send(HELLO, 0, 5, to('::1'), 9)).toBe(-97);
    expect(open(b, { address: '::', ipv6Only: true }).s.send(HELLO, 0, 5, to('10.0.0.1'), 9)).toBe(
      -101,
    );
  });

  test('with setBroadcast it may, and a group has TTL 1', () => {
    const b = new Bench();
    const { s } = open(b);
    s.setBroadcast(true);
    expect(s.send(HELLO, 0, 5, to('255.255.255.255'), 9)).toBe(0);
    expect(s.send(HELLO, 0, 5, to('10.0.0.255'), 9)).toBe(0);
    expect(s.send(HELLO, 0, 5, to('224.0.0.251'), 9)).toBe(0);
    s.setMulticastTtl(4);
    expect(s.send(HELLO, 0, 5, to('224.0.0.251'), 9)).toBe(0);
    expect(b.sent().map((p) => p[8])).toEqual([64, 64, 1, 4]);
  });

  test('a closed socket answers EBADFD', () => {
    const { s } = open(new Bench());
    s.close();
    s.close();
    expect([s.send(HELLO, 0, 5, to('10.0.0.1'), 9), s.closed]).toEqual([-77, true]);
    expect(() => s.connect('10.0.0.1', 9)).toThrow('connect EBADFD');
  });

  test('a path follows addresses and routes that change', () => {
    const b = new Bench();
    const { s } = open(b);
    s.send(HELLO, 0, 5, to('10.5.0.9'), 9);
    b.address('10.5.0.1/24');
    s.send(HELLO, 0, 5, to('10.5.0.9'), 9);
    expect(b.sent().map((p) => p.slice(12, 16).join('.'))).toEqual(['10.0.0.2', '10.5.0.1']);
  });
});

describe('when there is no room', () => {
  test('a full link is ENOBUFS; writable follows a millisecond later', () => {
    const b = new Bench();
    const { s, log } = open(b);
    b.device.full = true;
    expect(s.send(HELLO, 0, 5, to('10.0.0.1'), 9)).toBe(-105);
    expect(s.send(HELLO, 0, 5, to('10.0.0.1'), 9)).toBe(-105);
    b.drain();
    expect(log.lines).toEqual([]);
    b.device.full = false;
    expect(b.udpDeadline()).toBe(b.ip.nowUs + 1000);
    b.advance(1000);
    b.drain();
    expect(log.lines).toEqual(['writable']);
    expect(b.udpDeadline()).toBe(Infinity);
    expect(b.counters.get('UdpSndbufErrors')).toBe(2);
  });

  test('one turn takes only so much of one socket', () => {
    const b = new Bench({ udpSendOctets: 10_000 });
    const { s, log } = open(b);
    let n = 0;
    while (s.send(pattern(1000), 0, 1000, to('10.0.0.1'), 9) === 0) n++;
    expect(n).toBe(10);
    expect(open(b).s.send(HELLO, 0, 5, to('10.0.0.1'), 9)).toBe(0);
    b.drain();
    expect(log.lines).toEqual([]);
    b.advance(1000);
    expect(s.send(pattern(1000), 0, 1000, to('10.0.0.1'), 9)).toBe(0);
    b.drain();
    expect(log.lines).toEqual(['writable']);
  });
});

describe('receive', () => {
  test('says who sent and what was addressed', () => {
    const b = new Bench();
    const { log } = open(b, { port: 7 });
    b.feed(udpPacket(HELLO, [4000, 7], { ttl: 12 }));
    b.drain();
    expect(log.lines).toEqual(['5 from 10.0.0.1:4000 to 10.0.0.2 ttl 12']);
  });

  test('nothing is delivered outside of drain; pause holds back, resume makes work', () => {
    const b = new Bench();
    const { s, log } = open(b, { port: 7 });
    b.feed(udpPacket(HELLO));
    expect(log.lines).toEqual([]);
    s.pause();
    b.drain();
    expect([log.lines.length, s.queuedDatagrams]).toEqual([0, 1]);
    const before = b.work;
    s.resume();
    s.resume();
    expect(b.work).toBe(before + 1);
    b.drain();
    expect([log.lines.length, s.queuedDatagrams, s.queuedOctets]).toEqual([1, 0, 0]);
  });

  test('a reassembled datagram of 65,507 octets arrives whole', () => {
    const b = new Bench();
    const { log } = open(b, { port: 7 });
    const whole = udpPacket(pattern(65_507));
    for (let at = 0; at < 65_515; at += 1480) {
      const part = whole.slice(20 + at, 20 + Math.min(at + 1480, 65_515));
      b.feed(ip4({ id: 3, frag: (at + 1480 < 65_515 ? 0x2000 : 0) | (at / 8), payload: part }));
    }
    b.drain();
    expect(log.lines).toEqual(['65507 from 10.0.0.1:4000 to 10.0.0.2 ttl 64']);
  });

  test('reply comes from the address that was asked (RFC 1122 §4.1.3.5)', () => {
    const b = new Bench();
    b.address('10.9.0.0/16', true);
    b.address('10.0.0.7/24');
    const s = openUdpSocket(b.udp, {
      port: 7,
      handler: {
        datagram: (sock, u8, off, len, from) => void sock.reply(u8, off, len, from),
        error: () => {},
        writable: () => {},
      },
    });
    for (const dst of ['10.9.3.4', '10.0.0.7', '10.0.0.2', '10.0.0.255']) {
      b.feed(udpPacket(HELLO, [4000, 7], { dst }));
    }
    s.setBroadcast(false);
    b.drain();
    const out = b.sent();
    expect(out.map((p) => p.slice(12, 16).join('.'))).toEqual([
      '10.9.3.4',
      '10.0.0.7',
      '10.0.0.2',
      '10.0.0.2',
    ]);
    expect(out.map((p) => [...p.slice(22, 24)])).toEqual(new Array(4).fill([0x0f, 0xa0]));
  });
});
