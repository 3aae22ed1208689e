// Captures of a running stack: what is in the file, in which order, and what is said of it.

import { describe, expect, test } from 'vitest';
import { StackCapture, type StackCaptureOptions } from '../../src/inspect/capture-stack.ts';
import { clockText, packetText } from '../../src/inspect/packet-text.ts';
import { PcapngError, PcapngReader, type ReadPacket } from '../../src/inspect/pcapng-read.ts';
import { PcapngWriter } from '../../src/link/capture.ts';
import { World } from '../../src/sim/world.ts';
import type { TcpHandler } from '../../src/socket/tcp-socket.ts';
import type { Stack } from '../../src/stack/stack.ts';
import { EtherBench, macOption, nd, PEER4, PEER6 } from '../ip/ether-kit.ts';

const QUIET: TcpHandler = {
  opened: () => {},
  data: () => {},
  ended: () => {},
  writable: () => {},
  written: () => {},
  closed: () => {},
};
const SERVER = { address: '10.0.0.2', port: 80 };

function pair(loss = 0) {
  const w = new World({ seed: 21 });
  const a = w.host('a', { addresses: ['10.0.0.1/24'] });
  const b = w.host('b', { addresses: ['10.0.0.2/24'] });
  w.link(a, b, { delayUs: 10_000, loss });
  b.stack.listen({ ...SERVER, handler: { accept: () => QUIET } });
  const settle = (ms: number): void => {
    w.run({ untilUs: w.clock.nowUs() + ms * 1000 });
  };
  return { a: a.stack, b: b.stack, settle };
}

class File {
  readonly chunks: Uint8Array[] = [];
  ended = 0;
  full = false;
  readonly capture: StackCapture;

  constructor(stack: Stack, o: Partial<StackCaptureOptions> = {}) {
    const reader = {
      chunk: (octets: Uint8Array) => void this.chunks.push(octets),
      room: () => !this.full,
      ended: () => void this.ended++,
    };
    this.capture = new StackCapture(stack, reader, { epochUs: 0, ...o });
  }

  packets(): ReadPacket[] {
    const reader = new PcapngReader();
    const blocks = this.chunks.flatMap((chunk) => reader.push(chunk));
    return blocks.map((b) => b.packet).filter((p): p is ReadPacket => p !== null);
  }

  lines(): string[] {
    return this.packets().map((p) => packetText(p).replace(/^\S+ /, ''));
  }
}

describe('a capture', () => {
  test('has both directions in the order of the wire, with names and times', () => {
    const { a, settle } = pair();
    const file = new File(a, { filter: 'tcp' });
    a.connect({ ...SERVER, localPort: 4444, handler: QUIET });
    settle(100);
    const lines = file.lines().map((line) => line.replace(/, (seq|ack|win|options).*/, ''));
    expect(lines.map((line) => line.replace(/^\S+ /, ''))).toEqual([
      'Out IP 10.0.0.1.4444 > 10.0.0.2.80: Flags [S]',
      'In  IP 10.0.0.2.80 > 10.0.0.1.4444: Flags [S.]',
      'Out IP 10.0.0.1.4444 > 10.0.0.2.80: Flags [.]',
    ]);
    const [first, second] = file.packets();
    expect((second?.atUs ?? 0) - (first?.atUs ?? 0)).toBe(20_000);
    expect(first?.interface.name).not.toBe('');
  });

  test('says why a packet was discarded, before the answer that it drew', () => {
    const { a, b, settle } = pair();
    const file = new File(b);
    a.connect({ address: '10.0.0.2', port: 81, handler: QUIET });
    settle(100);
    const [syn, reset] = file.packets();
    expect(syn).toMatchObject({ direction: 1, comment: 'DROP NO_SOCKET' });
    expect(reset).toMatchObject({ direction: 2, comment: '' });
    expect(packetText(reset as ReadPacket)).toContain('Flags [R.]');
  });

  test('says with comments what the connection looks like, and what is a retransmission', () => {
    const { a, settle } = pair(0.05);
    const s = a.connect({ ...SERVER, localPort: 4444, handler: QUIET });
    settle(5000);
    const before = a.counters.get('TcpRetransSegs');
    const file = new File(a, { comments: true, filter: 'out' });
    for (let i = 0; i < 20; i++) {
      s.send(new Uint8Array(20_000));
      settle(3000);
    }
    const again = file.packets().filter((p) => p.comment.includes('retransmission'));
    const mss = s.info().snd_mss;
    const segments = again.reduce((sum, p) => sum + Math.ceil((p.length - 52) / mss), 0);
    const claimed = a.counters.get('TcpRetransSegs') - before;
    expect(claimed).toBeGreaterThan(5);
    expect(segments).toBe(claimed);
    expect(again[0]?.comment).toMatch(
      /^(GSO \d+; )?retransmission; ESTAB cwnd=\d+ ssthresh=\d+ inflight=\d+ srtt=[\d.]+ms rto=\d+ms$/,
    );
  });

  test('keeps as much of a packet as is wanted, and ends after as many', () => {
    const { a, settle } = pair();
    const s = a.connect({ ...SERVER, handler: QUIET });
    settle(100);
    const file = new File(a, { snap: 60, count: 2, filter: 'greater 500' });
    s.send(new Uint8Array(1000));
    settle(100);
    s.send(new Uint8Array(1000));
    settle(100);
    s.send(new Uint8Array(1000));
    settle(100);
    expect(file.packets().map((p) => [p.octets.length, p.length])).toEqual([
      [60, 1052],
      [60, 1052],
    ]);
    expect(file.ended).toBe(1);
    expect(a.ip.tap).toBeNull();
  });

  test('leaves out what a slow reader has no room for, and says how much', () => {
    const { a, settle } = pair();
    const file = new File(a);
    file.full = true;
    a.connect({ ...SERVER, handler: QUIET });
    settle(100);
    file.capture.end();
    expect(file.packets()).toEqual([]);
    const last = file.chunks.at(-1) as Uint8Array;
    const view = new DataView(last.buffer, last.byteOffset);
    expect(view.getUint32(0, true)).toBe(5);
    // isb_ifrecv and isb_ifdrop: both 3
    expect([view.getUint16(20, true), view.getUint32(24, true)]).toEqual([4, 3]);
    expect([view.getUint16(32, true), view.getUint32(36, true)]).toEqual([5, 3]);
  });

  test('costs nothing when it is over, and sixteen are enough', () => {
    const { a } = pair();
    expect(a.ip.tap).toBeNull();
    const files = Array.from({ length: 16 }, () => new File(a));
    expect(() => new File(a)).toThrow(RangeError);
    for (const file of files) file.capture.end();
    expect(a.ip.tap).toBeNull();
  });

  test('of a link that is not there is refused', () => {
    const { a } = pair();
    expect(() => new File(a, { link: 'nothing' })).toThrow('there is no link nothing');
  });
});

test('on an Ethernet, IP packets without their frames: questions about neighbours too, no ARP', () => {
  const b = EtherBench.ready();
  const file = new File(b.stack);
  b.send(PEER4);
  b.send(PEER6);
  b.feed(nd({ type: 136, target: PEER6, flags: 0x60, options: macOption(2) }));
  expect(file.lines().map((line) => line.replace(/1\.\d+ >/, '1.PORT >'))).toEqual([
    'eth0 Out IP6 fe80::1 > ff02::1:ff00:2: ip-proto-58 32',
    'eth0 In  IP6 fe80::2 > fe80::1: ip-proto-58 32',
    'eth0 Out IP6 fe80::1.PORT > fe80::2.7: UDP, length 4',
  ]);
  expect(file.packets().every((p) => p.octets[0] === 0x60)).toBe(true);
});

describe('the reader', () => {
  test('takes the file in pieces of any size', () => {
    const chunks: number[] = [];
    const writer = new PcapngWriter((c) => chunks.push(...c), 1_764_000_000_000_000);
    writer.addInterface('tún0');
    writer.packet(0, 0.25, Uint8Array.of(0x45, 1, 2), 2, 'grüße');
    writer.secrets('CLIENT_RANDOM 00 11\n');
    writer.packet(0, 1, Uint8Array.of(0x45), 1);
    const reader = new PcapngReader();
    const blocks = chunks.flatMap((octet) => reader.push(Uint8Array.of(octet)));
    expect(blocks.map((b) => b.head)).toEqual([true, true, false, false, false]);
    const raw = blocks.flatMap((b) => Array.from(b.raw));
    expect(raw).toEqual(chunks);
    const packets = blocks.map((b) => b.packet).filter((p) => p !== null);
    expect(packets.map((p) => [Array.from(p.octets), p.direction, p.comment])).toEqual([
      [[0x45, 1, 2], 2, 'grüße'],
      [[0x45], 1, ''],
    ]);
    expect(packets[0]?.interface.name).toBe('tún0');
    expect(packets[1]?.atUs).toBe(1_764_000_000_000_001);
  });

  test('reads files of the other byte order', () => {
    const file = new Uint8Array(28 + 20 + 36);
    const view = new DataView(file.buffer);
    // big-endian: a section, an interface without options (µs), a packet of four octets
    [0x0a0d0d0a, 28, 0x1a2b3c4d, 0x00010000, -1, -1, 28].map((w, i) => view.setInt32(i * 4, w));
    [1, 20, 101 << 16, 65535, 20].map((w, i) => view.setInt32(28 + i * 4, w));
    [6, 36, 0, 0, 7, 4, 4, 0x45000004, 36].map((w, i) => view.setInt32(48 + i * 4, w));
    const [packet] = new PcapngReader().push(file).flatMap((b) => b.packet ?? []);
    expect(packet).toMatchObject({ atUs: 7, length: 4, interface: { linkType: 101 } });
    expect(Array.from(packet?.octets ?? [])).toEqual([0x45, 0, 0, 4]);
  });

  const wrong: [string, number[]][] = [
    ['text', Array.from('hello, world', (c) => c.charCodeAt(0))],
    ['a section of no byte order', [0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 1, 2, 3, 4]],
    ['a block of 8 octets', [0x0a, 0x0d, 0x0d, 0x0a, 8, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a]],
    ['a block of 4 GiB', [0x0a, 0x0d, 0x0d, 0x0a, 252, 255, 255, 255, 0x4d, 0x3c, 0x2b, 0x1a]],
  ];
  test.each(wrong)('refuses %s', (_name, octets) => {
    expect(() => new PcapngReader().push(Uint8Array.from(octets))).toThrow(PcapngError);
  });
});

test('times of day', () => {
  expect(clockText(1_764_000_000_000_000)).toBe('16:00:00.000000');
  expect(clockText(1_764_003_661_204_117.5)).toBe('17:01:01.204117');
});
