// The eighteen implementation problems that RFC 2525 names, each as the trace that shows it absent.

import { describe, expect, test } from 'vitest';
import { runScript } from '../kit/script.ts';
import type { ScriptBench } from '../kit/script-bench.ts';
import { PLAIN, packet, STAMPED } from './openings.ts';

const gaps = (bench: ScriptBench): number[] =>
  bench.outbox.slice(1).map((o, i) => (o.atUs - (bench.outbox[i]?.atUs as number)) / 1e6);
const lengths = (bench: ScriptBench): number[] => bench.outbox.map((o) => o.octets.length - 40);

describe('a known problem is absent', () => {
  test('no initial slow start (RFC 2525 §2.1)', () => {
    const bench = runScript(`${PLAIN}\n +0 write(60000)\n +.05 expect open`, {
      allowLeftover: true,
    });
    expect(bench.outbox.length).toBe(10);
  });

  test('no slow start after a retransmission timeout (RFC 2525 §2.2)', () => {
    const bench = runScript(
      `${PLAIN}
      +0 write(60000)
      +0 forget
      +.4 forget
      +0 < . 1:1(0) ack 10001 win 65535
    `,
      { allowLeftover: true },
    );
    expect(bench.outbox.length).toBeLessThanOrEqual(12);
  });

  test('uninitialised cwnd: SYN+ACK without MSS or a passive open (RFC 2525 §2.3)', () => {
    const bench = runScript(
      `
      0 connect 80
      +0 > S 0:0(0) <...>
      +.1 < S. 0:0(0) ack 1 win 65535
      +0 > . 1:1(0) ack 1
      +0 write(60000)
    `,
      { allowLeftover: true },
    );
    expect(lengths(bench)).toEqual(new Array(10).fill(536));
  });

  test('inconsistent retransmission (RFC 2525 §2.4)', () => {
    // the kit compares every octet with the stream; the segment boundaries move
    runScript(
      `${PLAIN}
      +0 nodelay
      +0 write(700)
      +0 write(700)
      +0 write(700)
      +0 forget
      +.1 < . 1:1(0) ack 351 win 65535
      +3 expect open
      +0 < . 1:1(0) ack 2101 win 65535
      +0 expect written 3
    `,
      { allowLeftover: true },
    );
  });

  test('failure to retain above-sequence data (RFC 2525 §2.5)', () => {
    runScript(`${PLAIN}
      +0 < . 1001:2001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 1
      +0 < . 1:1001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 2001
    `);
  });

  test('extra additive constant in congestion avoidance (RFC 2525 §2.6)', () => {
    const bench = runScript(
      `${PLAIN}
      +0 write(60000)
      +0 forget
      +.1 < . 1:1(0) ack 1 win 65535
      +0 < . 1:1(0) ack 1 win 65535
      +0 < . 1:1(0) ack 1 win 65535
      +.1 < . 1:1(0) ack 10001 win 65535
      +0 forget
    `,
      { allowLeftover: true },
    );
    const before = bench.socket.info().snd_cwnd;
    bench.runTo(bench.elapsedUs + 100_000);
    bench.inject({
      kind: 'tcp',
      flags: 16,
      pshOptional: false,
      seq: 1,
      len: 0,
      ack: 13_001,
      win: 65_535,
      urg: 0,
      options: [],
    });
    expect(bench.socket.info().snd_cwnd - before).toBeLessThanOrEqual(1);
  });

  test('initial RTO too low (RFC 2525 §2.7)', () => {
    runScript(`
      0 connect 80
      +0 > S 0:0(0) <...>
      +.95 > nothing
    `);
  });

  test('failure of window deflation after loss recovery (RFC 2525 §2.8)', () => {
    const dups = '+.001 < . 1:1(0) ack 1 win 65535\n'.repeat(9);
    const bench = runScript(
      `${PLAIN}
      +0 write(60000)
      +0 forget
      +.1 expect open
      ${dups}
      +.1 forget
      +0 < . 1:1(0) ack 10001 win 65535
    `,
      { allowLeftover: true },
    );
    expect(bench.socket.info().snd_cwnd).toBeLessThanOrEqual(8);
  });

  test('excessively short keep-alive connection timeout (RFC 2525 §2.9)', () => {
    // the default: nine probes, 75 s apart, after two hours
    const bench = runScript(
      `${PLAIN}
      +0 keepalive on 0 0 0
      +7800 expect open
    `,
      { allowLeftover: true },
    );
    expect(bench.outbox.length).toBeGreaterThanOrEqual(7);
  });

  test('failure to back off the retransmission timeout (RFC 2525 §2.10)', () => {
    const bench = runScript(`${PLAIN}\n +0 write(1000)\n +60 expect open`, { allowLeftover: true });
    const g = gaps(bench);
    expect(g.length).toBeGreaterThanOrEqual(5);
    for (let i = 2; i < g.length; i++)
      expect((g[i] as number) / (g[i - 1] as number)).toBeGreaterThan(1.8);
  });

  test('insufficient interval between keep-alives (RFC 2525 §2.11)', () => {
    const bench = runScript(
      `${PLAIN}\n +0 keepalive on 0 0 0\n +7199 > nothing\n +500 expect open`,
      { allowLeftover: true },
    );
    for (const gap of gaps(bench)) expect(gap).toBeGreaterThanOrEqual(74);
  });

  test('window probe deadlock (RFC 2525 §2.12)', () => {
    // both windows are zero; the peer's probe must be answered although ours is out
    const bench = runScript(
      `${PLAIN}
      +0 pause
      +0 write(1000)
      +0 < . 1:1001(1000) ack 1 win 65535
      +0 forget
      +.1 < . 1001:1001(0) ack 1001 win 0
      +0 write(1000)
      +0 forget
      +5 forget
      +0 < . 1000:1001(1) ack 1001 win 0
    `,
      { allowLeftover: true },
    );
    expect(bench.outbox.length).toBe(1);
  });

  test('stretch ACK violation (RFC 2525 §2.13)', () => {
    let script = PLAIN;
    for (let i = 0; i < 40; i++)
      script += `+.001 < . ${1 + i * 1000}:${1001 + i * 1000}(1000) ack 1 win 65535\n`;
    const bench = runScript(script, { allowLeftover: true });
    expect(bench.outbox.length).toBeGreaterThanOrEqual(20);
  });

  test('a retransmission sends multiple packets (RFC 2525 §2.14)', () => {
    const bench = runScript(
      `${PLAIN}
      +0 write(10000)
      +0 forget
      +.1 < . 1:1(0) ack 1 win 65535
      +0 < . 1:1(0) ack 1 win 65535
      +0 < . 1:1(0) ack 1 win 65535
    `,
      { allowLeftover: true },
    );
    expect(lengths(bench)).toEqual([1000]);
  });

  test('failure to send FIN notification promptly (RFC 2525 §2.15)', () => {
    runScript(
      `${PLAIN}
      +0 < P. 1:101(100) ack 1 win 65535
      +0 forget
      +0 < F. 101:101(0) ack 1 win 65535
      +0 expect ended
      +0~+.05 > . 1:1(0) ack 102
    `,
      { allowLeftover: true },
    );
  });

  test('failure to send a RST after half duplex close (RFC 2525 §2.16)', () => {
    const bench = runScript(
      `${PLAIN}
      +0 close
      +0 forget
      +.1 < P. 1:101(100) ack 2 win 65535
    `,
      { allowLeftover: true },
    );
    expect((packet(bench, 0)[33] as number) & 4).toBe(4);
  });

  test('failure to RST on close with data pending (RFC 2525 §2.17)', () => {
    const bench = runScript(
      `${PLAIN}
      +0 pause
      +0 < P. 1:101(100) ack 1 win 65535
      +.3 forget
      +0 close
    `,
      { allowLeftover: true },
    );
    expect((packet(bench, 0)[33] as number) & 4).toBe(4);
  });

  test('options missing from TCP MSS calculation (RFC 2525 §2.18)', () => {
    const bench = runScript(`${STAMPED}\n +0 write(5000)`, { allowLeftover: true });
    // 20 IP + 20 TCP + 12 options + data is the peer's MSS of 1,000 plus 40
    expect(bench.outbox[0]?.octets.length).toBe(1040);
  });
});
