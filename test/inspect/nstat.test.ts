// Counters since the last look, and which of them (nstat(8)).

import { expect, test } from 'vitest';
import { nstatRows, nstatText, valuesOf } from '../../src/inspect/nstat.ts';

const NOW = valuesOf({ TcpInSegs: 10, TcpOutSegs: 0, IpInReceives: 12 }, { TCP_CSUM: 2 });

test('what has moved since the last look (nstat(8))', () => {
  const before = { TcpInSegs: 4, IpInReceives: 12 };
  expect(nstatRows(NOW, { before, zeros: false, patterns: [] })).toEqual([
    ['TcpInSegs', 6],
    ['DropTCP_CSUM', 2],
  ]);
});

test('everything, and zeros too (nstat(8) -a -z)', () => {
  expect(nstatRows(NOW, { before: null, zeros: true, patterns: [] })).toEqual([
    ['TcpInSegs', 10],
    ['TcpOutSegs', 0],
    ['IpInReceives', 12],
    ['DropTCP_CSUM', 2],
  ]);
});

test('names with stars, in any case; other signs mean themselves', () => {
  const of = (...patterns: string[]): string[] =>
    nstatRows(NOW, { before: null, zeros: true, patterns }).map(([name]) => name);
  expect(of('tcp*')).toEqual(['TcpInSegs', 'TcpOutSegs']);
  expect(of('*Segs', 'Drop*')).toEqual(['TcpInSegs', 'TcpOutSegs', 'DropTCP_CSUM']);
  expect(of('Tcp.nSegs')).toEqual([]);
});

test('a counter that went back was started anew', () => {
  const before = { TcpInSegs: 100 };
  expect(nstatRows(NOW, { before, zeros: false, patterns: ['TcpInSegs'] })).toEqual([
    ['TcpInSegs', 10],
  ]);
});

test('a name and a number a line (nstat(8))', () => {
  expect(nstatText([['TcpInSegs', 6]])).toEqual(['#portside', 'TcpInSegs                       6']);
});
