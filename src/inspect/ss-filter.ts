// The filter language of ss: states and groups of states, `dst`, `src`, `sport`, `dport`, `and`,
// `or`, `not`, parentheses (ss(8), STATE-FILTER and EXPRESSION).

import type { SocketRow } from '../stack/snapshot.ts';
import { type Address, mappedLength, maskWord, parse, parsePrefix } from '../wire/address.ts';

export type RowFilter = (row: SocketRow) => boolean;

/** What is wrong with a filter, for its author. */
export class FilterError extends Error {
  override readonly name = 'FilterError';
}

const ALL = [
  'ESTAB',
  'SYN-SENT',
  'SYN-RECV',
  'FIN-WAIT-1',
  'FIN-WAIT-2',
  'TIME-WAIT',
  'UNCONN',
  'CLOSE-WAIT',
  'LAST-ACK',
  'LISTEN',
  'CLOSING',
];
const without = (...states: string[]): string[] => ALL.filter((state) => !states.includes(state));

/** ss's words for states and groups of them. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  all: ALL,
  connected: without('LISTEN', 'UNCONN'),
  synchronized: without('LISTEN', 'UNCONN', 'SYN-SENT'),
  bucket: ['SYN-RECV', 'TIME-WAIT'],
  big: without('SYN-RECV', 'TIME-WAIT'),
  established: ['ESTAB'],
  'syn-sent': ['SYN-SENT'],
  'syn-recv': ['SYN-RECV'],
  'fin-wait-1': ['FIN-WAIT-1'],
  'fin-wait-2': ['FIN-WAIT-2'],
  'time-wait': ['TIME-WAIT'],
  closed: ['UNCONN'],
  close: ['UNCONN'],
  unconnected: ['UNCONN'],
  unconn: ['UNCONN'],
  'close-wait': ['CLOSE-WAIT'],
  'last-ack': ['LAST-ACK'],
  listening: ['LISTEN', 'UNCONN'],
  listen: ['LISTEN'],
  closing: ['CLOSING'],
  estab: ['ESTAB'],
};

/** What ss shows by itself: neither listeners nor what is not open yet or waits to be forgotten. */
export const USUAL_STATES = without('LISTEN', 'UNCONN', 'TIME-WAIT', 'SYN-RECV');

/** States of one word of ss. Throws FilterError. */
export function statesOf(word: string): readonly string[] {
  const states = GROUPS[word.toLowerCase()];
  if (states === undefined) {
    throw new FilterError(`'${word}' is no state (known: ${Object.keys(GROUPS).join(' ')})`);
  }
  return states;
}

type Compare = (a: number, b: number) => boolean;
const eq: Compare = (a, b) => a === b;
const ne: Compare = (a, b) => a !== b;
const gt: Compare = (a, b) => a > b;
const lt: Compare = (a, b) => a < b;
const ge: Compare = (a, b) => a >= b;
const le: Compare = (a, b) => a <= b;
const COMPARE = new Map<string, Compare>([
  ...(['=', '==', 'eq'] as const).map((word) => [word, eq] as const),
  ...(['!=', 'ne', 'neq'] as const).map((word) => [word, ne] as const),
  ...(['>', 'gt'] as const).map((word) => [word, gt] as const),
  ...(['<', 'lt'] as const).map((word) => [word, lt] as const),
  ...(['>=', 'ge', 'geq'] as const).map((word) => [word, ge] as const),
  ...(['<=', 'le', 'leq'] as const).map((word) => [word, le] as const),
]);
const AND = new Set(['and', '&', '&&']);
const OR = new Set(['or', '|', '||']);
const NOT = new Set(['not', '!']);
/** Longest filter: it is parsed by recursion. */
const MOST_WORDS = 256;

/** `state …`, `exclude …` and the expression behind them; `usual` when no state is named. */
export function parseFilter(words: readonly string[], usual: readonly string[]): RowFilter {
  const parser = new Parser(words);
  const states = parser.states() ?? new Set(usual);
  const matches = parser.atEnd ? null : parser.either();
  if (!parser.atEnd) throw new FilterError(`'${parser.peek}' is not expected here`);
  return (row) => states.has(row.state) && (matches === null || matches(row));
}

/** `dport=:80` in one word is three. */
function split(words: readonly string[]): string[] {
  const text = words.join(' ').replace(/[()]/g, ' $& ');
  const spaced = text.replace(/&&|\|\||[<>!=]=|[<>=&|!]/g, ' $& ');
  const found = spaced.split(/\s+/).filter((word) => word !== '');
  if (found.length > MOST_WORDS) throw new FilterError(`more than ${MOST_WORDS} words`);
  return found;
}

class Parser {
  readonly #words: string[];
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = split(words);
  }

  get atEnd(): boolean {
    return this.#at >= this.#words.length;
  }

  get peek(): string {
    return this.#words[this.#at] ?? 'the end';
  }

  #next(wanted: string): string {
    const word = this.#words[this.#at++];
    if (word === undefined) throw new FilterError(`${wanted} is missing at the end`);
    return word;
  }

  #takes(set: ReadonlySet<string>): boolean {
    if (this.atEnd || !set.has(this.peek.toLowerCase())) return false;
    this.#at++;
    return true;
  }

  /** The states that `state` and `exclude` leave; null where neither stands. */
  states(): ReadonlySet<string> | null {
    let found: Set<string> | null = null;
    while (!this.atEnd && (this.peek === 'state' || this.peek === 'exclude')) {
      const adds = this.#next('a word') === 'state';
      const named = statesOf(this.#next('a state'));
      found ??= new Set(adds ? [] : ALL);
      for (const state of named) {
        if (adds) found.add(state);
        else found.delete(state);
      }
    }
    return found;
  }

  either(): RowFilter {
    let left = this.#both();
    while (this.#takes(OR)) {
      const a = left;
      const b = this.#both();
      left = (row) => a(row) || b(row);
    }
    return left;
  }

  /** Two conditions side by side are both wanted, with `and` or without. */
  #both(): RowFilter {
    let left = this.#one();
    while (!this.atEnd && !OR.has(this.peek.toLowerCase()) && this.peek !== ')') {
      this.#takes(AND);
      const a = left;
      const b = this.#one();
      left = (row) => a(row) && b(row);
    }
    return left;
  }

  #one(): RowFilter {
    if (this.#takes(NOT)) {
      const inner = this.#one();
      return (row) => !inner(row);
    }
    const word = this.#next('a condition').toLowerCase();
    if (word === '(') {
      const inner = this.either();
      if (this.#next(')') !== ')') throw new FilterError(') is missing');
      return inner;
    }
    if (word === 'dst' || word === 'src') return this.#host(word);
    if (word === 'dport' || word === 'sport') return this.#port(word);
    throw new FilterError(`'${word}' is neither dst, src, dport, sport, not nor (`);
  }

  #port(which: 'dport' | 'sport'): RowFilter {
    const operator = this.#next('a comparison').toLowerCase();
    const compare = COMPARE.get(operator);
    if (compare === undefined) throw new FilterError(`'${operator}' is no comparison`);
    const port = portOf(this.#next('a port').replace(/^\*?:/, ''));
    return (row) => compare(which === 'dport' ? row.remotePort : row.localPort, port);
  }

  #host(which: 'dst' | 'src'): RowFilter {
    const compare = COMPARE.get(this.peek.toLowerCase()) ?? null;
    if (compare !== null) this.#at++;
    if (compare !== null && compare !== eq && compare !== ne) {
      throw new FilterError(`${which} can be = or != an address`);
    }
    const matches = hostOf(this.#next('an address'));
    const is: RowFilter = (row) =>
      which === 'dst'
        ? matches(row.remoteAddress, row.remotePort)
        : matches(row.localAddress, row.localPort);
    return compare === ne ? (row) => !is(row) : is;
  }
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (port < 0 || port > 65_535) throw new FilterError(`'${text}' is no port`);
  return port;
}

/** `ADDR`, `ADDR/LEN`, either with `:PORT` (IPv6 then in brackets), `:PORT`, `*`. */
function hostOf(text: string): (address: string, port: number) => boolean {
  const whole = bitsOf(text);
  if (whole !== null) return (address) => within(address, whole);
  const parts = /^(?:\[([^\]]+)\](\/\d+)?|([^:[\]]*))(?::(\d+|\*))?$/.exec(text);
  if (parts === null) throw new FilterError(`'${text}' is no address`);
  const name = parts[1] === undefined ? (parts[3] as string) : `${parts[1]}${parts[2] ?? ''}`;
  const port = parts[4] === undefined || parts[4] === '*' ? -1 : portOf(parts[4]);
  const prefix = name === '' || name === '*' ? null : bitsOf(name);
  if (prefix === null && name !== '' && name !== '*') {
    throw new FilterError(`'${text}' is no address`);
  }
  return (address, p) => (prefix === null || within(address, prefix)) && (port < 0 || p === port);
}

interface Bits {
  readonly address: Address;
  readonly bits: number;
}

function bitsOf(text: string): Bits | null {
  const prefix = parsePrefix(
    text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`,
  );
  return prefix === null ? null : { address: prefix.address, bits: mappedLength(prefix) };
}

function within(text: string, { address, bits }: Bits): boolean {
  const own = parse(text);
  if (own === null || own.family !== address.family) return false;
  const differ =
    ((own.a ^ address.a) & maskWord(bits, 0)) |
    ((own.b ^ address.b) & maskWord(bits, 1)) |
    ((own.c ^ address.c) & maskWord(bits, 2)) |
    ((own.d ^ address.d) & maskWord(bits, 3));
  return differ === 0;
}
