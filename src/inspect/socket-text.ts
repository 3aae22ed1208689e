// The connection that a packet belongs to, in a few words: the comment that a capture may bear.

import * as seq from '../base/seq.ts';
import type { Stack } from '../stack/stack.ts';
import { stateName } from '../tcp/state.ts';
import { inFlight, type Tcb } from '../tcp/tcb.ts';
import { portsAt } from './packet-view.ts';

const NEVER_SSTHRESH = 0x7fffffff;
const key = new Int32Array(9);

/** The connection of a packet, by its four-tuple; null: none. */
function connectionOf(stack: Stack, octets: Uint8Array, sent: boolean): Tcb | null {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  const l4 = portsAt(octets, 6);
  if (l4 < 0) return null;
  const four = (octets[0] as number) >> 4 === 4;
  const words = (at: number, off: number): void => {
    for (let i = 0; i < 4; i++) {
      if (!four) key[off + i] = view.getInt32(at + 4 * i);
      else key[off + i] = i < 2 ? 0 : i === 2 ? 0xffff : view.getInt32(at);
    }
  };
  const [src, dst] = four ? [12, 16] : [8, 24];
  words(sent ? src : dst, 0);
  words(sent ? dst : src, 4);
  const ports = view.getInt32(l4);
  key[8] = sent ? ports : (ports << 16) | (ports >>> 16);
  const slot = stack.tcp.flows.find(key, 0);
  return slot < 0 ? null : (stack.tcp.connections[slot] ?? null);
}

/** `ESTAB cwnd=10 ssthresh=7 inflight=3 srtt=1.2ms rto=204ms`, `retransmission; …` in front. */
export function socketText(stack: Stack, octets: Uint8Array, sent: boolean): string {
  const t = connectionOf(stack, octets, sent);
  if (t === null) return '';
  const parts = [stateName(t.state), `cwnd=${t.cwnd}`];
  if (t.ssthresh < NEVER_SSTHRESH) parts.push(`ssthresh=${t.ssthresh}`);
  parts.push(`inflight=${inFlight(t)}`);
  if (t.srttUs > 0) parts.push(`srtt=${(t.srttUs / 1000).toFixed(1)}ms`);
  parts.push(`rto=${Math.round(t.rtoUs / 1000)}ms`);
  const text = parts.join(' ');
  return sent && isAgain(t, octets) ? `retransmission; ${text}` : text;
}

function isAgain(t: Tcb, octets: Uint8Array): boolean {
  const l4 = portsAt(octets, 6);
  if (l4 < 0 || octets.length < l4 + 20) return false;
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  const flags = octets[l4 + 13] as number;
  if ((flags & 2) !== 0) return t.synRetransmits > 0;
  const payload = octets.length - l4 - ((octets[l4 + 12] as number) >> 4) * 4;
  return payload + (flags & 1) > 0 && seq.lt(view.getInt32(l4 + 4), t.sndNxt);
}
