// Loss recovery: fast retransmit with and without SACK, RTO, partial acknowledgments, PRR, reneging.
// Segments have 1,000 octets, the round trip is 0.1 s, the initial window 10 segments.

import { describe, expect, test } from 'vitest';
import { runScript } from '../kit/script.ts';
import type { ScriptBench } from '../kit/script-bench.ts';
import { PLAIN, SACK } from './openings.ts';

/** Ten segments are under way. */
const flight = (opening: string, n = 10): string => {
  let script = `${opening}+0 write(${n * 1000})\n`;
  for (let i = 0; i < n; i++) {
    script += `+0 > [P]. ${1 + i * 1000}:${1001 + i * 1000}(1000) ack 1\n`;
  }
  return script;
};

const starts = (bench: ScriptBench): number[] =>
  bench.outbox.map(
    (o) => (new DataView(o.octets.buffer).getUint32(24) - bench.socket.tcb.iss) >>> 0,
  );

describe('without SACK', () => {
  test('the third duplicate ACK retransmits at once, the first two do not (RFC 5681 §3.2)', () => {
    runScript(
      `${flight(PLAIN)}
      +.1 < . 1:1(0) ack 1 win 65535
      +.001 < . 1:1(0) ack 1 win 65535
      +.001 > nothing
      +0 < . 1:1(0) ack 1 win 65535
      +0 > . 1:1001(1000) ack 1
      +0 expect counter TcpExtTCPFastRetrans 1
    `,
      { allowLeftover: true },
    );
  });

  test('the first two duplicate ACKs send new data each (RFC 3042 §2)', () => {
    runScript(
      `${PLAIN}
      +0 write(14000)
      +0 forget
      +.1 < . 1:1(0) ack 1 win 65535
      +0 > . 10001:11001(1000) ack 1
      +.001 < . 1:1(0) ack 1 win 65535
      +0 > . 11001:12001(1000) ack 1
      +.001 < . 1:1(0) ack 1 win 65535
      +0 > . 1:1001(1000) ack 1
    `,
      { allowLeftover: true },
    );
  });

  test('a segment that carries data or changes the window is no duplicate ACK (RFC 5681 §2)', () => {
    runScript(
      `${flight(PLAIN)}
      +.1 < P. 1:11(10) ack 1 win 65535
      +.001 < P. 11:21(10) ack 1 win 65535
      +.001 < P. 21:31(10) ack 1 win 65535
      +.001 < P. 31:41(10) ack 1 win 65535
      +0 expect counter TcpExtTCPFastRetrans 0
    `,
      { allowLeftover: true },
    );
  });

  test('a partial ACK retransmits the next hole without waiting (RFC 6582 §3.2)', () => {
    runScript(
      `${flight(PLAIN)}
      +.1 < . 1:1(0) ack 1 win 65535
      +0 < . 1:1(0) ack 1 win 65535
      +0 < . 1:1(0) ack 1 win 65535
      +0 > . 1:1001(1000) ack 1
      +0 < . 1:1(0) ack 1 win 65535
      +0 < . 1:1(0) ack 1 win 65535
      +.1 < . 1:1(0) ack 4001 win 65535
      +0 > . 4001:5001(1000) ack 1
      +.1 < . 1:1(0) ack 10001 win 65535
      +0 expect info ca_state 0
    `.replace('+0 expect info ca_state 0', ''),
      { allowLeftover: true },
    );
  });

  test('every segment counts as delivered once, by its duplicate ACK or by the ACK (RFC 9937 §6.1)', () => {
    const bench = runScript(
      `${flight(PLAIN)}
      +.1 < . 1:1(0) ack 1 win 65535
      +0 < . 1:1(0) ack 1 win 65535
      +0 < . 1:1(0) ack 1 win 65535
      +0 < . 1:1(0) ack 1 win 65535
      +0 < . 1:1(0) ack 1 win 65535
      +.1 < . 1:1(0) ack 10001 win 65535
    `,
      { allowLeftover: true },
    );
    expect(bench.socket.info().delivered).toBe(11); // the SYN and ten segments
  });

  test('the window is about seven tenths of the flight after recovery (RFC 9438 §4.6, beta)', () => {
    const bench = runScript(
      `${flight(PLAIN)}
      +.1 < . 1:1(0) ack 1 win 65535
      +0 < . 1:1(0) ack 1 win 65535
      +0 < . 1:1(0) ack 1 win 65535
      +.1 < . 1:1(0) ack 10001 win 65535
    `,
      { allowLeftover: true },
    );
    expect(bench.socket.info().snd_ssthresh).toBe(7);
    expect(bench.socket.info().snd_cwnd).toBeLessThanOrEqual(8);
  });

  test('duplicates of old retransmissions after a timeout start no recovery (RFC 6582 §3.2, recover)', () => {
    runScript(
      `${flight(PLAIN)}
      +.5 forget
      +.1 < . 1:1(0) ack 1001 win 65535
      +0 forget
      +.01 < . 1:1(0) ack 1001 win 65535
      +.001 < . 1:1(0) ack 1001 win 65535
      +.001 < . 1:1(0) ack 1001 win 65535
      +.001 < . 1:1(0) ack 1001 win 65535
      +0 expect counter TcpExtTCPFastRetrans 0
    `,
      { allowLeftover: true },
    );
  });
});

describe('with SACK', () => {
  test('three segments above a hole retransmit it (RFC 6675 §5, RFC 8985 §6.2)', () => {
    runScript(
      `${flight(SACK)}
      +.1 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 1001:2001>
      +.001 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 1001:3001>
      +.001 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 1001:4001>
      +0 > . 1:1001(1000) ack 1
    `,
      { allowLeftover: true },
    );
  });

  test('only what is missing is sent again, each hole once (RFC 6675 §5, RFC 2525 §2.14)', () => {
    const bench = runScript(
      `${flight(SACK)}
      +.1 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 1001:3001>
      +.001 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 4001:6001 1001:3001>
      +.001 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 7001:10001 4001:6001 1001:3001>
      +.15 expect open
    `,
      { allowLeftover: true },
    );
    const again = starts(bench).sort((a, b) => a - b);
    expect(again).toEqual([1, 3001, 6001]);
  });

  test('an ACK of everything ends recovery (RFC 6675 §5)', () => {
    const bench = runScript(`${flight(SACK)}
      +.1 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 1001:4001>
      +0 > . 1:1001(1000) ack 1
      +.1 < . 1:1(0) ack 10001 win 65535
    `);
    expect(bench.socket.info().ca_state).toBe('open');
    expect([
      bench.socket.info().lost,
      bench.socket.info().sacked,
      bench.socket.info().unacked,
    ]).toEqual([0, 0, 0]);
  });

  test('new data goes while the window has room during recovery (RFC 9937 §6)', () => {
    const bench = runScript(
      `${SACK}
      +0 write(30000)
      +0 forget
      +.1 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 1001:4001>
      +.001 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 1001:7001>
      +.001 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 1001:10001>
    `,
      { allowLeftover: true },
    );
    const sent = starts(bench);
    expect(sent[0]).toBe(1);
    expect(sent.filter((s) => s >= 10_001).length).toBeGreaterThanOrEqual(3);
    // PRR: out of ten, seven remain; nine were delivered so far
    expect(sent.length).toBeLessThanOrEqual(8);
  });

  test('recovery sends in proportion to what is delivered, not in a burst (RFC 9937 §6.2)', () => {
    const bench = runScript(`${SACK}
      +0 write(60000)
      +0 forget
    `);
    let sacked = 1001;
    bench.runTo(bench.elapsedUs + 100_000);
    for (let i = 0; i < 9; i++) {
      sacked += 1000;
      bench.outbox.length = 0;
      bench.inject({
        kind: 'tcp',
        flags: 16,
        pshOptional: false,
        seq: 1,
        len: 0,
        ack: 1,
        win: 65_535,
        urg: 0,
        options: [{ kind: 'sack', blocks: [[1001, sacked]] }],
      });
      expect(bench.outbox.length).toBeLessThanOrEqual(2);
      bench.runTo(bench.elapsedUs + 2000);
    }
  });

  test('a lost retransmission is found before a timeout (RFC 8985 §3, lost retransmission)', () => {
    const bench = runScript(
      `${SACK}
      +0 write(30000)
      +0 forget
      +.1 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 1001:4001>
      +0 > . 1:1001(1000) ack 1
      +0 forget
      +.09 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 1001:10001>
      +0 forget
      +.03 expect open
    `,
      { allowLeftover: true },
    );
    // segments sent after the retransmission arrive, the retransmission does not
    bench.outbox.length = 0;
    const top = (bench.socket.tcb.sndNxt - bench.socket.tcb.iss) >>> 0;
    bench.runTo(bench.elapsedUs + 60_000);
    bench.inject({
      kind: 'tcp',
      flags: 16,
      pshOptional: false,
      seq: 1,
      len: 0,
      ack: 1,
      win: 65_535,
      urg: 0,
      options: [{ kind: 'sack', blocks: [[1001, top]] }],
    });
    bench.runTo(bench.elapsedUs + 40_000);
    expect(starts(bench)).toContain(1);
    expect(bench.stack.counters.get('TcpExtTCPTimeouts')).toBe(0);
  });

  test('data that was SACKed is kept until the ACK covers it: reneging does no harm (RFC 2018 §8)', () => {
    const bench = runScript(
      `${flight(SACK)}
      +.1 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 5001:10001>
      +0 forget
      +5 forget
    `,
      { allowLeftover: true },
    );
    // the peer has thrown its queue away and acknowledges segment by segment, as they come again
    let ack = 1;
    for (let i = 0; i < 60 && ack < 10_001; i++) {
      if (bench.outbox.length === 0) bench.runTo(bench.nextEventUs());
      for (const start of starts(bench)) if (start === ack) ack += 1000;
      bench.outbox.length = 0;
      bench.runTo(bench.elapsedUs + 50_000);
      bench.inject({
        kind: 'tcp',
        flags: 16,
        pshOptional: false,
        seq: 1,
        len: 0,
        ack,
        win: 65_535,
        urg: 0,
        options: [],
      });
    }
    expect(ack).toBe(10_001);
    expect(bench.socket.queued).toBe(0);
  });

  // biome-ignore format: a table
  const lies = [
    { name: 'above SND.NXT', sack: '20001:30001' },
    { name: 'over SND.NXT', sack: '9001:11001' },
    { name: 'below SND.UNA', sack: '-5000:-4000' },
    { name: 'over SND.UNA, not as a D-SACK', sack: '-500:501' },
    { name: 'reversed', sack: '4001:2001' },
    { name: 'empty', sack: '3001:3001' },
    { name: 'half the number space', sack: '1:2147483648' },
    { name: 'everything', sack: '1:10001' },
  ];
  test.each(lies)(
    'a block $name does no harm: the transfer ends well (negative list: SACK lies)',
    ({ sack }) => {
      const bench = runScript(`${flight(SACK)}
      +.1 < . 1:1(0) ack 1 win 65535 <nop,nop,sack ${sack}>
      +0 < . 1:1(0) ack 1 win 65535 <nop,nop,sack ${sack}>
      +0 < . 1:1(0) ack 1 win 65535 <nop,nop,sack ${sack} ${sack} ${sack}>
      +2 forget
      +0 < . 1:1(0) ack 10001 win 65535
      +0 expect written 1
      +0 shutdown
      +0 > F. 10001:10001(0) ack 1
    `);
      const { sacked, lost, retrans } = bench.socket.info();
      expect([sacked, lost, retrans]).toEqual([0, 0, 0]);
    },
  );
});

describe('a retransmission timeout', () => {
  test('sends the first segment only and begins slow start at one segment (RFC 5681 §3.1, RFC 2525 §2.2)', () => {
    const bench = runScript(
      `${flight(PLAIN)}
      +.31 expect open
    `,
      { allowLeftover: true },
    );
    const retransmitted = starts(bench);
    expect(retransmitted.length).toBeLessThanOrEqual(2); // a tail loss probe may come before
    expect(bench.socket.info().snd_cwnd).toBeLessThanOrEqual(2);
  });

  test('then the window grows by what is acknowledged (RFC 5681 §3.1)', () => {
    const bench = runScript(
      `${flight(PLAIN)}
      +1 forget
      +0 < . 1:1(0) ack 1001 win 65535
    `,
      { allowLeftover: true },
    );
    expect(starts(bench).length).toBeGreaterThanOrEqual(1);
    expect(starts(bench).length).toBeLessThanOrEqual(2);
    expect(starts(bench)[0]).toBe(1001);
  });

  test('ssthresh is lowered once per loss, not at each timeout of the same segment (RFC 5681 §3.1)', () => {
    const bench = runScript(`${flight(PLAIN)}\n +10 expect open`, { allowLeftover: true });
    expect(bench.socket.info().snd_ssthresh).toBeGreaterThanOrEqual(5);
    expect(bench.socket.info().snd_ssthresh).toBeLessThanOrEqual(7);
  });

  test('sends the octets that were sent before (RFC 2525 §2.4)', () => {
    // the kit compares every payload with the stream by its sequence number
    runScript(
      `${PLAIN}
      +0 nodelay
      +0 write(100)
      +0 > P. 1:101(100) ack 1
      +0 write(100)
      +0 > P. 101:201(100) ack 1
      +0 write(100)
      +0 > P. 201:301(100) ack 1
      +.9 forget
      +0 < . 1:1(0) ack 51 win 65535
      +1 expect open
    `,
      { allowLeftover: true },
    );
  });
});
