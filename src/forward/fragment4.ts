// A router cuts an IPv4 packet without DF that is too large for its next link (RFC 791 §3.2, RFC
// 1812 §5.2.6): also a fragment. Headers are built in the arena, the payload stays where it lies.

import { Code } from '../base/code.ts';
import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import type { Rx } from '../base/rx.ts';
import { HEADROOM } from '../base/tx.ts';
import { completePartial } from '../ip/icmp-quote.ts';
import { count, drop, flushLinks, type IpLayer } from '../ip/ip.ts';
import { transmit } from '../ip/output.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { describeTx } from './pass.ts';

/** RFC 791 §3.1: the bit of an option's type that says "in every fragment". */
const COPIED = 0x80;
const END = 0;
const NO_OPERATION = 1;

/** Sends the packet in `rx`, whose TTL is counted down already, in parts of at most `mtu`. */
export function forwardParts(ip: IpLayer, rx: Rx, out: number, mtu: number): void {
  const header = rx.ipHeaderLen;
  const most = (mtu - header) & ~7;
  const word = ipv4.fragmentWord(rx.u8, rx.off);
  const first = word & ipv4.OFFSET_MASK;
  // The reach of a fragment's own offset is what the sender has seen to.
  if (most < 8 || (first << 3) + rx.l4Len > ipv4.MAX_PACKET) {
    count(ip, Ctr.IpFragFails);
    drop(ip, rx, Drop.PKT_TOO_BIG);
    return;
  }
  completePartial(ip, rx);
  const parts = Math.ceil(rx.l4Len / most);
  const need = parts * ((HEADROOM + header + 63) & ~63);
  if (ip.arena.size - ip.arena.used < need) flushLinks(ip);
  const tx = ip.tx;
  let code: Code = Code.NONE;
  for (let i = 0; i < parts && code === Code.NONE; i++) {
    const from = i * most;
    const len = Math.min(most, rx.l4Len - from);
    const off = ip.arena.take(header);
    if (off < 0) {
      code = Code.ENOBUFS;
      break;
    }
    tx.reset();
    tx.headerOff = off;
    tx.headerLen = header;
    tx.l4 = header;
    describeTx(ip, rx);
    tx.gather(null, rx.l4Off + from, len);
    const more = i < parts - 1 ? ipv4.MF : word & ipv4.MF;
    writeHeader(ip, rx, len, more | (first + (from >>> 3)));
    if (i > 0) dropOptions(ip, off, header);
    ipv4.seal(ip.slab.u8, off, header);
    code = transmit(ip, out);
    if (code === Code.NONE) count(ip, Ctr.IpFragCreates);
  }
  count(ip, code === Code.NONE ? Ctr.IpFragOKs : Ctr.IpFragFails);
}

function writeHeader(ip: IpLayer, rx: Rx, len: number, word: number): void {
  const { u8, view } = ip.slab;
  const off = ip.tx.headerOff;
  u8.copyWithin(off, rx.off, rx.off + rx.ipHeaderLen);
  view.setUint16(off + ipv4.Offset.TOTAL_LENGTH, rx.ipHeaderLen + len);
  view.setUint16(off + ipv4.Offset.FRAGMENT, word);
}

/** Options that are not for every fragment become padding in those behind the first. */
function dropOptions(ip: IpLayer, off: number, header: number): void {
  const u8 = ip.slab.u8;
  const end = off + header;
  let at = off + ipv4.MIN_HEADER;
  // Their lengths were checked on arrival (wire/ipv4.ts, checkOptions).
  while (at < end && u8[at] !== END) {
    const type = u8[at] as number;
    const len = type === NO_OPERATION ? 1 : Math.max(2, u8[at + 1] as number);
    if ((type & COPIED) === 0) u8.fill(NO_OPERATION, at, Math.min(at + len, end));
    at += len;
  }
}
