// Events of a stack for those who look: each subscription has a ring of numbers of its own, so
// that a slow reader loses only its own events, and is told how many. While nobody subscribes the
// stack's `watch` is null and nothing is noted at all.
// @hot

import type { Drop } from '../base/drop.ts';
import type { Rx } from '../base/rx.ts';
import { KIND_BITS, Seen, type Watch } from '../base/watch.ts';
import type { IpLayer } from '../ip/ip.ts';

/** int32 of one event: word, socket, a, b, c, d. */
const STRIDE = 6;
const MOST = 16;
export const EVERYTHING = 0x7fffffff;
const ENDS = (1 << Seen.FROM) | (1 << Seen.TO);

export interface SubscribeOptions {
  /** Kinds that are wanted: bit n for kind n of Seen. Without: all. */
  readonly kinds?: number | undefined;
  /** Events of this socket only, and those of none. */
  readonly id?: number | undefined;
  /** Most events kept, a power of two; 16,384 without. */
  readonly capacity?: number | undefined;
}

/** The ring of one reader. `next` walks it: afterwards the fields are the event's. */
export class EventRing {
  readonly #hub: EventHub;
  readonly #times: Float64Array;
  readonly #words: Int32Array;
  readonly #mask: number;
  readonly kinds: number;
  readonly id: number;
  #written = 0;
  #read = 0;
  /** Events that were overwritten before they were read. */
  lost = 0;
  atUs = 0;
  kind = 0;
  details = 0;
  socket = 0;
  a = 0;
  b = 0;
  c = 0;
  d = 0;

  constructor(hub: EventHub, o: SubscribeOptions) {
    this.#hub = hub;
    const wanted = o.capacity ?? 16_384;
    let capacity = 64;
    while (capacity < wanted && capacity < 1 << 20) capacity *= 2;
    this.#times = new Float64Array(capacity);
    this.#words = new Int32Array(capacity * STRIDE);
    this.#mask = capacity - 1;
    this.kinds = (o.kinds ?? EVERYTHING) | ENDS;
    this.id = o.id ?? 0;
  }

  /** Events that wait to be read. */
  get waiting(): number {
    return Math.min(this.#written - this.#read, this.#mask + 1);
  }

  put(what: number, id: number, a: number, b: number, c: number): void {
    const i = this.#written & this.#mask;
    this.#times[i] = this.#hub.ip.nowUs;
    const w = this.#words;
    const at = i * STRIDE;
    w[at] = what;
    w[at + 1] = id;
    w[at + 2] = a;
    w[at + 3] = b;
    w[at + 4] = c;
    w[at + 5] = 0;
    this.#written++;
  }

  more(d: number): void {
    this.#words[((this.#written - 1) & this.#mask) * STRIDE + 5] = d;
  }

  /** Goes on to the next event; false: there is none. */
  next(): boolean {
    const behind = this.#written - this.#read;
    if (behind === 0) return false;
    if (behind > this.#mask + 1) {
      this.lost += behind - (this.#mask + 1);
      this.#read = this.#written - (this.#mask + 1);
    }
    const i = this.#read & this.#mask;
    const at = i * STRIDE;
    const w = this.#words;
    const what = w[at] as number;
    this.atUs = this.#times[i] as number;
    this.kind = what & ((1 << KIND_BITS) - 1);
    this.details = what >>> KIND_BITS;
    this.socket = w[at + 1] as number;
    this.a = w[at + 2] as number;
    this.b = w[at + 3] as number;
    this.c = w[at + 4] as number;
    this.d = w[at + 5] as number;
    this.#read++;
    return true;
  }

  /** Nothing is noted any more. */
  close(): void {
    this.#hub.remove(this);
  }
}

/** Spreads the events of one stack to the rings that want them. */
export class EventHub implements Watch {
  readonly ip: IpLayer;
  readonly #rings: EventRing[] = [];
  /** Rings that took the last event: bit n for ring n. */
  #took = 0;
  wants = 0;

  constructor(ip: IpLayer) {
    this.ip = ip;
  }

  // cold: once per reader
  add(o: SubscribeOptions): EventRing {
    if (this.#rings.length >= MOST) throw new RangeError(`at most ${MOST} readers of events`);
    const ring = new EventRing(this, o);
    this.#rings.push(ring);
    this.#settle();
    return ring;
  }

  // cold: once per reader
  remove(ring: EventRing): void {
    const i = this.#rings.indexOf(ring);
    if (i < 0) return;
    this.#rings.splice(i, 1);
    this.#settle();
  }

  #settle(): void {
    this.wants = 0;
    for (let i = 0; i < this.#rings.length; i++) {
      this.wants |= (this.#rings[i] as EventRing).kinds;
    }
    this.#took = 0;
    this.ip.watch = this.#rings.length === 0 ? null : this;
  }

  note(what: number, id: number, a: number, b: number, c: number): void {
    this.#took = 0;
    const bit = 1 << (what & ((1 << KIND_BITS) - 1));
    if ((this.wants & bit) === 0) return;
    const rings = this.#rings;
    for (let i = 0; i < rings.length; i++) {
      const ring = rings[i] as EventRing;
      if ((ring.kinds & bit) === 0 || (ring.id !== 0 && id !== 0 && id !== ring.id)) continue;
      ring.put(what, id, a, b, c);
      this.#took |= 1 << i;
    }
  }

  more(d: number): void {
    if (this.#took === 0) return;
    const rings = this.#rings;
    for (let i = 0; i < rings.length; i++) {
      if ((this.#took & (1 << i)) !== 0) (rings[i] as EventRing).more(d);
    }
  }

  dropped(reason: Drop, rx: Rx): void {
    const what = Seen.DROP | (rx.linkId << KIND_BITS);
    this.note(what, 0, reason, rx.len, sourceOf(rx));
    this.more(portsOf(rx));
  }
}

function sourceOf(rx: Rx): number {
  if (rx.len < 20) return 0;
  const version = (rx.u8[rx.off] as number) >> 4;
  if (version === 4) return rx.view.getInt32(rx.off + 12);
  return version === 6 && rx.len >= 40 ? rx.view.getInt32(rx.off + 20) : 0;
}

/** Ports as one word, 0 where there are none to be seen. */
function portsOf(rx: Rx): number {
  if (rx.len < 24) return 0;
  const first = rx.u8[rx.off] as number;
  const six = first >> 4 === 6;
  const protocol = rx.u8[rx.off + (six ? 6 : 9)] as number;
  const at = six ? 40 : (first & 15) * 4;
  if ((protocol !== 6 && protocol !== 17) || rx.len < at + 4) return 0;
  return rx.view.getInt32(rx.off + at);
}
