// One neighbour on an Ethernet: its address of both layers, how sure we are of it (RFC 4861 §7.3.2,
// for IPv4 the same: RFC 1122 §2.3.2.1), and what waits until it is found.

import { format } from '../wire/address.ts';
import { formatMac } from '../wire/ethernet.ts';

/** RFC 4861 §7.3.2; NONE has not been asked for yet, FAILED is forgotten by the cache. */
export const Nud = {
  NONE: 0,
  INCOMPLETE: 1,
  REACHABLE: 2,
  STALE: 3,
  DELAY: 4,
  PROBE: 5,
  FAILED: 6,
} as const;

/** As `ip neigh` names them. */
const NAMES = ['NONE', 'INCOMPLETE', 'REACHABLE', 'STALE', 'DELAY', 'PROBE', 'FAILED'];

const NEVER = Infinity;

/** A packet that waits, in memory of its own. */
export interface Waiting {
  readonly octets: Uint8Array;
  readonly headerLen: number;
  readonly l4: number;
  readonly csumOffset: number;
  readonly flags: number;
  readonly gsoType: number;
  readonly gsoSize: number;
  readonly family: number;
}

export class Neighbor {
  readonly linkId: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  state = 0;
  /** Link-layer address (wire/ethernet.ts). */
  high = 0;
  low = 0;
  isRouter = false;
  /** Until when it counts as reachable; -1 in every other state. */
  reachableUs = -1;
  /** When something is to be done about it. */
  dueUs = NEVER;
  /** Solicitations without an answer. */
  probes = 0;
  /** When its link-layer address was last set. */
  setUs = -1;
  waiting: Waiting[] = [];
  /** Its place in the cache (neighbors.ts). */
  bucket = 0;
  inBucket: Neighbor | null = null;
  ring = 0;
  before: Neighbor | null = null;
  after: Neighbor | null = null;

  constructor(linkId: number, a: number, b: number, c: number, d: number) {
    this.linkId = linkId;
    this.a = a;
    this.b = b;
    this.c = c;
    this.d = d;
  }

  get isV4(): boolean {
    return (this.a | this.b) === 0 && this.c === 0xffff;
  }

  /** Whether its link-layer address is known. */
  get hasMac(): boolean {
    return this.state >= Nud.REACHABLE && this.state <= Nud.PROBE;
  }
}

/** A neighbour as people see it. */
export interface NeighborRow {
  address: string;
  /** '' while it is not known. */
  mac: string;
  link: string;
  state: string;
  isRouter: boolean;
  /** Packets that wait for its address. */
  waiting: number;
}

export function neighborRow(n: Neighbor, link: string): NeighborRow {
  return {
    address: format(n.a, n.b, n.c, n.d),
    mac: n.hasMac ? formatMac(n.high, n.low) : '',
    link,
    state: NAMES[n.state] as string,
    isRouter: n.isRouter,
    waiting: n.waiting.length,
  };
}
