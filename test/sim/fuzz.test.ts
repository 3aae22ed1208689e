import { expect, test } from 'vitest';
import { fuzz } from '../fuzz/fuzz.ts';

test('50,000 inputs of every kind: no exception, nothing read or written outside, all alike', () => {
  const result = fuzz({ inputs: 50_000, seed: 7, epoch: 10_000 });
  expect(result.inputs).toBe(50_000);
  // the inputs reach deep enough to be answered
  expect(result.packetsOut).toBeGreaterThan(1000);
});
