// Which sockets a filter of ss picks (ss(8)).

import { describe, expect, test } from 'vitest';
import { FilterError, parseFilter, statesOf, USUAL_STATES } from '../../src/inspect/ss-filter.ts';
import type { SocketRow } from '../../src/stack/snapshot.ts';

function row(state: string, local: [string, number], remote: [string, number]): SocketRow {
  return {
    sk: 7,
    netid: 'tcp',
    state,
    recvQ: 0,
    sendQ: 0,
    localAddress: local[0],
    localPort: local[1],
    remoteAddress: remote[0],
    remotePort: remote[1],
  };
}

const ROWS = {
  listen: row('LISTEN', ['::', 80], ['*', 0]),
  web: row('ESTAB', ['10.0.0.2', 80], ['10.0.0.1', 40_000]),
  far: row('ESTAB', ['10.0.0.2', 80], ['192.0.2.9', 1024]),
  six: row('ESTAB', ['2001:db8::2', 443], ['2001:db8::1', 50_000]),
  wait: row('TIME-WAIT', ['10.0.0.2', 80], ['10.0.0.1', 40_001]),
  syn: row('SYN-SENT', ['10.0.0.2', 33_000], ['10.0.0.1', 22]),
};

function picked(filter: string, usual: readonly string[] = statesOf('all')): string[] {
  const matches = parseFilter(filter === '' ? [] : filter.split(' '), usual);
  return Object.entries(ROWS)
    .filter(([, value]) => matches(value))
    .map(([name]) => name);
}

describe('states', () => {
  test('without a word: what is open or opens (ss(8))', () => {
    expect(picked('', USUAL_STATES)).toEqual(['web', 'far', 'six', 'syn']);
  });

  test.each([
    ['state established', ['web', 'far', 'six']],
    ['state listening', ['listen']],
    ['state all', ['listen', 'web', 'far', 'six', 'wait', 'syn']],
    ['state connected', ['web', 'far', 'six', 'wait', 'syn']],
    ['state synchronized', ['web', 'far', 'six', 'wait']],
    ['state bucket', ['wait']],
    ['state time-wait state syn-sent', ['wait', 'syn']],
    ['exclude established', ['listen', 'wait', 'syn']],
    ['state connected exclude time-wait', ['web', 'far', 'six', 'syn']],
  ])('%s (ss(8), STATE-FILTER)', (filter, names) => {
    expect(picked(filter, USUAL_STATES)).toEqual(names);
  });
});

describe('expressions', () => {
  test.each([
    ['dst 10.0.0.1', ['web', 'wait', 'syn']],
    ['dst = 10.0.0.1:22', ['syn']],
    ['dst != 10.0.0.0/8', ['listen', 'far', 'six']],
    ['dst 10.0.0.0/8', ['web', 'wait', 'syn']],
    ['src 2001:db8::/32', ['six']],
    ['dst [2001:db8::1]:50000', ['six']],
    ['src [2001:db8::]/32:443', ['six']],
    ['src :443', ['six']],
    ['dst *:22', ['syn']],
    ['dst 0.0.0.0/0', ['web', 'far', 'wait', 'syn']],
    ['sport = :80', ['listen', 'web', 'far', 'wait']],
    ['sport=80', ['listen', 'web', 'far', 'wait']],
    ['dport >= 40001', ['six', 'wait']],
    ['dport lt :1024', ['listen', 'syn']],
    ['sport != 80 and dport != 22', ['six']],
    ['not sport = 80', ['six', 'syn']],
    ['! ( sport = 80 or dport = 22 )', ['six']],
    ['dport = 22 or sport = 443', ['six', 'syn']],
    ['dport = 22 or sport = 80 dst 192.0.2.0/24', ['far', 'syn']],
    ['(dport = 22 || sport = 80) && dst 192.0.2.0/24', ['far']],
  ])('%s (ss(8), EXPRESSION)', (filter, names) => {
    expect(picked(filter)).toEqual(names);
  });

  test('a state goes before the expression', () => {
    expect(picked('state established sport = :80')).toEqual(['web', 'far']);
  });
});

describe('what makes no sense is told', () => {
  test.each([
    ['state nowhere', "'nowhere' is no state"],
    ['state', 'a state is missing at the end'],
    ['dst', 'an address is missing at the end'],
    ['dst 10.0.0.300', "'10.0.0.300' is no address"],
    ['dst > 10.0.0.1', 'dst can be = or != an address'],
    ['sport = 65536', "'65536' is no port"],
    ['sport 80', "'80' is no comparison"],
    ['port = 80', "'port' is neither"],
    ['( sport = 80', ') is missing at the end'],
    ['sport = 80 )', "')' is not expected here"],
    ['not', 'a condition is missing at the end'],
  ])('%s', (filter, words) => {
    expect(() => picked(filter)).toThrow(FilterError);
    expect(() => picked(filter)).toThrow(words);
  });

  test('a filter has an end: 257 words are too many', () => {
    expect(() => picked(Array(257).fill('(').join(' '))).toThrow('more than 256 words');
  });
});
