// Zero allocation per packet (docs/architecture.md): receive, ACK and send leave nothing for the
// garbage collector. What remains is a few times of the clock for each turn of the driver: a float64
// is boxed, 16 octets, where it crosses a call that V8 has not inlined (`advance`, `nextDeadline`).

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { EMPTY_TURN, WALKS } from '../../bench/walks.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Six boxed numbers; it was two to four. */
const TURN_OCTETS = 96;

let octets: Record<string, number> = {};

/** Measures in a process whose young generation holds all that could be allocated. */
function measured(): Record<string, number> {
  const loader = pathToFileURL(join(ROOT, 'scripts', 'ts-loader.mjs')).href;
  const flags = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64'];
  const file = join(ROOT, 'test', 'alloc', 'measure.ts');
  const options = { cwd: ROOT, encoding: 'utf8', timeout: 550_000 } as const;
  return JSON.parse(
    execFileSync(process.execPath, ['--import', loader, ...flags, file], options),
  ) as Record<string, number>;
}

beforeAll(() => {
  octets = measured();
}, 600_000);

describe('less than one octet of heap a packet, besides 96 for each turn of the driver', () => {
  it.each(WALKS.map((walk) => [walk.name, walk] as const))('%s', (name, walk) => {
    const rest = (octets[name] as number) - TURN_OCTETS * walk.turns;
    expect(rest / walk.packets).toBeLessThan(1);
  });

  it('has measured something: an empty turn costs a boxed number at least', () => {
    expect(octets[EMPTY_TURN.name]).toBeGreaterThanOrEqual(16);
    expect(octets[EMPTY_TURN.name]).toBeLessThan(TURN_OCTETS);
  });
});
