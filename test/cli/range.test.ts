import { expect, test } from 'vitest';
import { parseRange } from '../../src/cli/range.ts';

const rows = [
  ['no field', undefined, { from: 0, to: 1000, partial: false }],
  ['the first octets', 'bytes=0-99', { from: 0, to: 100, partial: true }],
  ['one octet', 'bytes=5-5', { from: 5, to: 6, partial: true }],
  ['to the end', 'bytes=900-', { from: 900, to: 1000, partial: true }],
  ['beyond the end', 'bytes=900-5000', { from: 900, to: 1000, partial: true }],
  ['the last octets', 'bytes=-50', { from: 950, to: 1000, partial: true }],
  ['more of the last octets than there are', 'bytes=-5000', { from: 0, to: 1000, partial: true }],
  ['after the end', 'bytes=1000-', 'unsatisfiable'],
  ['the last none', 'bytes=-0', 'unsatisfiable'],
  ['backwards: ignored', 'bytes=9-5', { from: 0, to: 1000, partial: false }],
  ['two ranges: the whole', 'bytes=0-1,5-6', { from: 0, to: 1000, partial: false }],
  ['another unit: ignored', 'lines=0-1', { from: 0, to: 1000, partial: false }],
  ['nothing: ignored', 'bytes=-', { from: 0, to: 1000, partial: false }],
] as const;
test.each(rows)('a range field, %s (RFC 9110 §14.1.2)', (_name, field, expected) => {
  expect(parseRange(field, 1000)).toEqual(expected);
});

test('no range of an empty content can be satisfied (RFC 9110 §15.5.17)', () => {
  expect(parseRange('bytes=0-', 0)).toBe('unsatisfiable');
  expect(parseRange('bytes=-5', 0)).toBe('unsatisfiable');
});
