// What of a connection's send buffer is where: acknowledged up to `una`, then what is out, with
// what the peer holds beyond a gap, what is taken for lost and what was sent again; then what
// waits. Cold code: it allocates.

import * as seq from '../base/seq.ts';
import { NIL, Seg } from '../tcp/scoreboard.ts';
import { State } from '../tcp/state.ts';
import type { Tcb } from '../tcp/tcb.ts';
import { connectionRow, type SocketRow } from './snapshot.ts';
import type { Stack } from './stack.ts';

/** Octets counted from the first that this connection has sent; the SYN is number 0. */
export interface SendMap {
  una: number;
  nxt: number;
  end: number;
  ranges: { from: number; to: number; kind: 'flight' | 'sacked' | 'lost' | 'again' }[];
}

/** Records of one map; more are left out, the last first. */
const MOST_RANGES = 2000;

export function sendMap(t: Tcb): SendMap {
  const since = (n: number): number => seq.diff(n, t.iss);
  const p = t.layer.segs;
  const ranges: SendMap['ranges'] = [];
  for (let i = t.board.head; i !== NIL && ranges.length < MOST_RANGES; i = p.next[i] as number) {
    const from = since(p.start[i] as number);
    const to = since(p.end[i] as number);
    const kind = kindOf(p.flags[i] as number);
    const last = ranges.at(-1);
    if (last?.kind === kind && last.to === from) last.to = to;
    else ranges.push({ from, to, kind });
  }
  const nxt = since(t.sndNxt);
  return { una: since(t.sndUna), nxt, end: Math.max(nxt, since(t.sndEnd)), ranges };
}

function kindOf(flags: number): SendMap['ranges'][number]['kind'] {
  if ((flags & Seg.SACKED) !== 0) return 'sacked';
  if ((flags & Seg.RETRANS) !== 0) return 'again';
  return (flags & Seg.LOST) === 0 ? 'flight' : 'lost';
}

/** The row and the map of one connection by its number; null when there is none. */
export function connectionOf(stack: Stack, sk: number): { row: SocketRow; map: SendMap } | null {
  for (const t of stack.tcp.connections) {
    if (t === null || t.id !== sk || t.state === State.CLOSED) continue;
    return { row: connectionRow(t), map: sendMap(t) };
  }
  return null;
}
