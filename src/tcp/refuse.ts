// Answers to segments that belong to no connection: RST in the form of RFC 9293 §3.10.7.1, limited
// in rate, never to a RST, a broadcast or a multicast, never larger than what it answers.

import type { Drop } from '../base/drop.ts';
import { below } from '../base/random.ts';
import { DstKind, type Rx, RxFlag } from '../base/rx.ts';
import { TxFlag } from '../base/tx.ts';
import { Ctr, count, drop, type Verdict } from '../ip/ip.ts';
import { aim, begin, selectPath, send } from '../ip/output.ts';
import { turnBack } from '../ip/path.ts';
import * as tcp from '../wire/tcp.ts';
import { CHECKSUM_OFFSET, Flag, HEADER_LEN } from '../wire/tcp.ts';
import { putMss, putSackOk, putTimestamps, putWscale } from '../wire/tcp-options.ts';
import { SACK_OK_TS } from './options.ts';
import type { Reply, TcpLayer } from './tcp.ts';

/** Drops the segment with `reason` and answers it with RST where the rules allow. */
export function refuse(layer: TcpLayer, rx: Rx, reason: Drop): Verdict {
  const verdict = drop(layer.ip, rx, reason);
  if ((rx.segFlags & Flag.RST) !== 0) return verdict;
  if (rx.dstKind !== DstKind.UNICAST || (rx.flags & RxFlag.LINK_BROADCAST) !== 0) return verdict;
  if (!mayReset(layer)) return verdict;
  const hasAck = (rx.segFlags & Flag.ACK) !== 0;
  const seqNo = hasAck ? rx.segAck : 0;
  const ackNo = hasAck ? 0 : (rx.segSeq + rx.segLen) | 0;
  reset(layer, rx, seqNo, ackNo, hasAck ? Flag.RST : Flag.RST | Flag.ACK);
  return verdict;
}

/**
 * The budget of resets of this second. It is shared, so it is drawn anew each time, from half of
 * the rate to one and a half: who counts how many come cannot tell whether forged segments to
 * somebody else's connection drew some of them (the side channel of CVE-2016-5696).
 */
function mayReset(layer: TcpLayer): boolean {
  const now = layer.ip.nowUs;
  if (now - layer.rstRefillUs >= 1_000_000) {
    const rate = layer.config.rstPerSecond;
    layer.rstRefillUs = now;
    layer.rstTokens = Math.ceil(rate / 2) + below(layer.random, Math.floor(rate));
  }
  if (layer.rstTokens < 1) return false;
  layer.rstTokens -= 1;
  return true;
}

/** A bare RST with the packet's addresses turned round. */
function reset(layer: TcpLayer, rx: Rx, seqNo: number, ackNo: number, flags: number): void {
  const reply = layer.reply;
  reply.seq = seqNo;
  reply.ack = ackNo;
  reply.flags = flags;
  reply.window = 0;
  reply.hasTs = false;
  count(layer.ip, Ctr.TcpOutRsts);
  answerSegment(layer, rx);
}

/** Sends `layer.reply` to where the packet came from. */
export function answerSegment(layer: TcpLayer, rx: Rx): void {
  const ip = layer.ip;
  const reply = layer.reply;
  const path = layer.replyPath;
  turnBack(path, rx);
  if (selectPath(ip, path) !== 0) return;
  const syn = (reply.flags & Flag.SYN) !== 0;
  let headerLen = HEADER_LEN + (reply.hasTs ? 12 : 0);
  if (syn) headerLen += 4 + (reply.wscale >= 0 ? 4 : 0) + (!reply.hasTs && reply.sackOk ? 4 : 0);
  const l4 = begin(ip, path.family, headerLen);
  const view = ip.slab.view;
  tcp.setNumbers(view, l4, (rx.dstPort << 16) | rx.srcPort, reply.seq, reply.ack);
  tcp.setControl(view, l4, headerLen, reply.flags, reply.window);
  if (syn) putSynOptions(reply, view, l4 + HEADER_LEN);
  else if (reply.hasTs) putTimestamps(view, l4 + HEADER_LEN, reply.tsVal, reply.tsEcr);
  const tx = ip.tx;
  tx.reset();
  const ipLen = path.family === 4 ? 20 : 40;
  tx.headerOff = l4 - ipLen;
  tx.l4 = ipLen;
  tx.headerLen = ipLen + headerLen;
  tx.csumOffset = CHECKSUM_OFFSET;
  tx.family = path.family;
  tx.protocol = 6;
  tx.tos = 0;
  tx.ttl = ip.config.defaultTtl;
  tx.flags = TxFlag.DF;
  aim(ip, path);
  count(ip, Ctr.TcpOutSegs);
  send(ip, path, headerLen);
}

/** The SYN-ACK's options in the order of options.ts. */
function putSynOptions(reply: Reply, view: DataView, off: number): void {
  let at = off + putMss(view, off, reply.mss);
  if (reply.hasTs) {
    putTimestamps(view, at, reply.tsVal, reply.tsEcr);
    if (reply.sackOk) view.setInt32(at, SACK_OK_TS);
    at += 12;
  } else if (reply.sackOk) at += putSackOk(view, at);
  if (reply.wscale >= 0) putWscale(view, at, reply.wscale);
}
