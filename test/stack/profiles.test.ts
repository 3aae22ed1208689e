// Profiles: what the names promise, in the values of Linux's documentation (ip-sysctl) and of the
// RFCs, and that a stack made with one behaves like it.

import { describe, expect, test } from 'vitest';
import { configure } from '../../src/stack/config.ts';
import { profile, profiles } from '../../src/stack/profiles.ts';
import { runScript } from '../kit/script.ts';

describe('the default', () => {
  // biome-ignore format: a table
  const rfc = [
    { knob: 'initialCwnd', value: 10, cite: 'RFC 6928 §2' },
    { knob: 'rtoInitialMs', value: 1000, cite: 'RFC 6298 §2.1' },
    { knob: 'timestamps', value: true, cite: 'RFC 7323 §3' },
    { knob: 'windowScale', value: true, cite: 'RFC 7323 §2' },
    { knob: 'sack', value: true, cite: 'RFC 2018' },
    { knob: 'hystart', value: 1, cite: 'RFC 9406' },
    { knob: 'ecn', value: 2, cite: 'RFC 3168' },
    { knob: 'idleRestart', value: true, cite: 'RFC 5681 §4.1' },
    { knob: 'lossProbe', value: true, cite: 'RFC 8985 §7' },
  ] as const;
  test.each(rfc)('$knob is $value ($cite)', ({ knob, value }) => {
    expect(configure(profile('rfc')).tcp[knob]).toBe(value);
    expect(configure().tcp[knob]).toBe(value);
  });

  test('an RTO may grow to a minute, a SYN is tried for three (RFC 6298 §2.5, RFC 9293 MUST-23)', () => {
    const { rtoMaxMs, synRetries } = configure(profile('rfc')).tcp;
    expect(rtoMaxMs).toBeGreaterThanOrEqual(60_000);
    let total = 0;
    for (let i = 0; i <= synRetries; i++) total += Math.min(1000 * 2 ** i, rtoMaxMs);
    expect(total).toBeGreaterThanOrEqual(180_000);
  });
});

describe('linux', () => {
  // biome-ignore format: a table
  const linux = [
    { knob: 'synRetries', value: 6, cite: 'tcp_syn_retries' },
    { knob: 'synAckRetries', value: 5, cite: 'tcp_synack_retries' },
    { knob: 'ecn', value: 2, cite: 'tcp_ecn' },
    { knob: 'rtoMinMs', value: 200, cite: 'tcp_rto_min_us' },
    { knob: 'timeWaitMs', value: 60_000, cite: 'TCP_TIMEWAIT_LEN' },
    { knob: 'finWait2Ms', value: 60_000, cite: 'tcp_fin_timeout' },
    { knob: 'retries', value: 15, cite: 'tcp_retries2' },
    { knob: 'mtuProbing', value: 0, cite: 'tcp_mtu_probing' },
    { knob: 'hystart', value: 2, cite: 'tcp_cubic hystart' },
    { knob: 'rcvBufMax', value: 6_291_456, cite: 'tcp_rmem' },
    { knob: 'sndBufMax', value: 4_194_304, cite: 'tcp_wmem' },
    { knob: 'idleRestart', value: true, cite: 'tcp_slow_start_after_idle' },
  ] as const;
  test.each(linux)('$knob is $value (Linux $cite)', ({ knob, value }) => {
    expect(configure(profile('linux')).tcp[knob]).toBe(value);
  });

  test('the first window is 44 segments of 1460 octets (Linux tcp_rmem, tcp_adv_win_scale)', () => {
    runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1460>
      +0 > S. 0:0(0) ack 1 win 64240 <mss 1460>
    `,
      { config: profile('linux') },
    );
  });

  test('a SYN is sent eleven times in 131 s and given up (Linux tcp_syn_linear_timeouts)', () => {
    runScript(
      `
      0 connect 80
      0 > S 0:0(0) <...>
      1 > S 0:0(0) <...>
      2 > S 0:0(0) <...>
      3 > S 0:0(0) <...>
      4 > S 0:0(0) <...>
      5 > S 0:0(0) <...>
      7 > S 0:0(0) <...>
      11 > S 0:0(0) <...>
      19 > S 0:0(0) <...>
      35 > S 0:0(0) <...>
      67 > S 0:0(0) <...>
      132 > nothing
      +0 expect closed ETIMEDOUT
    `,
      { config: profile('linux'), toleranceMs: 400 },
    );
  });
});

describe('strict', () => {
  test('waits four minutes in TIME-WAIT (RFC 9293 §3.4.2: MSL of 2 minutes)', () => {
    runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <...>
      +.1 < . 1:1(0) ack 1 win 65535
      +0 shutdown
      +0 > F. 1:1(0) ack 1
      +.1 < F. 1:1(0) ack 2 win 65535
      +0~+.3 > . 2:2(0) ack 2
      +235 < F. 1:1(0) ack 2 win 65535
      +0 > . 2:2(0) ack 2
      +245 < F. 1:1(0) ack 2 win 65535
      +0 > R 2:2(0)
    `,
      { config: profile('strict') },
    );
  });

  test('retransmits no sooner than after one second (RFC 6298 §2.4)', () => {
    runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <...>
      +.01 < . 1:1(0) ack 1 win 65535
      +0 write(100)
      +0 > P. 1:101(100) ack 1
      +1~+1.3 > P. 1:101(100) ack 1
    `,
      { config: profile('strict', { tcp: { lossProbe: false } }) },
    );
  });

  test('delays an ACK by less than half a second (RFC 9293 MUST-40)', () => {
    const { delayedAckMaxMs, delayedAckMinMs } = configure(profile('strict')).tcp;
    expect(delayedAckMaxMs).toBeLessThan(500);
    expect(delayedAckMinMs).toBeLessThanOrEqual(delayedAckMaxMs);
  });
});

describe('a profile', () => {
  test('takes overrides on top, by layer (stack/profiles.ts)', () => {
    const c = configure(profile('linux', { tcp: { synRetries: 1 }, ip: { defaultTtl: 9 } }));
    expect([c.tcp.synRetries, c.tcp.mtuProbing, c.ip.defaultTtl]).toEqual([1, 0, 9]);
  });

  test('is not changed by its use (stack/profiles.ts)', () => {
    const before = JSON.stringify(profiles.linux);
    configure(profile('linux', { tcp: { ecn: 0 } }));
    expect(JSON.stringify(profiles.linux)).toBe(before);
  });

  test('every one names knobs that exist (stack/config.ts)', () => {
    const known = new Set(Object.keys(configure().tcp));
    for (const p of Object.values(profiles)) {
      for (const knob of Object.keys(p.tcp ?? {})) expect(known).toContain(knob);
    }
  });
});
