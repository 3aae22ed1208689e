// What the words of `portside iperf3` ask for.

import { describe, expect, test } from 'vitest';
import { amount, testOf } from '../../src/cli/iperf3.ts';

const DEFAULTS = {
  addr: '10.77.0.2/24',
  port: '5201',
  parallel: '1',
  time: '10',
  omit: '0',
  interval: '1',
};

describe('portside iperf3', () => {
  test('amounts are as iperf3 writes them: powers of 1000 for rates, of 1024 for octets', () => {
    expect(amount('50M', '-b', 1000, 1e12)).toBe(50_000_000);
    expect(amount('1.5g', '-b', 1000, 1e12)).toBe(1_500_000_000);
    expect(amount('20M', '-n', 1024, 2 ** 50)).toBe(20_971_520);
    expect(amount('1000', '-l', 1024, 1 << 20)).toBe(1000);
    for (const wrong of ['', '5X', '-1', '2T']) {
      expect(() => amount(wrong, '-b', 1000, 1e12)).toThrow('is not a number up to 1000000000000');
    }
  });

  test('flags make a test', () => {
    const o = {
      ...DEFAULTS,
      udp: true,
      parallel: '4',
      bidir: true,
      bitrate: '10M',
      length: '1000',
    };
    expect(testOf({ ...o, time: '3' })).toMatchObject({
      ...{ port: 5201, udp: true, streams: 4, bidirectional: true, reverse: false },
      ...{ bitrate: 10_000_000, block: 1000, seconds: 3, octets: 0, intervalSeconds: 1 },
    });
  });

  const wrong: [object, string][] = [
    [{ reverse: true, bidir: true }, '-R and --bidir'],
    [{ parallel: '0' }, '-P: one stream'],
    [{ parallel: '129' }, '-P: '],
    [{ time: '0' }, '-t: whole seconds'],
    [{ time: '1.5' }, '-t: whole seconds'],
    [{ udp: true, length: '70000' }, '-l: a datagram'],
    [{ length: '2M' }, '-l: '],
    [{ port: '0' }, '-p: '],
  ];
  test.each(wrong)('%j is refused', (options, sentence) => {
    expect(() => testOf({ ...DEFAULTS, ...options })).toThrow(sentence);
  });
});
