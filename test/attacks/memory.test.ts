// The memory ledger: adversaries that each try to make a stack hold more than its cap of 64 MB.
// After every packet what is accounted stays below the cap and equals the buffers that are alive,
// counted by walking them; when all is over nothing is held (RFC 9293 §3.7, RFC 4987 §2).

import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import type { TcpSocket } from '../../src/socket/tcp-socket.ts';
import { ipv4, udp4 } from '../kit/packet.ts';
import { ACK, CAP, FIN_ACK, MB, MSS, peer, RST, Siege, SYN, US } from './siege.ts';

const SMALL = new Uint8Array(1);
const LIMIT = { timeout: 60_000 };

describe('64 MB hold against', () => {
  test(
    'out-of-order segments of one octet at the end of each window (CVE-2018-5390)',
    LIMIT,
    () => {
      const siege = new Siege();
      siege.listen();
      for (let n = 0; n < 1500; n++) {
        const p = peer(n);
        siege.open(p);
        siege.segment(p, { flags: ACK, seq: 60_000, ack: 1, payload: SMALL });
      }
      expect(siege.dropped('TCP_OFO_DROP')).toBeGreaterThan(0);
      expect(siege.dropped('PROTO_MEM')).toBeGreaterThan(100);
      siege.end();
    },
  );

  test(
    'out-of-order segments of one octet, every other one of a window (SegmentSmack)',
    LIMIT,
    () => {
      const siege = new Siege({ stack: { memoryOctets: 4 * MB } });
      siege.listen();
      for (let n = 0; n < 100; n++) {
        const p = peer(n);
        siege.open(p);
        for (let i = 0; i < 400; i++) {
          siege.segment(p, { flags: ACK, seq: 40_003 + 2 * i, ack: 1, payload: SMALL });
        }
      }
      siege.end(0.9);
    },
  );

  const hoard = (siege: Siege): void => {
    const block = new Uint8Array(200_000);
    siege.greet = (s) => {
      s.send(block);
    };
    siege.handler = { ...siege.handler, writable: (s) => void s.send(block) };
  };

  test('peers that acknowledge with holes only (SACK Slowness, CVE-2019-11478)', LIMIT, () => {
    const siege = new Siege();
    siege.listen();
    hoard(siege);
    for (let n = 0; n < 400; n++) {
      const p = peer(n);
      siege.open(p);
      for (let i = 0; i < 8; i++) {
        const [from, to] = [1 + 1460 * (2 * i + 1), 1 + 1460 * (2 * i + 2)];
        const sack = new Uint8Array([1, 1, 5, 10, 0, 0, from >> 8, from, 0, 0, to >> 8, to]);
        siege.segment(p, { flags: ACK, seq: 1, ack: 1, options: sack });
      }
    }
    siege.end();
  });

  test(
    'peers that shut their window for ever; stalled ones are given up (sockstress, CVE-2008-4609)',
    LIMIT,
    () => {
      const siege = new Siege();
      siege.listen();
      hoard(siege);
      for (let n = 0; n < 600; n++) siege.open(peer(n), 0);
      siege.compare();
      expect(siege.stack.ip.memory.used).toBeGreaterThan(CAP * 0.97);
      for (let second = 0; second < 60; second++) {
        siege.later(1);
        // each probe is answered: the window stays shut, and the connection alive (MUST-37)
        for (let n = 0; n < 600; n += 7)
          siege.segment(peer(n), { flags: ACK, seq: 1, ack: 1, window: 0 });
      }
      expect(siege.stack.counters.get('TcpExtTCPAbortOnMemory')).toBeGreaterThan(50);
      expect(siege.stack.ip.memory.used).toBeLessThan(CAP * 0.76);
      siege.end(0);
    },
  );

  test('first fragments whose rest never comes (FragmentSmack, CVE-2018-5391)', LIMIT, () => {
    const many = 1 << 20;
    const siege = new Siege({
      ip: {
        reassemblyMaxOctets: 256 * MB,
        reassemblyMaxOctetsPerSource: 256 * MB,
        reassemblyMaxDatagrams: many,
      },
    });
    const body = new Uint8Array(8184);
    for (let n = 0; n < 9000; n++) {
      siege.packet(
        ipv4({ src: peer(n).src, dst: US, protocol: 17, id: n & 0xffff, mf: true }, body),
      );
    }
    expect(siege.dropped('PROTO_MEM')).toBeGreaterThan(500);
    siege.end();
  });

  test('SYNs, where cookies are off and the queue is endless (RFC 4987 §2)', LIMIT, () => {
    const siege = new Siege({ tcp: { synCookies: false } });
    siege.listen();
    for (let n = 0; n < 34_000; n++) siege.segment(peer(n), { flags: SYN, seq: 0, options: MSS });
    expect(siege.dropped('PROTO_MEM')).toBe(34_000 - 30_840);
    siege.end();
  });

  test('datagrams for programs that do not read', LIMIT, () => {
    const siege = new Siege();
    for (let n = 0; n < 600; n++) {
      const handler = { datagram() {}, error() {}, writable() {} };
      const s = siege.stack.udp({ port: 5000 + n, handler });
      s.pause();
      siege.datagramSockets.push(s);
    }
    const payload = new Uint8Array(8000);
    for (let i = 0; i < 30; i++) {
      for (let n = 0; n < 600; n += 1) {
        siege.packet(udp4({ src: '20.0.0.1', dst: US }, 7, 5000 + n, payload));
      }
    }
    const { used, cap, datagrams } = siege.stack.memory();
    expect([used, cap]).toEqual([datagrams, 67_108_864]);
    expect(siege.dropped('SOCKET_RCVBUFF')).toBeGreaterThan(1000);
    siege.end(0.9);
  });

  test('senders that fill the windows of a program that does not read', LIMIT, () => {
    const siege = new Siege();
    siege.listen();
    siege.greet = (s) => s.pause();
    const payload = new Uint8Array(1460);
    for (let n = 0; n < 1500; n++) {
      const p = peer(n);
      siege.open(p);
      for (let i = 0; i < 40; i++) {
        siege.segment(p, { flags: ACK, seq: 1 + 1460 * i, ack: 1, payload });
      }
    }
    expect(siege.dropped('PROTO_MEM')).toBeGreaterThan(400);
    siege.end();
  });

  test(
    'octets in order that come when out-of-order ones hold the memory: those make room (RFC 2018 §8)',
    LIMIT,
    () => {
      const siege = new Siege({ stack: { memoryOctets: 160_000 } });
      siege.listen();
      siege.greet = (s) => s.pause();
      const payload = new Uint8Array(1000);
      const [a, b] = [peer(1), peer(2)];
      siege.open(a);
      siege.open(b);
      siege.segment(a, { flags: ACK, seq: 60_000, ack: 1, payload: SMALL });
      siege.segment(b, { flags: ACK, seq: 60_000, ack: 1, payload: SMALL });
      for (let i = 0; i < 58; i++) {
        siege.segment(a, { flags: ACK, seq: 1 + 1000 * i, ack: 1, payload });
        siege.segment(b, { flags: ACK, seq: 1 + 1000 * i, ack: 1, payload });
      }
      const [first, second] = siege.accepted as [TcpSocket, TcpSocket];
      expect([first.bytesReceived, second.bytesReceived]).toEqual([58_000, 58_000]);
      siege.end(0.5);
    },
  );

  test('connections in TIME-WAIT, with 2 MB (RFC 9293 §3.6.1)', LIMIT, () => {
    const siege = new Siege({ stack: { memoryOctets: 2 * MB } });
    siege.listen();
    siege.greet = (s) => s.close();
    for (let n = 0; n < 25_000; n++) {
      const p = peer(n);
      siege.open(p);
      siege.segment(p, { flags: FIN_ACK, seq: 1, ack: 2 });
      siege.accepted.length = 0;
    }
    expect(siege.stack.tcp.timeWait.size).toBeGreaterThan(22_000);
    siege.end();
  });

  test('peers that close their half and leave the program with the other', LIMIT, () => {
    const siege = new Siege({ stack: { memoryOctets: 16 * MB } });
    siege.listen();
    for (let n = 0; n < 9000; n++) {
      const p = peer(n);
      siege.open(p);
      siege.segment(p, { flags: FIN_ACK, seq: 1, ack: 1 });
    }
    expect(siege.accepted.length).toBe(7943);
    siege.end(0.95);
  });

  test('connections that nobody accepts, with data that waits', LIMIT, () => {
    const siege = new Siege({ stack: { memoryOctets: 16 * MB } });
    siege.listen().pause();
    for (let n = 0; n < 9000; n++) {
      const p = peer(n);
      siege.open(p);
      siege.segment(p, { flags: ACK, seq: 1, ack: 1, payload: SMALL });
    }
    expect(siege.stack.tcp.live).toBeGreaterThan(2000);
    siege.end();
  });

  test('all of it at once; afterwards an honest client is served', LIMIT, () => {
    const siege = new Siege({ stack: { memoryOctets: 16 * MB } });
    siege.listen();
    hoard(siege);
    const body = new Uint8Array(1480);
    const chance = new SeededRandom(5);
    for (let n = 0; n < 20_000; n++) {
      const p = peer(n % 3000);
      const what = chance.next() & 7;
      if (what < 2) siege.open(p, what * 60_000);
      else if (what < 4) siege.segment(p, { flags: ACK, seq: 50_000, ack: 1, payload: SMALL });
      else if (what < 5) siege.segment(p, { flags: SYN, seq: 0, options: MSS });
      else if (what < 6) siege.segment(p, { flags: RST, seq: 1 });
      else siege.packet(ipv4({ src: p.src, dst: US, protocol: 17, id: n, mf: true }, body));
    }
    for (const s of siege.accepted) s.abort();
    siege.stack.drain();
    siege.later(200);
    siege.accepted.length = 0;
    siege.open(peer(4000));
    expect(siege.accepted.map((s) => s.info().state)).toEqual(['ESTAB']);
    siege.end(0);
  });
});
