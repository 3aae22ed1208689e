// The judge of captures must find loss in a doctored capture, and must not take a probe for loss.

import { describe, expect, test } from 'vitest';
import { FIELDS, Judge, type Row, rowOf } from './judge.ts';

const A = '10.77.0.1';
const B = '10.77.0.2';
const ACK = 16;
let frame = 0;

/** A segment of 1,000 octets at most; `more` says what else is special. */
function row(src: string, seq: number, len: number, ack: number, more: Partial<Row> = {}): Row {
  frame++;
  return {
    ...{ frame, src, stream: 0, seq, len, ack, flags: ACK, window: 50_000, headerLen: 20 },
    ...{ mss: 0, sacks: [], bad: [], says: [] },
    ...more,
  };
}

/** A's SYN is 999, B's 4999. */
function opened(): Row[] {
  return [
    row(A, 999, 0, 0, { flags: 2, mss: 1000 }),
    row(B, 4999, 0, 1000, { flags: 18, mss: 1000 }),
    row(A, 1000, 0, 5000),
  ];
}

/** A sends 1000:4000 in three segments. */
function flight(): Row[] {
  return [row(A, 1000, 1000, 5000), row(A, 2000, 1000, 5000), row(A, 3000, 1000, 5000)];
}

function faults(...rows: Row[]): string[] {
  const judge = new Judge();
  for (const r of rows) judge.see(r);
  judge.end();
  return judge.faults.map((line) => line.replace(/frame \d+/, 'frame N'));
}

const again = { says: ['retransmission'] };

test('a connection that runs smoothly has no fault and is counted', () => {
  const judge = new Judge();
  const fin = { flags: 17 };
  const rows = [...opened(), ...flight(), row(B, 5000, 0, 4000), row(A, 4000, 0, 5000, fin)];
  for (const r of [...rows, row(B, 5000, 0, 4001, fin), row(A, 4001, 0, 5001)]) judge.see(r);
  judge.end();
  expect(judge.faults).toEqual([]);
  expect(judge.closed).toBe(1);
  expect(judge.tallies.get(A)).toEqual({ segments: 3, repeated: 0 });
});

test('a tail sent again and answered with its D-SACK is a probe (RFC 8985 §7.3, RFC 2883 §4)', () => {
  const judge = new Judge();
  const probe = row(A, 3000, 1000, 5000, again);
  const answer = row(B, 5000, 0, 4000, { sacks: [[3000, 4000]], says: ['duplicate_ack'] });
  for (const r of [...opened(), ...flight(), probe, row(B, 5000, 0, 4000), answer]) judge.see(r);
  judge.end();
  expect(judge.faults).toEqual([]);
  expect(judge.tallies.get(A)).toEqual({ segments: 3, repeated: 1 });
});

test('a head sent again after a stall and answered with its D-SACK is no loss (RFC 5682)', () => {
  const rto = row(A, 1000, 1000, 5000, again);
  const answer = row(B, 5000, 0, 4000, { sacks: [[1000, 2000]] });
  expect(faults(...opened(), ...flight(), rto, row(B, 5000, 0, 4000), answer)).toEqual([]);
});

test('a tail that was lost is found: its retransmission gets no D-SACK', () => {
  const probe = row(A, 3000, 1000, 5000, again);
  const rows = [...opened(), ...flight(), row(B, 5000, 0, 3000), probe, row(B, 5000, 0, 4000)];
  expect(faults(...rows)).toEqual([
    'stream 0 frame N from 10.77.0.1: 1000 octets sent again and not answered with a D-SACK of them',
  ]);
});

test('a lost segment is found by the duplicate ACKs that carry no D-SACK', () => {
  const holes = { sacks: [[2000, 4000]] as const, says: ['duplicate_ack'] };
  const rows = [...opened(), ...flight(), row(B, 5000, 0, 1000), row(B, 5000, 0, 1000, holes)];
  expect(faults(...rows)).toEqual(['frame N from 10.77.0.2: duplicate_ack']);
});

test('a duplicate ACK without any block is a fault', () => {
  const twice = row(B, 5000, 0, 4000, { says: ['duplicate_ack'] });
  const rows = [...opened(), ...flight(), row(B, 5000, 0, 4000), twice];
  expect(faults(...rows)).toEqual(['frame N from 10.77.0.2: duplicate_ack']);
});

test('a middle segment sent again is a fault, whoever answers it', () => {
  const middle = row(A, 2000, 1000, 5000, again);
  const answer = row(B, 5000, 0, 4000, { sacks: [[2000, 3000]] });
  expect(faults(...opened(), ...flight(), middle, answer)).toEqual([
    'frame N from 10.77.0.1: sends again what is neither the head nor the tail of what is in flight',
    'frame N from 10.77.0.1: retransmission',
    'frame N from 10.77.0.2: a D-SACK of what was sent once',
  ]);
});

test('more than one full segment at the tail is no probe', () => {
  const two = row(A, 2000, 2000, 5000, again);
  const answer = row(B, 5000, 0, 4000, { sacks: [[2000, 4000]] });
  expect(faults(...opened(), ...flight(), two, answer)[0]).toContain('neither the head nor');
});

test('a D-SACK of what was sent once is a fault of its sender', () => {
  const lie = row(B, 5000, 0, 4000, { sacks: [[3000, 4000]] });
  expect(faults(...opened(), ...flight(), lie)).toEqual([
    'frame N from 10.77.0.2: a D-SACK of what was sent once',
  ]);
});

test('a hole in what was sent, an acknowledgment of unsent octets, data beyond the window', () => {
  expect(faults(...opened(), row(A, 2000, 1000, 5000))).toEqual([
    'frame N from 10.77.0.1: a hole before it',
  ]);
  expect(faults(...opened(), row(B, 5000, 0, 1001))).toEqual([
    'frame N from 10.77.0.2: acknowledges unsent octets',
  ]);
  const shut = row(B, 5000, 0, 1000, { window: 1500 });
  const before = opened().map((r) => ({ ...r, window: 1000 }));
  expect(faults(...before, shut, row(A, 1000, 1000, 5000), row(A, 2000, 1000, 5000))).toEqual([
    'frame N from 10.77.0.1: ends 500 octets beyond the window',
  ]);
});

describe('a repeat that has crossed its acknowledgment and the FIN of the side that closes second', () => {
  const fin = { flags: 17 };
  // A closes first; B acknowledges everything and closes; then A's probe, which B sees too late.
  const crossing = (ack: number): Row[] => [
    ...opened(),
    ...flight(),
    row(A, 4000, 0, 5000, fin),
    row(B, 5000, 0, ack, fin),
    row(A, 4000, 0, 5000, { ...fin, ...again }),
  ];

  test('needs no answer once that side is gone (RFC 9293 §3.6, LAST-ACK)', () => {
    expect(faults(...crossing(4001), row(A, 4001, 0, 5001))).toEqual([]);
  });

  test('needs one as long as that side is there', () => {
    expect(faults(...crossing(4001))).toEqual([
      expect.stringContaining('1 octets sent again and not answered'),
    ]);
  });

  test('needs one of the side that closed first: it is in TIME-WAIT', () => {
    const rows = [
      ...opened(),
      ...flight(),
      row(B, 5000, 0, 4000, fin),
      row(A, 4000, 0, 5001, fin),
      row(B, 5001, 0, 4001),
      row(A, 4000, 0, 5001, { ...fin, ...again }),
      row(A, 4001, 0, 5001),
    ];
    expect(faults(...rows)).toEqual([
      expect.stringContaining('1 octets sent again and not answered'),
    ]);
  });
});

test('a FIN that comes again in TIME-WAIT gets a bare ACK, a SYN as well', () => {
  const fin = { flags: 17 };
  const rows = [
    ...opened(),
    row(A, 1000, 0, 5000, fin),
    row(A, 1000, 0, 5000, { ...fin, ...again }),
  ];
  const answer = row(B, 5000, 0, 1001, { says: ['duplicate_ack'] });
  expect(faults(...rows, row(B, 5000, 0, 1001), answer)).toEqual([]);
  // another FIN, another answer; a third one answers nothing
  const more = [...rows, row(B, 5000, 0, 1001), row(A, 1000, 0, 5000, { ...fin, ...again })];
  expect(faults(...more, answer, answer)).toEqual([]);
  expect(faults(...more, answer, answer, answer)).toEqual([
    'frame N from 10.77.0.2: duplicate_ack',
  ]);
  // one acknowledgment in all: the first FIN was lost
  expect(faults(...rows, row(B, 5000, 0, 1001))[0]).toContain('1 octets sent again and not');
  const [syn, synAck, ack] = opened() as [Row, Row, Row];
  expect(faults(syn, { ...syn, ...again }, synAck, ack)).toEqual([]);
});

test('a bad checksum, a malformed packet and what else tshark says are faults', () => {
  const bad = row(A, 1000, 10, 5000, { bad: ['the tcp checksum'] });
  expect(faults(...opened(), bad)).toEqual(['frame N from 10.77.0.1: the tcp checksum is wrong']);
  const unseen = row(B, 5000, 0, 1000, { says: ['ack_lost_segment'] });
  expect(faults(...opened(), unseen)).toEqual(['frame N from 10.77.0.2: ack_lost_segment']);
});

test('a tenth of all segments sent again is a storm, D-SACK or not', () => {
  const judge = new Judge();
  for (const r of opened()) judge.see(r);
  for (let i = 0; i < 30; i++) {
    const at = 1000 + i * 100;
    judge.see(row(A, at, 100, 5000));
    judge.see(row(A, at, 100, 5000, again));
    judge.see(row(B, 5000, 0, at + 100, { sacks: [[at, at + 100]] }));
  }
  judge.end();
  expect(judge.faults).toEqual([]);
  expect(judge.excess()).toEqual(['10.77.0.1 sent 30 of 30 segments again']);
});

test('numbers that wrap are compared modulo 2^32 (RFC 9293 §3.4)', () => {
  const start = -500;
  const rows = [
    row(A, start - 1, 0, 0, { flags: 2, mss: 1000 }),
    row(B, 4999, 0, start, { flags: 18, mss: 1000 }),
    ...[row(A, start, 1000, 5000), row(A, start, 1000, 5000, again)],
    row(B, 5000, 0, start + 1000, { sacks: [[start, start + 1000]], says: ['duplicate_ack'] }),
  ];
  expect(faults(...rows)).toEqual([]);
});

test('a line of tshark becomes a row; the kernel is forgiven 0xffff (RFC 1624 §3)', () => {
  const values: Partial<Record<(typeof FIELDS)[number], string>> = {
    ...{ 'frame.number': '7', 'ip.src': A, 'ip.proto': '6', 'tcp.stream': '3' },
    ...{ 'tcp.seq': '4294967295', 'tcp.len': '5', 'tcp.ack': '1', 'tcp.flags': '0x0018' },
    ...{ 'tcp.window_size': '64240', 'tcp.hdr_len': '32', 'tcp.options.sack_le': '1,9' },
    ...{ 'tcp.options.sack_re': '5,20', 'tcp.checksum.status': '0', 'tcp.checksum': '0xffff' },
    ...{ 'ip.checksum.status': '1', 'tcp.analysis.duplicate_ack': '1,1' },
  };
  const line = FIELDS.map((name) => values[name] ?? '').join('\t');
  const read: Row = {
    ...{ frame: 7, src: A, stream: 3, seq: -1, len: 5, ack: 1, flags: 24, window: 64_240 },
    ...{
      headerLen: 32,
      mss: 0,
      sacks: [
        [1, 5],
        [9, 20],
      ],
      bad: [],
      says: ['duplicate_ack'],
    },
  };
  expect(rowOf(line, A)).toEqual(read);
  expect(rowOf(line, B).bad).toEqual(['the tcp checksum']);
});
