// The length lattice of the parsers: every combination of frame length, IP total length, IHL, TCP
// data offset, UDP length and option lengths around their true values (-1, 0, +1, nothing, the
// most), and octets at random in the options. The model here says what each parser must answer; it
// is written from the RFCs' sentences and shares nothing with src/wire. Octets behind the frame are
// never read: a parser that does finds poison there and answers otherwise.

import { below, type Random, SeededRandom } from '../../src/base/random.ts';
import * as ipv4 from '../../src/wire/ipv4.ts';
import * as tcp from '../../src/wire/tcp.ts';
import { parse, TcpOptions } from '../../src/wire/tcp-options.ts';
import * as udp from '../../src/wire/udp.ts';

const GUARD = 64;
const LENGTHS = [0, 1, 7, 8, 9, 19, 20, 21, 23, 24, 39, 40, 41, 59, 60, 61, 79, 80, 100] as const;
const U16 = [0, 1, 7, 8, 9, 19, 20, 21, 28, 40, 59, 60, 61, 100, 255, 256, 0x7fff, 0xffff] as const;

export interface LatticeResult {
  executions: number;
}

/** The octets under test, with poison before and behind. */
class Frame {
  readonly u8 = new Uint8Array(512);
  readonly view = new DataView(this.u8.buffer);

  /** Poison of which every octet, read as a length, would be told apart. */
  poison(value: number): void {
    this.u8.fill(value);
  }
}

/** RFC 791 §3.1: the header fits the packet, the packet fits the frame. */
function ipModel(frame: number, version: number, ihl: number, total: number): boolean {
  return frame >= 20 && version === 4 && ihl >= 5 && ihl * 4 <= total && total <= frame;
}

/** All pairs of frame length, total length and IHL. */
export function ipLengths(f: Frame, r: LatticeResult): void {
  const { u8, view } = f;
  for (const poison of [0, 0xff, 0x45]) {
    f.poison(poison);
    for (const frame of LENGTHS) {
      for (let first = 0; first < 256; first++) {
        for (const total of U16) {
          u8[GUARD] = first;
          view.setUint16(GUARD + 2, total);
          const good = ipv4.check(u8, GUARD, frame) === 0;
          r.executions++;
          if (good === ipModel(frame, first >> 4, first & 15, total)) continue;
          throw new Error(`IPv4: frame ${frame}, first octet ${first}, total ${total}: ${good}`);
        }
      }
    }
  }
}

export function udpLengths(f: Frame, r: LatticeResult): void {
  for (const poison of [0, 0xff]) {
    f.poison(poison);
    for (let room = 0; room < 100; room++) {
      for (let length = 0; length < 130; length++) {
        const claimed = length === 129 ? 0xffff : length;
        f.view.setUint16(GUARD + 4, claimed);
        const good = udp.check(f.u8, GUARD, room) === 0;
        r.executions++;
        // RFC 768: the length counts the header; 1122 §4.1.3: and fits what came
        if (good !== (room >= 8 && claimed >= 8 && claimed <= room)) {
          throw new Error(`UDP: ${room} octets, length ${claimed}: ${good}`);
        }
      }
    }
  }
}

export function tcpOffsets(f: Frame, r: LatticeResult): void {
  for (let octet = 0; octet < 256; octet++) {
    f.u8[GUARD + 12] = octet;
    r.executions++;
    const n = tcp.headerLen(f.view, GUARD);
    if (n !== (octet >> 4) * 4) throw new Error(`TCP data offset ${octet}: ${n}`);
  }
}

/** What an option list means, octet by octet (RFC 9293 §3.1, MUST-6, MUST-7). */
interface Meaning {
  good: boolean;
  steps: number;
  mss: number;
  wscale: number;
  sackOk: boolean;
  ts: string;
  sacks: number;
}

function meaning(list: readonly number[]): Meaning {
  const m = { good: true, steps: 0, mss: -1, wscale: -1, sackOk: false, ts: '', sacks: 0 };
  const rest = [...list];
  while (rest.length > 0) {
    m.steps++;
    const kind = rest.shift();
    if (kind === 0) break;
    if (kind === 1) continue;
    const length = rest.shift();
    if (length === undefined || length < 2 || length - 2 > rest.length)
      return { ...m, good: false };
    const body = rest.splice(0, length - 2);
    const word = (i: number): number =>
      [0, 1, 2, 3].reduce((w, k) => (w << 8) | (body[i + k] as number), 0);
    if (kind === 2 && length === 4) m.mss = (body[0] as number) * 256 + (body[1] as number);
    if (kind === 3 && length === 3) m.wscale = Math.min(14, body[0] as number);
    if (kind === 4 && length === 2) m.sackOk = true;
    if (kind === 8 && length === 10) m.ts = `${word(0)}/${word(4)}`;
    if (kind === 5 && length >= 10 && (length - 2) % 8 === 0)
      m.sacks = Math.min(4, (length - 2) / 8);
  }
  return m;
}

/** One list of TCP options against the model. */
function tcpOptionList(f: Frame, list: readonly number[], o: TcpOptions, r: LatticeResult): void {
  f.u8.set(list, GUARD);
  const good = parse(f.view, GUARD, list.length, o);
  r.executions++;
  const m = meaning(list);
  if (good !== m.good) throw new Error(`TCP options [${list}]: ${good}`);
  if (!good) return;
  const ts = o.hasTs ? `${o.tsVal}/${o.tsEcr}` : '';
  if (
    o.mss !== m.mss ||
    o.wscale !== m.wscale ||
    o.sackOk !== m.sackOk ||
    ts !== m.ts ||
    o.sackCount !== m.sacks ||
    m.steps > list.length
  ) {
    throw new Error(`TCP options [${list}] read as ${JSON.stringify(o)}`);
  }
}

/** Every kind with every length in a list of every size: 256 × 42 × 11. */
export function tcpOptionLengths(f: Frame, r: LatticeResult): void {
  const o = new TcpOptions();
  for (const poison of [0, 2, 0xff]) {
    f.poison(poison);
    for (let size = 0; size <= 40; size += 4) {
      for (let kind = 0; kind < 256; kind++) {
        for (let length = 0; length < 42; length++) {
          const list = new Array<number>(size).fill(1);
          if (size > 0) list[0] = kind;
          if (size > 1) list[1] = length === 41 ? 255 : length;
          tcpOptionList(f, list, o, r);
        }
      }
    }
  }
}

const KINDS = [0, 1, 2, 3, 4, 5, 8, 34, 254] as const;
const SIZES = [0, 1, 2, 3, 4, 5, 9, 10, 11, 18, 26, 34, 40, 255] as const;

/** Lists of options at random: sound ones, nearly sound ones, noise. */
export function randomOptions(f: Frame, random: Random, n: number, r: LatticeResult): void {
  const o = new TcpOptions();
  for (let i = 0; i < n; i++) {
    f.poison(random.next());
    const list = Array.from({ length: below(random, 41) }, () => random.next() & 255);
    for (let at = 0; at + 1 < list.length && below(random, 6) > 0; ) {
      list[at] = KINDS[below(random, KINDS.length)] as number;
      if ((list[at] as number) < 2) at++;
      else {
        list[at + 1] = SIZES[below(random, SIZES.length)] as number;
        at += Math.max(1, list[at + 1] as number);
      }
    }
    tcpOptionList(f, list, o, r);
    ipOptionList(f, list, r);
  }
}

/** RFC 791 §3.1, RFC 7126: a source route or a length that leaves the header is refused. */
function ipOptionList(f: Frame, list: readonly number[], r: LatticeResult): void {
  const size = list.length & ~3;
  f.u8.set(list, GUARD + 20);
  const good = ipv4.checkOptions(f.u8, GUARD, 20 + size) === 0;
  r.executions++;
  const rest = list.slice(0, size);
  let wanted = true;
  while (rest.length > 0 && wanted) {
    const kind = rest.shift();
    if (kind === 0) break;
    if (kind === 1) continue;
    const length = rest.shift() ?? 0;
    wanted = kind !== 131 && kind !== 137 && length >= 2 && length - 2 <= rest.length;
    rest.splice(0, length - 2);
  }
  if (good !== wanted) throw new Error(`IP options [${list}]: ${good}`);
}

/** The whole lattice, and `n` random option lists. */
export function lattice(n: number, seed: number): LatticeResult {
  const f = new Frame();
  const r = { executions: 0 };
  ipLengths(f, r);
  udpLengths(f, r);
  tcpOffsets(f, r);
  tcpOptionLengths(f, r);
  randomOptions(f, new SeededRandom(seed), n, r);
  return r;
}

/** Only as fast as it goes: the parsers over noise, nothing compared; they must come back. */
export function rush(n: number, seed: number): number {
  const f = new Frame();
  const o = new TcpOptions();
  const random = new SeededRandom(seed);
  const words = new Int32Array(f.u8.buffer);
  let found = 0;
  for (let i = 0; i < n; i += 4) {
    const at = GUARD / 4 + (i & 15);
    for (let k = 0; k < 4; k++) words[at + k] = random.next();
    const size = i & 63;
    if (parse(f.view, GUARD, Math.min(40, size), o)) found++;
    found += ipv4.check(f.u8, GUARD, size);
    found += ipv4.checkOptions(f.u8, GUARD, 20 + (size & 40));
    found += udp.check(f.u8, GUARD, size);
  }
  return found;
}

export { Frame };
