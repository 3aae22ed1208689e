// Timers: giving up (R1, R2), zero-window probes, keep-alive, user timeout.

import { describe, expect, test } from 'vitest';
import { World } from '../../src/sim/world.ts';
import type { TcpHandler } from '../../src/socket/tcp-socket.ts';
import { runScript } from '../kit/script.ts';
import { PLAIN, packet } from './openings.ts';

const seconds = (bench: { outbox: readonly { atUs: number }[] }): number[] =>
  bench.outbox.map((o) => o.atUs / 1e6);

const gaps = (times: number[]): number[] => times.slice(1).map((t, i) => t - (times[i] as number));

describe('a peer that is dead', () => {
  test('data is retransmitted for more than 100 s before ETIMEDOUT (RFC 9293 SHLD-11, MUST-20)', () => {
    runScript(`${PLAIN}
      +0 write(1000)
      +100 expect open
      +2000 expect closed ETIMEDOUT
      +0 forget
      +500 > nothing
    `);
  });

  test('at least three retransmissions before any thought of giving up (RFC 9293 SHLD-10)', () => {
    const bench = runScript(`${PLAIN}\n +0 write(1000)\n +2000 expect closed ETIMEDOUT`, {
      allowLeftover: true,
    });
    expect(bench.outbox.length).toBeGreaterThanOrEqual(4);
    expect(bench.stack.counters.get('TcpExtTCPAbortOnTimeout')).toBe(1);
  });

  test('the program can see that delivery is in trouble long before (RFC 9293 SHLD-9)', () => {
    const bench = runScript(`${PLAIN}\n +0 write(1000)\n +10 expect open`, { allowLeftover: true });
    expect(bench.socket.info().retransmits).toBeGreaterThanOrEqual(3);
  });

  test('the program sets its own limit per connection (RFC 9293 MUST-21)', () => {
    runScript(
      `${PLAIN}
      +0 user_timeout 5000
      +0 write(1000)
      +4 expect open
      +8 expect closed ETIMEDOUT
    `,
      { allowLeftover: true },
    );
  });

  test('a FIN that nobody acknowledges gives up as well (RFC 9293 MUST-20)', () => {
    runScript(
      `${PLAIN}
      +0 shutdown
      +2000 expect closed ETIMEDOUT
    `,
      { allowLeftover: true },
    );
  });

  test('an ACK at any time before starts the count anew (RFC 9293 §3.8.3)', () => {
    runScript(
      `${PLAIN}
      +0 write(2000)
      +300 < . 1:1(0) ack 1001 win 65535
      +300 < . 1:1(0) ack 2001 win 65535
      +0 expect open
      +0 expect written 1
    `,
      { allowLeftover: true },
    );
  });
});

/** 1,000 octets are sent and acknowledged, and the window is 0; 2,000 more wait. */
const SHUT = `${PLAIN}
  +0 write(1000)
  +0 > P. 1:1001(1000) ack 1
  +.1 < . 1:1(0) ack 1001 win 0
  +0 write(2000)
`;

describe('a window of zero', () => {
  test('is probed, the first time after about an RTO (RFC 9293 MUST-36, SHLD-29)', () => {
    const bench = runScript(`${SHUT}\n +1.2 expect open`, { allowLeftover: true });
    const [first] = seconds(bench);
    expect((first as number) - 0.2).toBeGreaterThanOrEqual(0.19);
    expect((first as number) - 0.2).toBeLessThanOrEqual(1.1);
  });

  test('the intervals of the probes double, up to two minutes (RFC 9293 SHLD-30)', () => {
    const bench = runScript(`${SHUT}\n +800 expect open`, { allowLeftover: true });
    const g = gaps(seconds(bench));
    for (let i = 0; i + 1 < 6; i++) {
      expect((g[i + 1] as number) / (g[i] as number)).toBeGreaterThan(1.8);
      expect((g[i + 1] as number) / (g[i] as number)).toBeLessThan(2.2);
    }
    expect(Math.max(...g)).toBeLessThanOrEqual(121);
  });

  test('nothing but probes of at most one octet goes beyond it (RFC 9293 §3.8.6.1)', () => {
    const bench = runScript(`${SHUT}\n +100 expect open`, { allowLeftover: true });
    for (const { octets } of bench.outbox) expect(octets.length).toBeLessThanOrEqual(41);
  });

  test('a peer that answers every probe keeps the connection for a day (RFC 9293 MUST-37)', () => {
    const bench = runScript(SHUT, { allowLeftover: true });
    let probes = 0;
    const end = bench.elapsedUs + 86_400e6;
    while (bench.nextEventUs() < end && probes < 5000) {
      bench.runTo(bench.nextEventUs());
      if (bench.outbox.length === 0) continue;
      bench.outbox.length = 0;
      probes++;
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
    expect(probes).toBeGreaterThan(500);
    expect(bench.socket.info().state).toBe('ESTAB');
  });

  test('a peer that answers no probe is given up at last (RFC 9293 MUST-20)', () => {
    runScript(`${SHUT}\n +3000 expect closed ETIMEDOUT`, { allowLeftover: true });
  });

  test('the update that opens it lets the data go at once (RFC 9293 §3.8.6.1)', () => {
    runScript(`${SHUT}
      +.1 < . 1:1(0) ack 1001 win 65535
      +0 > . 1001:2001(1000) ack 1
      +0 > P. 2001:3001(1000) ack 1
    `);
  });

  test('a lost update is made good by the answer to the next probe (RFC 9293 MUST-36, RFC 2525 §2.12)', () => {
    const bench = runScript(`${SHUT}\n +2 forget`, { allowLeftover: true });
    for (let i = 0; i < 5 && bench.outbox.length === 0; i++) bench.runTo(bench.nextEventUs());
    bench.outbox.length = 0;
    bench.inject({
      kind: 'tcp',
      flags: 16,
      pshOptional: false,
      seq: 1,
      len: 0,
      ack: 1001,
      win: 60_000,
      urg: 0,
      options: [],
    });
    expect(bench.outbox.map((o) => o.octets.length)).toEqual([1040, 1040]);
  });

  test('a probe whose octet was taken is not sent twice (RFC 9293 §3.8.6.1)', () => {
    const bench = runScript(`${SHUT}\n +2 forget`, { allowLeftover: true });
    for (let i = 0; i < 5 && bench.outbox.length === 0; i++) bench.runTo(bench.nextEventUs());
    const probe = packet(bench, 0);
    bench.outbox.length = 0;
    const taken = probe.length - 40;
    const ack = 1001 + taken;
    bench.inject({
      kind: 'tcp',
      flags: 16,
      pshOptional: false,
      seq: 1,
      len: 0,
      ack,
      win: 60_000,
      urg: 0,
      options: [],
    });
    expect(bench.outbox.reduce((n, o) => n + o.octets.length - 40, 0)).toBe(2000 - taken);
  });

  test('RST and URG are processed while our own window is zero (RFC 9293 MUST-66)', () => {
    const full = `${PLAIN}
      +0 pause
      +0 < P. 1:1001(1000) ack 1 win 65535
      +0~+.2 > . 1:1(0) ack 1001
    `;
    runScript(`${full}\n +0 < R. 1001:1001(0) ack 1 win 0\n +0 expect closed ECONNRESET`, {
      config: { tcp: { rcvBufInitial: 1000, rcvBufMax: 1000 } },
      allowLeftover: true,
    });
  });
});

describe('keep-alive', () => {
  test('is off unless asked for (RFC 9293 MUST-25)', () => {
    runScript(`${PLAIN}\n +200000 > nothing\n +0 expect open`);
  });

  test('waits two hours by default (RFC 9293 MUST-28)', () => {
    runScript(`${PLAIN}
      +0 keepalive on 0 0 0
      +7199 > nothing
      +0~+2 > . 0:0(0) ack 1
    `);
  });

  test('probes an idle connection at the set interval, without data (RFC 9293 MUST-24, MUST-27, SHLD-12)', () => {
    runScript(
      `${PLAIN}
      +0 keepalive on 10000 5000 3
      +10 > . 0:0(0) ack 1
      +5 > . 0:0(0) ack 1
      +5 > . 0:0(0) ack 1
      +5 expect closed ETIMEDOUT
    `,
      { allowLeftover: true, toleranceMs: 300 },
    );
  });

  test('one lost probe is not death (RFC 9293 MUST-29)', () => {
    runScript(
      `${PLAIN}
      +0 keepalive on 10000 5000 3
      +10 > . 0:0(0) ack 1
      +5 > . 0:0(0) ack 1
      +.1 < . 1:1(0) ack 1 win 65535
      +9 > nothing
      +0 expect open
    `,
      { toleranceMs: 300 },
    );
  });

  test('a peer that answers lives for ever (RFC 9293 §3.8.4)', () => {
    const bench = runScript(`${PLAIN}\n +0 keepalive on 10000 5000 3`);
    let probes = 0;
    while (bench.elapsedUs < 3600e6 && probes < 1000) {
      bench.runTo(bench.nextEventUs());
      if (bench.outbox.length === 0) continue;
      bench.outbox.length = 0;
      probes++;
      bench.inject({
        kind: 'tcp',
        flags: 16,
        pshOptional: false,
        seq: 1,
        len: 0,
        ack: 1,
        win: 9,
        urg: 0,
        options: [],
      });
    }
    expect(probes).toBeGreaterThan(300);
    expect(bench.socket.info().state).toBe('ESTAB');
  });

  test('says nothing while data is under way (RFC 9293 MUST-26)', () => {
    const bench = runScript(
      `${PLAIN}
      +0 keepalive on 1000 1000 3
      +0 write(100)
      +20 expect open
    `,
      { allowLeftover: true },
    );
    // every packet is the data again, never a bare probe
    expect(bench.outbox.filter((o) => o.octets.length === 40)).toEqual([]);
  });

  test('traffic puts it off (RFC 9293 MUST-26)', () => {
    runScript(`${PLAIN}
      +0 keepalive on 10000 5000 3
      +9 < P. 1:101(100) ack 1 win 65535
      +0~+.2 > . 1:1(0) ack 101
      +9 > nothing
      +0~+2 > . 0:0(0) ack 101
    `);
  });

  test('our answer to the peer\u2019s probe is an ACK, with its garbage octet or without (RFC 9293 §3.8.4)', () => {
    runScript(`${PLAIN}
      +1 < . 0:0(0) ack 1 win 65535
      +0 > . 1:1(0) ack 1
      +1 < . 0:1(1) ack 1 win 65535
      +0 > . 1:1(0) ack 1
      +0 expect data 0
    `);
  });

  test('can be switched off again (RFC 9293 MUST-24)', () => {
    runScript(`${PLAIN}
      +0 keepalive on 10000 5000 3
      +1 keepalive off 0 0 0
      +1000 > nothing
    `);
  });
});

test('while data waits for its acknowledgment keep-alive does not wake the host (RFC 9293 MUST-26)', () => {
  const world = new World({ seed: 1 });
  const a = world.host('a', { addresses: ['10.0.0.1/24'] });
  const b = world.host('b', { addresses: ['10.0.0.2/24'] });
  const cut = world.clock.nowUs() + 1_000_000;
  world.link(a, b, { delayUs: 100, partitions: [[cut, cut + 1e12]] });
  const idle = (): void => {};
  const handler: TcpHandler = {
    opened: (s) => s.setKeepAlive(true, 2000, 1000),
    data: idle,
    ended: idle,
    writable: idle,
    written: idle,
    closed: idle,
  };
  b.stack.listen({ port: 80, handler: { accept: () => handler } });
  const s = a.stack.connect({ address: '10.0.0.2', port: 80, handler });
  world.run({ untilUs: cut });
  s.send(new Uint8Array(100), 0, 100);
  const before = a.turns;
  world.run({ untilUs: cut + 60_000_000 });
  // a dozen retransmissions, thirty looks at the keep-alive, and the wheel's own stops
  expect(a.turns - before).toBeLessThan(600);
  expect(s.queued).toBe(100);
});
