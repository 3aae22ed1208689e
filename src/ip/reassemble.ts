// What is done with fragments of either family: kept, refused, put together, given up. Reading them
// is reassemble4.ts and reassemble6.ts, where they lie is reassembly.ts.

import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import { type Rx, RxFlag } from '../base/rx.ts';
import type { Datagram } from './datagram.ts';
import { count, drop, type IpLayer, type Verdict } from './ip.ts';
import type { Reassembly } from './reassembly.ts';

/**
 * Keeps the fragment that `rx` and `store.head` describe. The datagram when it is whole now; null
 * when the fragment is kept, or dropped with a reason, and its datagram with it where rules say so.
 */
export function admit(ip: IpLayer, rx: Rx, store: Reassembly): Datagram | null {
  const d = store.touch(rx, ip.nowUs);
  if (d.dead) {
    drop(ip, rx, Drop.FRAG_OVERLAP);
    return null;
  }
  const reason = store.insert(d, rx);
  if (reason === Drop.DUP_FRAG) {
    drop(ip, rx, reason);
    return null;
  }
  if (reason !== Drop.NONE) {
    addDrops(ip, reason, d.parts.length);
    store.kill(d);
    refuse(ip, rx, store, reason);
    return null;
  }
  for (let v = store.victim(d); v !== null; v = store.victim(d)) {
    count(ip, failsOf(store));
    addDrops(ip, Drop.PROTO_MEM, v.parts.length);
    store.remove(v);
    if (v === d) return null;
  }
  return d.complete ? d : null;
}

/**
 * Puts a whole datagram together in the scratch and forgets its fragments. Its length; 0 when it is
 * dropped.
 */
export function complete(ip: IpLayer, rx: Rx, store: Reassembly, d: Datagram): number {
  const mixed = d.isEcnMixed;
  const total = mixed ? 0 : store.assemble(d);
  const parts = d.parts.length;
  store.remove(d);
  if (total === 0) {
    const reason = mixed ? Drop.IP_INHDR : Drop.PKT_TOO_BIG;
    addDrops(ip, reason, parts - 1);
    refuse(ip, rx, store, reason);
    return 0;
  }
  count(ip, store.family === 4 ? Ctr.IpReasmOKs : Ctr.Ip6ReasmOKs);
  rx.off = store.scratch;
  rx.flags = d.flags | RxFlag.SCRATCH;
  rx.gsoType = 0;
  rx.gsoSize = 0;
  return total;
}

/** A fragment that cannot be part of anything. */
export function refuse(ip: IpLayer, rx: Rx, store: Reassembly, reason: Drop): Verdict {
  count(ip, failsOf(store));
  return drop(ip, rx, reason);
}

/** Answers the fragment of `len` octets that lies in the scratch. */
type Teller = (ip: IpLayer, len: number) => void;

/**
 * Gives up what is older than the timeout. When its first fragment was there, `tell` is called with
 * that fragment in the scratch and its origin in `rx`: its sender hears of it.
 */
export function expire(ip: IpLayer, store: Reassembly, tell: Teller): void {
  for (let d = store.expired(ip.nowUs); d !== null; d = store.expired(ip.nowUs)) {
    if (!d.dead) {
      count(ip, store.family === 4 ? Ctr.IpReasmTimeout : Ctr.Ip6ReasmTimeout);
      count(ip, failsOf(store));
      addDrops(ip, Drop.FRAG_REASM_TIMEOUT, d.parts.length);
      if (d.header !== null) {
        const rx = ip.rx;
        const len = store.restoreFirst(d);
        rx.off = store.scratch;
        rx.flags = d.flags | RxFlag.SCRATCH;
        rx.gsoSize = 0;
        tell(ip, len);
      }
    }
    store.remove(d);
  }
}

function failsOf(store: Reassembly): number {
  return store.family === 4 ? Ctr.IpReasmFails : Ctr.Ip6ReasmFails;
}

function addDrops(ip: IpLayer, reason: Drop, n: number): void {
  ip.counters.drops[reason] = (ip.counters.drops[reason] as number) + n;
}
