// TCP Fast Open (RFC 7413): data in the SYN, admitted by a cookie that the server made for the
// client's address. Off unless the program asks for it, on the listener and on the connect. A SYN
// that is sent again goes without data and without the option (§4.1.3, §4.2.2).

import { SipKey, sipHash } from '../base/hash.ts';
import type { Random } from '../base/random.ts';
import type { Rx } from '../base/rx.ts';
import { LossCause } from '../base/watch.ts';
import { Ctr, count } from '../ip/ip.ts';
import { Kind } from '../wire/tcp-options.ts';
import { resendOnly } from './mtu-probe.ts';
import { markLost } from './recovery.ts';
import { NIL, Seg } from './scoreboard.ts';
import type { Tcb } from './tcb.ts';
import type { TcpLayer } from './tcp.ts';

/** Ours; another server's has 4 to 16 octets, an even number (§4.1.1). */
export const COOKIE_LEN = 8;
const SHORTEST = 4;
const LONGEST = 16;
const MAX_PEERS = 1024;
/** Timeouts in a row, before this one, after which a black hole is suspected. */
const TIMEOUTS = 2;

/** What a client remembers of a server. */
class Peer {
  readonly cookie: Uint8Array;
  mss: number;
  constructor(cookie: Uint8Array, mss: number) {
    this.cookie = cookie;
    this.mss = mss;
  }
}

export class FastOpen {
  readonly #key1: SipKey;
  readonly #key2: SipKey;
  readonly #words = new Int32Array(4);
  /** Oldest first: Map keeps insertion order. */
  readonly #peers = new Map<string, Peer>();
  /** The cookie of the server's next SYN-ACK. */
  readonly own = new Uint8Array(COOKIE_LEN);

  #pauses = 0;
  #pausedUs = 0;

  constructor(random: Random) {
    this.#key1 = new SipKey(random);
    this.#key2 = new SipKey(random);
  }

  /** Makes the cookie for a client's address (§4.1.2) in `own`. */
  make(a: number, b: number, c: number, d: number): void {
    const w = this.#words;
    w[0] = a;
    w[1] = b;
    w[2] = c;
    w[3] = d;
    put(this.own, 0, sipHash(this.#key1, w, 4));
    put(this.own, 4, sipHash(this.#key2, w, 4));
  }

  /** Whether the `len` octets at `off` are the cookie in `own`; takes the same time for all. */
  matches(u8: Uint8Array, off: number, len: number): boolean {
    if (len !== COOKIE_LEN) return false;
    let difference = 0;
    for (let i = 0; i < COOKIE_LEN; i++) {
      difference |= (u8[off + i] as number) ^ (this.own[i] as number);
    }
    return difference === 0;
  }

  peer(t: Tcb): Peer | undefined {
    return this.#peers.get(nameOf(t));
  }

  remember(t: Tcb, cookie: Uint8Array): void {
    const name = nameOf(t);
    this.#peers.delete(name);
    if (this.#peers.size >= MAX_PEERS) {
      for (const oldest of this.#peers.keys()) {
        this.#peers.delete(oldest);
        break;
      }
    }
    this.#peers.set(name, new Peer(cookie, t.peerMss));
  }

  /** A SYN-ACK without a cookie: the one that is known stays, the segment size is news. */
  learnMss(t: Tcb): void {
    const peer = this.#peers.get(nameOf(t));
    if (peer !== undefined) peer.mss = t.peerMss;
  }

  forget(t: Tcb): void {
    this.#peers.delete(nameOf(t));
  }

  /** No SYN asks for `ms` now; each time twice as long, up to 64 times (Linux). */
  pause(nowUs: number): void {
    this.#pauses++;
    this.#pausedUs = nowUs;
  }

  /** A SYN's data has been taken: the path carries it after all. */
  trust(): void {
    this.#pauses = 0;
  }

  isPaused(nowUs: number, ms: number): boolean {
    if (this.#pauses === 0 || ms === 0) return false;
    return nowUs - this.#pausedUs < ms * 1000 * 2 ** Math.min(this.#pauses - 1, 6);
  }
}

function nameOf(t: Tcb): string {
  const p = t.path;
  return `${p.dst0}.${p.dst1}.${p.dst2}.${p.dst3}`;
}

function put(to: Uint8Array, at: number, word: number): void {
  to[at] = word >>> 24;
  to[at + 1] = word >>> 16;
  to[at + 2] = word >>> 8;
  to[at + 3] = word;
}

// --- the option in our segments -----------------------------------------------------------------

/** Octets of the option on our SYN or SYN-ACK; 0 = none. */
export function optionLen(t: Tcb, reply: boolean): number {
  if (reply) return t.fastOpenReply ? padded(COOKIE_LEN) : 0;
  if (t.synRetransmits > 0 || !wanted(t)) return 0;
  const peer = t.layer.fastOpen.peer(t);
  return padded(peer === undefined ? 0 : peer.cookie.length);
}

/** Kind, length, a cookie of `len` octets, and the NOPs that fill its last word. */
function padded(len: number): number {
  return (2 + len + 3) & ~3;
}

export function putOption(t: Tcb, view: DataView, at: number, reply: boolean): void {
  const layer = t.layer;
  let cookie: Uint8Array | null = null;
  if (reply) {
    const p = t.path;
    layer.fastOpen.make(p.dst0, p.dst1, p.dst2, p.dst3);
    cookie = layer.fastOpen.own;
  } else cookie = layer.fastOpen.peer(t)?.cookie ?? null;
  const len = cookie === null ? 0 : cookie.length;
  view.setUint8(at, Kind.FAST_OPEN);
  view.setUint8(at + 1, 2 + len);
  for (let i = 0; i < len; i++) view.setUint8(at + 2 + i, (cookie as Uint8Array)[i] as number);
  for (let i = 2 + len; i < padded(len); i++) view.setUint8(at + i, Kind.NOP);
}

// --- client -------------------------------------------------------------------------------------

function wanted(t: Tcb): boolean {
  const { config, fastOpen, ip } = t.layer;
  return t.fastOpen && !fastOpen.isPaused(ip.nowUs, config.fastOpenBlackholeMs);
}

/**
 * §4.1.3, and Linux's tcp_fastopen_active_detect_blackhole: boxes on the way may swallow the SYNs
 * of Fast Open, or what follows them. After the third timeout in a row of a connection that has
 * asked for it, or when that is given up before, nobody asks for a while.
 */
export function suspectBlackhole(t: Tcb, givenUp: boolean): void {
  if (t.layer.config.fastOpenBlackholeMs === 0 || !wanted(t)) return;
  if (t.retransmits !== TIMEOUTS && !(givenUp && t.retransmits < TIMEOUTS)) return;
  t.layer.fastOpen.pause(t.layer.ip.nowUs);
  count(t.layer.ip, Ctr.TcpExtTCPFastOpenBlackhole);
}

/** Room for data on the SYN: a cookie is known, and the peer's segment size. */
export function synRoom(t: Tcb): number {
  const peer = t.layer.fastOpen.peer(t);
  if (peer === undefined || !wanted(t)) return 0;
  const path = t.path.mtu - (t.path.family === 4 ? 40 : 60);
  return Math.max(0, Math.min(peer.mss, path) - 40);
}

/** Octets that may ride on the SYN. */
export function synDataLen(t: Tcb): number {
  return Math.min((t.sndEnd - (t.iss + 1)) | 0, synRoom(t));
}

/** The SYN-ACK has come (options parsed): the cookie, and whether the data was taken. */
export function synAcked(t: Tcb, rx: Rx): void {
  if (!t.fastOpen) return;
  const layer = t.layer;
  const o = layer.options;
  const len = o.fastOpenLen;
  if (len >= SHORTEST && len <= LONGEST && (len & 1) === 0) {
    layer.fastOpen.remember(t, rx.u8.slice(o.fastOpenOff, o.fastOpenOff + len));
  } else if (t.synData > 0 && len < 0 && t.synRetransmits > 0) layer.fastOpen.forget(t);
  else layer.fastOpen.learnMss(t);
  if (t.synData === 0) return;
  if (((t.sndUna - t.iss - 1 - t.synData) | 0) < 0) {
    // not all of it was taken: the rest goes again, at once (§4.2.1)
    count(layer.ip, Ctr.TcpExtTCPFastOpenActiveFail);
    const p = layer.segs;
    for (let i = t.board.head; i !== NIL; i = p.next[i] as number) {
      if (((p.flags[i] as number) & Seg.SYN) === 0) markLost(t, i, LossCause.SYN_DATA);
    }
    resendOnly(t);
  } else {
    t.synDataTaken = true;
    layer.fastOpen.trust();
    count(layer.ip, Ctr.TcpExtTCPFastOpenActive);
  }
}

// --- server -------------------------------------------------------------------------------------

/** What a SYN with this option wants: bits for `admit`. */
export const Admit = { NO: 0, REPLY_COOKIE: 1, DATA: 2 } as const;

/** Looks at the Fast Open option of a SYN for a listener with `limit` pending at most. */
export function admit(layer: TcpLayer, rx: Rx, pending: number, limit: number): number {
  const o = layer.options;
  if (limit === 0 || o.fastOpenLen < 0) return Admit.NO;
  if (o.fastOpenLen === 0) {
    count(layer.ip, Ctr.TcpExtTCPFastOpenCookieReqd);
    return Admit.REPLY_COOKIE;
  }
  layer.fastOpen.make(rx.src0, rx.src1, rx.src2, rx.src3);
  if (!layer.fastOpen.matches(rx.u8, o.fastOpenOff, o.fastOpenLen)) {
    count(layer.ip, Ctr.TcpExtTCPFastOpenPassiveFail);
    return Admit.REPLY_COOKIE;
  }
  if (pending >= limit) {
    // §5.1: so many spoofed or unanswered ones are enough: an ordinary handshake
    count(layer.ip, Ctr.TcpExtTCPFastOpenListenOverflow);
    return Admit.NO;
  }
  return Admit.DATA;
}
