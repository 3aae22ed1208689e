// The words of traceroute.

import { expect, test } from 'vitest';
import { hopText, isLastError, markOf } from '../../src/inspect/traceroute-text.ts';

const hop = { from: '10.0.0.1', rttUs: 1234, mark: '', isLast: false };

test('a hop is a line; an address stands where it changes, silence is a star (traceroute(8))', () => {
  expect(hopText(1, [hop, { ...hop, rttUs: 99 }, null])).toBe(' 1  10.0.0.1  1.234 ms  0.099 ms *');
  expect(hopText(12, [hop, { ...hop, from: '10.0.0.9', mark: '!H' }])).toBe(
    '12  10.0.0.1  1.234 ms 10.0.0.9  1.234 ms !H',
  );
  expect(hopText(3, [null, null])).toBe(' 3 * *');
});

test.each([
  [4, 11, 0, '', false],
  [4, 3, 3, '', true],
  [4, 3, 1, '!H', true],
  [4, 3, 4, '!F-1400', true],
  [4, 3, 13, '!X', true],
  [6, 3, 0, '', false],
  [6, 1, 4, '', true],
  [6, 1, 0, '!N', true],
  [6, 2, 0, '!F-1400', false],
] as const)(
  'IPv%i type %i code %i is marked %j (traceroute(8))',
  (family, type, code, mark, last) => {
    const error = { family, type, code, mtu: 1400 };
    expect(markOf(error)).toBe(mark);
    expect(isLastError(error)).toBe(last);
  },
);
