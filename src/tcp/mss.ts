// Segment sizes: what we announce, what we send, and what path MTU changes (RFC 1191, RFC 9293
// §3.7.1, RFC 5927 §7) and black holes (RFC 4821 §7.8 in its simplest form) do to them.

import { LossCause } from '../base/watch.ts';
import { acceptPmtu } from '../ip/icmp.ts';
import { Ctr, count } from '../ip/ip.ts';
import { selectPath } from '../ip/output.ts';
import { HEADER_LEN } from '../wire/tcp.ts';
import { beginSearch, MtuProbing, resendOnly } from './mtu-probe.ts';
import { recount } from './records.ts';
import { markLost } from './recovery.ts';
import { NIL, Seg } from './scoreboard.ts';
import { Ca, Ready, type Tcb } from './tcb.ts';
import { wake } from './tcp.ts';

/** RFC 9293 §3.7.1: without the option (MUST-15). */
export const DEFAULT_MSS4 = 536;
export const DEFAULT_MSS6 = 1220;
/** A black hole is suspected after so many timeouts in a row; then segments shrink to this. */
const BLACK_HOLE_TIMEOUTS = 3;
const BLACK_HOLE_MSS = 1024;
const BLACK_HOLE_LAST_MSS = 512;
/** Every IPv6 path carries 1280 octets (RFC 8200 §5). */
const SURE_MSS6 = 1220;

function ipHeaderLen(t: Tcb): number {
  return t.path.family === 4 ? 20 : 40;
}

/** The MSS option of our SYN: the link's MTU, never the path's (RFC 6691). */
export function advertiseMss(t: Tcb): void {
  const link = t.layer.ip.links[t.path.linkId];
  const mtu = link === null || link === undefined ? t.path.mtu : link.mtu;
  t.advMss = Math.min(65535, Math.max(88, mtu - ipHeaderLen(t) - HEADER_LEN));
  if (t.wantedMss > 0) t.advMss = Math.min(t.advMss, t.wantedMss);
}

/** MUST-16: the smaller of the peer's limit and the path's, less the options of each segment. */
export function updateMss(t: Tcb): void {
  const full = fullMss(t);
  if (t.mssLimit === 0) searchFromBelow(t, full);
  // a router has spoken meanwhile: what is larger would not even leave
  if (t.searchHigh > full) t.searchHigh = full;
  t.mss = t.mssLimit > 0 ? Math.min(full, t.mssLimit) : full;
  // a search goes no further than the path is known to reach
  if (t.searchHigh > full) t.searchHigh = full;
  if (t.probeLen > full) t.probeLen = 0;
}

/** RFC 4821 §7.2: without trust in ICMP a connection begins with what nearly every path carries. */
function searchFromBelow(t: Tcb, full: number): void {
  if (t.layer.config.mtuProbing !== MtuProbing.ALWAYS || t.path.local) return;
  const base = (t.path.family === 4 ? BLACK_HOLE_MSS : SURE_MSS6) - (t.tsOk ? 12 : 0);
  if (full <= base) return;
  t.mssLimit = base;
  beginSearch(t, base, full);
}

/** Routes have changed since the path was chosen: the source stays (MUST-45). */
export function refreshPath(t: Tcb): void {
  const ip = t.layer.ip;
  if (t.path.epoch === ip.routeEpoch) return;
  t.path.anySource = false;
  const code = selectPath(ip, t.path);
  if (code !== 0) {
    // without a route or with a source that is not ours nothing leaves, until there is one again
    t.path.linkId = -1;
    t.path.epoch = ip.routeEpoch;
    t.softError = code;
    return;
  }
  updateMss(t);
}

/** "Fragmentation needed" about a segment that is in flight: smaller segments, lost ones again. */
export function onTooBig(t: Tcb): void {
  const ip = t.layer.ip;
  const before = t.mss;
  acceptPmtu(ip, ip.icmpError);
  refreshPath(t);
  if (t.mss >= before) return;
  const lost = t.lostOut;
  const p = t.layer.segs;
  for (let i = t.board.head; i !== NIL; i = p.next[i] as number) {
    const len = ((p.end[i] as number) - (p.start[i] as number)) | 0;
    const flags = p.flags[i] as number;
    if (len <= t.mss || (flags & (Seg.SACKED | Seg.LOST)) !== 0) continue;
    recount(t, i);
    markLost(t, i, LossCause.MTU);
  }
  // what duplicate ACKs stood for cannot be more than what is not lost
  if (!t.sackOk) t.sackedOut = Math.min(t.sackedOut, t.packetsOut - t.lostOut);
  // no congestion: the window stays, in smaller segments
  if (t.lostOut > lost && t.ca !== Ca.LOSS) resendOnly(t);
  wake(t, Ready.OUTPUT);
}

/** Timeouts in a row with full-size segments and no ICMP: routers may be silent about the MTU. */
export function reduceMssOnBlackHole(t: Tcb): void {
  if (t.layer.config.mtuProbing === MtuProbing.OFF) return;
  if (t.retransmits < BLACK_HOLE_TIMEOUTS || t.path.local) return;
  const first = t.retransmits < BLACK_HOLE_TIMEOUTS * 2;
  const target4 = first ? BLACK_HOLE_MSS : BLACK_HOLE_LAST_MSS;
  const target = t.path.family === 4 ? target4 : SURE_MSS6;
  const limit = target - (t.tsOk ? 12 : 0);
  if (t.mss <= limit) return;
  count(t.layer.ip, Ctr.TcpExtTCPMTUPFail);
  beginSearch(t, limit, t.mss - 1);
  t.mssLimit = limit;
  t.mss = limit;
}

/** Payload of a full segment as link and peer allow it, whatever a search has found. */
export function fullMss(t: Tcb): number {
  const path = t.path.mtu - ipHeaderLen(t) - HEADER_LEN;
  const peer = t.wantedMss > 0 ? Math.min(t.peerMss, t.wantedMss) : t.peerMss;
  // the floor is against peers that ask for crumbs; over the link's own size nothing goes
  const limit = Math.min(Math.max(peer, t.layer.config.minSendMss), path);
  return Math.max(limit - (t.tsOk ? 12 : 0), 8);
}
