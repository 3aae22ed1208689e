// Every value of a field that attackers have used: urgent pointers in all states, cookies of all
// numbers, keep-alive times beyond what a 32-bit timer holds.

import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { SynCookies } from '../../src/tcp/syn-cookies.ts';
import { runScript } from '../kit/script.ts';
import { PLAIN, SYNCHRONIZED } from './openings.ts';
import { arrive, taken, wait } from './segments.ts';

describe('the urgent pointer (URGENT/11, CVE-2019-12255 and others)', () => {
  test.each(SYNCHRONIZED.map((s) => [s.state, s] as const))(
    '%s: no value does anything but tell of urgent data, with SYN or FIN or alone',
    (_state, situation) => {
      for (const flags of ['.U', 'F.U', 'S.U', '.UP', 'U', 'FSRP.U']) {
        const bench = runScript(situation.script, { allowLeftover: true });
        bench.outbox.length = 0;
        const { tcp } = bench.stack;
        const before = tcp.rcvMemory;
        for (const urg of [0, 1, 2, 99, 100, 101, 0x7fff, 0x8000, 0xfffe, 0xffff]) {
          bench.inject({
            kind: 'tcp',
            flags: bitsOf(flags),
            pshOptional: false,
            seq: situation.rcvNxt + 50_000,
            len: 10,
            ack: situation.sndNxt,
            win: 1000,
            urg,
            options: [],
          });
        }
        expect(bench.stack.counters.get('PortsideExceptions')).toBe(0);
        expect(tcp.rcvMemory - before).toBeLessThan(1 << 18);
      }
    },
  );
});

function bitsOf(letters: string): number {
  return [...letters].reduce((bits, c) => bits | (1 << 'FSRP.UEW'.indexOf(c)), 0);
}

describe('cookies (RFC 4987 §3.6)', () => {
  const key = new Int32Array([0, 0, 0xffff, 1, 0, 0, 0xffff, 2, 80]);
  const EPOCH_US = 64_000_000;

  test('of 65,536 numbers around a good one none other is good (brute force)', () => {
    const cookies = new SynCookies(new SeededRandom(3));
    const cookie = cookies.make(key, 7, 1460, EPOCH_US * 10);
    let good = 0;
    for (let i = 0; i < 1 << 16; i++)
      if (cookies.check(key, 7, cookie + i, EPOCH_US * 10) > 0) good++;
    expect(good).toBe(1);
  });

  test('replayed two epochs later it is refused, for another 4-tuple and another ISN at once', () => {
    const cookies = new SynCookies(new SeededRandom(3));
    const cookie = cookies.make(key, 7, 1460, EPOCH_US * 10);
    cookies.make(key, 8, 1460, EPOCH_US * 12); // still under load
    expect(cookies.check(key, 7, cookie, EPOCH_US * 11)).toBe(1460);
    expect(cookies.check(key, 7, cookie, EPOCH_US * 12)).toBe(0);
    const other = Int32Array.from(key);
    other[8] = 81;
    expect(cookies.check(other, 7, cookie, EPOCH_US * 10)).toBe(0);
    expect(cookies.check(key, 6, cookie, EPOCH_US * 10)).toBe(0);
  });

  test('get new keys after an hour of use; what the old ones made is good for its two epochs', () => {
    const HOUR_US = 3_600_000_000;
    const start = EPOCH_US * 10;
    const made = (cookies: SynCookies, us: number) => cookies.make(key, 7, 1460, us);
    const cookies = new SynCookies(new SeededRandom(3));
    made(cookies, start);
    // 256 epochs later the same keys would make the same number again
    const same = new SynCookies(new SeededRandom(3));
    expect(made(cookies, start + HOUR_US - 1)).toBe(made(same, start + HOUR_US - 1));
    const last = made(cookies, start + HOUR_US - 1);
    const first = made(cookies, start + HOUR_US);
    expect(first).not.toBe(made(same, start + HOUR_US));
    expect(cookies.check(key, 7, last, start + HOUR_US)).toBe(1460);
    expect(cookies.check(key, 7, first, start + HOUR_US)).toBe(1460);
    expect(same.check(key, 7, first, start + HOUR_US)).toBe(0);
    made(cookies, start + HOUR_US + EPOCH_US * 2); // still under load
    expect(cookies.check(key, 7, last, start + HOUR_US + EPOCH_US * 2)).toBe(0);
  });
});

test('a keep-alive of 30 days waits 30 days, not no time at all (timers beyond 2^31 ms)', () => {
  const bench = runScript(PLAIN, { allowLeftover: true });
  const DAY_MS = 86_400_000;
  bench.socket.setKeepAlive(true, 30 * DAY_MS);
  wait(bench, 29 * DAY_MS);
  expect(taken(bench)).toEqual([]);
  wait(bench, 2 * DAY_MS);
  expect(taken(bench).length).toBeGreaterThan(0);
  arrive(bench, { flags: '.', seq: 1, ack: 1 });
});
