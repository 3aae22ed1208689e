// TCP Fast Open, both sides (RFC 7413): the cookie, data on the SYN, and what happens when the
// other side or the path does not take it.

import { describe, expect, test } from 'vitest';
import { runScript, type ScriptOptions } from '../kit/script.ts';
import { LOCAL, REMOTE, ScriptBench } from '../kit/script-bench.ts';
import { Peer, pattern } from '../kit/script-peer.ts';
import { arrive, ISS, only, type Seen, taken, wait } from './segments.ts';

const KIND = 34;
const MSS = [2, 4, 0x03, 0xe8];
const COOKIE = [1, 2, 3, 4, 5, 6, 7, 8];
const OPTIONS: ScriptOptions = { config: { tcp: { testIss: ISS } } };

/** The option with two NOPs before it, so that it fills whole words. */
const cookieOption = (cookie: readonly number[]): number[] => [
  1,
  1,
  KIND,
  2 + cookie.length,
  ...cookie,
];

// --- the server ---------------------------------------------------------------------------------

interface Server {
  bench: ScriptBench;
  accepted: Peer[];
}

function serve(fastOpen: number | undefined, options: ScriptOptions = OPTIONS): Server {
  const bench = new ScriptBench(options);
  const accepted: Peer[] = [];
  bench.stack.listen({
    port: 80,
    fastOpen,
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

/** What the server gives to a host that asks. */
function grant(bench: ScriptBench, from = 40_000, src = REMOTE): readonly number[] {
  arrive(bench, { flags: 'S', seq: 0, from, src, options: [...MSS, ...cookieOption([])] });
  const cookie = only(bench).options.get(KIND);
  if (cookie === undefined) throw new Error('no cookie');
  arrive(bench, { flags: 'R', seq: 1, from, src });
  return cookie;
}

describe('the server', () => {
  test('a request brings a cookie of 4 to 16 octets, an even number, and no data is taken (RFC 7413 §2, §4.1.2)', () => {
    const { bench, accepted } = serve(5);
    arrive(bench, { flags: 'S', seq: 0, len: 100, options: [...MSS, ...cookieOption([])] });
    const answer = only(bench);
    const cookie = answer.options.get(KIND) ?? [];
    expect(answer).toMatchObject({ flags: 'S.', ack: 1 });
    expect(cookie.length).toBeGreaterThanOrEqual(4);
    expect(cookie.length).toBeLessThanOrEqual(16);
    expect(cookie.length % 2).toBe(0);
    expect(accepted.length).toBe(0);
  });

  test('with its cookie, data of the SYN is acknowledged and delivered before the handshake is done (RFC 7413 §3)', () => {
    const { bench, accepted } = serve(5);
    const cookie = grant(bench);
    arrive(bench, { flags: 'S', seq: 0, len: 100, options: [...MSS, ...cookieOption(cookie)] });
    expect(only(bench)).toMatchObject({ flags: 'S.', seq: 0, ack: 101 });
    expect(accepted.map((p) => p.dataTotal)).toEqual([100]);
    expect(bench.stack.counters.get('TcpExtTCPFastOpenPassive')).toBe(1);
  });

  test('the server may answer before the handshake is done (RFC 7413 §3, step 4)', () => {
    const { bench, accepted } = serve(5);
    const cookie = grant(bench);
    arrive(bench, { flags: 'S', seq: 0, len: 100, options: [...MSS, ...cookieOption(cookie)] });
    accepted[0]?.socket?.write(pattern(0, 500), 0, 500);
    wait(bench, 10);
    const [synAck, data] = taken(bench);
    expect(synAck).toMatchObject({ flags: 'S.', seq: 0, ack: 101 });
    expect(data).toMatchObject({ seq: 1, ack: 101, len: 500 });
    arrive(bench, { flags: '.', seq: 101, ack: 501 });
    arrive(bench, { flags: 'P.', seq: 101, ack: 501, len: 50 });
    wait(bench, 250);
    expect(only(bench)).toMatchObject({ flags: '.', seq: 501, ack: 151 });
    expect(accepted[0]?.dataTotal).toBe(150);
  });

  test('a SYN with a good cookie and no data opens at once too (RFC 7413 §4.2.2)', () => {
    const { bench } = serve(5);
    const cookie = grant(bench);
    arrive(bench, { flags: 'S', seq: 0, options: [...MSS, ...cookieOption(cookie)] });
    expect(only(bench)).toMatchObject({ flags: 'S.', seq: 0, ack: 1 });
  });

  test('a wrong cookie: only the SYN is acknowledged, with the right cookie, and data waits for the handshake (RFC 7413 §4.2.2)', () => {
    const { bench, accepted } = serve(5);
    const cookie = grant(bench);
    arrive(bench, { flags: 'S', seq: 0, len: 100, options: [...MSS, ...cookieOption(COOKIE)] });
    const answer = only(bench);
    expect(answer).toMatchObject({ flags: 'S.', ack: 1 });
    expect(answer.options.get(KIND)).toEqual(cookie);
    expect(accepted.length).toBe(0);
    expect(bench.stack.counters.get('TcpExtTCPFastOpenPassiveFail')).toBe(1);
    arrive(bench, { flags: 'P.', seq: 1, ack: 1, len: 100 });
    wait(bench, 250);
    expect(accepted.map((p) => p.dataTotal)).toEqual([100]);
  });

  test('a cookie belongs to the address, whatever the port (RFC 7413 §4.1.2)', () => {
    const { bench } = serve(5);
    const cookie = grant(bench, 40_000);
    expect(grant(bench, 40_001)).toEqual(cookie);
    expect(grant(bench, 40_000, '198.51.100.10')).not.toEqual(cookie);
    const stolen = { len: 10, options: [...MSS, ...cookieOption(cookie)] };
    arrive(bench, { flags: 'S', seq: 0, src: '198.51.100.10', ...stolen });
    expect(only(bench).ack).toBe(1);
  });

  test('another server has other cookies (RFC 7413 §4.1.2)', () => {
    const cookies = [1, 2, 3].map((seed) => grant(serve(5, { ...OPTIONS, seed }).bench).join());
    expect(new Set(cookies).size).toBe(3);
  });

  // biome-ignore format: a table
  const odd = [
    { name: 'two octets', cookie: [1, 2] },
    { name: 'three octets', cookie: [1, 2, 3] },
    { name: 'an odd number of octets', cookie: [1, 2, 3, 4, 5, 6, 7] },
    { name: 'eighteen octets', cookie: Array<number>(18).fill(7) },
  ];
  test.each(odd)('a cookie of $name opens nothing (RFC 7413 §4.1.1)', ({ cookie }) => {
    const { bench, accepted } = serve(5);
    const options = [...MSS, ...cookieOption(cookie)];
    while (options.length % 4 !== 0) options.push(0);
    arrive(bench, { flags: 'S', seq: 0, len: 10, options });
    expect(only(bench)).toMatchObject({ flags: 'S.', ack: 1 });
    expect(accepted.length).toBe(0);
  });

  test('without the option on its side a server ignores it (RFC 7413 §4.1.1)', () => {
    const { bench } = serve(undefined);
    arrive(bench, { flags: 'S', seq: 0, len: 10, options: [...MSS, ...cookieOption([])] });
    const answer = only(bench);
    expect(answer).toMatchObject({ flags: 'S.', ack: 1 });
    expect(answer.options.has(KIND)).toBe(false);
  });

  test('more pending openings than the limit fall back to the usual handshake (RFC 7413 §5.1, PendingFastOpenRequests)', () => {
    const { bench, accepted } = serve(2);
    const cookie = grant(bench);
    const opening = (from: number): number => {
      const options = [...MSS, ...cookieOption(cookie)];
      arrive(bench, { flags: 'S', seq: 0, len: 10, from, options });
      return only(bench).ack;
    };
    expect([opening(41_000), opening(41_001), opening(41_002)]).toEqual([11, 11, 1]);
    expect(accepted.length).toBe(2);
    expect(bench.stack.counters.get('TcpExtTCPFastOpenListenOverflow')).toBe(1);
    // one handshake is done: there is room again
    arrive(bench, { flags: '.', seq: 11, ack: 1, from: 41_000 });
    expect(opening(41_003)).toBe(11);
  });

  test('the SYN that comes again does not deliver its data again (RFC 7413 §2, §6.2)', () => {
    const { bench, accepted } = serve(5);
    const options = [...MSS, ...cookieOption(grant(bench))];
    arrive(bench, { flags: 'S', seq: 0, len: 100, options });
    arrive(bench, { flags: 'S', seq: 0, len: 100, options });
    expect(accepted.map((p) => p.dataTotal)).toEqual([100]);
    expect(taken(bench).map((s) => [s.flags, s.ack])).toEqual([
      ['S.', 101],
      ['S.', 101],
    ]);
  });

  test('the SYN-ACK is sent again while the handshake is not done, then the connection is given up (RFC 7413 §4.2.2)', () => {
    const { bench, accepted } = serve(5);
    const options = [...MSS, ...cookieOption(grant(bench))];
    arrive(bench, { flags: 'S', seq: 0, len: 100, options });
    wait(bench, 1500);
    expect(taken(bench).map((s) => [s.flags, s.seq, s.ack])).toEqual([
      ['S.', 0, 101],
      ['S.', 0, 101],
    ]);
    wait(bench, 200_000);
    expect(accepted[0]?.closedCode).toBe(-110);
    expect(bench.stack.tcp.live).toBe(0);
  });

  test('a RST before the handshake is done closes the connection and tells the program (RFC 7413 §5.1)', () => {
    const { bench, accepted } = serve(5);
    const options = [...MSS, ...cookieOption(grant(bench))];
    arrive(bench, { flags: 'S', seq: 0, len: 100, options });
    taken(bench);
    arrive(bench, { flags: 'R', seq: 101 });
    expect(accepted[0]?.closedCode).toBe(-104);
    expect(bench.stack.tcp.live).toBe(0);
  });

  test('the answer may end the stream at once: FIN before the handshake is done (RFC 7413 §3, §7)', () => {
    const { bench, accepted } = serve(5);
    const options = [...MSS, ...cookieOption(grant(bench))];
    arrive(bench, { flags: 'S', seq: 0, len: 100, options });
    accepted[0]?.socket?.write(pattern(0, 10), 0, 10);
    accepted[0]?.socket?.close();
    wait(bench, 10);
    const out = taken(bench);
    expect(out[0]).toMatchObject({ flags: 'S.', ack: 101 });
    expect(out.at(-1)?.flags).toContain('F');
    arrive(bench, { flags: 'F.', seq: 101, ack: 12 });
    expect(accepted[0]?.closedCode).toBe(0);
  });
});

// --- the client ---------------------------------------------------------------------------------

class Client {
  readonly bench: ScriptBench;
  peer: Peer;
  syn: Seen;
  constructor(bench = new ScriptBench(OPTIONS), octets = 0) {
    this.bench = bench;
    this.peer = new Peer(80);
    this.syn = this.open(octets);
  }

  /** Connects, writes in the same turn, answers the SYN that came out. */
  open(octets: number): Seen {
    const { bench } = this;
    this.peer = new Peer(80);
    const s = bench.stack.connect({
      address: REMOTE,
      port: 80,
      fastOpen: true,
      handler: this.peer,
    });
    this.peer.socket = s;
    if (octets > 0) s.write(pattern(0, octets), 0, octets);
    wait(bench, 1);
    this.syn = only(bench);
    return this.syn;
  }

  answer(ack: number, options: readonly number[] = MSS, more: { flags?: string } = {}): void {
    const flags = more.flags ?? 'S.';
    arrive(this.bench, { flags, seq: 0, ack, from: 80, to: this.syn.srcPort, options });
  }

  say(flags: string, seq: number, ack: number, len = 0): void {
    arrive(this.bench, { flags, seq, ack, len, from: 80, to: this.syn.srcPort });
  }
}

/** A client that has got COOKIE and closed its first connection; the next one writes `octets`. */
function withCookie(octets: number): Client {
  const client = new Client();
  client.answer(1, [...MSS, ...cookieOption(COOKIE)]);
  client.peer.socket?.abort();
  wait(client.bench, 1);
  taken(client.bench);
  client.open(octets);
  return client;
}

describe('the client', () => {
  test('without a cookie the SYN asks for one and carries no data (RFC 7413 §4.1.1)', () => {
    const { syn } = new Client(undefined, 300);
    expect(syn).toMatchObject({ flags: 'S', len: 0 });
    expect(syn.options.get(KIND)).toEqual([]);
  });

  test('what was written goes out after the handshake then (RFC 7413 §3)', () => {
    const client = new Client(undefined, 300);
    client.answer(1, [...MSS, ...cookieOption(COOKIE)]);
    const out = taken(client.bench);
    expect(out.at(-1)).toMatchObject({ flags: 'P.', seq: 1, len: 300, ack: 1 });
  });

  test('with a cookie the SYN carries it and the data (RFC 7413 §4.2.1)', () => {
    const { syn } = withCookie(300);
    expect(syn).toMatchObject({ flags: 'S', seq: 0, len: 300 });
    expect(syn.options.get(KIND)).toEqual(COOKIE);
    expect(syn.payload).toEqual(pattern(0, 300));
  });

  test('the SYN takes no more than one segment, the rest follows the handshake (RFC 7413 §4.2.1)', () => {
    const client = withCookie(4000);
    // the MSS that the server has told with its cookie, less the options of this SYN
    const first = client.syn.len;
    expect(first).toBeGreaterThan(900);
    expect(first).toBeLessThanOrEqual(1000);
    client.answer(1 + first);
    const rest = taken(client.bench).filter((s) => s.len > 0);
    expect(rest[0]?.seq).toBe(1 + first);
    expect(rest.reduce((sum, s) => sum + s.len, 0)).toBe(4000 - first);
  });

  test('data that was acknowledged with the SYN is not sent again (RFC 7413 §4.2.1)', () => {
    const client = withCookie(300);
    client.answer(301);
    wait(client.bench, 5000);
    expect(taken(client.bench).map((s) => [s.flags, s.seq, s.len])).toEqual([['.', 301, 0]]);
    expect(client.peer.wasOpened).toBe(true);
    expect(client.peer.writesReturned).toBe(1);
    expect(client.bench.stack.counters.get('TcpExtTCPFastOpenActive')).toBe(1);
  });

  test('data that was not acknowledged goes out again at once (RFC 7413 §4.2.1)', () => {
    const client = withCookie(300);
    client.answer(1);
    const data = taken(client.bench).filter((s) => s.len > 0);
    expect(data.map((s) => [s.seq, s.len])).toEqual([[1, 300]]);
    expect(data[0]?.payload).toEqual(pattern(0, 300));
    // nothing was lost by congestion: the window is as it was
    expect(client.peer.socket?.info()).toMatchObject({ snd_cwnd: 10, snd_ssthresh: 0x7fffffff });
  });

  test('and it is pushed, as the end of a write of its own (Linux tcp_send_syn_data)', () => {
    const client = withCookie(4000);
    const first = client.syn.len;
    client.answer(1);
    const data = taken(client.bench).filter((s) => s.len > 0);
    expect([data[0]?.seq, data[0]?.len, data[0]?.flags]).toEqual([1, first, 'P.']);
  });

  test('an acknowledgment of a part of the data is taken as such (RFC 7413 §4.2.1)', () => {
    const client = withCookie(300);
    client.answer(101);
    const data = taken(client.bench).filter((s) => s.len > 0);
    expect(data.map((s) => [s.seq, s.len])).toEqual([[101, 200]]);
  });

  test('an acknowledgment beyond the data is refused with RST (RFC 9293 §3.10.7.3)', () => {
    const client = withCookie(300);
    client.answer(302);
    expect(only(client.bench)).toMatchObject({ flags: 'R', seq: 302 });
    expect(client.peer.wasOpened).toBe(false);
  });

  test('a new cookie takes the place of the old one (RFC 7413 §4.1.3)', () => {
    const client = withCookie(300);
    const other = [9, 9, 9, 9, 9, 9, 9, 9];
    client.answer(1, [...MSS, ...cookieOption(other)]);
    client.peer.socket?.abort();
    wait(client.bench, 1);
    taken(client.bench);
    expect(client.open(10).options.get(KIND)).toEqual(other);
  });

  test('the SYN is sent again without option and data (RFC 7413 §4.1.3, §4.2.1)', () => {
    const client = withCookie(300);
    wait(client.bench, 1500);
    const again = only(client.bench);
    expect(again).toMatchObject({ flags: 'S', seq: 0, len: 0 });
    expect(again.options.has(KIND)).toBe(false);
    client.answer(1);
    const data = taken(client.bench).filter((s) => s.len > 0);
    expect(data.map((s) => [s.seq, s.len])).toEqual([[1, 300]]);
  });

  test('the answer may come with data right behind the SYN-ACK (RFC 7413 §3)', () => {
    const client = withCookie(300);
    client.answer(301);
    client.say('P.', 1, 301, 200);
    expect(client.peer.dataTotal).toBe(200);
  });

  test('a program that does not ask for it never sends the option (RFC 7413 §4.2.1)', () => {
    const bench = runScript('0 connect 80', { ...OPTIONS, allowLeftover: true });
    expect(only(bench).options.has(KIND)).toBe(false);
  });

  test('an IPv4 address that is ours has nothing to do with the peer: cookies are kept by server (RFC 7413 §4.1.3)', () => {
    const client = new Client();
    client.answer(1, [...MSS, ...cookieOption(COOKIE)]);
    taken(client.bench);
    client.bench.stack.connect({
      address: '198.51.100.77',
      port: 80,
      localAddress: LOCAL,
      fastOpen: true,
      handler: new Peer(80),
    });
    wait(client.bench, 1);
    expect(only(client.bench).options.get(KIND)).toEqual([]);
  });
});
