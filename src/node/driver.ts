// The driver: one per host. It turns device batches, one timer and the program's own calls into the
// stack's four verbs, and decides what keeps the event loop alive.
//
// A turn is `advance(now)`, `receive` × n, `drain()`, then the timer is looked at. Work that the
// program makes between turns (`onWork`) gets one turn in the check phase of the event loop
// (setImmediate): behind every microtask and process.nextTick, from which http and streams write,
// so that all small writes of a phase leave in one flush, and still in the same round of the loop
// as the packet that caused them. A microtask would come before http's corked nextTick writes.

import type { Slab } from '../base/slab.ts';
import type { Link } from '../link/link.ts';
import type { Stack } from '../stack/stack.ts';
import type { Clock } from './clock.ts';
import { type DeviceLink, type DeviceSink, RX_STRIDE } from './tun.ts';

/** Something that is asked for its packets. */
export interface PacketSource {
  readonly off: number;
  readonly len: number;
  readonly flags: number;
  readonly gso: number;
  onPackets: (() => void) | null;
  /** Takes the slab of the stack at this end, before any packet. */
  attach?(slab: Slab): void;
  shift(): boolean;
  release(): void;
}

/** A link that is asked for its packets (link/pair.ts). */
export type PolledLink = Link & PacketSource;

export function isDeviceLink(link: Link): link is DeviceLink {
  return typeof (link as Partial<DeviceLink>).start === 'function';
}

export function isPolledLink(link: Link): link is PolledLink {
  return typeof (link as Partial<PolledLink>).shift === 'function';
}

/** Packets taken from one polled link per turn: others and the program get their chance. */
const POLL_BUDGET = 256;
/** A deadline earlier than the armed one by less than this waits for it. */
const SLACK_US = 500;
const FOREVER_MS = 0x7fffffff;
// The event loop's own, also where a program's time is simulated (node/sim/program-time.ts).
const { setImmediate, clearImmediate, setInterval, clearInterval } = globalThis;

export class Driver implements DeviceSink {
  readonly stack: Stack;
  readonly clock: Clock;
  /** Counts turns; equal numbers mean the same turn. */
  turns = 0;
  /** Told when a device is gone for good. */
  onFailed: ((link: Link, errno: number) => void) | null = null;
  /** Told after every turn while somebody asks for it. */
  onTurn: (() => void) | null = null;
  readonly #ids = new Map<Link | PacketSource, number>();
  readonly #devices: DeviceLink[] = [];
  readonly #polled: PacketSource[] = [];
  readonly #run = (): void => this.#workTurn();
  readonly #onTimer = (): void => this.#timerTurn();
  #immediate: NodeJS.Immediate | null = null;
  #disarmTimer: (() => void) | null = null;
  #armedUs = Infinity;
  #inTurn = false;
  /** A turn takes in packets and deadlines: what work they make, its drain does. */
  #gathering = false;
  /** A polled link may have more. */
  #pollAgain = false;
  #stopped = false;
  #holds = 0;
  #muted = false;
  #keeper: NodeJS.Timeout | null = null;

  constructor(stack: Stack, clock: Clock) {
    this.stack = stack;
    this.clock = clock;
  }

  /** The first device; null without one. */
  get device(): DeviceLink | null {
    return this.#devices[0] ?? null;
  }

  /** Starts taking packets from `link`, which the stack knows as `id`. */
  attach(link: Link, id: number, slab: Slab, rxBase: number, rxSize: number): void {
    this.#ids.set(link, id);
    if (isDeviceLink(link)) {
      this.#devices.push(link);
      link.start(slab, rxBase, rxSize, this);
      if (this.#holds === 0 || this.#muted) link.unref();
    } else if (isPolledLink(link)) this.attachSource(link, id, slab);
  }

  /** Takes the packets of `source`, too, as if link `id` had brought them. */
  attachSource(source: PacketSource, id: number, slab: Slab): void {
    this.#ids.set(source, id);
    this.#polled.push(source);
    source.attach?.(slab);
    source.onPackets = () => this.work();
  }

  /** A device has filled `count` rows. Called by the link, once per batch. */
  batch(link: DeviceLink, count: number, nowUs: number): void {
    if (this.#stopped) return;
    const stack = this.stack;
    const id = this.#ids.get(link) as number;
    const meta = link.meta;
    let sound = false;
    this.#begin();
    try {
      stack.tick(nowUs);
      for (let i = 0, at = 0; i < count; i++, at += RX_STRIDE) {
        const gso = (meta[at + 3] as number) | ((meta[at + 4] as number) << 8);
        stack.receive(id, meta[at] as number, meta[at + 1] as number, meta[at + 2] as number, gso);
      }
      // Not before: what has arrived stops timers that ran out while the process did not run.
      stack.advance(nowUs);
      this.#gathering = false;
      stack.drain();
      sound = true;
    } finally {
      this.#end(sound);
    }
  }

  failed(link: DeviceLink, errno: number): void {
    if (!this.#stopped) this.onFailed?.(link, errno);
  }

  /** There is something to do: one turn in this round of the event loop, however often called. */
  work(): void {
    if (this.#gathering || this.#immediate !== null || this.#stopped) return;
    this.#immediate = setImmediate(this.#run);
  }

  /** Runs a turn now. Not to be called from a handler. */
  flush(): void {
    if (!this.#inTurn && !this.#stopped) this.#turn();
  }

  /** One more reason to keep the event loop alive. */
  hold(): void {
    this.#holds++;
    if (this.#holds === 1) this.#applyRef();
  }

  release(): void {
    this.#holds--;
    if (this.#holds === 0) this.#applyRef();
  }

  /** True: nothing of this host keeps the event loop alive, whatever is held. */
  mute(on: boolean): void {
    this.#muted = on;
    this.#applyRef();
  }

  /** Ends everything: no turn follows, the event loop is let go. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    this.#immediate = null;
    this.#disarm();
    this.#applyRef();
    for (const link of this.#polled) link.onPackets = null;
    for (const link of this.#devices) link.close();
  }

  #applyRef(): void {
    const wanted = this.#holds > 0 && !this.#muted && !this.#stopped;
    if (wanted) {
      // The device's own handle would do on a TUN; loopback and links of the program have none.
      if (this.#keeper === null) this.#keeper = setInterval(nothing, FOREVER_MS);
      this.#keeper.ref();
    } else if (this.#keeper !== null) {
      if (this.#stopped) {
        clearInterval(this.#keeper);
        this.#keeper = null;
      } else this.#keeper.unref();
    }
    if (this.#stopped) return;
    for (const link of this.#devices) {
      if (wanted) link.ref();
      else link.unref();
    }
  }

  #workTurn(): void {
    this.#immediate = null;
    if (!this.#stopped) this.#turn();
  }

  #timerTurn(): void {
    this.#disarmTimer = null;
    this.#armedUs = Infinity;
    // Timers come before poll in a round of the event loop. Packets that wait in a device go first
    // all the same: without this, most retransmissions on a busy machine answer a waiting ACK.
    if (this.#devices.length > 0) this.work();
    else if (!this.#stopped) this.#turn();
  }

  #turn(): void {
    let sound = false;
    this.#begin();
    try {
      this.stack.advance(this.clock.nowUs());
      for (const link of this.#polled) this.#poll(link);
      this.#gathering = false;
      if (this.#pollAgain) this.work();
      this.stack.drain();
      for (const link of this.#polled) link.release();
      sound = true;
    } finally {
      this.#end(sound);
    }
  }

  #poll(link: PacketSource): void {
    const id = this.#ids.get(link) as number;
    let n = 0;
    while (n < POLL_BUDGET && link.shift()) {
      this.stack.receive(id, link.off, link.len, link.flags, link.gso);
      n++;
    }
    if (n === POLL_BUDGET) this.#pollAgain = true;
  }

  #begin(): void {
    this.#inTurn = true;
    this.#gathering = true;
    this.#pollAgain = false;
    this.turns++;
  }

  /** A turn that a handler's exception ended is made up for by another one. */
  #end(sound: boolean): void {
    this.#inTurn = false;
    this.#gathering = false;
    if (this.#stopped) return;
    if (!sound) this.work();
    const next = this.stack.nextDeadline();
    // A later deadline needs nothing: the timer fires early once and is set anew.
    if (next < this.#armedUs - SLACK_US) this.#arm(next);
    if (this.onTurn !== null) this.onTurn();
  }

  #arm(deadlineUs: number): void {
    this.#disarm();
    this.#armedUs = deadlineUs;
    const delayUs = Math.max(0, deadlineUs - this.clock.nowUs());
    this.#disarmTimer = this.clock.after(delayUs, this.#onTimer);
  }

  #disarm(): void {
    if (this.#disarmTimer !== null) this.#disarmTimer();
    this.#disarmTimer = null;
    this.#armedUs = Infinity;
  }
}

function nothing(): void {}
