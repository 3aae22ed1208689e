// The filter language of captures: a small part of pcap-filter(7), and words for what only the
// stack knows. `host`, `net`, `port`, `portrange`, each with `src` or `dst`; protocols; TCP's
// flags; `in`, `out`, `less`, `greater`, `drop [REASON]`; `and`, `or`, `not`, parentheses.

import { mappedLength, maskWord, type Prefix, parse, parsePrefix } from '../wire/address.ts';
import type { PacketView } from './packet-view.ts';

export type PacketFilter = (p: PacketView) => boolean;

/** What is wrong with a filter, for its author. */
export class CaptureFilterError extends Error {
  override readonly name = 'CaptureFilterError';
}

const PROTOCOLS: Readonly<Record<string, PacketFilter>> = {
  ip: (p) => p.version === 4,
  ip6: (p) => p.version === 6,
  tcp: (p) => p.protocol === 6,
  udp: (p) => p.protocol === 17,
  icmp: (p) => p.version === 4 && p.protocol === 1,
  icmp6: (p) => p.version === 6 && p.protocol === 58,
  igmp: (p) => p.version === 4 && p.protocol === 2,
};
const FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr'];
type Side = 'src' | 'dst' | 'either';
/** Words and depth of parentheses. */
const MOST_WORDS = 512;
const MOST_DEPTH = 32;

function wordsOf(text: string): string[] {
  return text
    .replace(/(&&|\|\||[()!])/g, ' $1 ')
    .split(/\s+/)
    .filter((word) => word !== '');
}

/** `` takes everything. Throws CaptureFilterError. */
export function parsePacketFilter(text: string): PacketFilter {
  const words = wordsOf(text);
  if (words.length > MOST_WORDS) throw new CaptureFilterError('this filter is too long');
  if (words.length === 0) return () => true;
  const parser = new Parser(words);
  const filter = parser.either(0);
  parser.end();
  return filter;
}

class Parser {
  readonly #words: readonly string[];
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  #peek(): string {
    return this.#words[this.#at] ?? '';
  }

  #next(wanted: string): string {
    const word = this.#words[this.#at++];
    if (word === undefined) throw new CaptureFilterError(`the filter ends where ${wanted} belongs`);
    return word;
  }

  #takes(...words: string[]): boolean {
    if (!words.includes(this.#peek())) return false;
    this.#at++;
    return true;
  }

  end(): void {
    if (this.#at < this.#words.length) {
      throw new CaptureFilterError(`'${this.#peek()}' does not belong there`);
    }
  }

  either(depth: number): PacketFilter {
    if (depth > MOST_DEPTH) throw new CaptureFilterError('too many parentheses');
    let left = this.#both(depth);
    while (this.#takes('or', '||')) {
      const [one, other] = [left, this.#both(depth)];
      left = (p) => one(p) || other(p);
    }
    return left;
  }

  #both(depth: number): PacketFilter {
    let left = this.#not(depth);
    while (this.#takes('and', '&&')) {
      const [one, other] = [left, this.#not(depth)];
      left = (p) => one(p) && other(p);
    }
    return left;
  }

  #not(depth: number): PacketFilter {
    if (this.#takes('not', '!')) {
      const inner = this.#not(depth + 1);
      return (p) => !inner(p);
    }
    if (!this.#takes('(')) return this.#primitive();
    const inner = this.either(depth + 1);
    if (!this.#takes(')')) throw new CaptureFilterError("a ')' is missing");
    return inner;
  }

  #primitive(): PacketFilter {
    const protocol = Object.hasOwn(PROTOCOLS, this.#peek()) ? this.#next('') : '';
    const test = PROTOCOLS[protocol];
    const qualified = ['src', 'dst', 'host', 'net', 'port', 'portrange'].includes(this.#peek());
    if (test !== undefined) {
      // `tcp port 80` means both
      if (!qualified) return test;
      const rest = this.#qualified();
      return (p) => test(p) && rest(p);
    }
    return qualified ? this.#qualified() : this.#word();
  }

  #word(): PacketFilter {
    const word = this.#next('a condition');
    const flag = FLAGS.indexOf(/^tcp\[([a-z]+)\]$/.exec(word)?.[1] ?? word);
    if (flag >= 0) return (p) => (p.flags & (1 << flag)) !== 0;
    switch (word) {
      case 'in':
      case 'inbound':
        return (p) => p.inbound;
      case 'out':
      case 'outbound':
        return (p) => !p.inbound;
      case 'less':
      case 'greater': {
        const n = number(this.#next('a length'), 65_575);
        return word === 'less' ? (p) => p.length <= n : (p) => p.length >= n;
      }
      case 'proto': {
        const n = number(this.#next('a protocol'), 255);
        return (p) => p.protocol === n;
      }
      case 'drop':
        return this.#drop();
      default:
        if (parse(word) !== null || parsePrefix(word) !== null) return hosts(word, 'either');
        throw new CaptureFilterError(`'${word}' is no word of this filter`);
    }
  }

  #drop(): PacketFilter {
    if (!/^[A-Z][A-Z0-9_]+$/.test(this.#peek())) return (p) => p.reason !== '';
    const reason = this.#next('');
    return (p) => p.reason === reason;
  }

  #qualified(): PacketFilter {
    const side: Side = this.#takes('src') ? 'src' : this.#takes('dst') ? 'dst' : 'either';
    const kind = this.#next('host, net or port');
    switch (kind) {
      case 'host':
      case 'net':
        return hosts(this.#next('an address'), side);
      case 'port': {
        const n = number(this.#next('a port'), 65_535);
        return ports(n, n, side);
      }
      case 'portrange': {
        const [, low, high] = /^(\d+)-(\d+)$/.exec(this.#next('LOW-HIGH')) ?? [];
        if (low === undefined || high === undefined) {
          throw new CaptureFilterError('portrange needs LOW-HIGH');
        }
        return ports(number(low, 65_535), number(high, 65_535), side);
      }
      default:
        return hosts(kind, side);
    }
  }
}

function number(text: string, most: number): number {
  const n = /^\d{1,5}$/.test(text) ? Number(text) : most + 1;
  if (n > most) throw new CaptureFilterError(`'${text}' is not a number up to ${most}`);
  return n;
}

function ports(low: number, high: number, side: Side): PacketFilter {
  const fits = (port: number): boolean => port >= low && port <= high;
  if (side === 'src') return (p) => fits(p.srcPort);
  if (side === 'dst') return (p) => fits(p.dstPort);
  return (p) => fits(p.srcPort) || fits(p.dstPort);
}

function hosts(text: string, side: Side): PacketFilter {
  const address = parse(text);
  const prefix: Prefix | null =
    address === null ? parsePrefix(text) : { address, length: address.family === 4 ? 32 : 128 };
  if (prefix === null) throw new CaptureFilterError(`'${text}' is no address and no network`);
  const length = mappedLength(prefix);
  const fits = (one: PacketView['src']): boolean => {
    if (one === null) return false;
    const { a, b, c, d } = prefix.address;
    return (
      ((one.a ^ a) & maskWord(length, 0)) === 0 &&
      ((one.b ^ b) & maskWord(length, 1)) === 0 &&
      ((one.c ^ c) & maskWord(length, 2)) === 0 &&
      ((one.d ^ d) & maskWord(length, 3)) === 0
    );
  };
  if (side === 'src') return (p) => fits(p.src);
  if (side === 'dst') return (p) => fits(p.dst);
  return (p) => fits(p.src) || fits(p.dst);
}
