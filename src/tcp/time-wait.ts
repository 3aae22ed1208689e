// TIME-WAIT and the waiting of closed connections: what still may arrive (RFC 9293 §3.10.7.4,
// RFC 6191 for a new SYN, RFC 1337 for RST), and the limit for a peer that never sends its FIN.

import { Drop } from '../base/drop.ts';
import type { Rx } from '../base/rx.ts';
import * as seq from '../base/seq.ts';
import { Ctr, count, drop } from '../ip/ip.ts';
import { Flag } from '../wire/tcp.ts';
import { destroy, restartTimeWait } from './close.ts';
import { AckWish, Ready, type Tcb } from './tcb.ts';
import { armTimer, Timer, wake } from './tcp.ts';

/** An orphan in FIN-WAIT-2 does not wait for ever (RFC 9293 §3.6.1 note; Linux tcp_fin_timeout). */
export function startLinger(t: Tcb): void {
  armTimer(t, Timer.LINGER, t.layer.config.finWait2Ms * 1000);
}

/** True: the segment is a SYN that opens a new connection; the old one is gone. */
export function segmentInTimeWait(t: Tcb, rx: Rx): boolean {
  const ip = t.layer.ip;
  const flags = rx.segFlags;
  if ((flags & Flag.RST) !== 0) {
    drop(ip, rx, Drop.TCP_RESET); // RFC 1337: never assassinated
    return false;
  }
  const o = t.layer.options;
  if ((flags & (Flag.SYN | Flag.ACK)) === Flag.SYN && mayReopen(t, rx)) {
    count(ip, Ctr.TcpExtTWRecycled);
    t.layer.reopens = true;
    t.layer.reopenIss = (t.sndNxt + 65_537) | 0;
    destroy(t, 0);
    return true;
  }
  if (t.tsOk && o.hasTs && ((o.tsVal - t.tsRecent) | 0) < 0) {
    answer(t);
    drop(ip, rx, Drop.TCP_RFC7323_PAWS);
    return false;
  }
  // the peer's FIN again: our last ACK was lost, the time starts anew
  if ((flags & Flag.FIN) !== 0 && seq.le(rx.segSeq + rx.segLen, t.rcvNxt)) restartTimeWait(t);
  if (rx.segLen > 0 || rx.segSeq !== t.rcvNxt) answer(t);
  drop(ip, rx, Drop.TCP_OLD_SEQUENCE);
  return false;
}

/** RFC 6191 §2: newer by timestamp, or by sequence number where timestamps do not decide. */
function mayReopen(t: Tcb, rx: Rx): boolean {
  const o = t.layer.options;
  const newerSeq = seq.gt(rx.segSeq, t.rcvNxt);
  if (!t.tsOk) return o.hasTs || newerSeq;
  if (!o.hasTs) return newerSeq;
  const newer = (o.tsVal - t.tsRecent) | 0;
  return newer > 0 || (newer === 0 && newerSeq);
}

function answer(t: Tcb): void {
  t.ackWish = AckWish.NOW;
  wake(t, Ready.OUTPUT);
}
