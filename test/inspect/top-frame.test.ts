// The frames of `portside top`: rates between two looks, order, filter, and only what is visible.

import { describe, expect, test } from 'vitest';
import type { BriefRow } from '../../src/inspect/brief.ts';
import { frame, short, sparkline, TopModel, type TopView } from '../../src/inspect/top-frame.ts';

function row(i: number, sent = 0): BriefRow {
  return {
    key: `tcp 10.0.0.2:80 10.0.0.1:${i}`,
    sk: i,
    netid: 'tcp',
    state: 'ESTAB',
    recvQ: 0,
    sendQ: i,
    local: '10.0.0.2',
    localPort: 80,
    remote: '10.0.0.1',
    remotePort: i,
    rtt: 1200,
    cwnd: 10,
    retrans: 0,
    sent,
    received: 0,
    timer: '',
  };
}

const VIEW: TopView = {
  name: 'portside0',
  addresses: '10.0.0.2/24',
  width: 80,
  height: 8,
  page: 'sockets',
  sort: 'rate',
  filter: '',
  paused: false,
  selected: '',
  prompt: '',
  color: false,
};

function fed(): TopModel {
  const model = new TopModel();
  const look = { loopUs: 1800, drops: { TCP_CSUM: 1 } };
  model.feed({ ...look, atMs: 0, rows: [row(1), row(2)], counters: { IpExtInOctets: 0 } });
  const rows = [row(1, 1000), row(2, 40_000)];
  const counters = { IpExtInOctets: 250_000 };
  model.feed({ ...look, drops: { TCP_CSUM: 7 }, atMs: 2000, rows, counters });
  return model;
}

describe('a frame', () => {
  test('has rates from two looks, the fastest socket first', () => {
    expect(frame(fed(), VIEW)).toEqual([
      'portside top  portside0 10.0.0.2/24  2 sockets  loop 1.8 ms',
      'rx 1.0Mb/s         ▁█  tx 0b/s         ▁▁  0 packets/s  drops 3/s         ▁█',
      '[sockets]  sort: rate',
      'Netid State      Recv-Q Send-Q  Rate/s    RTT   cwnd retr  Local -> Peer',
      '>tcp  ESTAB           0      2     20k   1.2ms    10    0  10.0.0.2:80 -> 10.0.0',
      ' tcp  ESTAB           0      1     500   1.2ms    10    0  10.0.0.2:80 -> 10.0.0',
      '',
      'arrows Enter detail  s sort  / filter  k reset  p pause  d drops  c counters  q ',
    ]);
  });

  test('fits its terminal whatever its size, and a question takes the last line', () => {
    for (const [width, height] of [
      [1, 1],
      [20, 4],
      [200, 50],
    ] as const) {
      const lines = frame(fed(), { ...VIEW, width, height, prompt: 'reset it? y/n' });
      expect(lines).toHaveLength(height);
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
    }
    expect(frame(fed(), { ...VIEW, prompt: 'reset it? y/n' }).at(-1)).toBe('reset it? y/n');
  });

  test('of ten thousand sockets those around the marked one are laid out', () => {
    const model = new TopModel();
    const rows = Array.from({ length: 10_000 }, (_, i) => row(i));
    model.feed({ atMs: 0, rows, counters: {}, drops: {}, loopUs: 0 });
    const view = { ...VIEW, sort: 'send-q' as const, selected: row(4999).key, width: 120 };
    const lines = frame(model, view);
    expect(lines).toHaveLength(8);
    expect(lines.find((line) => line.startsWith('>'))).toMatch(/ -> 10\.0\.0\.1:4999$/);
  });

  test('a filter takes words, drops and counters are pages of their own', () => {
    const only = frame(fed(), { ...VIEW, filter: 'estab 10.0.0.1:2', width: 120 });
    expect(only.filter((line) => line.includes('ESTAB'))).toHaveLength(1);
    const drops = frame(fed(), { ...VIEW, page: 'drops' });
    expect(drops[3]).toMatch(/^TCP_CSUM +7 +3\/s$/);
    const counters = frame(fed(), { ...VIEW, page: 'counters' });
    expect(counters[3]).toMatch(/^IpExtInOctets +250000 +125k\/s$/);
    const detail = frame(fed(), { ...VIEW, page: 'detail', selected: row(2).key });
    expect(detail[3]).toMatch(/^netid +tcp$/);
  });

  test('without colour there is no escape in it (NO_COLOR)', () => {
    expect(frame(fed(), VIEW).join('')).not.toContain('\x1b');
    expect(frame(fed(), { ...VIEW, color: true }).join('')).toContain('\x1b[7m>');
  });
});

test.each([
  [0, '0'],
  [999, '999'],
  [1000, '1.0k'],
  [71_000, '71k'],
  [1_200_000, '1.2M'],
])('%i is %s', (n, text) => {
  expect(short(n)).toBe(text);
});

test('the highest value is the highest bar', () => {
  expect(sparkline([0, 1, 2, 4], 6)).toBe('  ▁▂▄█');
});
