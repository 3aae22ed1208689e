// The time line of one connection that loses one segment, as text and as a picture.

import { describe, expect, test } from 'vitest';
import { type EventRow, kindsMask, subscribe } from '../../src/inspect/event-rows.ts';
import { traceSvg } from '../../src/inspect/trace-svg.ts';
import { TraceText, Unwrapped } from '../../src/inspect/trace-text.ts';
import { World } from '../../src/sim/world.ts';
import type { TcpHandler } from '../../src/socket/tcp-socket.ts';

const QUIET: TcpHandler = {
  opened: () => {},
  data: () => {},
  ended: () => {},
  writable: () => {},
  written: () => {},
  closed: () => {},
};
const SHOWN = [
  ...['state', 'sent', 'received', 'acked', 'sacked', 'cwnd', 'rtt', 'lost', 'undone', 'fired'],
  'delivered',
];

/** 12 segments of 1448 octets over 10 ms of cable; the third that the client sends is lost once. */
function lossy(): EventRow[] {
  const w = new World({ seed: 1 });
  const a = w.host('a', { addresses: ['10.0.0.1/24'] });
  const b = w.host('b', { addresses: ['10.0.0.2/24'] });
  let data = 0;
  const fate = (octets: Uint8Array): number => (octets.length > 1000 && ++data === 3 ? -1 : 0);
  w.link(a, b, { delayUs: 10_000, fate });
  b.stack.listen({ address: '10.0.0.2', port: 80, handler: { accept: () => QUIET } });
  const events = subscribe(a.stack, { kinds: kindsMask(SHOWN) ?? 0 });
  const s = a.stack.connect({ address: '10.0.0.2', port: 80, localPort: 4444, handler: QUIET });
  s.send(new Uint8Array(12 * 1448), 0, 12 * 1448);
  s.shutdown();
  w.run({ untilUs: w.clock.nowUs() + 1_000_000 });
  return events.take();
}

function lines(rows: readonly EventRow[]): string[] {
  const text = new TraceText();
  return rows.map((row) => text.line(row)).filter((line) => line !== null);
}

describe('as text', () => {
  test('a loss: the SACK that shows it, and that it goes again at once (RFC 8985 §6.2)', () => {
    expect(lines(lossy())).toEqual([
      '+0.000000  = UNCONN -> SYN-SENT (active open)',
      '+0.000000  > S seq 0, 0 octets',
      '+0.020000  < S. seq 0 ack 1, 0 octets, win 64240',
      '+0.020000  = SYN-SENT -> ESTAB (SYN acknowledged)',
      '+0.020000    rtt 20.0 ms, srtt 20.0 ms, rto 220 ms',
      '+0.020000    cwnd 10, in flight 0',
      '+0.020000  = ESTAB -> FIN-WAIT-1 (closed by the program)',
      '+0.020000  > . seq 1:14481 ack 1, 14480 octets in 10 segments',
      '+0.040000  < . seq 1 ack 2897, 0 octets, win 90240',
      '+0.040000    sack 4345..14481',
      '+0.040000    rtt 20.0 ms, srtt 20.0 ms, rto 220 ms',
      '+0.040000  ! lost by rack: 2897..4345',
      '+0.040000    cwnd 7, in flight 0, ssthresh 7, recovery',
      '+0.040000  > . seq 2897:4345 ack 1, 1448 octets RETRANSMISSION',
      '+0.040000  > FP. seq 14481:17377 ack 1, 2896 octets in 2 segments',
      '+0.060000  < . seq 1 ack 17378, 0 octets, win 98944',
      '+0.060000    rtt 20.0 ms, srtt 20.0 ms, rto 220 ms',
      '+0.060000    cwnd 7, in flight 0, ssthresh 7',
      '+0.060000  = FIN-WAIT-1 -> FIN-WAIT-2 (FIN acknowledged)',
    ]);
  });

  test('sequence numbers count from the first over 2^32, back as well as ahead', () => {
    const seq = new Unwrapped();
    expect([0xffff_fff0, 0x10, 0xffff_fffe, 0x1000].map((n) => seq.of(n))).toEqual([
      0, 32, 14, 4112,
    ]);
  });

  test.each<[EventRow, string]>([
    [
      { at: 5, sk: 1, kind: 'sacked', start: 1, end: 11, what: 'duplicate' },
      '+0.000000    D-SACK 0..10',
    ],
    [
      { at: 5, sk: 1, kind: 'undone', cwnd: 20, ssthresh: 10, cause: 'dsack' },
      '+0.000000  ! undone (dsack): cwnd 20 again',
    ],
    [
      { at: 5, sk: 1, kind: 'rtt', sampleUs: 250, srttUs: 99_900, rttvarUs: 1, rtoUs: 1_200_000 },
      '+0.000000    rtt 0.3 ms, srtt 99.9 ms, rto 1200 ms',
    ],
    [
      { at: 5, sk: 1, kind: 'delivered', octets: 5, end: 1 },
      '+0.000000    5 octets to the program',
    ],
  ])('%o', (row, line) => {
    expect(lines([row])).toEqual([line]);
  });

  test('what a time line leaves out does not start its clock', () => {
    const rows: EventRow[] = [
      { at: 1_000_000, sk: 1, kind: 'timer', timer: 'rto', delayUs: 5 },
      { at: 2_000_000, sk: 1, kind: 'fired', timer: 'rto' },
      { at: 2_500_000, sk: 1, kind: 'fired', timer: 'rto' },
    ];
    expect(lines(rows)).toEqual(['+0.000000  ! timer: rto', '+0.500000  ! timer: rto']);
  });
});

describe('as a picture', () => {
  const paths = (svg: string, kind: string): string[] =>
    [...svg.matchAll(new RegExp(`<path class="${kind}" d="([^"]*)"/>`, 'g'))].map(
      (m) => m[1] ?? '',
    );

  test('segments, what went again, SACK blocks and acknowledgments, in their places', () => {
    const svg = traceSvg(lossy(), 'a < b');
    expect(svg).toContain('<title>a &lt; b</title>');
    // the first path of a kind is the legend's; 60 ms are 872 wide, 17,376 octets 360 high
    const drawn = (kind: string): string[] => paths(svg, kind).slice(1);
    expect(drawn('seg')[0]).toBe('M362.7 400.0V100.0M653.3 100.0V40.0');
    expect(drawn('again')).toEqual(['M653.3 340.0V310.0']);
    expect(drawn('sack')).toEqual(['M653.3 310.0V100.0']);
    expect(drawn('ack')[0]).toBe('M362.7 400.0H653.3V340.0H944.0V40.0');
    // cwnd 10, 7, 7 of at most 11
    expect(drawn('seg')[1]).toBe('M362.7 462.5H653.3V506.2H944.0V506.2');
  });

  test('nothing has happened: a picture without lines, and no number that is none', () => {
    const svg = traceSvg([], 'quiet');
    expect(svg).toContain('</svg>');
    expect(svg).not.toMatch(/NaN|Infinity/);
    expect(paths(svg, 'seg')).toHaveLength(1); // of the legend
  });

  test('200,000 events are no deep recursion and no long argument list', () => {
    const rows: EventRow[] = [];
    for (let i = 0; i < 200_000; i++) {
      rows.push({ at: i, sk: 1, kind: 'acked', una: i, edge: i + 1, segments: 1, inFlight: 0 });
    }
    expect(traceSvg(rows, 'long').match(/H/g)?.length).toBeGreaterThan(100_000);
  });
});
