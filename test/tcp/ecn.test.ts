// Explicit congestion notification: who asks, who may be marked, what a mark brings (RFC 3168).

import { describe, expect, test } from 'vitest';
import { runScript } from '../kit/script.ts';
import type { ScriptBench } from '../kit/script-bench.ts';
import { arrive, ISS, only, type Seen, taken, wait } from './segments.ts';

const NOT_ECT = 0;
const ECT_0 = 2;
const CE = 3;

function config(ecn: number): { config: { tcp: { ecn: number; testIss: number } } } {
  return { config: { tcp: { ecn, testIss: ISS } } };
}

/** A passive open whose both ends speak ECN; ESTABLISHED at 0.1 s, nothing waits in the outbox. */
function marked(): ScriptBench {
  return runScript(
    `
    0 listen 80
    0 < SEW 0:0(0) win 65535 <mss 1000,sackOK>
    +0 > S.E 0:0(0) ack 1 <mss 1460,sackOK>
    +.1 < . 1:1(0) ack 1 win 65535
  `,
    config(2),
  );
}

function acknowledgments(bench: ScriptBench, from: number, to: number): void {
  for (let ack = from + 1000; ack <= to; ack += 1000) arrive(bench, { flags: '.', seq: 1, ack });
}

/** A SACK option with one block of the stack's own numbers. */
function sack(start: number, end: number): number[] {
  const word = (n: number): number[] => [
    (n >>> 24) & 255,
    (n >>> 16) & 255,
    (n >>> 8) & 255,
    n & 255,
  ];
  return [1, 1, 5, 10, ...word(start + ISS), ...word(end + ISS)];
}

describe('the handshake', () => {
  // biome-ignore format: a table
  const passive = [
    { name: 'ECN is off', ecn: 0, syn: 'SEW', answer: 'S.' },
    { name: 'ECN is accepted', ecn: 2, syn: 'SEW', answer: 'S.E' },
    { name: 'ECN is asked for', ecn: 1, syn: 'SEW', answer: 'S.E' },
    { name: 'the SYN has ECE without CWR', ecn: 1, syn: 'SE', answer: 'S.' },
    { name: 'the SYN has CWR without ECE', ecn: 1, syn: 'SW', answer: 'S.' },
    { name: 'the peer does not ask', ecn: 1, syn: 'S', answer: 'S.' },
  ];
  test.each(passive)(
    'a SYN $syn is answered by $answer when $name (RFC 3168 §6.1.1)',
    ({ ecn, syn, answer }) => {
      runScript(
        `
        0 listen 80
        0 < ${syn} 0:0(0) win 65535 <mss 1000>
        +0 > ${answer} 0:0(0) ack 1 <mss 1460>
      `,
        config(ecn),
      );
    },
  );

  // biome-ignore format: a table
  const active = [
    { name: 'never', ecn: 0, syn: 'S', synAck: 'S.E', field: NOT_ECT },
    { name: 'only accept', ecn: 2, syn: 'S', synAck: 'S.E', field: NOT_ECT },
    { name: 'ask, the peer agrees', ecn: 1, syn: 'SEW', synAck: 'S.E', field: ECT_0 },
    { name: 'ask, the peer does not know ECN', ecn: 1, syn: 'SEW', synAck: 'S.', field: NOT_ECT },
    { name: 'ask, the peer mirrors the bits', ecn: 1, syn: 'SEW', synAck: 'S.EW', field: NOT_ECT },
    { name: 'ask, CWR alone comes back', ecn: 1, syn: 'SEW', synAck: 'S.W', field: NOT_ECT },
  ];
  test.each(active)(
    'mode "$name": $syn goes out and after $synAck data has ECN field $field (RFC 3168 §6.1.1)',
    ({ ecn, syn, synAck, field }) => {
      const bench = runScript(
        `
        0 connect 80
        0 > ${syn} 0:0(0) <...>
        +.1 < ${synAck} 0:0(0) ack 1 win 65535 <mss 1000>
        +0 > . 1:1(0) ack 1
        +0 write(100)
      `,
        { ...config(ecn), allowLeftover: true },
      );
      expect(only(bench)).toMatchObject({ ecn: field, len: 100 });
    },
  );

  test('a SYN that is not answered is sent again without asking (RFC 3168 §6.1.1.1)', () => {
    runScript(
      `
      0 connect 80
      0 > SEW 0:0(0) <...>
      1 > S 0:0(0) <...>
    `,
      config(1),
    );
  });

  test('SYN, SYN-ACK and the ACK of the handshake are not ECN-capable (RFC 3168 §6.1.1, §6.1.4)', () => {
    const client = runScript('0 connect 80', { ...config(1), allowLeftover: true });
    const syn = only(client);
    arrive(client, { flags: 'S.E', seq: 0, ack: 1, from: 80, to: syn.srcPort });
    expect([syn.ecn, only(client).ecn]).toEqual([NOT_ECT, NOT_ECT]);
    const server = runScript('0 listen 80', config(2));
    arrive(server, { flags: 'SEW', seq: 0 });
    expect(only(server)).toMatchObject({ flags: 'S.E', ecn: NOT_ECT });
  });
});

describe('what may be marked', () => {
  test('new data is ECT(0); its retransmission is not ECT (RFC 3168 §6.1.5)', () => {
    const bench = marked();
    bench.call('write', ['100']);
    const fresh = only(bench);
    wait(bench, 3000);
    const again = taken(bench).filter((s) => s.seq === 1);
    expect(fresh).toMatchObject({ seq: 1, len: 100, ecn: ECT_0 });
    expect(again.length).toBeGreaterThanOrEqual(1);
    for (const s of again) expect(s.ecn).toBe(NOT_ECT);
  });

  test('a retransmission by SACK is not ECT, the new data beside it is (RFC 3168 §6.1.5)', () => {
    const bench = marked();
    bench.call('write', ['30000']);
    expect(taken(bench).map((s) => s.ecn)).toEqual(Array<number>(10).fill(ECT_0));
    wait(bench, 100);
    for (let end = 3001; end <= 6001; end += 1000) {
      arrive(bench, { flags: '.', seq: 1, ack: 1001, options: sack(2001, end) });
    }
    const out = taken(bench);
    const again = out.filter((s) => s.seq < 10_001);
    expect(again.map((s) => [s.seq, s.ecn])).toContainEqual([1001, NOT_ECT]);
    for (const s of out.filter((o) => o.seq >= 10_001)) expect(s.ecn).toBe(ECT_0);
  });

  test('a pure ACK is not ECT (RFC 3168 §6.1.4)', () => {
    const bench = marked();
    arrive(bench, { flags: 'P.', seq: 1, len: 1000, ecn: ECT_0 });
    wait(bench, 250);
    expect(only(bench)).toMatchObject({ len: 0, ack: 1001, ecn: NOT_ECT });
  });

  test('a window probe is not ECT (RFC 3168 §6.1.6)', () => {
    const bench = marked();
    arrive(bench, { flags: '.', seq: 1, ack: 1, win: 0 });
    bench.call('write', ['100']);
    wait(bench, 2000);
    const probes = taken(bench);
    expect(probes.length).toBeGreaterThanOrEqual(1);
    for (const s of probes) expect(s.ecn).toBe(NOT_ECT);
  });

  test('a FIN without data and a RST are not ECT (RFC 3168 §6.1.4)', () => {
    const bench = marked();
    bench.call('shutdown', []);
    expect(only(bench)).toMatchObject({ flags: 'F.', ecn: NOT_ECT });
    bench.call('abort', []);
    expect(only(bench).ecn).toBe(NOT_ECT);
  });

  test('a traffic class of the program leaves the ECN field alone (RFC 3168 §5, RFC 2474 §3)', () => {
    const bench = marked();
    bench.call('tos', ['187']);
    bench.call('write', ['100']);
    expect(only(bench)).toMatchObject({ dscp: 46, ecn: ECT_0 });
  });

  test('without ECN a program cannot set the field by its type of service (RFC 3168 §5)', () => {
    const bench = runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <...>
      +.1 < . 1:1(0) ack 1 win 65535
      +0 tos 3
      +0 write(10)
    `,
      { ...config(1), allowLeftover: true },
    );
    expect(only(bench)).toMatchObject({ len: 10, ecn: NOT_ECT });
  });
});

describe('the receiver', () => {
  test('CE is echoed on every ACK until CWR comes (RFC 3168 §6.1.3)', () => {
    const bench = marked();
    const answer = (seq: number, ecn: number, flags = 'P.'): string => {
      arrive(bench, { flags, seq, len: 1000, ecn });
      wait(bench, 250);
      const acks = taken(bench);
      expect(acks.at(-1)?.ack).toBe(seq + 1000);
      return acks.map((s) => s.flags).join(' ');
    };
    expect(answer(1, ECT_0)).toBe('.');
    expect(answer(1001, CE)).toBe('.E');
    expect(answer(2001, ECT_0)).toBe('.E');
    expect(answer(3001, ECT_0)).toBe('.E');
    expect(answer(4001, ECT_0, 'P.W')).toBe('.');
    expect(answer(5001, ECT_0)).toBe('.');
  });

  test('CWR and CE on one segment begin a new echo (RFC 3168 §6.1.3)', () => {
    const bench = marked();
    arrive(bench, { flags: 'P.', seq: 1, len: 1000, ecn: CE });
    wait(bench, 250);
    arrive(bench, { flags: 'P.W', seq: 1001, len: 1000, ecn: CE });
    wait(bench, 250);
    arrive(bench, { flags: 'P.', seq: 2001, len: 1000, ecn: ECT_0 });
    wait(bench, 250);
    expect(taken(bench).map((s) => s.flags)).toEqual(['.E', '.E', '.E']);
  });

  test('data that we send meanwhile carries the echo too (RFC 3168 §6.1.3)', () => {
    const bench = marked();
    arrive(bench, { flags: 'P.', seq: 1, len: 1000, ecn: CE });
    wait(bench, 250);
    taken(bench);
    bench.call('write', ['100']);
    expect(only(bench)).toMatchObject({ flags: 'P.E', ecn: ECT_0 });
  });

  test('CE on a segment outside the window is no mark (RFC 3168 §6.1.5)', () => {
    const bench = marked();
    arrive(bench, { flags: 'P.', seq: 900_001, len: 1000, ecn: CE });
    wait(bench, 250);
    arrive(bench, { flags: 'P.', seq: 1, len: 1000, ecn: ECT_0 });
    wait(bench, 250);
    expect(taken(bench).at(-1)?.flags).toBe('.');
  });

  test('CE on a connection without ECN is not echoed (RFC 3168 §6.1.1)', () => {
    const bench = runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <...>
      +.1 < . 1:1(0) ack 1 win 65535
    `,
      config(2),
    );
    arrive(bench, { flags: 'P.', seq: 1, len: 1000, ecn: CE });
    wait(bench, 250);
    expect(only(bench).flags).toBe('.');
  });

  test('received packets are counted by their field (RFC 3168 §5)', () => {
    const bench = marked();
    arrive(bench, { flags: 'P.', seq: 1, len: 10, ecn: CE });
    arrive(bench, { flags: 'P.', seq: 11, len: 10, ecn: ECT_0 });
    arrive(bench, { flags: 'P.', seq: 21, len: 10, ecn: 1 });
    const get = (name: 'IpExtInCEPkts' | 'IpExtInECT0Pkts' | 'IpExtInECT1Pkts'): number =>
      bench.stack.counters.get(name);
    expect([get('IpExtInCEPkts'), get('IpExtInECT0Pkts'), get('IpExtInECT1Pkts')]).toEqual([
      1, 1, 1,
    ]);
  });
});

describe('the sender', () => {
  /** Twenty segments are in flight, nothing acknowledged. */
  function inFlight(): ScriptBench {
    const bench = marked();
    bench.call('write', ['100000']);
    taken(bench);
    wait(bench, 100);
    acknowledgments(bench, 1, 10_001);
    expect(taken(bench).length).toBe(20);
    wait(bench, 100);
    return bench;
  }

  test('an echo reduces the window without a loss and CWR goes with the next new data (RFC 3168 §6.1.2)', () => {
    const bench = inFlight();
    const before = bench.socket.info().snd_cwnd;
    arrive(bench, { flags: '.E', seq: 1, ack: 11_001 });
    acknowledgments(bench, 11_001, 30_001);
    const out = taken(bench);
    const info = bench.socket.info();
    expect(before).toBe(20);
    // CUBIC: 0.7 (RFC 9438 §4.6); Reno would take half
    expect(info.snd_ssthresh).toBeLessThanOrEqual(14);
    expect(info.snd_ssthresh).toBeGreaterThanOrEqual(10);
    expect(info.snd_cwnd).toBeLessThanOrEqual(info.snd_ssthresh + 2);
    expect(out[0]?.flags).toContain('W');
    expect(out.filter((s) => s.flags.includes('W')).length).toBe(1);
    expect(out.every((s) => s.seq >= 30_001)).toBe(true);
    expect(info.total_retrans).toBe(0);
  });

  test('an echo beside the news that a timeout was spurious reduces the window all the same (RFC 3168 §6.1.2)', () => {
    const bench = inFlight();
    wait(bench, 700);
    expect(bench.socket.info().ca_state).toBe('loss');
    taken(bench);
    arrive(bench, { flags: '.E', seq: 1, ack: 13_001 });
    const info = bench.socket.info();
    expect([info.ca_state, info.snd_ssthresh < 20]).toEqual(['cwr', true]);
  });

  test('several echoes within one window reduce once (RFC 3168 §6.1.2)', () => {
    const bench = inFlight();
    for (let ack = 11_001; ack <= 30_001; ack += 1000) arrive(bench, { flags: '.E', seq: 1, ack });
    const { snd_ssthresh } = bench.socket.info();
    expect(snd_ssthresh).toBeGreaterThanOrEqual(10);
    expect(snd_ssthresh).toBeLessThanOrEqual(14);
    expect(taken(bench).filter((s) => s.flags.includes('W')).length).toBe(1);
  });

  test('an echo that goes on in the next window reduces again (RFC 3168 §6.1.2)', () => {
    const bench = inFlight();
    const echoed = (until: number): void => {
      const una = bench.socket.tcb.sndUna - ISS;
      for (let ack = una + 1000; ack <= until; ack += 1000) {
        arrive(bench, { flags: '.E', seq: 1, ack });
      }
    };
    echoed(30_001);
    const first = bench.socket.info().snd_ssthresh;
    for (let i = 0; i < 2; i++) {
      wait(bench, 100);
      echoed(bench.socket.tcb.sndNxt - ISS);
    }
    expect(bench.socket.info().snd_ssthresh).toBeLessThan(first);
    expect(bench.socket.info().snd_ssthresh).toBeGreaterThanOrEqual(2);
    const cwr = taken(bench).filter((s) => s.flags.includes('W'));
    expect(cwr.length).toBeGreaterThanOrEqual(2);
  });

  test('a reduction after a loss is told by CWR too, on the first new data (RFC 3168 §6.1.2)', () => {
    const bench = inFlight();
    for (let end = 13_001; end <= 30_001; end += 1000) {
      arrive(bench, { flags: '.', seq: 1, ack: 11_001, options: sack(12_001, end) });
    }
    wait(bench, 50);
    arrive(bench, { flags: '.', seq: 1, ack: 30_001 });
    const out = taken(bench);
    expect(out.find((s) => s.seq === 11_001)).toMatchObject({ ecn: NOT_ECT });
    const again = out.findIndex((s) => s.seq === 11_001);
    const fresh = out.slice(again).find((s) => s.seq >= 30_001);
    expect(fresh?.flags).toContain('W');
    expect(out.filter((s) => s.flags.includes('W'))).toEqual([fresh]);
  });

  test('so is one after a timeout (RFC 3168 §6.1.2)', () => {
    const bench = marked();
    bench.call('write', ['100000']);
    taken(bench);
    wait(bench, 1100);
    expect(bench.socket.info().ca_state).toBe('loss');
    taken(bench);
    for (let ack = 1001; ack <= 10_001; ack += 1000) arrive(bench, { flags: '.', seq: 1, ack });
    const out = taken(bench);
    const first = out.find((s) => s.seq >= 10_001);
    expect(first?.flags).toContain('W');
    expect(out.filter((s) => s.flags.includes('W')).length).toBe(1);
  });

  test('CWR is not set on a retransmission (RFC 3168 §6.1.5)', () => {
    const bench = inFlight();
    arrive(bench, { flags: '.E', seq: 1, ack: 11_001 });
    taken(bench);
    wait(bench, 5000);
    const again = taken(bench).filter((s: Seen) => s.seq < 30_001);
    expect(again.length).toBeGreaterThanOrEqual(1);
    for (const s of again) expect([s.flags.includes('W'), s.ecn]).toEqual([false, NOT_ECT]);
  });

  test('an echo on a connection without ECN changes nothing (RFC 3168 §6.1.1)', () => {
    const bench = runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <...>
      +.1 < . 1:1(0) ack 1 win 65535
      +0 write(100000)
      +0 forget
    `,
      config(2),
    );
    wait(bench, 100);
    for (let ack = 1001; ack <= 10_001; ack += 1000) arrive(bench, { flags: '.E', seq: 1, ack });
    expect(bench.socket.info().snd_cwnd).toBe(20);
    expect(taken(bench).some((s) => s.flags.includes('W'))).toBe(false);
  });

  test('the delivered segments under a mark are counted (Linux TCPDeliveredCE)', () => {
    const bench = inFlight();
    arrive(bench, { flags: '.E', seq: 1, ack: 12_001 });
    expect(bench.stack.counters.get('TcpExtTCPDeliveredCE')).toBe(2);
    // the SYN-ACK is one of them
    expect(bench.stack.counters.get('TcpExtTCPDelivered')).toBe(13);
  });
});
