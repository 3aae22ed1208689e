// Where the blocks of a SACK lie in a large flight of small segments: 4 MB at an MSS of 48.

import { SeededRandom } from '../../src/base/random.ts';
import * as seq from '../../src/base/seq.ts';
import { append, locate, NIL, Scoreboard, SegPool } from '../../src/tcp/scoreboard.ts';
import { kept, type Suite } from '../suite.ts';

const RECORDS = 87_000;
const MSS = 48;
const LOOKUPS = 64;

function flight(): { p: SegPool; b: Scoreboard; wanted: Int32Array } {
  const p = new SegPool();
  const b = new Scoreboard();
  for (let i = 0; i < RECORDS; i++) append(p, b, i * MSS, (i + 1) * MSS);
  const chance = new SeededRandom(5);
  const wanted = Int32Array.from(
    { length: LOOKUPS * 64 },
    () => (chance.next() >>> 0) % (RECORDS * MSS),
  );
  return { p, b, wanted };
}

function byFingers(): () => void {
  const { p, b, wanted } = flight();
  let at = 0;
  return () => {
    let s = 0;
    for (let k = 0; k < LOOKUPS; k++) {
      b.hint = locate(p, b, wanted[at] as number);
      s += b.hint;
      at = (at + 1) % wanted.length;
    }
    kept[0] = s;
  };
}

function fromTheLast(): () => void {
  const { p, b, wanted } = flight();
  let at = 0;
  let i = b.head;
  return () => {
    let s = 0;
    for (let k = 0; k < LOOKUPS; k++) {
      const start = wanted[at] as number;
      while (i !== NIL && seq.gt(p.start[i] as number, start)) i = p.prev[i] as number;
      if (i === NIL) i = b.head;
      while (seq.le(p.end[i] as number, start)) i = p.next[i] as number;
      s += i;
      at = (at + 1) % wanted.length;
    }
    kept[0] = s;
  };
}

export const sack: Suite = {
  name: 'sack',
  question: 'where a SACK block lies in a flight of 87,000 segments of 48 octets',
  cases: [
    { name: 'locate, by fingers', ops: LOOKUPS, prepare: byFingers },
    { name: 'from the last block on', ops: LOOKUPS, prepare: fromTheLast, rejected: true },
  ],
};
