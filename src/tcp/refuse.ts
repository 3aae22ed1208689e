// Answers to segments that belong to no connection: RST in the form of RFC 9293 §3.10.7.1, limited
// in rate, never to a RST, a broadcast or a multicast, never larger than what it answers.

import type { Drop } from '../base/drop.ts';
import { DstKind, type Rx, RxFlag } from '../base/rx.ts';
import { Ctr, count, drop, type Verdict } from '../ip/ip.ts';
import { begin, selectPath, send } from '../ip/output.ts';
import * as tcp from '../wire/tcp.ts';
import { CHECKSUM_OFFSET, Flag, HEADER_LEN } from '../wire/tcp.ts';
import type { TcpLayer } from './tcp.ts';

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

/** A token bucket for resets; refilled by time, one second's worth deep. */
function mayReset(layer: TcpLayer): boolean {
  const now = layer.ip.nowUs;
  const rate = layer.config.rstPerSecond;
  const refill = ((now - layer.rstRefillUs) * rate) / 1e6;
  layer.rstTokens = Math.min(rate, layer.rstTokens + refill);
  layer.rstRefillUs = now;
  if (layer.rstTokens < 1) return false;
  layer.rstTokens -= 1;
  return true;
}

/** A bare RST with the packet's addresses turned round. */
export function reset(layer: TcpLayer, rx: Rx, seqNo: number, ackNo: number, flags: number): void {
  const ip = layer.ip;
  const path = layer.replyPath;
  path.anySource = false;
  path.src0 = rx.dst0;
  path.src1 = rx.dst1;
  path.src2 = rx.dst2;
  path.src3 = rx.dst3;
  path.dst0 = rx.src0;
  path.dst1 = rx.src1;
  path.dst2 = rx.src2;
  path.dst3 = rx.src3;
  if (selectPath(ip, path) !== 0) return;
  const l4 = begin(ip, path.family, HEADER_LEN);
  const view = ip.slab.view;
  tcp.setNumbers(view, l4, (rx.dstPort << 16) | rx.srcPort, seqNo, ackNo);
  tcp.setControl(view, l4, HEADER_LEN, flags, 0);
  const tx = ip.tx;
  tx.reset();
  const ipLen = path.family === 4 ? 20 : 40;
  tx.headerOff = l4 - ipLen;
  tx.l4 = ipLen;
  tx.headerLen = ipLen + HEADER_LEN;
  tx.csumOffset = CHECKSUM_OFFSET;
  tx.family = path.family;
  tx.protocol = 6;
  tx.tos = 0;
  tx.ttl = ip.config.defaultTtl;
  tx.flags = 2; // DF
  tx.src0 = path.src0;
  tx.src1 = path.src1;
  tx.src2 = path.src2;
  tx.src3 = path.src3;
  tx.dst0 = path.dst0;
  tx.dst1 = path.dst1;
  tx.dst2 = path.dst2;
  tx.dst3 = path.dst3;
  count(ip, Ctr.TcpOutSegs);
  count(ip, Ctr.TcpOutRsts);
  send(ip, path, HEADER_LEN);
}
