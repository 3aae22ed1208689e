// SYN cookies (RFC 4987 §3.6): when the SYN queue is full the ISN itself remembers the SYN. It is
// keyed (new keys after each hour of use), good for two epochs of 64 s, and believed only after a
// recent overflow.
//
//   cookie = F1(4-tuple) + IRS + epoch·2^24 + MSS index·2^21 + (F2(4-tuple, epoch, IRS) mod 2^21)
//
// The index stands above the hash and the peer's number is inside of it: an ACK that is one octet
// off, on either side, is no cookie with another index (a stream would begin in the wrong place).
// What does not fit goes into the low six bits of the timestamp that the peer echoes: window scale
// (15 = none), SACK-permitted, ECN.

import { SipKey, sipFlow, sipFlowWith } from '../base/hash.ts';
import type { Random } from '../base/random.ts';
import type { TcpOptions } from '../wire/tcp-options.ts';

const EPOCH_US = 64_000_000;
/** Keys that have made cookies for so long are replaced. */
const KEY_US = 3_600_000_000;
/** A cookie of an older epoch than this many is refused. */
const MAX_AGE = 2;
const MSS_TABLE = [64, 216, 536, 1200, 1300, 1440, 1460, 8960];
const INDEX_SHIFT = 21;
const INDEX_MASK = 7;
const HASH_MASK = (1 << INDEX_SHIFT) - 1;
const NO_SCALE = 15;
const SACK_BIT = 16;
const ECN_BIT = 32;
const TS_BITS = 6;
export const TS_MASK = (1 << TS_BITS) - 1;

export class SynCookies {
  readonly #random: Random;
  #key1: SipKey;
  #key2: SipKey;
  #keySinceUs = 0;
  /** The keys before: their cookies are good until `#oldUntilUs`. */
  #old1: SipKey;
  #old2: SipKey;
  #oldUntilUs = -Infinity;
  /** When a cookie was last handed out, µs; -Infinity = never. */
  #lastUs = -Infinity;

  constructor(random: Random) {
    this.#random = random;
    this.#key1 = new SipKey(random);
    this.#key2 = new SipKey(random);
    this.#old1 = this.#key1;
    this.#old2 = this.#key2;
  }

  /** ISN for the flow in `key` (nine words) and the peer's ISN. */
  make(key: Int32Array, irs: number, mss: number, nowUs: number): number {
    this.#rotate(nowUs);
    this.#lastUs = nowUs;
    let index = MSS_TABLE.length - 1;
    while (index > 0 && (MSS_TABLE[index] as number) > mss) index--;
    const epoch = Math.floor(nowUs / EPOCH_US);
    const low = (index << INDEX_SHIFT) | second(this.#key2, key, epoch, irs);
    return (sipFlow(this.#key1, key) + irs + (epoch << 24) + low) | 0;
  }

  /** Whether cookies were handed out lately. */
  active(nowUs: number): boolean {
    return nowUs - this.#lastUs <= EPOCH_US * MAX_AGE;
  }

  /** MSS of a cookie that was ours and is still good; 0 otherwise. */
  check(key: Int32Array, irs: number, cookie: number, nowUs: number): number {
    if (!this.active(nowUs)) return 0;
    const epoch = Math.floor(nowUs / EPOCH_US);
    const rest = (cookie - sipFlow(this.#key1, key) - irs) | 0;
    const mss = mssOf(this.#key2, key, epoch, irs, rest);
    if (mss > 0 || nowUs >= this.#oldUntilUs) return mss;
    return mssOf(this.#old2, key, epoch, irs, (cookie - sipFlow(this.#old1, key) - irs) | 0);
  }

  /** New keys after an hour of use; what the old ones have made stays good for its time. */
  #rotate(nowUs: number): void {
    if (this.#lastUs === -Infinity) this.#keySinceUs = nowUs;
    if (nowUs - this.#keySinceUs < KEY_US) return;
    this.#old1 = this.#key1;
    this.#old2 = this.#key2;
    this.#oldUntilUs = nowUs + EPOCH_US * MAX_AGE;
    this.#key1 = new SipKey(this.#random);
    this.#key2 = new SipKey(this.#random);
    this.#keySinceUs = nowUs;
  }

  /** Timestamp that carries the options of a SYN; never later than `tsNow`. */
  stamp(tsNow: number, o: TcpOptions, ecn: boolean): number {
    const bits =
      (o.wscale >= 0 ? o.wscale : NO_SCALE) | (o.sackOk ? SACK_BIT : 0) | (ecn ? ECN_BIT : 0);
    let ts = (tsNow & ~TS_MASK) | bits;
    if (((ts - tsNow) | 0) > 0) ts -= 1 << TS_BITS;
    return ts | 0;
  }

  /** Reads `stamp` back from the echo into `o`; answers whether ECN was agreed. */
  unstamp(tsEcr: number, o: TcpOptions): boolean {
    const scale = tsEcr & 15;
    o.wscale = scale === NO_SCALE ? -1 : Math.min(scale, 14);
    o.sackOk = (tsEcr & SACK_BIT) !== 0;
    return (tsEcr & ECN_BIT) !== 0;
  }
}

/** MSS of what is left of a cookie without its flow and IRS; 0 when it is none of ours. */
function mssOf(key2: SipKey, key: Int32Array, epoch: number, irs: number, rest: number): number {
  const age = (epoch - (rest >>> 24)) & 0xff;
  if (age >= MAX_AGE) return 0;
  if ((rest & HASH_MASK) !== second(key2, key, epoch - age, irs)) return 0;
  return MSS_TABLE[(rest >>> INDEX_SHIFT) & INDEX_MASK] as number;
}

function second(key2: SipKey, key: Int32Array, epoch: number, irs: number): number {
  return sipFlowWith(key2, key, epoch, irs) & HASH_MASK;
}
