// Hostile peers and bystanders: what they send costs bounded memory, bounded replies, no octet of
// the stream (the project's negative list for TCP).

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tcp4, tcpOptions } from '../kit/packet.ts';
import { continueScript, runScript } from '../kit/script.ts';
import { LOCAL, REMOTE, type ScriptBench } from '../kit/script-bench.ts';
import { PLAIN, SACK } from './openings.ts';

interface Forged {
  seq?: number;
  ack?: number;
  flags?: number;
  port?: number;
  src?: string;
  payload?: Uint8Array;
  window?: number;
  options?: Uint8Array;
}

/** A segment to port 80 beside the script; with `testIss: 0` the stack's numbers are its own. */
function forge(bench: ScriptBench, f: Forged): void {
  const fields = {
    srcPort: f.port ?? 54_321,
    dstPort: 80,
    flags: f.flags ?? 16,
    seq: f.seq ?? 1,
    ack: f.ack ?? 1,
    window: f.window ?? 65_535,
    payload: f.payload ?? new Uint8Array(0),
    options: f.options ?? new Uint8Array(0),
  };
  bench.inject({ kind: 'raw', octets: tcp4({ src: f.src ?? REMOTE, dst: LOCAL }, fields) });
}

const FIXED = { config: { tcp: { testIss: 0 } }, allowLeftover: true };

describe('segments out of order', () => {
  test('of one octet each, every other octet: held within the cap, then dropped (SegmentSmack, CVE-2018-5390)', () => {
    const bench = runScript(PLAIN, FIXED);
    const octet = new Uint8Array(1);
    const n = 20_000;
    for (let i = 0; i < n; i++) {
      forge(bench, { seq: 3 + 2 * i, payload: octet });
      bench.outbox.length = 0;
    }
    const { stack } = bench;
    expect(stack.tcp.rcvMemory).toBeLessThanOrEqual(8 << 20);
    const refused = n - 1024;
    const drops = stack.counters.snapshot().drops;
    const dropped =
      (drops['TCP_OFO_DROP'] ?? 0) +
      (drops['TCP_OFO_QUEUE_PRUNE'] ?? 0) +
      (drops['TCP_OVERWINDOW'] ?? 0);
    // some of the later ones lie beyond the window altogether
    expect(dropped + (drops['TCP_INVALID_SEQUENCE'] ?? 0)).toBeGreaterThanOrEqual(refused);
    expect(bench.socket.info().state).toBe('ESTAB');
  });

  test('random ones all over the window do not stop the stream that comes in order', () => {
    const bench = runScript(PLAIN, FIXED);
    let x = 7;
    for (let i = 0; i < 3000; i++) {
      x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
      forge(bench, { seq: 5000 + (x % 50_000), payload: new Uint8Array(1 + (x % 3)) });
    }
    bench.outbox.length = 0;
    // an honest segment is taken all the same
    bench.inject({
      kind: 'tcp',
      flags: 24,
      pshOptional: false,
      seq: 1,
      len: 1000,
      ack: 1,
      win: 65_535,
      urg: 0,
      options: [],
    });
    expect(bench.socket.bytesReceived).toBe(1000);
  });

  test('that overlap with other octets give the first that came, whatever the order (inconsistent retransmission)', () => {
    const pieces = fc.array(
      fc.record({ at: fc.integer({ min: 0, max: 60 }), len: fc.integer({ min: 1, max: 30 }) }),
      { minLength: 1, maxLength: 14 },
    );
    fc.assert(
      fc.property(pieces, (list) => {
        const bench = runScript(PLAIN, FIXED);
        const got: number[] = [];
        bench.socket.handler = {
          opened() {},
          ended() {},
          writable() {},
          written() {},
          closed() {},
          data(_s, u8, off, len) {
            got.push(...u8.subarray(off, off + len));
          },
        };
        const model = new Array<number>(100).fill(0);
        let next = 0;
        [...list, { at: 0, len: 95 }].forEach(({ at, len }, k) => {
          forge(bench, { seq: 1 + at, payload: new Uint8Array(len).fill(k + 1) });
          for (let i = Math.max(at, next); i < at + len; i++) if (model[i] === 0) model[i] = k + 1;
          while (model[next] !== 0 && next < 99) next++;
        });
        expect(got).toEqual(model.slice(0, next));
      }),
      { numRuns: 60 },
    );
  });
});

describe('acknowledgments', () => {
  test('duplicates by the thousand do not pump out data: only SACK blocks count (dup-ACK spoofing)', () => {
    const bench = runScript(`${SACK}\n +0 write(60000)\n +0 forget`, FIXED);
    bench.runTo(bench.elapsedUs + 50_000);
    for (let i = 0; i < 1000; i++) forge(bench, {});
    expect(bench.outbox).toEqual([]);
  });

  test('duplicates by the thousand do not make the window grow where there is no SACK (dup-ACK spoofing)', () => {
    const bench = runScript(`${PLAIN}\n +0 write(60000)\n +0 forget`, FIXED);
    bench.runTo(bench.elapsedUs + 50_000);
    for (let i = 0; i < 1000; i++) forge(bench, {});
    expect(bench.socket.info().snd_cwnd).toBeLessThanOrEqual(10);
    expect(bench.socket.info().snd_ssthresh).toBe(7);
  });

  test('of octets never sent change nothing and bring few replies (optimistic ACK)', () => {
    const bench = runScript(`${PLAIN}\n +0 write(60000)\n +0 forget`, FIXED);
    for (let i = 0; i < 1000; i++) forge(bench, { ack: 10_002 + i * 1000 });
    expect(bench.outbox.length).toBeLessThanOrEqual(20);
    expect(bench.socket.info().unacked).toBe(10);
    expect(bench.socket.info().snd_cwnd).toBe(10);
  });

  test('with SACK blocks of crumbs make no more records than segments (SACK Slowness, CVE-2019-11478)', () => {
    const bench = runScript(`${SACK}\n +0 write(60000)\n +0 forget`, FIXED);
    bench.runTo(bench.elapsedUs + 50_000);
    let x = 3;
    for (let i = 0; i < 3000; i++) {
      const blocks: [number, number][] = [];
      for (let k = 0; k < 4; k++) {
        x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
        const at = 1 + (x % 9_900);
        blocks.push([at, at + 1 + ((x >>> 16) % 3)]);
      }
      forge(bench, { options: tcpOptions([{ kind: 'sack', blocks }]) });
    }
    const { board } = bench.socket.tcb;
    expect(board.records).toBeLessThanOrEqual(30);
    expect(bench.outbox.length).toBeLessThanOrEqual(40);
    expect(bench.stack.counters.get('PortsideExceptions')).toBe(0);
  });

  test('random SACK blocks and ACKs keep the counts sound, and the transfer ends (SACK lies)', () => {
    const near = fc.integer({ min: -3, max: 14 }).map((k) => 1 + k * 1000);
    const crumb = fc.integer({ min: -3000, max: 14_000 });
    const edge = fc.oneof(near, crumb);
    const step = fc.record({
      blocks: fc.array(fc.tuple(edge, edge), { maxLength: 4 }),
      ack: fc.integer({ min: 0, max: 9 }).map((k) => 1 + k * 1000),
      waitMs: fc.integer({ min: 0, max: 400 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const bench = runScript(`${SACK}\n +0 write(10000)\n +0 forget`, FIXED);
        for (const s of steps) {
          bench.runTo(bench.elapsedUs + s.waitMs * 1000);
          const blocks = s.blocks.length === 0 ? [] : [{ kind: 'sack' as const, blocks: s.blocks }];
          forge(bench, { ack: s.ack, options: tcpOptions(blocks) });
          const { unacked, sacked, lost, retrans } = bench.socket.info();
          expect(sacked >= 0 && lost >= 0 && retrans >= 0 && sacked + lost <= unacked).toBe(true);
          expect(retrans).toBeLessThanOrEqual(unacked);
        }
        forge(bench, { ack: 10_001 });
        const { unacked, sacked, lost, retrans } = bench.socket.info();
        expect([unacked, sacked, lost, retrans]).toEqual([0, 0, 0, 0]);
        expect(bench.stack.counters.get('PortsideExceptions')).toBe(0);
      }),
      { numRuns: 80 },
    );
  });
});

describe('a flood', () => {
  test('of SYNs from everywhere takes bounded memory (RFC 4987 §3)', () => {
    const bench = runScript('0 listen 80', { allowLeftover: true });
    for (let i = 0; i < 20_000; i++) {
      forge(bench, {
        flags: 2,
        seq: i,
        src: `10.${i >> 16}.${(i >> 8) & 255}.${1 + (i & 127)}`,
        port: 1000 + i,
      });
      bench.outbox.length = 0;
    }
    // 511 of the backlog and 1,024 beyond it
    expect(bench.stack.tcp.live).toBeLessThanOrEqual(1600);
  });

  test('of SYNs is forgotten when they do not come back', () => {
    const bench = runScript('0 listen 80', { allowLeftover: true });
    for (let i = 0; i < 1000; i++) forge(bench, { flags: 2, seq: i, port: 1000 + i });
    continueScript(bench, '+200 forget');
    expect(bench.stack.tcp.live).toBe(0);
    bench.outbox.length = 0;
    forge(bench, { flags: 2, seq: 9, port: 999 });
    expect(bench.outbox.length).toBe(1);
  });

  test.each([
    { name: 'ACK', flags: 16 },
    { name: 'FIN', flags: 1 },
    { name: 'SYN to a closed port', flags: 2 },
  ])('of $name to nobody is answered at a limited rate (RST limit)', ({ flags }) => {
    const bench = runScript('0 listen 81', { allowLeftover: true });
    for (let i = 0; i < 20_000; i++) forge(bench, { flags, seq: i, ack: i, port: i });
    expect(bench.outbox.length).toBeLessThanOrEqual(10_000);
    expect(bench.outbox.length).toBeGreaterThan(100);
    expect(Math.max(...bench.outbox.map((o) => o.octets.length))).toBe(40);
  });

  test('of RSTs and nonsense to nobody is not answered at all (never RST for RST)', () => {
    const bench = runScript('0 listen 81', { allowLeftover: true });
    for (let i = 0; i < 512; i++) if ((i & 4) !== 0) forge(bench, { flags: i & 255, seq: i });
    expect(bench.outbox).toEqual([]);
  });

  test('of segments in front of the window without text is answered twice a second at most (ACK loops)', () => {
    const bench = runScript(PLAIN, FIXED);
    for (let i = 0; i < 1000; i++) {
      bench.runTo(bench.elapsedUs + 1000);
      forge(bench, { seq: -100 });
    }
    expect(bench.outbox.length).toBeLessThanOrEqual(3);
  });
});

describe('a handshake out of the ordinary', () => {
  test('SYN+ACK to a listener is answered by RST (split handshake)', () => {
    runScript(`
      0 listen 80
      0 iss 0
      0 < S. 0:0(0) ack 77 win 100 <mss 1000>
      +0 > R 77:77(0)
    `);
  });

  test('data ahead of the third step is not delivered without it', () => {
    const bench = runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <mss 1460>
      +0 < P 1:101(100) win 65535
      +.1 expect open
    `,
      { allowLeftover: true },
    );
    expect(bench.stack.counters.get('TcpPassiveOpens')).toBe(0);
  });

  test('a SYN with another number in SYN-RECEIVED does not take the connection over', () => {
    runScript(`
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <mss 1460>
      +.01 < S 5000:5000(0) win 65535 <mss 1000>
      +0 forget
      +.1 < . 1:1(0) ack 1 win 65535
      +0 expect state ESTAB
    `);
  });
});

test('every RST in the window but one is survived (blind reset, RFC 5961 §3)', () => {
  const bench = runScript(PLAIN, FIXED);
  for (let seq = 2; seq < 64_000; seq += 97) forge(bench, { seq, flags: 4 });
  expect(bench.socket.info().state).toBe('ESTAB');
  forge(bench, { seq: 1, flags: 4 });
  expect(bench.socket.info().state).toBe('UNCONN');
});

test('forged data with a stale ACK is not taken (blind injection, RFC 5961 §5)', () => {
  const bench = runScript(PLAIN, FIXED);
  for (let k = 1; k < 40; k++)
    forge(bench, { seq: 1, ack: 1 + k * 100_000_000, payload: new Uint8Array(10).fill(88) });
  expect(bench.socket.bytesReceived).toBe(0);
});
