// What an adversary with the sources open would try next: cookies and fixed buffers, TIME-WAIT of a
// client, counting resets, duplicate ACKs beside ICMP. Each was a suspicion first.

import { describe, expect, test } from 'vitest';
import { tcp4 } from '../kit/packet.ts';
import { runScript } from '../kit/script.ts';
import { LOCAL, REMOTE, ScriptBench } from '../kit/script-bench.ts';
import { PLAIN } from './openings.ts';
import { arrive, only, taken, wait } from './segments.ts';

const NOBODY = { accept: () => null };
const word = (n: number): number[] => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];

describe('a cookie of a listener with options of its own', () => {
  test('announces the window and the scale that the connection will have (RFC 7323 §2.2, RFC 4987 §3.6)', () => {
    const bench = new ScriptBench({ config: { tcp: { synBacklog: 0 } } });
    bench.stack.listen({ port: 80, receiveBuffer: 4000, maxSegment: 700, handler: NOBODY });
    const options = [2, 4, 5, 180, 1, 3, 3, 7, 1, 1, 8, 10, ...word(1), ...word(0)];
    arrive(bench, { flags: 'S', seq: 0, options });
    const answer = only(bench);
    // 4,000 octets need no scale: a peer that shifted by 7 would send 128 times too much
    expect(answer.options.get(3)).toEqual([0]);
    expect(answer.window).toBeLessThanOrEqual(4000);
    expect(answer.options.get(2)).toEqual([700 >> 8, 700 & 255]);
  });
});

describe('TIME-WAIT of a client', () => {
  test('is not ended by a SYN of a stranger to a port where nobody listens (RFC 1337, RFC 6191 §2)', () => {
    const bench = new ScriptBench({ config: { tcp: { testIss: 5000 } } });
    const quiet = { opened() {}, data() {}, ended() {}, writable() {}, written() {}, closed() {} };
    const s = bench.stack.connect({ address: REMOTE, port: 80, localPort: 4000, handler: quiet });
    wait(bench, 1);
    arrive(bench, { flags: 'S.', seq: 0, ack: 1, from: 80, to: 4000 });
    s.close();
    wait(bench, 1);
    arrive(bench, { flags: 'F.', seq: 1, ack: 2, from: 80, to: 4000 });
    wait(bench, 1);
    taken(bench);
    expect(bench.stack.tcp.timeWait.size).toBe(1);
    arrive(bench, { flags: 'S', seq: 100_000, from: 80, to: 4000 });
    expect(bench.stack.tcp.timeWait.size).toBe(1);
    // the segment is not acceptable: an ACK, no RST
    expect(only(bench)).toMatchObject({ flags: '.', seq: 2, ack: 2 });
  });
});

describe('the budget of resets', () => {
  test('is another each second: counting resets tells nothing of what others drew (CVE-2016-5696)', () => {
    const bench = new ScriptBench({ config: { tcp: { rstPerSecond: 100 } } });
    const counts = new Set<number>();
    for (let second = 0; second < 20; second++) {
      for (let i = 0; i < 300; i++) {
        const octets = tcp4(
          { src: REMOTE, dst: LOCAL },
          { srcPort: 1000 + i, dstPort: 9, seq: 1, ack: 1, flags: 16 },
        );
        bench.inject({ kind: 'raw', octets });
      }
      const n = bench.outbox.splice(0).length;
      expect(n).toBeGreaterThanOrEqual(50);
      expect(n).toBeLessThan(150);
      counts.add(n);
      wait(bench, 1000);
    }
    expect(counts.size).toBeGreaterThan(8);
  });
});

describe('a peer without SACK', () => {
  test('that sends duplicate ACKs and then "fragmentation needed" does not unbalance the counts (RFC 1191 §6.5)', () => {
    const bench = runScript(
      `${PLAIN}
      +0 write(8000)
      +0 forget
      +.01 < . 1:1(0) ack 1 win 65535
      +0 < . 1:1(0) ack 1 win 65535
      +0 < . 1:1(0) ack 1 win 65535
      +.01 < icmp frag_needed mtu 600 [1:1001(1000)]
      +0 forget
    `,
      { allowLeftover: true },
    );
    const { unacked, sacked, lost } = bench.socket.info();
    expect(lost).toBeGreaterThan(0);
    expect(sacked + lost).toBeLessThanOrEqual(unacked);
  });
});

describe('acknowledgments that were lost', () => {
  test('data that comes again is answered at once, and so is what follows (Linux tcp_send_dupack)', () => {
    runScript(`${PLAIN}
      +0 < P. 1:101(100) ack 1 win 65535
      +0~+.2 > . 1:1(0) ack 101
      +0 write(100)
      +0 > P. 1:101(100) ack 101
      +.01 < P. 1:101(100) ack 101 win 65535
      +0 > . 101:101(0) ack 101
      +0 < P. 101:201(100) ack 101 win 65535
      +0 > . 101:101(0) ack 201
    `);
  });
});

test('closing with text out of order only sends FIN: nothing was left unread (RFC 2525 §2.17, Linux)', () => {
  runScript(
    `${PLAIN}
    +0 < P. 1001:1101(100) ack 1 win 65535
    +0 > . 1:1(0) ack 1
    +.01 close
    +0 > F. 1:1(0) ack 1
  `,
    { allowLeftover: true },
  );
});

describe('what differential runs against the kernel have shown', () => {
  test('segments of a peer that asks for crumbs are as small as it asked, timestamps counted (RFC 6691, MUST-16)', () => {
    const bench = runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 100,sackOK,TS val 1 ecr 0>
      +0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 1 ecr 1>
      +.1 < . 1:1(0) ack 1 win 65535 <nop,nop,TS val 2 ecr 1>
      +0 write(190)
    `,
      { allowLeftover: true },
    );
    expect(bench.outbox.map((o) => o.octets.length - 52)).toEqual([88, 88, 14]);
  });

  test('an ACK and a RST lie inside of a window that was taken back (RFC 9293 §3.8.6)', () => {
    runScript(`${PLAIN}
      +0 write(2000)
      +0 > . 1:1001(1000) ack 1
      +0 > P. 1001:2001(1000) ack 1
      +.01 < P. 1:101(100) ack 1001 win 500
      +0~+.2 > . 1501:1501(0) ack 101
      +0 abort
      +0 > R. 1501:1501(0) ack 101
    `);
  });

  test('a segment out of the window in SYN-RECEIVED draws an ACK, not another SYN-ACK (RFC 9293 §3.10.7.4)', () => {
    runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <mss 1460>
      +.01 < . 70001:71001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 1
    `,
      { allowLeftover: true },
    );
  });

  test('a search for the path MTU ends where ICMP says that the path does (RFC 4821 §7.2)', () => {
    const bench = runScript(
      `${PLAIN.replace('<mss 1000>', '<mss 1460>')}
      +0 write(60000)
      +0 forget
      +.1 < . 1:1(0) ack 5121 win 65535
      +0 forget
      +.01 < icmp frag_needed mtu 1000 [5121:6145(1024)]
      +.1 < . 1:1(0) ack 10241 win 65535
      +0 forget
    `,
      { allowLeftover: true, config: { tcp: { mtuProbing: 2 } } },
    );
    const { tcb } = bench.socket;
    expect(tcb.searchHigh).toBeLessThanOrEqual(960);
    expect(tcb.mss).toBeLessThanOrEqual(960);
  });
});
