// Getting octets out of the slab into other memory, as a datagram's queue does: the view that `set`
// wants for each copy, the same view found again, and copies without a view.

import { Views } from '../../src/base/views.ts';
import { type Case, kept, type Suite } from '../suite.ts';

const COPIES = 64;
const STRIDE = 1536;

type Copy = (i: number) => void;
interface Memory {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  readonly len: number;
}

function viewEach({ from, to, len }: Memory): Copy {
  return (i) => to.set(from.subarray(i * STRIDE, i * STRIDE + len), i * STRIDE);
}

function viewKept({ from, to, len }: Memory): Copy {
  const views = new Views(from);
  return (i) => to.set(views.run(i * STRIDE, len), i * STRIDE);
}

function octetwise({ from, to, len }: Memory): Copy {
  return (i) => {
    const off = i * STRIDE;
    for (let k = 0; k < len; k++) to[off + k] = from[off + k] as number;
  };
}

function within({ from, len }: Memory): Copy {
  const half = from.length >> 1;
  return (i) => {
    from.copyWithin(half + i * STRIDE, i * STRIDE, i * STRIDE + len);
  };
}

function caseOf(name: string, how: (m: Memory) => Copy, len: number, rejected = false): Case {
  return {
    name: `${name}, ${len} octets`,
    ops: COPIES,
    octets: len,
    rejected,
    prepare() {
      const size = 2 * COPIES * STRIDE;
      const copy = how({ from: new Uint8Array(size), to: new Uint8Array(size), len });
      return () => {
        for (let i = 0; i < COPIES; i++) copy(i);
        kept[0] = len;
      };
    },
  };
}

export const copies: Suite = {
  name: 'copies',
  question: 'how do octets leave the slab without garbage?',
  cases: [64, 192, 1472].flatMap((len) => [
    caseOf('octet by octet', octetwise, len, len > 192),
    caseOf('set with a view found again', viewKept, len),
    caseOf('set with a view each time', viewEach, len, true),
    caseOf('copyWithin one buffer', within, len),
  ]),
};
