// What goes between the inspector's server and its page: types alone, shared by both. Times are µs
// on the clock of whoever is looked into.

import type { BriefRow } from '../inspect/brief.ts';
import type { FieldNode } from '../inspect/packets.ts';
import type { SendMap } from '../stack/send-map.ts';
import type { FlowRow } from '../stack/snapshot.ts';

/** Whom the page shows. */
export interface Hello {
  kind: 'host' | 'lab';
  name: string;
  pid: number;
  addresses: readonly string[];
  mtu: number | null;
  offloads: readonly string[];
  /** Hosts of a simulated network; one host has one name. */
  hosts: readonly string[];
  /** What the counters count and why packets are dropped, by name. */
  meanings: Readonly<Record<string, string>>;
  /** Whether packets and events can be had, or only what a snapshot shows. */
  packets: boolean;
}

/** What the page wants to see now. Numbers are cursors: what came after them. */
export interface Wants {
  views: readonly string[];
  /** Whose counters, links and routes, in a simulated network. */
  host: string;
  /** Host and key of the connection whose page is open. */
  conn: { host: string; key: string } | null;
}

export interface PacketRow {
  n: number;
  us: number;
  /** Which host saw it, and whether it went `out` of it or came `in`. */
  host: string;
  dir: 'out' | 'in';
  src: string;
  dst: string;
  proto: string;
  len: number;
  info: string;
  /** '' or why it came to nothing: a drop reason, or where the network lost it. */
  verdict: string;
  /** Sent before. */
  again: boolean;
  /** RFC section that fired, in a few words. */
  why: string;
}

export interface PacketDetail {
  row: PacketRow;
  hex: string;
  tree: FieldNode[];
}

export interface EventRow {
  n: number;
  us: number;
  host: string;
  /** Key of a socket, or ''. */
  key: string;
  kind: string;
  text: string;
}

/** One move of the state diagram. */
export interface StateMove {
  us: number;
  from: string;
  to: string;
  why: string;
}

/**
 * A segment as this end saw it: us, out (1) or in (0), TCP flags, relative sequence number, length,
 * relative acknowledgment, relative right edge of the window that it offers, sent again (1), then
 * pairs of relative SACK edges.
 */
export type SegmentRow = number[];

/** us, cwnd, ssthresh (0: none), in flight, peer's window (all octets), srtt, rttvar, rto (µs). */
export type SampleRow = number[];

/** What is new of one connection. */
export interface ConnPart {
  host: string;
  key: string;
  /** Everything before is to be forgotten. */
  fresh: boolean;
  state: string;
  moves: StateMove[];
  segments: SegmentRow[];
  samples: SampleRow[];
  map: SendMap | null;
  info: Readonly<Record<string, unknown>> | null;
}

/** A drawing of the laboratory's own: lines over a common axis. */
export interface Chart {
  title: string;
  x: string;
  y: string;
  series: { name: string; points: [number, number][] }[];
}

export interface LabState {
  scenario: string;
  scenarios: readonly { name: string; title: string }[];
  title: string;
  teaches: string;
  look: readonly string[];
  step: number;
  playing: boolean;
  ended: boolean;
  speed: number;
  /** Where the next packet of a host may be lost or held back. */
  hosts: readonly string[];
  charts: readonly Chart[];
}

export interface LinkRow {
  name: string;
  mtu: number;
  capabilities: string;
  addresses: readonly string[];
}

export interface RouteRow {
  prefix: string;
  via: string;
  link: string;
}

export interface NeighbourRow {
  address: string;
  link: string;
  lladdr: string;
  state: string;
}

export interface PortRow {
  host?: string;
  netid: string;
  port: number;
  holders: string;
  sockets: number;
  refused: number;
}

export interface DropExample {
  reason: string;
  us: number;
  /** n of a packet in the list, or -1 and the packet as hexadecimal digits. */
  n: number;
  text: string;
  hex: string;
}

/** Values as they are; feed.ts makes frames of what has changed. */
export interface Snapshot {
  us: number;
  /** Another number: time began anew, everything before is void. */
  epoch: number;
  /** Wall clock at the zero of the host's, µs; of the laboratory nothing. */
  epochUs?: number;
  /** Why there are no packets, or no more; '' when all is well. */
  trouble?: string;
  /** Names of the hosts, when they may change. */
  hosts?: string[];
  sockets?: BriefRow[];
  counters?: Record<string, number>;
  drops?: Record<string, number>;
  examples?: DropExample[];
  memory?: Record<string, number>;
  flows?: FlowRow[];
  ports?: PortRow[];
  links?: LinkRow[];
  routes?: RouteRow[];
  neighbours?: NeighbourRow[];
  packets?: PacketRow[];
  events?: EventRow[];
  conn?: ConnPart;
  lab?: LabState;
}

/** One message to the page. */
export interface Frame extends Omit<Snapshot, 'sockets' | 'epoch'> {
  client?: number;
  hello?: Hello;
  reset?: true;
  sockets?: { set: BriefRow[]; gone: string[] };
  error?: string;
}
