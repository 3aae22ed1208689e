// SYN cookies (RFC 4987 §3.6): the handshake without memory when the SYN queue is full, what of the
// options survives it, and what a forger gets.

import { describe, expect, test } from 'vitest';
import type { ScriptOptions } from '../kit/script.ts';
import { REMOTE, ScriptBench } from '../kit/script-bench.ts';
import { Peer } from '../kit/script-peer.ts';
import { arrive, only, taken, wait } from './segments.ts';

/** Every SYN is answered by a cookie. */
const FULL: ScriptOptions = { config: { tcp: { synBacklog: 0 } } };

const mss = (n: number): number[] => [2, 4, n >> 8, n & 255];
const SACK_OK = [1, 1, 4, 2];
const wscale = (n: number): number[] => [1, 3, 3, n];
const word = (n: number): number[] => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
const stamps = (val: number, ecr: number): number[] => [1, 1, 8, 10, ...word(val), ...word(ecr)];
const readWord = (o: readonly number[] | undefined): number =>
  o === undefined ? 0 : new DataView(Uint8Array.from(o).buffer).getUint32(0);

interface Server {
  bench: ScriptBench;
  accepted: Peer[];
}

function serve(options: ScriptOptions = FULL, backlog?: number): Server {
  const bench = new ScriptBench(options);
  const accepted: Peer[] = [];
  bench.stack.listen({
    port: 80,
    backlog,
    handler: {
      accept: (_server, s) => {
        const peer = new Peer(s.remotePort);
        peer.opened(s);
        accepted.push(peer);
        return peer;
      },
    },
  });
  return { bench, accepted };
}

interface Answer {
  /** The number of the SYN-ACK as it stands on the wire. */
  cookie: number;
  stamp: number;
}

/** Sends a SYN and answers what the SYN-ACK says. */
function ask(bench: ScriptBench, options: readonly number[], from = 54_321, seq = 0): Answer {
  arrive(bench, { flags: 'S', seq, from, options });
  const sent = bench.outbox.map((o) => new DataView(o.octets.buffer).getUint32(24));
  const answer = only(bench);
  expect(answer).toMatchObject({ flags: 'S.', ack: seq + 1 });
  return { cookie: sent[0] as number, stamp: readWord(answer.options.get(8)) };
}

describe('a full SYN queue', () => {
  test('a cookie costs no memory and is never sent again (RFC 4987 §3.6)', () => {
    const { bench } = serve();
    for (let from = 1000; from < 1200; from++) ask(bench, mss(1460), from);
    expect(bench.stack.tcp.live).toBe(0);
    wait(bench, 60_000);
    expect(taken(bench)).toEqual([]);
    expect(bench.stack.counters.get('TcpExtSyncookiesSent')).toBe(200);
    expect(bench.stack.nextDeadline()).toBe(Infinity);
  });

  test('the ACK that brings it back makes the connection; its data is delivered (RFC 4987 §3.6)', () => {
    const { bench, accepted } = serve();
    const { cookie } = ask(bench, mss(1460));
    arrive(bench, { flags: 'P.', seq: 1, rawAck: cookie + 1, len: 100 });
    wait(bench, 300);
    expect(only(bench).ack).toBe(101);
    expect(accepted.map((p) => p.dataTotal)).toEqual([100]);
    expect(bench.stack.counters.get('TcpExtSyncookiesRecv')).toBe(1);
    expect(accepted[0]?.socket?.tcb.iss).toBe(cookie | 0);
  });

  test('the connection works both ways to its end (RFC 9293 §3.5, §3.6)', () => {
    const { bench, accepted } = serve();
    const { cookie } = ask(bench, mss(1000));
    arrive(bench, { flags: '.', seq: 1, rawAck: cookie + 1 });
    const s = accepted[0]?.socket;
    s?.write(new Uint8Array(2500), 0, 2500);
    s?.shutdown();
    wait(bench, 1);
    expect(taken(bench).reduce((sum, x) => sum + x.len, 0)).toBe(2500);
    arrive(bench, { flags: '.', seq: 1, rawAck: cookie + 1 + 2501 });
    arrive(bench, { flags: 'F.', seq: 1, rawAck: cookie + 1 + 2501 });
    expect(accepted[0]?.closedCode).toBe(0);
  });

  test('the window of the SYN-ACK holds when the cookie comes home (RFC 9293 SHLD-14)', () => {
    const bench = new ScriptBench(FULL);
    const peer = new Peer(0);
    // a buffer smaller than what a SYN-ACK without memory says, and a window that needs no scale
    bench.stack.listen({ port: 80, receiveBuffer: 5000, handler: { accept: () => peer } });
    arrive(bench, { flags: 'S', seq: 0, options: [...mss(1460), ...stamps(1, 0), ...wscale(7)] });
    const raw = bench.outbox.map((o) => new DataView(o.octets.buffer).getUint32(24))[0] as number;
    const answer = only(bench);
    const scale = answer.options.get(3)?.[0] ?? 0;
    const echo = stamps(2, readWord(answer.options.get(8)));
    arrive(bench, { flags: 'P.', seq: 1, rawAck: raw + 1, len: 10, options: echo });
    wait(bench, 300);
    const ack = only(bench);
    expect(ack.ack + ack.window * 2 ** scale).toBeGreaterThan(
      answer.ack + answer.window - 2 ** scale,
    );
  });

  test('timestamps of the SYN-ACK and of the connection are one clock (RFC 7323 §5.4)', () => {
    const bench = new ScriptBench({
      config: { tcp: { synBacklog: 0, testTsOffset: 0x7000_0000 } },
    });
    const peer = new Peer(0);
    bench.stack.listen({ port: 80, handler: { accept: () => peer } });
    const { cookie, stamp } = ask(bench, [...mss(1460), ...stamps(1, 0)]);
    arrive(bench, { flags: 'P.', seq: 1, rawAck: cookie + 1, len: 10, options: stamps(2, stamp) });
    wait(bench, 300);
    const later = readWord(only(bench).options.get(8));
    expect((later - stamp) | 0).toBeGreaterThanOrEqual(0);
    expect((later - stamp) | 0).toBeLessThan(2000);
  });

  // biome-ignore format: a table
  const sizes = [
    { name: 'small', offered: 300 },
    { name: 'the default', offered: 536 },
    { name: 'a tunnel', offered: 1300 },
    { name: 'PPPoE', offered: 1440 },
    { name: 'Ethernet', offered: 1460 },
    { name: 'jumbo frames', offered: 8960 },
  ];
  test.each(sizes)(
    'the segment size of "$name" ($offered) comes back rounded down, never up (RFC 4987 §3.6)',
    ({ offered }) => {
      const { bench, accepted } = serve();
      const { cookie } = ask(bench, mss(offered));
      arrive(bench, { flags: '.', seq: 1, rawAck: cookie + 1 });
      const got = accepted[0]?.socket?.info().snd_mss as number;
      expect(got).toBeLessThanOrEqual(Math.min(offered, 1460));
      // one of eight or so values: never less than half of what was offered
      expect(got).toBeGreaterThanOrEqual(Math.min(offered, 1460) / 2);
    },
  );

  test('without timestamps neither scaling nor SACK is promised (RFC 4987 §3.6)', () => {
    const { bench, accepted } = serve();
    arrive(bench, { flags: 'S', seq: 0, options: [...mss(1460), ...SACK_OK, ...wscale(7)] });
    const raw = bench.outbox.map((o) => new DataView(o.octets.buffer).getUint32(24))[0] as number;
    const answer = only(bench);
    expect([3, 4, 8].map((kind) => answer.options.has(kind))).toEqual([false, false, false]);
    arrive(bench, { flags: '.', seq: 1, rawAck: raw + 1, win: 1000 });
    const info = accepted[0]?.socket?.info();
    expect(info?.options).toMatchObject({ timestamps: false, sack: false, wscale: false });
    expect(info?.snd_wnd).toBe(1000);
  });

  // biome-ignore format: a table
  const carried = [
    { name: 'scale 7 and SACK', options: [...SACK_OK, ...wscale(7)], scale: 7, sack: true },
    { name: 'scale 0 and SACK', options: [...SACK_OK, ...wscale(0)], scale: 0, sack: true },
    { name: 'scale 14 without SACK', options: wscale(14), scale: 14, sack: false },
    { name: 'SACK without scale', options: SACK_OK, scale: -1, sack: true },
    { name: 'neither', options: [], scale: -1, sack: false },
  ];
  test.each(carried)(
    'with timestamps, $name survive in the echo (RFC 4987 §3.6, RFC 7323 §3)',
    ({ options, scale, sack }) => {
      const { bench, accepted } = serve();
      const { cookie, stamp } = ask(bench, [...mss(1460), ...options, ...stamps(500, 0)]);
      arrive(bench, {
        flags: '.',
        seq: 1,
        rawAck: cookie + 1,
        win: 100,
        options: stamps(510, stamp),
      });
      const info = accepted[0]?.socket?.info();
      expect(info?.options).toMatchObject({ timestamps: true, sack, wscale: scale >= 0 });
      expect(info?.snd_wscale).toBe(Math.max(0, scale));
      expect(info?.snd_wnd).toBe(100 * 2 ** Math.max(0, scale));
    },
  );

  test('timestamps go on from the one of the SYN-ACK and never back (RFC 7323 §5.3)', () => {
    const { bench, accepted } = serve();
    const { cookie, stamp } = ask(bench, [...mss(1460), ...SACK_OK, ...stamps(500, 0)]);
    wait(bench, 20);
    arrive(bench, { flags: '.', seq: 1, rawAck: cookie + 1, options: stamps(520, stamp) });
    accepted[0]?.socket?.write(new Uint8Array(10), 0, 10);
    wait(bench, 1);
    const sent = readWord(only(bench).options.get(8));
    expect((sent - stamp) | 0).toBeGreaterThanOrEqual(0);
    expect((sent - stamp) | 0).toBeLessThan(1000);
  });

  test('round trips are measured from such timestamps without nonsense (RFC 7323 §4)', () => {
    const { bench, accepted } = serve();
    const { cookie, stamp } = ask(bench, [...mss(1460), ...SACK_OK, ...stamps(500, 0)]);
    wait(bench, 100);
    arrive(bench, { flags: '.', seq: 1, rawAck: cookie + 1, options: stamps(600, stamp) });
    expect(accepted[0]?.socket?.info().rtt).toBeLessThanOrEqual(200_000);
  });
});

describe('the number', () => {
  test("differs by port, by the client's number and by server (RFC 4987 §3.6, RFC 6528 §3)", () => {
    const { bench } = serve();
    const numbers = [
      ask(bench, mss(1460), 1000).cookie,
      ask(bench, mss(1460), 1001).cookie,
      ask(bench, mss(1460), 1000, 1_000_000).cookie,
      ask(serve({ ...FULL, seed: 2 }).bench, mss(1460), 1000).cookie,
    ];
    expect(new Set(numbers).size).toBe(4);
  });

  // biome-ignore format: a table
  const forged = [
    { name: 'the number is one off', more: 2, seq: 1, from: 54_321 },
    { name: 'the number is far off', more: 0x123456, seq: 1, from: 54_321 },
    { name: 'the client\'s number is another', more: 1, seq: 2, from: 54_321 },
    { name: 'the port is another', more: 1, seq: 1, from: 54_322 },
  ];
  test.each(forged)('is refused with RST when $name (RFC 4987 §3.6)', ({ more, seq, from }) => {
    const { bench, accepted } = serve();
    const { cookie } = ask(bench, mss(1460));
    arrive(bench, { flags: '.', seq, rawAck: cookie + more, from });
    expect(only(bench).flags).toBe('R');
    expect(accepted.length).toBe(0);
    expect(bench.stack.tcp.live).toBe(0);
    expect(bench.stack.counters.get('TcpExtSyncookiesFailed')).toBe(1);
  });

  test('guessing: of 20,000 random numbers at most one opens a connection (RFC 4987 §3.6)', () => {
    const { bench, accepted } = serve({ config: { tcp: { synBacklog: 0, rstPerSecond: 0 } } });
    ask(bench, mss(1460));
    let guess = 12_345;
    for (let i = 0; i < 20_000; i++) {
      guess = (Math.imul(guess, 1_664_525) + 1_013_904_223) >>> 0;
      arrive(bench, { flags: '.', seq: 1, rawAck: guess });
    }
    expect(accepted.length).toBeLessThanOrEqual(1);
    expect(bench.outbox.length).toBeLessThanOrEqual(1);
  });

  test('is good for a minute and no longer than a few (RFC 4987 §3.6)', () => {
    const age = (ms: number): number => {
      const { bench, accepted } = serve();
      const { cookie } = ask(bench, mss(1460));
      wait(bench, ms);
      // the server is still under load
      ask(bench, mss(1460), 999);
      arrive(bench, { flags: '.', seq: 1, rawAck: cookie + 1 });
      return accepted.length;
    };
    expect([age(0), age(30_000), age(59_000), age(300_000), age(3_600_000)]).toEqual([
      1, 1, 1, 0, 0,
    ]);
  });

  test('is not looked at when no cookie has been given lately: ACKs that nobody asked for get RST (RFC 4987 §3.6, RFC 9293 §3.10.7.2)', () => {
    const { bench, accepted } = serve();
    arrive(bench, { flags: '.', seq: 1, rawAck: 77 });
    expect(only(bench).flags).toBe('R');
    expect(bench.stack.counters.get('TcpExtSyncookiesFailed')).toBe(0);
    expect(accepted.length).toBe(0);
  });

  test('does not depend on whether the queue is still full (RFC 4987 §3.6)', () => {
    const { bench, accepted } = serve({ config: { tcp: { synBacklog: 2 } } }, 2);
    for (let from = 1000; from < 1040; from++) {
      arrive(bench, { flags: 'S', seq: 0, from, options: mss(1460) });
    }
    const sent = bench.outbox.map((o) => new DataView(o.octets.buffer).getUint32(24));
    expect(bench.stack.counters.get('TcpExtSyncookiesSent')).toBeGreaterThan(30);
    for (let from = 1000; from < 1040; from++) arrive(bench, { flags: 'R', seq: 1, from });
    arrive(bench, { flags: '.', seq: 1, rawAck: (sent.at(-1) as number) + 1, from: 1039 });
    expect(accepted.map((p) => p.remotePort)).toEqual([1039]);
  });
});

describe('without cookies', () => {
  test('a SYN beyond the queue is dropped and counted (Linux tcp_syncookies 0)', () => {
    const { bench } = serve({ config: { tcp: { synBacklog: 0, synCookies: false } } });
    arrive(bench, { flags: 'S', seq: 0, options: mss(1460) });
    expect(taken(bench)).toEqual([]);
    expect(bench.stack.counters.get('TcpExtTCPReqQFullDrop')).toBe(1);
  });
});

describe('the reserve for proven peers', () => {
  test('who has completed a handshake before gets an ordinary one while strangers fill the queue (RFC 4987 §3.6, Linux tcp_peer_is_proven)', () => {
    const { bench, accepted } = serve({ config: { tcp: { synBacklog: 8, synCookies: false } } }, 8);
    const { cookie } = ask(bench, mss(1460), 2000);
    arrive(bench, { flags: '.', seq: 1, rawAck: cookie + 1, from: 2000 });
    arrive(bench, { flags: 'R', seq: 1, from: 2000 });
    expect(accepted.length).toBe(1);
    taken(bench);
    let answered = 0;
    for (let i = 0; i < 200; i++) {
      arrive(bench, { flags: 'S', seq: 0, src: `203.0.113.${i}`, options: mss(1460) });
      answered += taken(bench).length;
    }
    expect(answered).toBeGreaterThan(0);
    expect(answered).toBeLessThan(16);
    arrive(bench, { flags: 'S', seq: 0, src: REMOTE, from: 2001, options: mss(1460) });
    expect(only(bench).flags).toBe('S.');
  });
});

describe('under a flood', () => {
  test('an honest client is served while strangers send SYNs without end (RFC 4987 §3.6)', () => {
    const { bench, accepted } = serve({ config: { tcp: { synBacklog: 64 } } }, 64);
    for (let i = 0; i < 5000; i++) {
      const src = `203.0.${(i >> 8) & 255}.${i & 255}`;
      arrive(bench, { flags: 'S', seq: i, src, from: 1024 + i, options: mss(1460) });
      bench.outbox.length = 0;
    }
    expect(bench.stack.tcp.live).toBeLessThanOrEqual(128);
    const { cookie } = ask(bench, mss(1460));
    arrive(bench, { flags: '.', seq: 1, rawAck: cookie + 1 });
    expect(accepted.map((p) => p.remotePort)).toEqual([54_321]);
  });

  test('a full accept queue refuses the ACK of a cookie as it would any other (RFC 9293 §3.9.1, Linux TcpExtListenOverflows)', () => {
    const bench = new ScriptBench(FULL);
    const server = bench.stack.listen({ port: 80, backlog: 1, handler: { accept: () => null } });
    server.pause();
    for (let from = 1000; from < 1010; from++) {
      arrive(bench, { flags: 'S', seq: 0, from, options: mss(1460) });
      const raw = bench.outbox.splice(0).map((o) => new DataView(o.octets.buffer).getUint32(24))[0];
      if (raw !== undefined) arrive(bench, { flags: '.', seq: 1, rawAck: raw + 1, from });
      bench.outbox.length = 0;
    }
    expect(bench.stack.tcp.live).toBeLessThanOrEqual(2);
    expect(bench.stack.counters.get('TcpExtListenOverflows')).toBeGreaterThan(0);
  });
});
