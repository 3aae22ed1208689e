// Acknowledgments in answer to what is not acceptable, limited per connection so that neither two
// stacks can keep each other busy (RFC 9293 §3.8.6 of loops) nor an observer learns anything from a
// shared budget (RFC 5961 §7, CVE-2016-5696: each connection has its own, with jitter).

import { below } from '../base/random.ts';
import type { Rx } from '../base/rx.ts';
import * as seq from '../base/seq.ts';
import { Ctr, count } from '../ip/ip.ts';
import { sendAck, sendSyn } from './output.ts';
import { MAX_QUICK_ACKS } from './receive.ts';
import { State } from './state.ts';
import { AckWish, Ready, type Tcb } from './tcb.ts';
import { wake } from './tcp.ts';

/** Duplicates are answered at most once in this time (Linux's tcp_invalid_ratelimit). */
const DUPLICATE_GAP_US = 500_000;

/** RFC 5961 §3.2, §4.2, §5.2. */
export function challenge(t: Tcb): void {
  const layer = t.layer;
  const now = layer.ip.nowUs;
  const gap = layer.config.challengeGapMs * 1000;
  if (gap > 0 && t.oowAckUs !== 0 && now - t.oowAckUs < gap) {
    count(layer.ip, Ctr.TcpExtTCPACKSkippedChallenge);
    return;
  }
  if (gap > 0) t.oowAckUs = now;
  if (now - t.challengeUs > 1_000_000 || t.challengeUs === 0) {
    const rate = layer.config.challengeAcksPerSecond;
    t.challengeUs = now;
    t.challenges = (rate >> 1) + below(layer.random, Math.max(1, rate));
  }
  if (t.challenges <= 0) {
    count(layer.ip, Ctr.TcpExtTCPACKSkippedChallenge);
    return;
  }
  t.challenges--;
  t.oowAckUs = now; // it says what a duplicate ACK would say
  count(layer.ip, Ctr.TcpExtTCPChallengeACK);
  t.ackWish = AckWish.NOW;
  wake(t, Ready.OUTPUT);
}

/**
 * The duplicate ACK of RFC 9293 §3.10.7.4, first check. Data is always answered, empty ones rarely.
 */
export function duplicateAck(t: Tcb, rx: Rx, skipped: number): void {
  const now = t.layer.ip.nowUs;
  if (rx.segLen === 0) {
    if (t.oowAckUs !== 0 && now - t.oowAckUs < DUPLICATE_GAP_US) {
      count(t.layer.ip, skipped);
      return;
    }
    t.oowAckUs = now;
  }
  if (t.state === State.SYN_RCVD && t.listener >= 0) {
    sendAck(t);
    return;
  }
  if (rx.segLen > 0 && seq.lt(rx.segSeq, t.rcvNxt)) {
    // an acknowledgment of ours was lost: the next ones go at once (Linux's quick ACK mode)
    t.quickAcks = MAX_QUICK_ACKS;
    t.pingPong = false;
    t.atoUs = t.layer.config.delayedAckMinMs * 1000;
  } else t.quickAcks = Math.max(t.quickAcks, 2);
  t.ackWish = AckWish.NOW;
  wake(t, Ready.OUTPUT);
}

/** The peer has sent its SYN again: our SYN-ACK again, without counting a timeout. */
export function resendSynAck(t: Tcb): void {
  count(t.layer.ip, Ctr.TcpExtTCPSynRetrans);
  sendSyn(t, true, true);
}
