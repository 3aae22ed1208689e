// Cutting a datagram into fragments (RFC 791 §3.2), at the sender only. The transport checksum is
// completed first, since no link can complete it over several packets. Every fragment gets a header
// of its own in the arena; the payload stays where it is and is named by pieces.

import { Code } from '../base/code.ts';
import { Ctr } from '../base/counters.ts';
import { HEADROOM, MAX_PIECES, TxFlag } from '../base/tx.ts';
import * as checksum from '../wire/checksum.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { count, flushLinks, type IpLayer } from './ip.ts';
import { transmit } from './output.ts';
import type { Path } from './path.ts';

/** The whole datagram while its parts go out: run 0 is the transport header's run in the slab. */
export class FragmentState {
  readonly buf = new Array<Uint8Array | null>(MAX_PIECES + 1).fill(null);
  readonly off = new Int32Array(MAX_PIECES + 1);
  readonly len = new Int32Array(MAX_PIECES + 1);
  runs = 0;
  /** Where the next fragment goes on: run and octet within it. */
  run = 0;
  at = 0;
}

/** Sends the datagram of `ip.tx`, whose header is written, in parts of at most `path.mtu`. */
export function fragment(ip: IpLayer, path: Path, l4Len: number): Code {
  const tx = ip.tx;
  // RFC 791 §3.2: all fragments but the last carry a multiple of eight octets.
  const most = (path.mtu - ipv4.MIN_HEADER) & ~7;
  if (most < 8) return fail(ip);
  if ((tx.flags & TxFlag.NEEDS_CSUM) !== 0) completeChecksum(ip);
  const parts = Math.ceil(l4Len / most);
  if (!makeRoom(ip, parts, ipv4.MIN_HEADER)) return fail(ip);
  const state = ip.fragments;
  takeRuns(ip, state);
  const original = tx.headerOff;
  const id = ipv4.id(ip.slab.u8, original);
  let code: Code = Code.NONE;
  for (let i = 0; i < parts && code === Code.NONE; i++) {
    const from = i * most;
    const len = Math.min(most, l4Len - from);
    const off = ip.arena.take(ipv4.MIN_HEADER);
    tx.reset();
    tx.headerOff = off;
    tx.headerLen = ipv4.MIN_HEADER;
    tx.l4 = ipv4.MIN_HEADER;
    if (!gatherPart(ip, state, len)) {
      code = Code.ENOBUFS;
      break;
    }
    const word = (from >>> 3) | (i < parts - 1 ? ipv4.MF : 0);
    writeHeader(ip, original, ipv4.MIN_HEADER + len, (id << 16) | word);
    code = transmit(ip, path.linkId);
    if (code === Code.NONE) count(ip, Ctr.IpFragCreates);
  }
  leaveRuns(state);
  tx.reset();
  count(ip, code === Code.NONE ? Ctr.IpFragOKs : Ctr.IpFragFails);
  return code;
}

function fail(ip: IpLayer): Code {
  count(ip, Ctr.IpFragFails);
  return Code.EMSGSIZE;
}

/**
 * Sums transport header and pieces into the checksum field, which holds the pseudo-header's sum.
 */
export function completeChecksum(ip: IpLayer): void {
  const tx = ip.tx;
  const u8 = ip.slab.u8;
  const l4 = tx.headerOff + tx.l4;
  let length = tx.headerLen - tx.l4;
  let total = ip.sum(l4, length, 0);
  for (let i = 0; i < tx.pieces; i++) {
    const buf = tx.pieceBuf[i] ?? u8;
    const n = tx.pieceLen[i] as number;
    const part = checksum.sum(buf, tx.pieceOff[i] as number, n, 0);
    total = checksum.fold(total) + ((length & 1) === 0 ? part : checksum.swap(part));
    length += n;
  }
  const sum = checksum.finish(total);
  // RFC 768: a computed zero is sent as all ones, for zero means "no checksum".
  const field = sum === 0 && tx.protocol === ipv4.Proto.UDP ? 0xffff : sum;
  u8[l4 + tx.csumOffset] = field >>> 8;
  u8[l4 + tx.csumOffset + 1] = field & 255;
  tx.flags &= ~TxFlag.NEEDS_CSUM;
}

/** Makes sure that no header of the parts asks for a flush while the original is still needed. */
export function makeRoom(ip: IpLayer, parts: number, header: number): boolean {
  const tx = ip.tx;
  const arena = ip.arena;
  const need = parts * ((HEADROOM + header + 63) & ~63);
  if (arena.size - arena.used >= need) return true;
  const length = tx.headerLen;
  if (need + HEADROOM + length + 63 > arena.size) return false;
  flushLinks(ip);
  const moved = arena.take(length);
  ip.slab.u8.copyWithin(moved, tx.headerOff, tx.headerOff + length);
  tx.headerOff = moved;
  return true;
}

export function takeRuns(ip: IpLayer, state: FragmentState): void {
  const tx = ip.tx;
  state.buf[0] = null;
  state.off[0] = tx.headerOff + tx.l4;
  state.len[0] = tx.headerLen - tx.l4;
  for (let i = 0; i < tx.pieces; i++) {
    state.buf[i + 1] = tx.pieceBuf[i] as Uint8Array | null;
    state.off[i + 1] = tx.pieceOff[i] as number;
    state.len[i + 1] = tx.pieceLen[i] as number;
  }
  state.runs = tx.pieces + 1;
  state.run = 0;
  state.at = 0;
}

/** Lets go of the program's memory. */
export function leaveRuns(state: FragmentState): void {
  for (let i = 0; i < state.runs; i++) state.buf[i] = null;
  state.runs = 0;
}

export function gatherPart(ip: IpLayer, state: FragmentState, len: number): boolean {
  let left = len;
  while (left > 0 && state.run < state.runs) {
    const n = Math.min(left, (state.len[state.run] as number) - state.at);
    if (n > 0) {
      const buf = state.buf[state.run] as Uint8Array | null;
      if (!ip.tx.gather(buf, (state.off[state.run] as number) + state.at, n)) return false;
    }
    left -= n;
    state.at += n;
    if (state.at === state.len[state.run]) {
      state.run++;
      state.at = 0;
    }
  }
  return left === 0;
}

/** The original's header with another length and fragment word. */
function writeHeader(ip: IpLayer, original: number, total: number, word1: number): void {
  const { u8, view } = ip.slab;
  const off = ip.tx.headerOff;
  u8.copyWithin(off, original, original + ipv4.MIN_HEADER);
  view.setUint16(off + ipv4.Offset.TOTAL_LENGTH, total);
  view.setInt32(off + ipv4.Offset.ID, word1);
  ipv4.seal(u8, off, ipv4.MIN_HEADER);
}
