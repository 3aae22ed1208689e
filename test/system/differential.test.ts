// Scripts at random, of packets and socket calls, on the kernel and on our stack: the same answers,
// the same packets, but for the differences that test/differential/allowed.ts gives reasons for.
// All steps of a script run within a few ms, so no timer acts; a script that the machine was too
// busy for is not judged.

import { expect, test } from 'vitest';
import { differentialTally } from '../differential/run.ts';
import { FULL } from './netns.ts';

test('60 scripts of packets and calls: the kernel answers as we do, or the difference is listed (reliability T6c)', async () => {
  const n = FULL ? 2000 : 60;
  const tally = await differentialTally(n, 7);
  expect(tally.unlisted.join('\n\n')).toBe('');
  expect(tally.same + tally.unjudged).toBeGreaterThan(n / 3);
}, 120_000);
