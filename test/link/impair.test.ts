import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { RxFlag } from '../../src/base/rx.ts';
import { damage, flipBit, looksIntact, raiseBit, seal } from '../../src/link/damage.ts';
import { Impair, type Impairment } from '../../src/link/impair.ts';
import { onesSum, pseudoSum } from '../../src/sim/decode.ts';
import { icmp4, tcp4, udp4 } from '../kit/packet.ts';

const IP = { src: '10.0.0.1', dst: '10.0.0.2', df: true };

function segment(n: number, flags = 0x10, len = 4): Uint8Array {
  const payload = new Uint8Array(len).fill(n & 0xff);
  return tcp4(IP, { srcPort: 1, dstPort: 2, seq: n, flags, payload });
}

interface Outcome {
  at: number[];
  seqs: number[];
  octets: Uint8Array[];
  pipe: Impair;
}

/** Sends `count` packets `gapUs` apart and takes everything that arrives. */
function through(o: Impairment, count: number, gapUs = 1000, flags = 0x10, len = 4): Outcome {
  const pipe = new Impair(new SeededRandom(42), o);
  for (let i = 0; i < count; i++) pipe.offer(segment(i, flags, len), 0, 0, i * gapUs);
  const got: Outcome = { at: [], seqs: [], octets: [], pipe };
  for (let p = pipe.take(Infinity); p !== null; p = pipe.take(Infinity)) {
    got.at.push(p.atUs);
    got.seqs.push(p.octets.length < 28 ? -1 : new DataView(p.octets.buffer).getUint32(24));
    got.octets.push(p.octets);
  }
  return got;
}

const inOrder = (seqs: number[]): boolean =>
  seqs.every((s, i) => i === 0 || s > (seqs[i - 1] ?? 0));

describe('a good cable', () => {
  test('changes nothing and delays by what it is told', () => {
    const got = through({ delayUs: 250 }, 100);
    expect(got.seqs).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(got.at[7]).toBe(7250);
    expect(got.octets[9]).toEqual(segment(9));
  });

  test('gives nothing before its time', () => {
    const pipe = new Impair(new SeededRandom(1), { delayUs: 100 });
    pipe.offer(segment(1), 0, 0, 0);
    expect(pipe.nextUs()).toBe(100);
    expect(pipe.take(99)).toBeNull();
    expect(pipe.take(100)?.atUs).toBe(100);
    expect(pipe.nextUs()).toBe(Infinity);
  });
});

describe('loss', () => {
  test('of a fifth loses about a fifth', () => {
    const lost = through({ loss: 0.2 }, 5000).pipe.stats.lost;
    expect(lost).toBeGreaterThan(900);
    expect(lost).toBeLessThan(1100);
  });

  test('in bursts comes in runs (Gilbert)', () => {
    const seqs = through({ burst: { toBad: 0.01, toGood: 0.2, loss: 1 } }, 5000).seqs;
    const gaps = seqs.map((s, i) => s - (seqs[i - 1] ?? -1) - 1).filter((g) => g > 0);
    const mean = gaps.reduce((a, b) => a + b, 0) / gaps.length;
    expect(mean).toBeGreaterThan(3);
  });

  test('of acknowledgments alone spares data and SYN', () => {
    expect(through({ ackLoss: 1 }, 50, 1000, 0x10, 4).seqs).toHaveLength(50);
    expect(through({ ackLoss: 1 }, 50, 1000, 0x12, 0).seqs).toHaveLength(50);
    expect(through({ ackLoss: 1 }, 50, 1000, 0x10, 0).seqs).toHaveLength(0);
  });

  test('of SYN and FIN alone spares the rest', () => {
    expect(through({ synFinLoss: 1 }, 50, 1000, 0x02, 0).seqs).toHaveLength(0);
    expect(through({ synFinLoss: 1 }, 50, 1000, 0x11, 0).seqs).toHaveLength(0);
    expect(through({ synFinLoss: 1 }, 50, 1000, 0x10, 0).seqs).toHaveLength(50);
  });

  test('of every third loses the third, the sixth, …', () => {
    expect(through({ everyNth: 3 }, 7).seqs).toEqual([0, 1, 3, 4, 6]);
  });

  test('by a partition takes its span of time and nothing else', () => {
    const seqs = through(
      {
        partitions: [
          [2000, 4000],
          [6000, 6001],
        ],
      },
      9,
    ).seqs;
    expect(seqs).toEqual([0, 1, 4, 5, 7, 8]);
  });
});

describe('order and copies', () => {
  test('jitter alone may reorder, with keepOrder it may not', () => {
    const o = { jitterUs: 20_000 };
    expect(inOrder(through(o, 200).seqs)).toBe(false);
    expect(inOrder(through({ ...o, keepOrder: true }, 200).seqs)).toBe(true);
  });

  test('reordering holds some packets back and loses none', () => {
    const got = through({ reorder: 0.2, reorderUs: 30_000 }, 500);
    expect(inOrder(got.seqs)).toBe(false);
    expect([...got.seqs].sort((a, b) => a - b)).toEqual(Array.from({ length: 500 }, (_, i) => i));
  });

  test('duplicates and late replays come in addition', () => {
    const got = through({ duplicate: 0.5, replay: 0.1, replayUs: 5_000_000 }, 1000);
    const { duplicated, replayed } = got.pipe.stats;
    expect(duplicated).toBeGreaterThan(400);
    expect(replayed).toBeGreaterThan(50);
    expect(got.seqs).toHaveLength(1000 + duplicated + replayed);
    expect(Math.max(...got.at)).toBeGreaterThan(2_000_000);
  });
});

describe('rate, queue and MTU', () => {
  test('packets leave at the rate of the line', () => {
    const len = segment(0, 0x10, 960).length;
    const got = through({ rate: 1_000_000 }, 10, 0, 0x10, 960);
    expect(len).toBe(1000);
    expect(got.at).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => n * 1000));
  });

  test('a full queue drops at its tail', () => {
    const got = through({ rate: 1_000_000, queue: 3000 }, 10, 0, 0x10, 960);
    expect(got.seqs).toEqual([0, 1, 2]);
    expect(got.pipe.stats.queueFull).toBe(7);
  });

  test('what is over the MTU vanishes; a super-segment counts by its segments', () => {
    const pipe = new Impair(new SeededRandom(1), { mtu: 1500 });
    pipe.offer(segment(1, 0x10, 2000), 0, 0, 0);
    pipe.offer(segment(2, 0x10, 20_000), 0, 1 | (1460 << 8), 0);
    pipe.offer(segment(3, 0x10, 20_000), 0, 1 | (1461 << 8), 0);
    expect(pipe.flying).toBe(1);
    expect(pipe.stats.tooBig).toBe(2);
  });
});

describe('damage (reliability.md, corruption honesty)', () => {
  test('what the checksums cannot tell is not delivered but counted', () => {
    const got = through({ corrupt: 1 }, 5000, 1000, 0x18, 20);
    const stats = got.pipe.stats;
    expect(stats.damaged).toBe(5000);
    expect(stats.undetectable).toBeGreaterThan(0);
    // what still looks intact was really not changed (two equal words that changed places)
    const intact = got.octets.filter((o) => looksIntact(o));
    expect(intact.length).toBeLessThan(1000);
    for (const o of intact) {
      expect(o).toEqual(segment(new DataView(o.buffer).getUint32(24), 0x18, 20));
    }
  });

  test('every single flipped bit of a packet is seen', () => {
    const original = segment(5, 0x18, 32);
    for (let bit = 0; bit < original.length * 8; bit++) {
      const copy = original.slice();
      copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(looksIntact(copy), `bit ${bit}`).toBe(copy[0] === 0x65);
    }
  });

  test('a packet that lacks its sum gets one before it is damaged', () => {
    const octets = segment(9, 0x18, 100);
    new DataView(octets.buffer).setUint16(36, pseudoSum(octets, 0, 6, octets.length - 20));
    const pipe = new Impair(new SeededRandom(3), { truncate: 1 });
    pipe.offer(octets, RxFlag.NEEDS_CSUM, 0, 0);
    expect(pipe.take(1)?.flags).toBe(0);
  });

  test.each([
    { name: 'TCP', octets: segment(1, 0x10, 9) },
    { name: 'UDP', octets: udp4(IP, 1, 2, Uint8Array.of(1, 2, 3)) },
    { name: 'ICMP', octets: icmp4(IP, 8, 0, 7, Uint8Array.of(9)) },
  ])('$name: intact as built, damaged after a flipped bit', ({ octets }) => {
    expect(looksIntact(octets)).toBe(true);
    flipBit(octets, new SeededRandom(7));
    expect(looksIntact(octets)).toBe(false);
  });

  test('sealing makes the sum that the packet was built with', () => {
    const octets = segment(77, 0x18, 61);
    const right = octets.slice();
    new DataView(octets.buffer).setUint16(36, pseudoSum(octets, 0, 6, octets.length - 20));
    seal(octets);
    expect(octets).toEqual(right);
  });

  test('damage of two fragments of one datagram never cancels in its sum', () => {
    const random = new SeededRandom(13);
    for (let i = 0; i < 5000; i++) {
      const one = Uint8Array.from({ length: 32 }, () => random.next());
      const two = Uint8Array.from({ length: 32 }, () => random.next());
      const before = onesSum(two, 0, 32, onesSum(one, 0, 32, 0));
      raiseBit(one, random);
      raiseBit(two, random);
      expect(onesSum(two, 0, 32, onesSum(one, 0, 32, 0))).not.toBe(before);
    }
  });

  test('damage never makes a packet longer', () => {
    const random = new SeededRandom(11);
    for (let i = 0; i < 2000; i++) {
      expect(damage(segment(i, 0x10, i % 50), random).length).toBeLessThanOrEqual(40 + (i % 50));
    }
  });
});

test('the same seed gives the same network, another seed another', () => {
  const o: Impairment = { loss: 0.1, jitterUs: 5000, duplicate: 0.1, corrupt: 0.1 };
  const history = (seed: number): string => {
    const pipe = new Impair(new SeededRandom(seed), o);
    for (let i = 0; i < 300; i++) pipe.offer(segment(i), 0, 0, i * 10);
    const out: string[] = [];
    for (let p = pipe.take(Infinity); p !== null; p = pipe.take(Infinity)) {
      out.push(`${p.atUs} ${p.octets.join()}`);
    }
    return out.join('\n');
  };
  expect(history(1)).toBe(history(1));
  expect(history(1)).not.toBe(history(2));
});
