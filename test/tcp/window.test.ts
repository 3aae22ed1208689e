// Windows both ways: what may be sent, what is announced, silly windows, a peer that shrinks.

import { describe, expect, test } from 'vitest';
import { runScript } from '../kit/script.ts';
import type { ScriptBench } from '../kit/script-bench.ts';
import { PLAIN, packet, SACK } from './openings.ts';

const withWindow = (win: number): string => `
  0 listen 80
  0 < S 0:0(0) win ${win} <mss 1000>
  +0 > S. 0:0(0) ack 1 <mss 1460>
  +.1 < . 1:1(0) ack 1 win ${win}
`;

const payloads = (bench: ScriptBench): number[] =>
  bench.outbox.map((o) => o.octets.length - 20 - ((o.octets[32] as number) >> 4) * 4);
const windowOf = (octets: Uint8Array): number =>
  (octets[34] as number) * 256 + (octets[35] as number);

describe('the sender', () => {
  test('stays within the offered window (RFC 9293 §3.8.6)', () => {
    runScript(`${withWindow(2500)}
      +0 write(5000)
      +0 > . 1:1001(1000) ack 1
      +0 > . 1001:2001(1000) ack 1
      +.05 > nothing
    `);
  });

  test('does not chop a segment to fit a small rest of the window (RFC 9293 MUST-38)', () => {
    runScript(`${withWindow(1500)}
      +0 write(5000)
      +0 > . 1:1001(1000) ack 1
      +.1 < . 1:1(0) ack 1001 win 1500
      +0 > . 1001:2001(1000) ack 1
      +.05 > nothing
    `);
  });

  test('a window smaller than a segment is used from half its largest size on (RFC 9293 MUST-38)', () => {
    runScript(`${withWindow(600)}
      +0 write(5000)
      +0 > [P]. 1:601(600) ack 1
      +.1 < . 1:1(0) ack 601 win 600
      +0 > [P]. 601:1201(600) ack 1
    `);
  });

  test('a window of some octets does not make a stream of tiny segments (RFC 9293 MUST-38)', () => {
    const bench = runScript(`${withWindow(2000)}
      +0 write(20000)
      +0 forget
      +.1 < . 1:1(0) ack 2001 win 10
      +.05 < . 1:1(0) ack 2001 win 30
      +.04 > nothing
    `);
    expect(payloads(bench)).toEqual([]);
  });

  test('survives a window that is taken back (RFC 9293 MUST-34, SHLD-15, SHLD-16)', () => {
    runScript(`${withWindow(4000)}
      +0 write(8000)
      +0 > . 1:1001(1000) ack 1
      +0 > . 1001:2001(1000) ack 1
      +0 > . 2001:3001(1000) ack 1
      +0 > [P]. 3001:4001(1000) ack 1
      +.1 < . 1:1(0) ack 1001 win 1000
      +.1 > nothing
      +0 < . 1:1(0) ack 4001 win 4000
      +0 > [P]. 4001:5001(1000) ack 1
      +0 > [P]. 5001:6001(1000) ack 1
      +0 > [P]. 6001:7001(1000) ack 1
      +0 > P. 7001:8001(1000) ack 1
    `);
  });

  test('what is sent again stays inside a window that has shrunk, in whole segments when one has room (RFC 9293 SHLD-16)', () => {
    const bench = runScript(
      `${SACK}
      +0 write(5000)
      +.05 < P. 1:2(1) ack 1 win 65535
      +0 forget
      +.1 < . 2:2(0) ack 1 win 1500 <sack 2001:5001>
      +0 > . 1:1001(1000) ack 2
      +0 > . 1001:1501(500) ack 2
    `,
      { allowLeftover: true },
    );
    expect(bench.stack.counters.get('TcpRetransSegs')).toBe(2);
    runScript(
      `${SACK}
      +0 write(1000)
      +0 > P. 1:1001(1000) ack 1
      +.05 < P. 1:2(1) ack 1 win 65535
      +0 > . 1001:1001(0) ack 2
      +.01 < . 2:2(0) ack 1 win 100
      +0~+.6 > . 1:101(100) ack 2
    `,
      { allowLeftover: true },
    );
  });

  test('a window taken back to zero is probed, and octets beyond it are no reason to give up (RFC 9293 MUST-35, SHLD-17)', () => {
    const bench = runScript(
      `${withWindow(4000)}
      +0 write(4000)
      +0 forget
      +.1 < . 1:1(0) ack 1001 win 0
      +0 forget
    `,
      { allowLeftover: true },
    );
    let answered = 0;
    while (bench.elapsedUs < 3600e6 && answered < 500) {
      bench.runTo(Math.min(bench.nextEventUs(), 3600e6));
      if (bench.outbox.length === 0) continue;
      bench.outbox.length = 0;
      answered++;
      bench.inject({
        kind: 'tcp',
        flags: 16,
        pshOptional: false,
        seq: 1,
        len: 0,
        ack: 1001,
        win: 0,
        urg: 0,
        options: [],
      });
    }
    expect(answered).toBeGreaterThan(20);
    expect(bench.socket.info().state).toBe('ESTAB');
    bench.inject({
      kind: 'tcp',
      flags: 16,
      pshOptional: false,
      seq: 1,
      len: 0,
      ack: 4001,
      win: 4000,
      urg: 0,
      options: [],
    });
    expect(bench.socket.info().send_q).toBe(0);
  });

  test('an old segment does not bring an old window back (RFC 9293 §3.10.7.4, SND.WL1)', () => {
    const bench = runScript(
      `${withWindow(4000)}
      +0 < P. 1:101(100) ack 1 win 4000
      +0 < P. 101:201(100) ack 1 win 3000
      +0 < . 51:51(0) ack 1 win 65535
    `,
      { allowLeftover: true },
    );
    expect(bench.socket.info().snd_wnd).toBe(3000);
  });

  test('an old ACK number does not bring an old window back (RFC 9293 §3.10.7.4, SND.WL2)', () => {
    const bench = runScript(
      `${withWindow(4000)}
      +0 write(2000)
      +.1 < . 1:1(0) ack 2001 win 3000
      +0 < . 1:1(0) ack 1001 win 65535
    `,
      { allowLeftover: true },
    );
    expect(bench.socket.info().snd_wnd).toBe(3000);
  });
});

describe('the receiver', () => {
  const config = { tcp: { rcvBufInitial: 8000, rcvBufMax: 8000 } };

  /** Full: the program does not read and the peer has filled what was offered. */
  function filled(): { bench: ScriptBench; nxt: number } {
    const bench = runScript(`${PLAIN}\n +0 pause`, { config, allowLeftover: true });
    let nxt = 1;
    for (let i = 0; i < 50; i++) {
      const room = bench.socket.info().rcv_wnd;
      const len = Math.min(1000, room);
      if (len === 0) break;
      bench.inject({
        kind: 'tcp',
        flags: 24,
        pshOptional: false,
        seq: nxt,
        len,
        ack: 1,
        win: 65_535,
        urg: 0,
        options: [],
      });
      nxt += len;
      bench.runTo(bench.elapsedUs + 300_000);
    }
    return { bench, nxt };
  }

  test('the window closes as the program does not read, and never moves back (RFC 9293 SHLD-14)', () => {
    const { bench } = filled();
    let edge = 0;
    for (const { octets } of bench.outbox) {
      const ack = new DataView(octets.buffer).getUint32(28);
      expect(ack + windowOf(octets)).toBeGreaterThanOrEqual(edge);
      edge = ack + windowOf(octets);
    }
    expect(windowOf(packet(bench, -1))).toBe(0);
  });

  test('data at a closed window is refused and acknowledged (RFC 9293 §3.10.7.4)', () => {
    const { bench, nxt } = filled();
    bench.outbox.length = 0;
    bench.inject({
      kind: 'tcp',
      flags: 24,
      pshOptional: false,
      seq: nxt,
      len: 1,
      ack: 1,
      win: 65_535,
      urg: 0,
      options: [],
    });
    expect(bench.outbox.length).toBe(1);
    const answer = packet(bench, 0);
    expect(new DataView(answer.buffer).getUint32(28)).toBe(nxt);
    expect(windowOf(answer)).toBe(0);
  });

  test('an ACK at a closed window is processed (RFC 9293 §3.10.7.4)', () => {
    const { bench, nxt } = filled();
    bench.call('write', ['500']);
    bench.inject({
      kind: 'tcp',
      flags: 16,
      pshOptional: false,
      seq: nxt,
      len: 0,
      ack: 501,
      win: 65_535,
      urg: 0,
      options: [],
    });
    expect(bench.socket.info().send_q).toBe(0);
  });

  test('a window that opens is announced (RFC 9293 §3.8.6.2.2)', () => {
    const { bench, nxt } = filled();
    bench.outbox.length = 0;
    bench.call('resume', []);
    bench.runTo(bench.elapsedUs);
    const update = packet(bench, -1);
    expect(new DataView(update.buffer).getUint32(28)).toBe(nxt);
    expect(windowOf(update)).toBeGreaterThanOrEqual(1000);
    bench.call('expect', ['data', String(nxt - 1)]);
  });

  test('a slow reader does not make the window open in crumbs (RFC 9293 MUST-39)', () => {
    const bench = runScript(`${PLAIN}\n +0 pause`, { config, allowLeftover: true });
    const announced: number[] = [];
    let nxt = 1;
    let edge = 0;
    for (let i = 0; i < 400; i++) {
      const len = Math.min(1000, bench.socket.info().rcv_wnd);
      if (len > 0) {
        bench.inject({
          kind: 'tcp',
          flags: 24,
          pshOptional: false,
          seq: nxt,
          len,
          ack: 1,
          win: 65_535,
          urg: 0,
          options: [],
        });
        nxt += len;
      }
      if (i % 3 === 2) {
        bench.call('resume', []);
        bench.call('pause', []);
      }
      bench.runTo(bench.elapsedUs + 50_000);
      for (const { octets } of bench.outbox) {
        const right = new DataView(octets.buffer).getUint32(28) + windowOf(octets);
        if (right > edge) announced.push(right - edge);
        edge = Math.max(edge, right);
      }
      bench.outbox.length = 0;
    }
    // each step of the right edge is a segment or half of the buffer, whichever is less
    expect(announced.slice(1).filter((step) => step < 1000)).toEqual([]);
    expect(announced.length).toBeGreaterThan(2);
  });

  test('data beyond the window is cut off or refused, what lies inside is taken (RFC 9293 §3.10.7.4)', () => {
    const bench = runScript(`${PLAIN}\n +0 pause`, { config, allowLeftover: true });
    const room = bench.socket.info().rcv_wnd;
    for (let at = 0; at < room + 5000; at += 1000) {
      bench.inject({
        kind: 'tcp',
        flags: 24,
        pshOptional: false,
        seq: 1 + at,
        len: 1000,
        ack: 1,
        win: 65_535,
        urg: 0,
        options: [],
      });
    }
    expect(bench.socket.info().recv_q).toBeLessThanOrEqual(room);
  });

  test('the window grows when the program keeps up with a fast peer (auto-tuning)', () => {
    const bench = runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>
      +0 > S. 0:0(0) ack 1 <...>
      +.02 < . 1:1(0) ack 1 win 512 <nop,nop,TS val 2 ecr 1>
    `,
      { allowLeftover: true },
    );
    const before = bench.socket.info().rcv_wnd;
    let nxt = 1;
    let stamp = 10;
    for (let round = 0; round < 8; round++) {
      bench.runTo(bench.elapsedUs + 20_000);
      stamp += 20;
      const edge = nxt + bench.socket.info().rcv_wnd;
      const echo = bench.elapsedUs / 1000 - 20;
      while (nxt + 1448 <= edge) {
        bench.inject({
          kind: 'tcp',
          flags: 16,
          pshOptional: false,
          seq: nxt,
          len: 1448,
          ack: 1,
          win: 512,
          urg: 0,
          options: [{ kind: 'TS', val: stamp, ecr: echo }],
        });
        nxt += 1448;
      }
      bench.outbox.length = 0;
    }
    expect(bench.socket.info().rcv_wnd).toBeGreaterThan(before * 2);
  });
});
