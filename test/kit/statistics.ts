// Small statistics for numbers that must not be guessed: each answers a standard score z, so that
// one bound fits all. Under the hypothesis "uniform and independent" |z| passes 5 with probability
// 5.7e-7; the samples come from a seed, so a test that passes once passes always.

/** z of a chi-square sum with `k` degrees of freedom (Wilson, Hilferty 1931). */
export function chiScore(chi: number, k: number): number {
  const v = 2 / (9 * k);
  return (Math.cbrt(chi / k) - (1 - v)) / Math.sqrt(v);
}

/** How many whole numbers of [0, size) each of `buckets` equal parts holds, as a share of all. */
function shares(size: number, buckets: number): Float64Array {
  const edge = (b: number): number => Math.ceil((b * size) / buckets);
  return Float64Array.from({ length: buckets }, (_, b) => (edge(b + 1) - edge(b)) / size);
}

function spread(counts: Float64Array, share: (i: number) => number, n: number): number {
  let chi = 0;
  for (let i = 0; i < counts.length; i++) {
    const expected = n * share(i);
    chi += ((counts[i] as number) - expected) ** 2 / expected;
  }
  return chiScore(chi, counts.length - 1);
}

/** Evenness over `buckets` buckets of [0, size). Both signs count: too even is no chance either. */
export function evenness(samples: Float64Array, size: number, buckets: number): number {
  const counts = new Float64Array(buckets);
  const share = shares(size, buckets);
  for (const x of samples) {
    const at = Math.floor((x * buckets) / size);
    counts[at] = (counts[at] as number) + 1;
  }
  return spread(counts, (i) => share[i] as number, samples.length);
}

/** Evenness of the low `bits` bits of numbers of [0, size). */
export function lowBits(samples: Float64Array, size: number, bits: number): number {
  const counts = new Float64Array(1 << bits);
  for (const x of samples) {
    const at = x % counts.length;
    counts[at] = (counts[at] as number) + 1;
  }
  const ending = (i: number): number => Math.ceil((size - i) / counts.length) / size;
  return spread(counts, ending, samples.length);
}

/** Evenness of pairs of neighbours in a square of side × side (Knuth's serial test). */
export function serialPairs(samples: Float64Array, size: number, side: number): number {
  const counts = new Float64Array(side * side);
  const share = shares(size, side);
  const n = samples.length >> 1;
  for (let i = 0; i < n; i++) {
    const x = Math.floor(((samples[2 * i] as number) * side) / size);
    const y = Math.floor(((samples[2 * i + 1] as number) * side) / size);
    counts[x * side + y] = (counts[x * side + y] as number) + 1;
  }
  const both = (i: number): number =>
    (share[Math.floor(i / side)] as number) * (share[i % side] as number);
  return spread(counts, both, n);
}

/** Runs above and below the middle (Wald, Wolfowitz 1940): too few = trends, too many = ringing. */
export function runs(samples: Float64Array, size: number): number {
  const middle = size / 2;
  let above = 0;
  let count = 1;
  for (let i = 0; i < samples.length; i++) {
    const up = (samples[i] as number) >= middle;
    if (up) above++;
    if (i > 0 && up !== (samples[i - 1] as number) >= middle) count++;
  }
  const n = samples.length;
  const pairs = 2 * above * (n - above);
  const mean = pairs / n + 1;
  const variance = (pairs * (pairs - n)) / (n * n * (n - 1));
  return (count - mean) / Math.sqrt(variance);
}

/** Correlation of each sample with the one `lag` later. */
export function serialCorrelation(samples: Float64Array, lag = 1): number {
  const n = samples.length - lag;
  let mean = 0;
  for (const x of samples) mean += x / samples.length;
  let shared = 0;
  let own = 0;
  for (let i = 0; i < n; i++) {
    const d = (samples[i] as number) - mean;
    shared += d * ((samples[i + lag] as number) - mean);
    own += d * d;
  }
  return (shared / own) * Math.sqrt(n);
}

/** Greatest common divisor of the steps between neighbours: 1 unless there is a hidden counter. */
export function gcdOfSteps(samples: Float64Array): number {
  let g = 0;
  for (let i = 1; i < samples.length && g !== 1; i++) {
    let a = Math.abs((samples[i] as number) - (samples[i - 1] as number));
    while (a !== 0) {
      const rest = g % a;
      g = a;
      a = rest;
    }
  }
  return g;
}

/** The scores of all tests for samples of [0, size). */
export function scores(samples: Float64Array, size: number): Record<string, number> {
  return {
    evenness: evenness(samples, size, 1024),
    lowBits: lowBits(samples, size, 8),
    serialPairs: serialPairs(samples, size, 64),
    runs: runs(samples, size),
    lag1: serialCorrelation(samples, 1),
    lag2: serialCorrelation(samples, 2),
  };
}
