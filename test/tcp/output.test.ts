// When data goes out: Nagle, cork, PSH, and what every segment looks like.

import { describe, expect, test } from 'vitest';
import { bbr } from '../../src/tcp/congestion/bbr.ts';
import { runScript } from '../kit/script.ts';
import { Bulk } from './bulk.ts';
import { PLAIN } from './openings.ts';

describe('the Nagle algorithm', () => {
  test('a small segment waits while another is under way (RFC 9293 SHLD-7)', () => {
    runScript(`${PLAIN}
      +0 write(100)
      +0 > P. 1:101(100) ack 1
      +.01 write(100)
      +.01 write(100)
      +.05 > nothing
      +.03 < . 1:1(0) ack 101 win 65535
      +0 > P. 101:301(200) ack 1
    `);
  });

  test('a full segment does not wait (RFC 9293 SHLD-7)', () => {
    runScript(
      `${PLAIN}
      +0 write(100)
      +0 > P. 1:101(100) ack 1
      +.01 write(1100)
      +0 > . 101:1101(1000) ack 1
    `,
      { allowLeftover: true },
    );
  });

  test('an idle connection sends at once (RFC 9293 SHLD-7)', () => {
    runScript(`${PLAIN}
      +5 write(1)
      +0 > P. 1:2(1) ack 1
    `);
  });

  test('can be switched off per connection (RFC 9293 MUST-17)', () => {
    runScript(`${PLAIN}
      +0 nodelay
      +0 write(100)
      +0 > P. 1:101(100) ack 1
      +.01 write(100)
      +0 > P. 101:201(100) ack 1
      +.01 write(1)
      +0 > P. 201:202(1) ack 1
    `);
  });

  test('switching it off sends what waits (RFC 9293 MUST-17)', () => {
    runScript(`${PLAIN}
      +0 write(100)
      +0 > P. 1:101(100) ack 1
      +.01 write(100)
      +.01 > nothing
      +0 nodelay
      +0 > P. 101:201(100) ack 1
    `);
  });

  test('what waits goes with the FIN (RFC 9293 §3.10.4)', () => {
    runScript(`${PLAIN}
      +0 write(100)
      +0 > P. 1:101(100) ack 1
      +.01 write(100)
      +0 shutdown
      +0 > FP. 101:201(100) ack 1
    `);
  });
});

describe('cork', () => {
  test('small writes gather until uncork', () => {
    runScript(`${PLAIN}
      +0 cork
      +0 write(300)
      +0 write(300)
      +.1 > nothing
      +0 uncork
      +0 > P. 1:601(600) ack 1
    `);
  });

  test('full segments go all the same', () => {
    runScript(
      `${PLAIN}
      +0 cork
      +0 write(1500)
      +0 > . 1:1001(1000) ack 1
      +.1 > nothing
      +0 uncork
      +0 > P. 1001:1501(500) ack 1
    `,
      { allowLeftover: true },
    );
  });
});

describe('PSH', () => {
  test('is set on the last segment of what was written (RFC 9293 MUST-61)', () => {
    runScript(`${PLAIN}
      +0 write(2500)
      +0 > . 1:1001(1000) ack 1
      +0 > . 1001:2001(1000) ack 1
      +0 > P. 2001:2501(500) ack 1
    `);
  });

  test('data does not wait for a PUSH call: the last octet is sent in the end (RFC 9293 MUST-60)', () => {
    for (const n of [1, 999, 1000, 1001, 2500]) {
      const bench = runScript(`${PLAIN}\n +0 write(${n})\n +1 expect open`, {
        allowLeftover: true,
      });
      expect(bench.socket.unsent).toBe(0);
    }
  });

  test('incoming data without PSH is delivered at once (RFC 9293 SHLD-27)', () => {
    runScript(`${PLAIN}
      +0 < . 1:101(100) ack 1 win 65535
      +0 expect data 100
      +0~+.3 > . 1:1(0) ack 101
    `);
  });
});

describe('every packet', () => {
  test('carries the type of service that the program has set, and it may change (RFC 9293 MUST-48, SHLD-21)', () => {
    const bench = runScript(
      `${PLAIN}
      +0 tos 40
      +0 write(100)
      +.1 < . 1:1(0) ack 101 win 65535
      +0 tos 96
      +0 write(100)
    `,
      { allowLeftover: true },
    );
    expect(bench.outbox.map((o) => o.octets[1])).toEqual([40, 96]);
  });

  test('carries the TTL that the program has set, 64 before (RFC 9293 MUST-49)', () => {
    const bench = runScript(
      `${PLAIN}
      +0 write(100)
      +.1 < . 1:1(0) ack 101 win 65535
      +0 ttl 7
      +0 write(100)
    `,
      { allowLeftover: true },
    );
    expect(bench.outbox.map((o) => o.octets[8])).toEqual([64, 7]);
  });

  test('has DF set, so that the path can tell its MTU (RFC 1191 §3)', () => {
    const bench = runScript(`${PLAIN}\n +0 write(5000)`, { allowLeftover: true });
    expect(bench.outbox.every((o) => ((o.octets[6] as number) & 0x40) !== 0)).toBe(true);
  });

  test('is summed, and a wrong sum that comes in is refused without a reply (RFC 9293 MUST-2, MUST-3)', () => {
    // the kit verifies the checksum of everything that comes out
    const bench = runScript(`${PLAIN}\n +0 write(1000)\n +0 > P. 1:1001(1000) ack 1`);
    const before = bench.stack.counters.get('TcpInSegs');
    const octets = Uint8Array.from([
      0x45, 0, 0, 41, 0, 0, 0x40, 0, 64, 6, 0, 0, 198, 51, 100, 9, 192, 0, 2, 1, 0xd4, 0x31, 0, 80,
      0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x18, 0xff, 0xff, 0x12, 0x34, 0, 0, 65,
    ]);
    let sum = 0;
    for (let i = 0; i < 20; i += 2) sum += (octets[i] as number) * 256 + (octets[i + 1] as number);
    sum = (sum & 0xffff) + (sum >>> 16);
    octets[10] = (~sum >> 8) & 255;
    octets[11] = ~sum & 255;
    bench.inject({ kind: 'raw', octets });
    expect(bench.outbox).toEqual([]);
    expect(bench.stack.counters.get('TcpInSegs')).toBe(before + 1);
    expect(bench.stack.counters.get('TcpInCsumErrors')).toBe(1);
    expect(bench.stack.counters.snapshot().drops['TCP_CSUM']).toBe(1);
  });
});

describe('write and send', () => {
  test('memory of a write is given back when it is acknowledged, not before', () => {
    runScript(`${PLAIN}
      +0 write(1000)
      +0 write(1000)
      +0 > [P]. 1:1001(1000) ack 1
      +0 > P. 1001:2001(1000) ack 1
      +0 expect written 0
      +.1 < . 1:1(0) ack 1500 win 65535
      +0 expect written 1
      +.1 < . 1:1(0) ack 2001 win 65535
      +0 expect written 2
    `);
  });

  test('send takes what the buffer has room for, and writable follows (backpressure)', () => {
    runScript(
      `${PLAIN}
      +0 send(3000, 2000)
      +0 > . 1:1001(1000) ack 1
      +0 > P. 1001:2001(1000) ack 1
      +.1 < . 1:1(0) ack 2001 win 65535
      +0 expect writable
      +0 send(100, 100)
      +0 > P. 2001:2101(100) ack 1
    `,
      { config: { tcp: { sndBufInitial: 2000, sndBufMax: 2000 } } },
    );
  });

  test('a hole that fills the buffer does not let the flow run dry: room is told before (backpressure)', () => {
    const flow = new Bulk({
      there: { delayUs: 50_000, rate: 6_250_000, queue: 625_000, loss: 0.05 },
      controller: bbr,
      seed: 2,
      turnUs: [0, 3000],
    });
    let dry = 0;
    let late = 0;
    flow.until(200); // the handshake
    for (let ms = 201; ms <= 4000; ms++) {
      flow.until(ms);
      const t = flow.socket.tcb;
      const unsent = (t.sndEnd - t.sndNxt) | 0;
      const room = t.sndBuf - ((t.sndEnd - t.sndUna) | 0);
      if (t.packetsOut > 0 && unsent < t.mss && room >= 65_536) dry++;
      if (t.packetsOut > 0 && room * 3 < t.sndBuf) late++;
    }
    expect(dry).toBe(0);
    // the hole was there: less than a third was free
    expect(late).toBeGreaterThan(1000);
  });
});
