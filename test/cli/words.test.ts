// iproute2's words on the command line.

import { expect, test } from 'vitest';
import { destination, numberPair, said } from '../../src/cli/words.ts';

test('nothing said means show; list and delete are other words for it (ip(8))', () => {
  expect(said([], ['show'], [])).toMatchObject({ verb: 'show', about: '' });
  expect(said(['list'], ['show'], [])).toMatchObject({ verb: 'show' });
  expect(said(['delete', 'x'], ['del'], [])).toMatchObject({ verb: 'del', about: 'x' });
});

test('pairs of a word and its value follow what it is about', () => {
  const { about, pairs } = said(['add', '10.9.0.0/16', 'via', '10.0.0.1'], ['add'], ['via']);
  expect([about, [...pairs]]).toEqual(['10.9.0.0/16', [['via', '10.0.0.1']]]);
  expect(numberPair(new Map([['mtu', '1400']]), 'mtu')).toEqual({ mtu: 1400 });
  expect(numberPair(new Map(), 'mtu')).toEqual({});
});

test.each([
  [['fly'], "'fly' is none of show, add"],
  [['add'], 'what shall be add is missing'],
  [['add', 'x', 'by', 'y'], "'by' is none of via"],
  [['add', 'x', 'via'], "'via' lacks its value"],
])('%j is refused in one sentence', (words, message) => {
  expect(() => said(words, ['show', 'add'], ['via'])).toThrow(message);
});

test('default is the prefix of length 0, an address alone a prefix of full length', () => {
  expect(destination('default', false)).toBe('0.0.0.0/0');
  expect(destination('default', true)).toBe('::/0');
  expect(destination('10.1.2.3', false)).toBe('10.1.2.3/32');
  expect(destination('fd00::/8', false)).toBe('fd00::/8');
});
