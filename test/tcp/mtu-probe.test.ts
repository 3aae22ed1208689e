// Path MTU discovery without ICMP (RFC 4821), across a black hole: a link that drops what is longer
// than it carries and says nothing.

import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { Box } from '../../src/sim/box.ts';
import { Bulk } from './bulk.ts';

const PATH = { rate: 1_000_000, delayUs: 5000, queue: 100_000 };
/** IPv4 and TCP with timestamps. */
const HEADERS = 52;

describe('a black hole', () => {
  test('is found after timeouts and the transfer completes (RFC 4821 §7.7)', () => {
    const flow = new Bulk({ there: { ...PATH, mtu: 1200 }, total: 500_000 });
    expect(flow.when(() => flow.received === 500_000, 60_000)).toBe(true);
    expect(flow.info.snd_mss).toBeLessThanOrEqual(1200 - HEADERS);
  });

  test('the search ends near to what the path carries (RFC 4821 §7.3)', () => {
    const flow = new Bulk({ there: { ...PATH, mtu: 1200 }, total: 1_000_000 });
    expect(flow.when(() => flow.received === 1_000_000, 60_000)).toBe(true);
    expect(flow.info.snd_mss).toBeLessThanOrEqual(1200 - HEADERS);
    expect(flow.info.snd_mss).toBeGreaterThan(1200 - HEADERS - 16);
    expect(flow.a.stack.counters.get('TcpExtTCPMTUPSuccess')).toBeGreaterThan(0);
  });

  test('with the search off the connection stands still (RFC 2923 §2.1)', () => {
    const flow = new Bulk({
      there: { ...PATH, mtu: 1200 },
      total: 50_000,
      config: { tcp: { mtuProbing: 0 } },
    }).until(60_000);
    expect(flow.received).toBeLessThan(1448);
  });

  test('that comes later is found too (RFC 4821 §7.8)', () => {
    const flow = new Bulk({ there: PATH, total: 1_500_000 }).until(300);
    expect(flow.info.snd_mss).toBe(1500 - HEADERS);
    const way = flow.world.cables[0]?.ends[0]?.way;
    if (way === undefined) throw new Error('no cable');
    way.options = { ...way.options, mtu: 1100 };
    expect(flow.when(() => flow.received === 1_500_000, 90_000)).toBe(true);
    expect(flow.info.snd_mss).toBeLessThanOrEqual(1100 - HEADERS);
  });

  test('that goes away is noticed when the search is due again (RFC 4821 §7.7)', () => {
    const flow = new Bulk({
      there: { ...PATH, mtu: 1200 },
      config: { tcp: { mtuProbeIntervalMs: 2000 } },
    }).until(6000);
    expect(flow.info.snd_mss).toBeLessThanOrEqual(1200 - HEADERS);
    const way = flow.world.cables[0]?.ends[0]?.way;
    if (way === undefined) throw new Error('no cable');
    way.options = { ...way.options, mtu: 1500 };
    flow.until(11_000);
    expect(flow.info.snd_mss).toBeGreaterThan(1500 - HEADERS - 16);
  });
});

test('a search keeps below what a router has said meanwhile (RFC 4821 §7.3, RFC 1191 §6.3)', () => {
  const flow = new Bulk({ there: { ...PATH, mtu: 1200 }, total: 3_000_000 });
  const world = flow.world;
  // the black hole is found, and the search upwards is on
  expect(flow.when(() => flow.info.snd_mss < 1100, 30_000)).toBe(true);
  const cable = world.cables[0];
  if (cable === undefined) throw new Error('no cable');
  cable.box = new Box({ mtu: 1060, icmp: true }, new SeededRandom(1));
  expect(flow.when(() => flow.received === 3_000_000, 90_000)).toBe(true);
  expect(flow.info.snd_mss).toBeLessThanOrEqual(1060 - HEADERS);
  // nothing that the stack itself knew to be too long was laid out
  expect(flow.a.stack.counters.get('IpFragFails')).toBe(0);
});

describe('a search from the beginning', () => {
  const always = { tcp: { mtuProbing: 2 } };

  test('comes up to the size of the link on a path that carries it (RFC 4821 §7.2)', () => {
    const flow = new Bulk({ there: PATH, config: always }).until(1500);
    expect(flow.info.snd_mss).toBeGreaterThan(1500 - HEADERS - 16);
  });

  test('no segment is longer than the link: the search has a ceiling (RFC 4821 §7.3)', () => {
    const flow = new Bulk({ there: PATH, config: always, mtu: 1400 }).until(1500);
    expect(flow.info.snd_mss).toBeLessThanOrEqual(1400 - HEADERS);
    expect(flow.info.snd_mss).toBeGreaterThan(1400 - HEADERS - 16);
    expect(flow.world.refusals).toBe(0);
  });

  test('a probe that is lost is no sign of congestion: the window stays (RFC 4821 §7.5)', () => {
    const flow = new Bulk({
      there: { rate: 10_000_000, delayUs: 20_000, mtu: 1300 },
      receiveBuffer: 65_536,
      config: { tcp: { mtuProbing: 2, hystart: 0 } },
    });
    let least = Infinity;
    for (let ms = 200; ms <= 1500; ms += 20) {
      flow.until(ms);
      if (flow.a.stack.counters.get('TcpExtTCPMTUPFail') > 0) {
        least = Math.min(least, flow.info.snd_ssthresh);
      }
    }
    const { counters } = flow.a.stack;
    expect(counters.get('TcpExtTCPMTUPFail')).toBeGreaterThan(0);
    expect(counters.get('TcpExtTCPTimeouts')).toBe(0);
    expect(least).toBe(0x7fffffff);
    expect(flow.info.snd_mss).toBeLessThanOrEqual(1300 - HEADERS);
    expect(flow.info.snd_mss).toBeGreaterThan(1300 - HEADERS - 16);
  });

  test('the octets of a lost probe arrive in smaller segments (RFC 4821 §7.5)', () => {
    const flow = new Bulk({
      there: { ...PATH, mtu: 1300 },
      config: always,
      total: 600_000,
    });
    expect(flow.when(() => flow.received === 600_000, 20_000)).toBe(true);
    expect(flow.a.stack.counters.get('TcpExtTCPMTUPFail')).toBeGreaterThan(0);
  });
});
