// Which outside port stands for which inside endpoint (RFC 4787 §4.1): with endpoint-independent
// mapping one for all destinations; with the other kind a port may stand for several, as long as no
// two connections look the same from outside. Ports are kept where they can be (RFC 4787 §4.2.1),
// their range and parity always (REQ-3, REQ-4); the rest is chance (RFC 6056).

import type { Random } from '../base/random.ts';
import { below } from '../base/random.ts';
import { FlowTable } from '../demux/flow-table.ts';
import { V4_MAPPED } from '../wire/address.ts';

/** Tries for a free port before a connection is refused. */
const TRIES = 128;
const FIRST_USER_PORT = 1024;
const TCP = 6;
const UDP = 17;

export interface Mapping {
  readonly protocol: number;
  readonly inside: number;
  readonly insidePort: number;
  readonly outside: number;
  readonly outsidePort: number;
  /** One endpoint's for all destinations; false: one connection's. */
  readonly shared: boolean;
  /** Connections that use it. */
  uses: number;
}

/** Whether an outside port can be had: not one of the stack's own, not another connection's. */
export type PortCheck = (port: number) => boolean;

export class NatMap {
  readonly #random: Random;
  readonly #inside: FlowTable[];
  readonly #outside: FlowTable[];
  readonly #mappings: (Mapping | null)[] = [];
  readonly #free: number[] = [];
  readonly #key = new Int32Array(9);

  constructor(random: Random) {
    this.#random = random;
    this.#inside = [new FlowTable(random), new FlowTable(random), new FlowTable(random)];
    this.#outside = [new FlowTable(random), new FlowTable(random), new FlowTable(random)];
    this.#key[2] = V4_MAPPED;
    this.#key[6] = V4_MAPPED;
  }

  get size(): number {
    return this.#mappings.length - this.#free.length;
  }

  at(id: number): Mapping {
    return this.#mappings[id] as Mapping;
  }

  /** The mapping behind an outside address and port; -1: none. */
  behind(protocol: number, outside: number, port: number): number {
    return (this.#outside[index(protocol)] as FlowTable).find4(outside, 0, port << 16);
  }

  /** The mapping of an inside endpoint; -1: none. */
  of(protocol: number, inside: number, port: number, outside: number): number {
    return (this.#inside[index(protocol)] as FlowTable).find4(inside, outside, port << 16);
  }

  /** A new mapping of an inside endpoint; -1 when there is no room. */
  add(protocol: number, inside: number, insidePort: number, outside: number, port: number): number {
    const id = this.#free.pop() ?? this.#mappings.length;
    const i = index(protocol);
    if (!(this.#inside[i] as FlowTable).insert(this.#load(inside, outside, insidePort), 0, id)) {
      this.#free.push(id);
      return -1;
    }
    (this.#outside[i] as FlowTable).insert(this.#load(outside, 0, port), 0, id);
    const outsidePort = port;
    this.#mappings[id] = {
      ...{ protocol, inside, insidePort, outside, outsidePort },
      shared: true,
      uses: 0,
    };
    return id;
  }

  /** A mapping that one connection has for itself: nobody else finds it. */
  once(
    protocol: number,
    inside: number,
    insidePort: number,
    outside: number,
    port: number,
  ): number {
    const id = this.#free.pop() ?? this.#mappings.length;
    const outsidePort = port;
    this.#mappings[id] = {
      ...{ protocol, inside, insidePort, outside, outsidePort },
      shared: false,
      uses: 0,
    };
    return id;
  }

  hold(id: number): void {
    this.at(id).uses++;
  }

  release(id: number): void {
    const m = this.at(id);
    m.uses--;
    if (m.uses > 0) return;
    this.#mappings[id] = null;
    this.#free.push(id);
    if (!m.shared) return;
    const i = index(m.protocol);
    (this.#inside[i] as FlowTable).remove(this.#load(m.inside, m.outside, m.insidePort), 0);
    (this.#outside[i] as FlowTable).remove(this.#load(m.outside, 0, m.outsidePort), 0);
  }

  /** A port for which `isFree` answers true, the wanted one if it can be; -1: none was found. */
  choose(protocol: number, wanted: number, isFree: PortCheck): number {
    if (isFree(wanted)) return wanted;
    const ranged = protocol === TCP || protocol === UDP;
    const low = !ranged ? 0 : wanted < FIRST_USER_PORT ? 1 : FIRST_USER_PORT;
    const high = ranged && wanted < FIRST_USER_PORT ? FIRST_USER_PORT - 1 : 65_535;
    for (let i = 0; i < TRIES; i++) {
      let port = low + below(this.#random, high - low + 1);
      // RFC 4787 REQ-4: RTP and RTCP tell each other by parity.
      if (protocol === UDP && ((port ^ wanted) & 1) === 1) port ^= 1;
      if (port >= low && port <= high && isFree(port)) return port;
    }
    return -1;
  }

  #load(a: number, b: number, port: number): Int32Array {
    const key = this.#key;
    key[3] = a;
    key[7] = b;
    key[8] = port << 16;
    return key;
  }
}

function index(protocol: number): number {
  return protocol === TCP ? 0 : protocol === UDP ? 1 : 2;
}
