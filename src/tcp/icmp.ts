// ICMP errors about our segments (RFC 9293 §3.9.2.2, RFC 5461, RFC 5927): believed only when the
// quoted sequence number is in flight; hard errors end only what is not established yet.

import * as seq from '../base/seq.ts';
import { fail } from './close.ts';
import { onTooBig } from './mss.ts';
import { State } from './state.ts';
import type { TcpLayer } from './tcp.ts';

/** Acts on `ip.icmpError`. False: it is about nothing that we know. */
export function takeIcmpError(layer: TcpLayer): boolean {
  const e = layer.ip.icmpError;
  const key = layer.key;
  key[0] = e.src0;
  key[1] = e.src1;
  key[2] = e.src2;
  key[3] = e.src3;
  key[4] = e.dst0;
  key[5] = e.dst1;
  key[6] = e.dst2;
  key[7] = e.dst3;
  key[8] = (e.srcPort << 16) | e.dstPort;
  const slot = layer.flows.find(key, 0);
  const t = slot < 0 ? null : layer.connections[slot];
  if (t === null || t === undefined || t.state === State.TIME_WAIT) return false;
  // RFC 5927 §4.1: the quoted number must be in flight
  if (seq.lt(e.seq, t.sndUna) || seq.ge(e.seq, t.sndNxt)) return false;
  if (e.isTooBig) {
    onTooBig(t);
    return true;
  }
  t.softError = e.errno;
  const opening = t.state === State.SYN_SENT || (t.state === State.SYN_RCVD && t.listener < 0);
  // Hard errors end what is not open yet (RFC 5461 §4), and nothing later: nobody may reset us.
  // Soft ones do not either (RFC 9293 MUST-56): the program hears of them when all attempts have
  // failed; Linux's way is a knob.
  // What we say ourselves (no neighbour of that address) is no rumour.
  const ends = e.hard || e.isOwn || (t.layer.config.softErrorsEndOpen && e.isUnreachable);
  if (opening && ends) fail(t, e.errno);
  return true;
}
