// Connections through the router (IPv4): one entry has two directions, each found by the packet's
// addresses and ports as it arrives. TCP's states are followed by flags alone, without windows, and
// say how long a silent connection is kept (RFC 5382 §5, RFC 7857 §2). Entries are columns; the
// table is bounded, and what nobody has answered goes first.
// @hot

import { Ctr } from '../base/counters.ts';
import { Deadlines } from '../base/deadlines.ts';
import type { Random } from '../base/random.ts';
import { FlowTable } from '../demux/flow-table.ts';
import { count, type IpLayer } from '../ip/ip.ts';
import { V4_MAPPED } from '../wire/address.ts';
import * as tcp from '../wire/tcp.ts';

/** Knobs; values, units and sources in stack/config.ts. */
export interface TrackConfig {
  trackMax: number;
  tcpEstablishedMs: number;
  tcpTransitoryMs: number;
  tcpCloseMs: number;
  udpMs: number;
  udpStreamMs: number;
  icmpMs: number;
}

export const TrackState = {
  NONE: 0,
  SYN_SENT: 1,
  SYN_RECV: 2,
  ESTABLISHED: 3,
  FIN_WAIT: 4,
  LAST_ACK: 5,
  TIME_WAIT: 6,
  CLOSE: 7,
} as const;

/** One direction of an entry: source, destination, source port << 16 | destination port. */
const SIDE = 3;
const WORDS = 2 * SIDE;
/** Entries looked at for one that may go when the table is full. */
const EARLY_LOOKS = 64;
const UDP = 17;
const TCP = 6;

export class Conntrack {
  readonly config: TrackConfig;
  readonly #ip: IpLayer;
  /** By protocol: TCP, UDP, ICMP echo. */
  readonly #tables: readonly [FlowTable, FlowTable, FlowTable];
  readonly #deadlines = new Deadlines();
  readonly #key = new Int32Array(9);
  #sides = new Int32Array(64 * WORDS);
  #protocols = new Uint8Array(64);
  #states = new Uint8Array(64);
  /** 1: both directions have been seen. */
  #answered = new Uint8Array(64);
  /** FINs seen: bit 0 of the direction that opened, bit 1 of the other. */
  #fins = new Uint8Array(64);
  /** Second in which the deadline was last put off. */
  #stamps = new Int32Array(64);
  /** What the translator keeps for the entry; -1: nothing. */
  #owners = new Int32Array(64).fill(-1);
  #next = new Int32Array(64);
  #free = -1;
  #used = 0;
  #cursor = 0;
  size = 0;
  /** Told when an entry that has an owner goes. */
  onGone: ((owner: number) => void) | null = null;

  constructor(ip: IpLayer, config: TrackConfig, random: Random) {
    this.#ip = ip;
    this.config = config;
    this.#tables = [new FlowTable(random), new FlowTable(random), new FlowTable(random)];
    this.#key[2] = V4_MAPPED;
    this.#key[6] = V4_MAPPED;
  }

  #table(protocol: number): FlowTable {
    return protocol === TCP
      ? this.#tables[0]
      : protocol === UDP
        ? this.#tables[1]
        : this.#tables[2];
  }

  /** slot << 1 | direction of a packet's entry; -1: none. */
  find(protocol: number, src: number, dst: number, ports: number): number {
    return this.#table(protocol).find4(src, dst, ports);
  }

  // Words of direction `id & 1` of the entry `id >> 1`.
  src(id: number): number {
    return this.#sides[id * SIDE] as number;
  }
  dst(id: number): number {
    return this.#sides[id * SIDE + 1] as number;
  }
  ports(id: number): number {
    return this.#sides[id * SIDE + 2] as number;
  }
  state(id: number): number {
    return this.#states[id >> 1] as number;
  }
  isAnswered(id: number): boolean {
    return this.#answered[id >> 1] === 1;
  }

  /** Writes one direction of the entry that `insert` will make. */
  draft(direction: number, src: number, dst: number, ports: number): void {
    if (this.#free < 0 && this.#used >= this.#states.length) this.#grow();
    const slot = this.#free >= 0 ? this.#free : this.#used;
    const at = (slot * 2 + direction) * SIDE;
    this.#sides[at] = src;
    this.#sides[at + 1] = dst;
    this.#sides[at + 2] = ports;
  }

  /** Room for one entry more; at the cap one that was never answered makes it. */
  makeRoom(): boolean {
    if (this.size < this.config.trackMax) return true;
    for (let n = 0; n < EARLY_LOOKS; n++) {
      this.#cursor = this.#cursor + 1 < this.#used ? this.#cursor + 1 : 0;
      const slot = this.#cursor;
      if (this.#protocols[slot] === 0 || this.#answered[slot] === 1) continue;
      count(this.#ip, Ctr.PortsideTrackEarlyDrops);
      this.remove(slot);
      return true;
    }
    count(this.#ip, Ctr.PortsideTrackFull);
    return false;
  }

  /** Makes an entry of both drafts: its id in the opening direction, -1 when one is taken. */
  insert(protocol: number, owner: number): number {
    const slot = this.#free >= 0 ? this.#free : this.#used;
    const table = this.#table(protocol);
    if (!table.insert(this.#load(slot * 2), 0, slot * 2)) return -1;
    if (!table.insert(this.#load(slot * 2 + 1), 0, slot * 2 + 1)) {
      table.remove(this.#load(slot * 2), 0);
      return -1;
    }
    if (this.#free >= 0) this.#free = this.#next[slot] as number;
    else this.#used++;
    this.size++;
    this.#protocols[slot] = protocol;
    this.#states[slot] = TrackState.NONE;
    this.#answered[slot] = 0;
    this.#fins[slot] = 0;
    this.#stamps[slot] = -1;
    this.#owners[slot] = owner;
    count(this.#ip, Ctr.PortsideTrackInserts);
    return slot * 2;
  }

  remove(slot: number): void {
    const protocol = this.#protocols[slot] as number;
    if (protocol === 0) return;
    const table = this.#table(protocol);
    table.remove(this.#load(slot * 2), 0);
    table.remove(this.#load(slot * 2 + 1), 0);
    this.#deadlines.clear(slot);
    this.#protocols[slot] = 0;
    this.#next[slot] = this.#free;
    this.#free = slot;
    this.size--;
    const owner = this.#owners[slot] as number;
    this.#owners[slot] = -1;
    if (owner >= 0 && this.onGone !== null) this.onGone(owner);
  }

  /** A packet of direction `id & 1` passes. @param flags TCP's, 0 for others */
  touch(id: number, flags: number): void {
    const slot = id >> 1;
    const was = this.#states[slot] as number;
    const answers = (id & 1) === 1 && this.#answered[slot] === 0;
    if (answers) this.#answered[slot] = 1;
    if (this.#protocols[slot] === TCP) this.#follow(slot, id & 1, flags);
    // Once a second is often enough: a float64 that crosses a call is boxed.
    const second = Math.floor(this.#ip.nowUs / 1e6) | 0;
    if (this.#stamps[slot] === second && this.#states[slot] === was && !answers) return;
    this.#stamps[slot] = second;
    this.#deadlines.set(slot, this.#ip.nowUs + this.#timeoutMs(slot) * 1000);
  }

  #follow(slot: number, direction: number, flags: number): void {
    const state = this.#states[slot] as number;
    if ((flags & tcp.Flag.RST) !== 0) {
      this.#states[slot] = TrackState.CLOSE;
      return;
    }
    if ((flags & tcp.Flag.SYN) !== 0) {
      this.#states[slot] = this.#onSyn(slot, direction, flags, state);
      return;
    }
    if ((flags & tcp.Flag.FIN) !== 0) {
      this.#fins[slot] = (this.#fins[slot] as number) | (1 << direction);
      this.#states[slot] = this.#fins[slot] === 3 ? TrackState.LAST_ACK : TrackState.FIN_WAIT;
      return;
    }
    if (state === TrackState.LAST_ACK) this.#states[slot] = TrackState.TIME_WAIT;
    else if (state === TrackState.SYN_RECV && direction === 0) {
      this.#states[slot] = TrackState.ESTABLISHED;
    } else if (state === TrackState.NONE || state === TrackState.CLOSE) {
      // Picked up in the middle; or data after a reset, which was not the peer's (RFC 7857 §2.2).
      this.#states[slot] = TrackState.ESTABLISHED;
    }
  }

  #onSyn(slot: number, direction: number, flags: number, state: number): number {
    // An old connection's ports used anew.
    if (direction === 0 && (flags & tcp.Flag.ACK) === 0 && state >= TrackState.FIN_WAIT) {
      this.#fins[slot] = 0;
      return TrackState.SYN_SENT;
    }
    if (state === TrackState.NONE) return TrackState.SYN_SENT;
    // The answer, or the other half of a simultaneous open (RFC 5382 REQ-2).
    if (state === TrackState.SYN_SENT && direction === 1) return TrackState.SYN_RECV;
    return state;
  }

  #timeoutMs(slot: number): number {
    const c = this.config;
    const protocol = this.#protocols[slot];
    if (protocol === UDP) return this.#answered[slot] === 1 ? c.udpStreamMs : c.udpMs;
    if (protocol !== TCP) return c.icmpMs;
    const state = this.#states[slot];
    if (state === TrackState.CLOSE) return c.tcpCloseMs;
    const lasting = state === TrackState.ESTABLISHED && this.#answered[slot] === 1;
    return lasting ? c.tcpEstablishedMs : c.tcpTransitoryMs;
  }

  /** Lets go what has been silent for too long. */
  advance(): void {
    const due = this.#deadlines.expire(this.#ip.nowUs);
    for (let i = 0; i < due; i++) this.remove(this.#deadlines.due(i));
  }

  nextDeadline(): number {
    return this.size === 0 ? Infinity : this.#deadlines.next();
  }

  /** Every entry by its id, for people and tests. */
  ids(): number[] {
    const ids: number[] = []; // cold
    for (let slot = 0; slot < this.#used; slot++) {
      if (this.#protocols[slot] !== 0) ids.push(slot * 2);
    }
    return ids;
  }

  protocol(id: number): number {
    return this.#protocols[id >> 1] as number;
  }

  /** When the entry goes if nothing passes, absolute µs. */
  expiresUs(id: number): number {
    return this.#deadlines.deadline(id >> 1);
  }

  #load(id: number): Int32Array {
    const key = this.#key;
    key[3] = this.src(id);
    key[7] = this.dst(id);
    key[8] = this.ports(id);
    return key;
  }

  #grow(): void {
    const n = this.#states.length * 2;
    this.#sides = widenedInts(this.#sides, n * WORDS, 0);
    this.#protocols = widenedOctets(this.#protocols, n);
    this.#states = widenedOctets(this.#states, n);
    this.#answered = widenedOctets(this.#answered, n);
    this.#fins = widenedOctets(this.#fins, n);
    this.#stamps = widenedInts(this.#stamps, n, -1);
    this.#owners = widenedInts(this.#owners, n, -1);
    this.#next = widenedInts(this.#next, n, -1);
  }
}

function widenedInts(old: Int32Array, n: number, fill: number): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(n).fill(fill);
  wider.set(old);
  return wider;
}

function widenedOctets(old: Uint8Array, n: number): Uint8Array<ArrayBuffer> {
  const wider = new Uint8Array(n);
  wider.set(old);
  return wider;
}
