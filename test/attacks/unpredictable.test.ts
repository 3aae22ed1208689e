// What a stranger must not be able to compute: a million samples each of initial sequence numbers,
// SYN cookies, timestamp offsets, ephemeral ports and IP identifications, put to chi-square, runs
// and serial tests (RFC 6528, RFC 6056, RFC 7323 §5.4, RFC 6864, RFC 9416).

import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { Idents } from '../../src/ip/ident.ts';
import { Stack } from '../../src/stack/stack.ts';
import { ephemeralPort, initialSequence, timestampOffset } from '../../src/tcp/isn.ts';
import { SynCookies } from '../../src/tcp/syn-cookies.ts';
import { allocate } from '../../src/tcp/tcp.ts';
import { gcdOfSteps, scores } from '../kit/statistics.ts';

const N = 1_000_000;
const WORD = 2 ** 32;
/** |z| of a fair source passes this with probability 5.7e-7; there are six scores a sample. */
const BOUND = 5;

function tcbOf(seed: number) {
  const stack = new Stack({ random: new SeededRandom(seed) });
  const t = allocate(stack.tcp);
  if (t === null) throw new Error('no control block');
  const { path } = t;
  path.src2 = 0xffff;
  path.src3 = 0x0a4d0002;
  path.dst2 = 0xffff;
  path.dst3 = 0xc6336401 | 0;
  t.localPort = 40_000;
  t.remotePort = 80;
  return { stack, t };
}

function fair(samples: Float64Array, size: number): void {
  for (const [name, z] of Object.entries(scores(samples, size))) {
    expect(Math.abs(z), `${name}: z = ${z}`).toBeLessThan(BOUND);
  }
  expect(gcdOfSteps(samples)).toBe(1);
}

describe('a million', () => {
  test('ISNs of neighbouring 4-tuples at one moment are evenly spread and independent (RFC 6528 §3, RFC 9293 SHLD-1)', () => {
    const { t } = tcbOf(11);
    const samples = new Float64Array(N);
    for (let i = 0; i < N; i++) {
      t.localPort = 32_768 + (i & 0x3fff);
      t.path.dst3 = (0xc6336401 + (i >> 14)) | 0;
      samples[i] = initialSequence(t) >>> 0;
    }
    fair(samples, WORD);
  });

  test('ISNs of one 4-tuple, a random time of up to a turn of the clock apart, reach every number evenly (RFC 9293 MUST-8)', () => {
    const { stack, t } = tcbOf(12);
    const chance = new SeededRandom(120);
    const samples = new Float64Array(N);
    let nowUs = 0;
    for (let i = 0; i < N; i++) {
      nowUs += 4 * (chance.next() >>> 0) + (chance.next() & 3);
      stack.ip.nowUs = nowUs;
      samples[i] = initialSequence(t) >>> 0;
    }
    fair(samples, WORD);
  });

  test('ISNs of one 4-tuple with a µs between them never go back: old segments stay old (RFC 6528 §3)', () => {
    const { stack, t } = tcbOf(13);
    let before = initialSequence(t);
    for (let i = 1; i <= N; i++) {
      stack.ip.nowUs = i;
      const now = initialSequence(t);
      const step = (now - before) | 0;
      if (step !== (i % 4 === 0 ? 1 : 0)) expect.fail(`step of ${step} at ${i} µs`);
      before = now;
    }
  });

  test('SYN cookies for neighbouring 4-tuples are as hard to guess as ISNs (RFC 4987 §3.6)', () => {
    const cookies = new SynCookies(new SeededRandom(14));
    const key = new Int32Array([0, 0, 0xffff, 0x0a4d0002, 0, 0, 0xffff, 0, 0]);
    const samples = new Float64Array(N);
    for (let i = 0; i < N; i++) {
      key[7] = (0xc6336401 + (i >> 14)) | 0;
      key[8] = (80 << 16) | (32_768 + (i & 0x3fff));
      samples[i] = cookies.make(key, 1_000_000, 1460, 5_000_000) >>> 0;
    }
    fair(samples, WORD);
  });

  test('timestamp offsets of neighbouring 4-tuples tell neither uptime nor one another (RFC 7323 §5.4)', () => {
    const { t } = tcbOf(15);
    const samples = new Float64Array(N);
    for (let i = 0; i < N; i++) {
      t.localPort = 32_768 + (i & 0x3fff);
      t.path.dst3 = (0xc6336401 + (i >> 14)) | 0;
      samples[i] = timestampOffset(t) >>> 0;
    }
    fair(samples, WORD);
  });

  test('timestamp offsets and ISNs of the same 4-tuples have no bit in common (RFC 9416: a key for each use)', () => {
    const { t } = tcbOf(16);
    const samples = new Float64Array(N);
    for (let i = 0; i < N; i++) {
      t.remotePort = 1 + (i & 0x7fff);
      t.path.dst3 = (0xc6336401 + (i >> 15)) | 0;
      samples[i] = (timestampOffset(t) ^ initialSequence(t)) >>> 0;
    }
    fair(samples, WORD);
  });

  for (const [name, moves] of [
    ['to one destination', false],
    ['to neighbouring destinations', true],
  ] as const) {
    test(`ephemeral ports ${name} use the whole range evenly (RFC 6056 §3.1, §3.3)`, () => {
      const { t } = tcbOf(17);
      const samples = new Float64Array(N);
      let least = 65_536;
      let most = 0;
      for (let i = 0; i < N; i++) {
        if (moves) t.path.dst3 = (0xc6336401 + i) | 0;
        const port = ephemeralPort(t);
        least = Math.min(least, port);
        most = Math.max(most, port);
        samples[i] = port - 32_768;
      }
      expect([least, most]).toEqual([32_768, 60_999]);
      fair(samples, 60_999 - 32_768 + 1);
    });
  }

  test('first identifications of fragmented datagrams to neighbouring hosts are unrelated (RFC 6864 §4.3, RFC 7739)', () => {
    const samples = new Float64Array(N);
    // a fresh cache now and then: identifications of a flow that comes back go on counting
    for (let block = 0, i = 0; i < N; block++) {
      const idents = new Idents(new SeededRandom(1800 + block));
      for (let k = 0; k < 1000; k++, i++) {
        samples[i] = idents.next(0x0a4d0002, (0xc6336401 + k) | 0, 17);
      }
    }
    fair(samples, 65_536);
  });

  test('identifications do not tell how many datagrams went to others (idle scan; RFC 6864 §4.3)', () => {
    const idents = new Idents(new SeededRandom(19));
    const chance = new SeededRandom(190);
    const ours = (): number => idents.next(0x0a4d0002, 0x0a4d0001, 17);
    let before = ours();
    for (let i = 0; i < 10_000; i++) {
      for (let k = chance.next() & 7; k > 0; k--) idents.next(0x0a4d0002, chance.next(), 17);
      const now = ours();
      if (((now - before) & 0xffff) !== 1) expect.fail(`a step of ${now - before}`);
      before = now;
    }
  });
});

describe('the tests themselves', () => {
  const fill = (f: (i: number) => number): Float64Array =>
    Float64Array.from({ length: 1e5 }, (_, i) => f(i));

  test('pass a good generator', () => {
    const chance = new SeededRandom(20);
    fair(
      fill(() => chance.next() >>> 0),
      WORD,
    );
  });

  test.each([
    ['a counter', (i: number) => (i * 64_000) % WORD],
    ['a multiple of 64', (i: number) => (Math.imul(i, 0x9e3779b1) << 6) >>> 0],
    ['a walk', (i: number) => (2 ** 31 + 2 ** 30 * Math.sin(i / 50)) >>> 0],
    ['a Weyl sequence, too even to be chance', (i: number) => Math.imul(i, 0x9e3779b1) >>> 0],
  ])('catch %s', (_name, f) => {
    const worst = Math.max(...Object.values(scores(fill(f), WORD)).map(Math.abs));
    expect(worst).toBeGreaterThan(BOUND);
  });
});
