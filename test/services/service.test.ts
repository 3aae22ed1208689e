import { expect, test } from 'vitest';
import { fromAscii, toAscii } from '../../src/services/ascii.ts';
import { CHARGEN_PERIOD, chargenBlock } from '../../src/services/chargen.ts';
import { mayAnswer } from '../../src/services/service.ts';

const rows = [
  ['a client', 40000, true],
  ['the first client port', 1024, true],
  ['the last system port', 1023, false],
  ['another echo service', 7, false],
  ['port 0', 0, false],
  ['a service of our own', 5201, false],
] as const;
test.each(rows)('a datagram from %s (port %i) gets an answer: %s (CVE-1999-0103)', (_n, p, yes) => {
  expect(mayAnswer(p, new Set([7, 9, 5201]))).toBe(yes);
});

test('the pattern has lines of 72 characters, each one further, and closes on itself (RFC 864)', () => {
  const block = chargenBlock(2);
  expect(block.length).toBe(2 * 95 * 74);
  expect(CHARGEN_PERIOD).toBe(7030);
  const lines = fromAscii(block, 0, block.length).split('\r\n');
  expect(lines.length).toBe(191); // the text ends with CR LF
  expect(lines[0]).toBe(
    ' !"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg',
  );
  expect(lines[1]).toBe(
    '!"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefgh',
  );
  expect(lines[94]?.slice(0, 3)).toBe('~ !');
  expect(lines[95]).toBe(lines[0]);
});

test('text becomes ASCII octets and comes back', () => {
  expect([...toAscii('{"ä"}\n')]).toEqual([0x7b, 0x22, 0x3f, 0x22, 0x7d, 0x0a]);
  expect(fromAscii(Uint8Array.of(0x41, 0xe4, 0x42), 1, 3)).toBe('\u00e4B');
});
