// The Internet checksum: TypeScript against the addon, at the sizes of an ACK, a segment and a
// super-segment, and around the length where the call into the addon begins to pay.

import { hasAddon, loadAddon } from '../../src/node/addon.ts';
import { fold, sum } from '../../src/wire/checksum.ts';
import { type Case, kept, type Suite } from '../suite.ts';

const SIZES = [64, 160, 512, 1460, 65_535];

type Sum = (u8: Uint8Array, off: number, len: number, initial: number) => number;

function octets(n: number): Uint8Array {
  const u8 = new Uint8Array(n + 64);
  for (let i = 0; i < u8.length; i++) u8[i] = Math.imul(i, 0x9e3779b1) >>> 24;
  return u8;
}

/** RFC 1071 as its text says it, pair by pair. */
function pairs(u8: Uint8Array, off: number, len: number, initial: number): number {
  let total = initial;
  for (let i = 0; i + 1 < len; i += 2) {
    total += ((u8[off + i] as number) << 8) | (u8[off + i + 1] as number);
  }
  if ((len & 1) !== 0) total += (u8[off + len - 1] as number) << 8;
  return (total & 0xffff) + Math.floor(total / 0x1_0000);
}

function body(by: Sum, size: number): Pick<Case, 'ops' | 'octets' | 'prepare'> {
  const ops = Math.max(1, Math.floor(65_536 / size));
  return {
    ops,
    octets: size,
    prepare() {
      const u8 = octets(size);
      return () => {
        let s = 0;
        for (let i = 0; i < ops; i++) s += fold(by(u8, i & 31, size, 0));
        kept[0] = s;
      };
    },
  };
}

function cases(): Case[] {
  const found: Case[] = [];
  for (const size of SIZES) {
    found.push({ name: `TypeScript, ${size} octets`, ...body(sum, size) });
    if (hasAddon()) {
      const addon = loadAddon();
      const how = `addon (${addon.sumVariant})`;
      found.push({ name: `${how}, ${size} octets`, ...body(addon.sum, size) });
    }
    const name = `pair by pair, ${size} octets`;
    found.push({ name, rejected: true, ...body(pairs, size) });
  }
  return found;
}

export const checksum: Suite = {
  name: 'checksum',
  question: 'what does a sum cost, and from which length on is the addon the cheaper one?',
  cases: cases(),
};
