// TIME-WAIT and the waiting of closed connections: what still may arrive (RFC 9293 §3.10.7.4,
// RFC 6191 for a new SYN, RFC 1337 for RST), and the limit for a peer that never sends its FIN.
// As soon as its user knows, a connection in TIME-WAIT shrinks to a record (time-wait-table.ts).

import { Drop } from '../base/drop.ts';
import type { Rx } from '../base/rx.ts';
import * as seq from '../base/seq.ts';
import { Ctr, count, drop } from '../ip/ip.ts';
import { Flag } from '../wire/tcp.ts';
import { destroy, restartTimeWait } from './close.ts';
import { answerSegment } from './refuse.ts';
import { AckWish, Ready, type Tcb } from './tcb.ts';
import { armTimer, flowKey, type TcpLayer, Timer, wake } from './tcp.ts';
import { Field, slotOf, TwFlag } from './time-wait-table.ts';
import { noteRecordOver } from './watch.ts';

/** An orphan in FIN-WAIT-2 does not wait for ever (RFC 9293 §3.6.1 note; Linux tcp_fin_timeout). */
export function startLinger(t: Tcb): void {
  const own = t.limits === null ? 0 : t.limits.finWait2Ms;
  if (own < 0) {
    destroy(t, 0);
    return;
  }
  armTimer(t, Timer.LINGER, (own > 0 ? own : t.layer.config.finWait2Ms) * 1000);
}

const Answer = { NONE: 0, ACK: 1, RESTART: 2, REOPEN: 4, END: 8 } as const;

/** What a segment means to a connection in TIME-WAIT with these numbers: bits of Answer. */
function judge(layer: TcpLayer, rx: Rx, tsOk: boolean, tsRecent: number, rcvNxt: number): number {
  const flags = rx.segFlags;
  if ((flags & Flag.RST) !== 0) {
    // RFC 1337: never assassinated
    const end = !layer.config.rfc1337 && rx.segSeq === rcvNxt ? Answer.END : Answer.NONE;
    return refused(layer, rx, Drop.TCP_RESET, end);
  }
  const o = layer.options;
  if (
    (flags & (Flag.SYN | Flag.ACK)) === Flag.SYN &&
    mayReopen(layer, rx, tsOk, tsRecent, rcvNxt)
  ) {
    count(layer.ip, Ctr.TcpExtTWRecycled);
    return Answer.REOPEN;
  }
  if (tsOk && o.hasTs && ((o.tsVal - tsRecent) | 0) < 0) {
    return refused(layer, rx, Drop.TCP_RFC7323_PAWS, Answer.ACK);
  }
  let answer: number = Answer.NONE;
  // the peer's FIN again: our last ACK was lost, the time starts anew
  if ((flags & Flag.FIN) !== 0 && seq.le(rx.segSeq + rx.segLen, rcvNxt)) answer |= Answer.RESTART;
  if (rx.segLen > 0 || rx.segSeq !== rcvNxt) answer |= Answer.ACK;
  return refused(layer, rx, Drop.TCP_OLD_SEQUENCE, answer);
}

function refused(layer: TcpLayer, rx: Rx, reason: Drop, answer: number): number {
  drop(layer.ip, rx, reason);
  return answer;
}

/** RFC 6191 §2: newer by timestamp, or by sequence number where timestamps do not decide. */
function mayReopen(
  layer: TcpLayer,
  rx: Rx,
  tsOk: boolean,
  tsRecent: number,
  rcvNxt: number,
): boolean {
  // nobody listens: an old connection's peer is not forgotten because of a stranger's SYN
  layer.ports.link = rx.linkId;
  if (layer.ports.find(rx.dstPort, rx.dst0, rx.dst1, rx.dst2, rx.dst3) < 0) return false;
  const o = layer.options;
  const newerSeq = seq.gt(rx.segSeq, rcvNxt);
  if (!tsOk) return o.hasTs || newerSeq;
  if (!o.hasTs) return newerSeq;
  const newer = (o.tsVal - tsRecent) | 0;
  return newer > 0 || (newer === 0 && newerSeq);
}

/** True: the segment is a SYN that opens a new connection; the old one is gone. */
export function segmentInTimeWait(t: Tcb, rx: Rx): boolean {
  const layer = t.layer;
  const answer = judge(layer, rx, t.tsOk, t.tsRecent, t.rcvNxt);
  if ((answer & Answer.REOPEN) !== 0) {
    reopenBeyond(layer, t.sndNxt);
    destroy(t, 0);
    return true;
  }
  if ((answer & Answer.END) !== 0) {
    destroy(t, 0);
    return false;
  }
  if ((answer & Answer.RESTART) !== 0) restartTimeWait(t);
  if ((answer & Answer.ACK) !== 0) {
    t.ackWish = AckWish.NOW;
    wake(t, Ready.OUTPUT);
  }
  return false;
}

/** The same for a record. */
export function segmentForRecord(layer: TcpLayer, i: number, rx: Rx): boolean {
  const table = layer.timeWait;
  const tsOk = (table.get(i, Field.FLAGS) & TwFlag.TS) !== 0;
  const tsRecent = table.get(i, Field.TS_RECENT);
  const rcvNxt = table.get(i, Field.RCV_NXT);
  const answer = judge(layer, rx, tsOk, tsRecent, rcvNxt);
  if ((answer & Answer.REOPEN) !== 0) {
    reopenBeyond(layer, table.get(i, Field.SND_NXT));
    forget(layer, i);
    return true;
  }
  if ((answer & Answer.END) !== 0) {
    forget(layer, i);
    return false;
  }
  if ((answer & Answer.RESTART) !== 0) {
    table.deadlines.set(i, layer.ip.nowUs + layer.config.timeWaitMs * 1000);
  }
  if ((answer & Answer.ACK) !== 0) {
    const now = Math.floor(layer.ip.nowUs / 1000);
    const reply = layer.reply;
    reply.seq = table.get(i, Field.SND_NXT);
    reply.ack = rcvNxt;
    reply.flags = Flag.ACK;
    reply.window = table.get(i, Field.WINDOW);
    reply.hasTs = tsOk;
    reply.tsVal = (now + table.get(i, Field.TS_OFFSET)) | 0;
    reply.tsEcr = tsRecent;
    answerSegment(layer, rx);
  }
  return false;
}

function reopenBeyond(layer: TcpLayer, sndNxt: number): void {
  layer.reopens = true;
  layer.reopenIss = (sndNxt + 65_537) | 0;
}

/** Turns a connection in TIME-WAIT whose user knows into a record; the control block is free. */
export function retire(t: Tcb): void {
  const layer = t.layer;
  const table = layer.timeWait;
  const i = table.take();
  const key = flowKey(layer, t);
  table.words.set(key, table.at(i));
  table.set(i, Field.SND_NXT, t.sndNxt);
  table.set(i, Field.RCV_NXT, t.rcvNxt);
  table.set(i, Field.WINDOW, Math.min(t.rcvWnd >>> t.rcvScale, 0xffff));
  table.set(i, Field.TS_RECENT, t.tsRecent);
  table.set(i, Field.TS_OFFSET, t.tsOffset);
  table.set(i, Field.FLAGS, t.tsOk ? TwFlag.TS : 0);
  table.set(i, Field.ID, t.id);
  table.deadlines.set(i, t.timeWaitEndUs);
  t.retired = true;
  destroy(t, 0);
  layer.flows.insert(table.words, table.at(i), slotOf(i));
}

function forget(layer: TcpLayer, i: number): void {
  const table = layer.timeWait;
  noteRecordOver(layer.ip, table.words, table.at(i), table.get(i, Field.ID));
  layer.flows.remove(table.words, table.at(i));
  table.give(i);
}

/** Records whose time is over. */
export function expireTimeWaits(layer: TcpLayer): void {
  const { deadlines } = layer.timeWait;
  const n = deadlines.expire(layer.ip.nowUs);
  for (let k = 0; k < n; k++) forget(layer, deadlines.due(k));
}
