// Urgent data as RFC 9293 §3.8.5 and RFC 6093 have it: it stays in the stream; the program is told
// that it is coming. The pointer is clamped to what a segment can mean and never reads anything.

import type { Rx } from '../base/rx.ts';
import * as seq from '../base/seq.ts';
import { Ready, type Tcb } from './tcb.ts';
import { wake } from './tcp.ts';

export function takeUrgent(t: Tcb, rx: Rx): void {
  if (rx.segUrg === 0 || t.finReceived) return;
  const up = (rx.segSeq + rx.segUrg) | 0;
  if (seq.le(up, t.rcvRead)) return;
  if (t.urgentIn && seq.le(up, t.rcvUp)) return;
  t.rcvUp = up;
  t.urgentIn = true;
  wake(t, Ready.URGENT);
}
