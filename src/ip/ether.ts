// What the IP layer keeps of an Ethernet link: its own link-layer address, its neighbours, its
// addresses that are not certain yet, and its VLANs.

import { Tx } from '../base/tx.ts';
import type { Link } from '../link/link.ts';
import * as ethernet from '../wire/ethernet.ts';
import type { Claim } from './claims.ts';
import type { IpLayer } from './ip.ts';
import type { Neighbor } from './neighbor.ts';
import { Neighbors } from './neighbors.ts';
import { evicted } from './nud.ts';

const NEVER = Infinity;

export class EtherPort {
  readonly linkId: number;
  /** Own link-layer address (wire/ethernet.ts). */
  readonly mac: ethernet.Mac;
  readonly neighbors: Neighbors;
  /** Addresses that are being probed for, announced or defended (claims.ts). */
  readonly claims: Claim[] = [];
  /** Octets of link header before each packet. */
  readonly lead: number;
  /** The four octets of an 802.1Q tag; 0 = none. */
  readonly tag: number;
  /** Link id of each VLAN on this link; null where there are none. */
  vlans: Map<number, number> | null = null;
  /** A record of its own: neighbours are asked for while another packet is on its way down. */
  readonly tx = new Tx();
  /** Not after the earliest deadline of neighbours and claims. */
  dueUs = NEVER;
  /** Base of the time for which a neighbour counts as reachable, and between solicitations. */
  reachableMs: number;
  retransMs: number;
  /** Octets of packets that wait. */
  waitingOctets = 0;

  constructor(ip: IpLayer, linkId: number, mac: ethernet.Mac, vid = 0) {
    const { config } = ip;
    this.linkId = linkId;
    this.mac = mac;
    this.lead = vid === 0 ? ethernet.HEADER : ethernet.HEADER + ethernet.TAG;
    this.tag = vid === 0 ? 0 : (ethernet.EtherType.VLAN << 16) | vid;
    this.reachableMs = config.neighborReachableMs;
    this.retransMs = config.neighborRetransMs;
    const caps = { asked: config.neighborMaxAsked, max: config.neighborMax };
    this.neighbors = new Neighbors(linkId, ip.random, caps);
    this.neighbors.onEvicted = (n) => evicted(ip, this, n);
  }

  wantAt(us: number): void {
    if (us < this.dueUs) this.dueUs = us;
  }

  want(n: Neighbor, us: number): void {
    n.dueUs = us;
    if (us < this.dueUs) this.dueUs = us;
  }
}

/** The Ethernet side of a link, null where packets begin with IP. */
export function portOf(ip: IpLayer, linkId: number): EtherPort | null {
  return ip.ethers[linkId] ?? null;
}

/** Notes a link that has just been added: every link has its place in `ip.ethers`. */
export function notePort(ip: IpLayer, linkId: number, link: Link, vid = 0): void {
  const mac = link.mac ?? null;
  ip.ethers[linkId] = mac === null ? null : new EtherPort(ip, linkId, mac, vid);
  if (mac !== null) ip.etherCount++;
}

/** Writes the link header before a packet's first octet; `tx.lead` says how long it is. */
export function putHeader(ip: IpLayer, port: EtherPort, tx: Tx, high: number, low: number): void {
  const view = ip.slab.view;
  const at = tx.headerOff - port.lead;
  const own = port.mac;
  view.setInt32(at, high);
  view.setInt32(at + 4, (low << 16) | (own.high >>> 16));
  view.setInt32(at + 8, (own.high << 16) | own.low);
  if (port.tag !== 0) view.setInt32(at + ethernet.HEADER - 2, port.tag);
  const type = tx.family === 6 ? ethernet.EtherType.IPV6 : ethernet.EtherType.IPV4;
  view.setUint16(tx.headerOff - 2, type);
  tx.lead = port.lead;
}
