// The packet scripts of every area, run under the virtual clock.

import { expect, test } from 'vitest';
import { areas, playArea, scriptsOf } from './packets.ts';

for (const area of areas()) playArea(area);

test('every packet script has a title of its own with its source', () => {
  const titles = areas().flatMap((area) => scriptsOf(area).map((s) => s.title));
  for (const title of titles) expect(title).toMatch(/^.{10,}\(.*\)$/);
  expect(new Set(titles).size).toBe(titles.length);
});
