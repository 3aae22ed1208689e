// Cutting a datagram into IPv6 fragments (RFC 8200 §4.5), at the sender only, as fragment.ts does
// it for IPv4: each part has a base header and a Fragment header of its own in the arena.

import { Code } from '../base/code.ts';
import { Ctr } from '../base/counters.ts';
import { TxFlag } from '../base/tx.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { completeChecksum, gatherPart, leaveRuns, makeRoom, takeRuns } from './fragment.ts';
import { count, type IpLayer } from './ip.ts';
import { transmit } from './output.ts';
import type { Path } from './path.ts';

const HEADERS = ipv6.HEADER + ipv6.FRAGMENT_HEADER;

/** Sends the datagram of `ip.tx`, whose header is written, in parts of at most `path.mtu`. */
export function fragment6(ip: IpLayer, path: Path, l4Len: number): Code {
  const tx = ip.tx;
  const most = (path.mtu - HEADERS) & ~7;
  if (most < 8) return fail(ip);
  if ((tx.flags & TxFlag.NEEDS_CSUM) !== 0) completeChecksum(ip);
  const parts = Math.ceil(l4Len / most);
  if (!makeRoom(ip, parts, HEADERS)) return fail(ip);
  const state = ip.fragments;
  takeRuns(ip, state);
  const original = tx.headerOff;
  const protocol = tx.protocol;
  const id = ip.idents.next6();
  let code: Code = Code.NONE;
  for (let i = 0; i < parts && code === Code.NONE; i++) {
    const from = i * most;
    const len = Math.min(most, l4Len - from);
    const off = ip.arena.take(HEADERS);
    tx.reset();
    tx.headerOff = off;
    tx.headerLen = HEADERS;
    tx.l4 = HEADERS;
    if (!gatherPart(ip, state, len)) {
      code = Code.ENOBUFS;
      break;
    }
    writeHeaders(ip, original, len, from | (i < parts - 1 ? 1 : 0), id);
    ip.slab.u8[off + ipv6.HEADER] = protocol;
    code = transmit(ip, path.linkId);
    if (code === Code.NONE) count(ip, Ctr.Ip6FragCreates);
  }
  leaveRuns(state);
  tx.reset();
  count(ip, code === Code.NONE ? Ctr.Ip6FragOKs : Ctr.Ip6FragFails);
  return code;
}

function fail(ip: IpLayer): Code {
  count(ip, Ctr.Ip6FragFails);
  return Code.EMSGSIZE;
}

/** The original's base header with another length, and a Fragment header behind it. */
function writeHeaders(ip: IpLayer, original: number, len: number, word: number, id: number): void {
  const { u8, view } = ip.slab;
  const off = ip.tx.headerOff;
  u8.copyWithin(off, original, original + ipv6.HEADER);
  view.setUint16(off + ipv6.Offset.PAYLOAD_LENGTH, ipv6.FRAGMENT_HEADER + len);
  u8[off + ipv6.Offset.NEXT_HEADER] = ipv6.Next.FRAGMENT;
  const at = off + ipv6.HEADER;
  view.setUint16(at, 0);
  view.setUint16(at + ipv6.Fragment.OFFSET, word);
  view.setInt32(at + ipv6.Fragment.ID, id);
}
