// Fuzzing guided by coverage at commit size: the corpus that the hunt has left is run again on an
// instrumented stack, and some thousands of changes of it.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeProgram, readCorpus } from '../fuzz/corpus.ts';
import type { Hunt } from '../fuzz/hunt.ts';
import type { Built } from '../fuzz/instrument.ts';
import { lattice } from '../fuzz/lattice.ts';
import { type Bundle, open, roomOf } from '../fuzz/sequences.ts';

describe('sequences of packets, calls and time', () => {
  let built: Built;
  let bundle: Bundle;
  let close: () => void;
  let hunt: Hunt;
  const corpus = readCorpus();

  beforeAll(async () => {
    ({ built, bundle, close } = await open());
    hunt = new bundle.Hunt(built.edges.length, 1);
  }, 120_000);
  afterAll(() => close());

  const crashes = (): string[] => hunt.crashes.map((c) => `${c.what}\n${encodeProgram(c.program)}`);

  test('the corpus: no exception, packets valid, counts sound, everything given back (reliability T6b)', () => {
    for (const p of corpus) hunt.try(p);
    expect(crashes().join('\n')).toBe('');
    expect(corpus.length).toBeGreaterThan(500);
  });

  test('3,000 changes of it, the same (reliability T6b)', () => {
    for (let i = 0; i < 3000; i++) hunt.step();
    expect(crashes().join('\n')).toBe('');
  });

  // Far less than the corpus reached when it was kept: new code comes before new programs.
  const floors: [string, number][] = [
    ['wire', 0.8],
    ['ip', 0.8],
    ['udp', 0.8],
    ['tcp', 0.85],
    ['demux', 0.75],
    ['socket', 0.8],
  ];
  test.each(floors)('reach the branches of src/%s (at least %d of them)', (room, floor) => {
    const { reached, all } = roomOf(built.edges, hunt.seen, room);
    expect(reached / all).toBeGreaterThan(floor);
  });

  // Steps are branches taken: the same on every machine.
  test('20,000 segments of one octet out of order cost the same at the end as at the beginning (SegmentSmack, CVE-2018-5390)', () => {
    const { perPacketFirst, perPacketLast, most } = bundle.costs.tinySegments(20_000);
    expect(perPacketLast).toBeLessThan(perPacketFirst * 1.2);
    expect(most).toBeLessThan(2000);
  });

  test('SACK blocks all over a flight of crumbs cost no more than the flight has records (SACK Slowness, CVE-2019-11478)', () => {
    const { perPacketFirst, perPacketLast, most } = bundle.costs.sackHoles(4000);
    expect(perPacketLast).toBeLessThan(perPacketFirst * 1.5);
    expect(most).toBeLessThan(10_000);
  });

  test('a flight of crumbs that is lost goes again without a walk over what has gone already (CVE-2018-5390)', () => {
    const { perPacketFirst, perPacketLast, most } = bundle.costs.resends(200);
    expect(perPacketLast).toBeLessThan(perPacketFirst * 1.2);
    // records looked at for each acknowledgment; from the head it would be a thousand
    expect(most).toBeLessThan(20);
  });

  test('5,000 ACKs of one octet each cost the same at the end as at the beginning (ACK division)', () => {
    const { perPacketFirst, perPacketLast } = bundle.costs.crumbs(5000);
    expect(perPacketLast).toBeLessThan(perPacketFirst * 1.2);
  });

  test('no program costs more than 3 million steps: work is bounded', () => {
    expect(hunt.mostSteps).toBeLessThan(3_000_000);
  });
});

test('the length lattice: the parsers answer as the model says (reliability T6a)', () => {
  const { executions } = lattice(50_000, 7);
  expect(executions).toBeGreaterThan(700_000);
});
