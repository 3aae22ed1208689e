// A packet in a line, with numbers that begin at zero for each connection, and the rule that made
// it be sent, as far as it shows.

import { flagNames, headersOf, icmpName, protocolName, u16, u32 } from './packets.ts';

export interface PacketLine {
  src: string;
  dst: string;
  proto: string;
  info: string;
  /** The RFC's reason for it, '' where nothing is to be said. */
  why: string;
  /** A segment with something that was sent before. */
  again: boolean;
}

const Bit = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, ECE: 64, CWR: 128 } as const;
/** Connections whose beginnings are remembered. */
const MOST_FLOWS = 4096;

interface Half {
  first: number;
  /** Number behind the last octet that was sent. */
  next: number;
  scale: number;
  window: number;
  lastAck: number;
}

/** Reads packets in their order; one reader for each place where packets are seen. */
export class PacketReader {
  readonly #halves = new Map<string, Half>();

  read(b: Uint8Array): PacketLine {
    const ip = headersOf(b);
    if (ip === null) {
      const info = `${b.length} octets that are no IP packet`;
      return { src: '', dst: '', proto: '?', info, why: '', again: false };
    }
    const { src, dst, protocol, l4 } = ip;
    const proto = protocolName(protocol);
    const line = { src, dst, proto, info: `${ip.total} octets`, why: '', again: false };
    if (l4 < 0) return { ...line, info: 'fragment', why: 'RFC 791 §3.2: a part of a datagram' };
    if (protocol === 6 && b.length >= l4 + 20) return { ...line, ...this.#segment(b, ip) };
    if (protocol === 17) {
      const info = `${u16(b, l4)} → ${u16(b, l4 + 2)} Len=${u16(b, l4 + 4) - 8}`;
      return { ...line, info };
    }
    if (protocol === 1 || protocol === 58) {
      const [type, code] = [b[l4] ?? 0, b[l4 + 1] ?? 0];
      return { ...line, info: icmpName(protocol, type, code), why: icmpWhy(protocol, type, code) };
    }
    return line;
  }

  #half(key: string, seq: number): Half {
    let half = this.#halves.get(key);
    if (half === undefined) {
      if (this.#halves.size >= MOST_FLOWS) this.#halves.clear();
      half = { first: seq, next: seq, scale: -1, window: -1, lastAck: -1 };
      this.#halves.set(key, half);
    }
    return half;
  }

  #segment(
    b: Uint8Array,
    { src, dst, l4, total }: { src: string; dst: string; l4: number; total: number },
  ): { info: string; why: string; again: boolean } {
    const [from, to] = [u16(b, l4), u16(b, l4 + 2)];
    const flags = b[l4 + 13] as number;
    const seq = u32(b, l4 + 4);
    const head = ((b[l4 + 12] as number) >> 4) * 4;
    const len = total - l4 - head;
    const own = `${src} ${from} ${dst} ${to}`;
    if ((flags & Bit.SYN) !== 0 && this.#halves.get(own)?.first !== seq) this.#halves.delete(own);
    const half = this.#half(own, seq);
    const other = this.#halves.get(`${dst} ${to} ${src} ${from}`);
    const options = optionsOf(b, l4 + 20, Math.min(l4 + head, b.length));
    if ((flags & Bit.SYN) !== 0) half.scale = options.scale;
    const scaled = (flags & Bit.SYN) === 0 && half.scale > 0 && (other?.scale ?? -1) >= 0;
    const window = u16(b, l4 + 14) * (scaled ? 2 ** half.scale : 1);
    const relative = (seq - half.first) | 0;
    const takes = len + (flags & Bit.SYN ? 1 : 0) + (flags & Bit.FIN ? 1 : 0);
    const again = takes > 0 && ((seq - half.next) | 0) < 0;
    const ack = (flags & Bit.ACK) === 0 ? -1 : (u32(b, l4 + 8) - (other?.first ?? 0)) >>> 0;
    const seen = { flags, len, window, ack, again, seq: relative, sacks: options.sacks.length };
    const why = segmentWhy(seen, half);
    if (!again) half.next = (seq + takes) >>> 0;
    half.window = window;
    half.lastAck = ack;
    const words = [`${from} → ${to} [${flagNames(flags)}]`, `Seq=${relative}`];
    if (ack >= 0) words.push(`Ack=${ack}`);
    words.push(`Win=${window}`, `Len=${len}`, ...options.words);
    const first = other?.first ?? 0;
    for (const [a, z] of options.sacks)
      words.push(`SACK=${(a - first) >>> 0}-${(z - first) >>> 0}`);
    return { info: words.join(' '), why, again };
  }
}

interface Options {
  words: string[];
  sacks: [number, number][];
  scale: number;
}

function optionsOf(b: Uint8Array, from: number, end: number): Options {
  const found: Options = { words: [], sacks: [], scale: -1 };
  for (let at = from; at < end; ) {
    const kind = b[at] as number;
    if (kind === 0) break;
    if (kind === 1) {
      at++;
      continue;
    }
    const len = b[at + 1] ?? 0;
    if (len < 2 || at + len > end) break;
    if (kind === 2) found.words.push(`MSS=${u16(b, at + 2)}`);
    else if (kind === 3) {
      found.scale = b[at + 2] as number;
      found.words.push(`WS=${2 ** found.scale}`);
    } else if (kind === 4) found.words.push('SACK_PERM');
    else if (kind === 5) {
      for (let i = at + 2; i + 8 <= at + len; i += 8) found.sacks.push([u32(b, i), u32(b, i + 4)]);
    }
    at += len;
  }
  return found;
}

interface Seen {
  flags: number;
  len: number;
  window: number;
  ack: number;
  again: boolean;
  seq: number;
  sacks: number;
}

/** The rule behind a segment, the most telling one. */
function segmentWhy({ flags, len, window, ack, again, sacks }: Seen, half: Half): string {
  if ((flags & Bit.RST) !== 0) return 'RFC 9293 §3.5.2: a reset ends it';
  if ((flags & Bit.SYN) !== 0) {
    if (again) return 'RFC 6298 §5.4: the SYN again';
    const answer = (flags & Bit.ACK) !== 0;
    return answer ? 'RFC 9293 §3.5: SYN answered with a SYN' : 'RFC 9293 §3.5: asks to connect';
  }
  if (again) {
    if (len === 1 && half.window >= 0) return 'RFC 9293 §3.8.6.1: a probe, or sent again';
    return 'RFC 8985 §6, RFC 6298 §5.4: sent again';
  }
  if ((flags & Bit.FIN) !== 0) return 'RFC 9293 §3.6: nothing more to send';
  if (len > 0) return '';
  if (window === 0) return 'RFC 9293 §3.8.6: no room, stop';
  if (sacks > 0) return 'RFC 2018 §4: a gap, and what lies beyond it';
  if (half.window === 0) return 'RFC 9293 §3.8.6.2.2: there is room again';
  if (ack === half.lastAck && window !== half.window) return 'RFC 9293 §3.8.6: window update';
  if (ack === half.lastAck) return 'RFC 5681 §2: a duplicate acknowledgment';
  return '';
}

function icmpWhy(protocol: number, type: number, code: number): string {
  if (protocol === 1 && type === 3 && code === 4) return 'RFC 1191 §3: too long for the next link';
  if (protocol === 58 && type === 2) return 'RFC 8201 §3: too long for the next link';
  if (protocol === 1 && type === 3 && code === 3) return 'RFC 1122 §4.1.3.1: nobody has the port';
  if (protocol === 58 && type === 1 && code === 4) return 'RFC 4443 §3.1: nobody has the port';
  return '';
}
