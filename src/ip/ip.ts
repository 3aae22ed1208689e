// The IP layer's state and the verbs every transport uses. The work is in input4.ts and output.ts.

import type { Counters } from '../base/counters.ts';
import { Ctr } from '../base/counters.ts';
import type { Drop } from '../base/drop.ts';
import { DropExamples } from '../base/drop-examples.ts';
import { MemoryBudget } from '../base/memory.ts';
import type { Random } from '../base/random.ts';
import { Rx } from '../base/rx.ts';
import type { Slab } from '../base/slab.ts';
import type { PacketTap } from '../base/tap.ts';
import { HEADROOM, Tx, TxArena } from '../base/tx.ts';
import type { Watch } from '../base/watch.ts';
import type { Link } from '../link/link.ts';
import type { Address } from '../wire/address.ts';
import { Addresses } from './addresses.ts';
import { Echoes } from './echo.ts';
import type { Elsewhere } from './elsewhere.ts';
import type { EtherPort } from './ether.ts';
import { FragmentState } from './fragment.ts';
import { Groups } from './groups.ts';
import { IcmpError, IcmpLimiter } from './icmp.ts';
import { Idents } from './ident.ts';
import { Path } from './path.ts';
import { PathMtu } from './pmtu.ts';
import { Reassembly, SCRATCH } from './reassembly.ts';
import type { Router } from './router.ts';
import { Routes } from './routes.ts';

/** Knobs of this layer; values, units and sources in stack/config.ts. */
export interface IpConfig {
  defaultTtl: number;
  icmpRatePerSecond: number;
  icmpBurst: number;
  echoBroadcast: boolean;
  reassemblyTimeoutMs: number;
  reassemblyTimeout6Ms: number;
  reassemblyMaxOctets: number;
  reassemblyMaxOctetsPerSource: number;
  reassemblyMaxFragments: number;
  reassemblyMaxDatagrams: number;
  pmtuMin: number;
  pmtuExpireMs: number;
  pmtuMaxEntries: number;
  groupMax: number;
  groupMaxSources: number;
  groupRobustness: number;
  groupQueryIntervalMs: number;
  reportLinkLocalGroups: boolean;
  txArenaOctets: number;
  neighborMax: number;
  neighborMaxAsked: number;
  neighborReachableMs: number;
  neighborRetransMs: number;
  neighborQueuePackets: number;
  neighborQueueOctets: number;
  arpProbes: number;
  dadTransmits: number;
}

/** What a layer answers to the walk in stack/stack.ts. */
export const Verdict = {
  /** Go on: the next layer's turn. */
  DELIVER: 0,
  /** Finished with this packet (consumed, kept or dropped with a reason). */
  DONE: 1,
  /** An ICMP error for a transport stands in `ip.icmpError`. */
  ERROR: 2,
  /** Not for us, and this stack is a router. */
  FORWARD: 3,
} as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** Called for each discarded packet when somebody looks (inspector, capture). */
export type DropListener = (reason: Drop, rx: Rx) => void;

export class IpLayer {
  readonly slab: Slab;
  readonly counters: Counters;
  readonly config: IpConfig;
  readonly random: Random;
  readonly rx: Rx;
  readonly tx = new Tx();
  readonly arena: TxArena;
  /** Index = link id. */
  readonly links: (Link | null)[] = [];
  /** The Ethernet side of each link; null or absent where packets begin with IP. */
  readonly ethers: (EtherPort | null)[] = [];
  etherCount = 0;
  /** The path of the packet that is on its way down. */
  via = new Path();
  /** Told when an address is had for certain, or turns out to be another one's. */
  onAddress: ((linkId: number, address: Address, isOurs: boolean) => void) | null = null;
  readonly addresses = new Addresses();
  readonly routes = new Routes();
  readonly groups = new Groups();
  readonly pmtu: PathMtu;
  readonly reassembly: Reassembly;
  readonly reassembly6: Reassembly;
  readonly icmpLimiter: IcmpLimiter;
  readonly icmpError = new IcmpError();
  /** Echo requests of our own. */
  readonly echoes = new Echoes();
  readonly idents: Idents;
  readonly fragments = new FragmentState();
  /** What everybody holds for others; the stack sets the cap. */
  readonly memory = new MemoryBudget();
  /** Monotonic µs of the turn. */
  nowUs = 0;
  /** Moves whenever a cached Path may be wrong. */
  routeEpoch = 1;
  /** MTU of each link when it was last looked at. */
  readonly mtus: number[] = [];
  onDrop: DropListener | null = null;
  /** Who looks at the work; null: nobody. */
  watch: Watch | null = null;
  /** Who captures packets; null: nobody. */
  tap: PacketTap | null = null;
  /** The last packet that was discarded for each reason. */
  readonly examples = new DropExamples();
  /** Numbers of sockets given out so far, those of every protocol. */
  ids = 0;
  /** Other stacks with the same addresses; null: this one is alone. */
  elsewhere: Elsewhere | null = null;
  /** What is done with packets for others; null: this stack is a host and forwards nothing. */
  router: Router | null = null;
  /** Packets wait in links whose octets do not lie in the arena. */
  passed = false;
  /** Sum of the slab's octets as 16-bit words, unfolded; the addon's when there is one. */
  readonly sum: (off: number, len: number, initial: number) => number;

  constructor(
    slab: Slab,
    config: IpConfig,
    random: Random,
    counters: Counters,
    sum: (off: number, len: number, initial: number) => number,
  ) {
    this.slab = slab;
    this.config = config;
    this.random = random;
    this.counters = counters;
    this.sum = sum;
    this.rx = new Rx(slab);
    this.arena = new TxArena(slab.reserve(config.txArenaOctets), config.txArenaOctets);
    this.pmtu = new PathMtu(config, random);
    // One at a time is put together, whatever its family.
    const scratch = slab.reserve(HEADROOM + SCRATCH) + HEADROOM;
    const { memory } = this;
    this.reassembly = new Reassembly(slab, config, random, { family: 4, scratch, memory });
    this.reassembly6 = new Reassembly(slab, config, random, { family: 6, scratch, memory });
    this.idents = new Idents(random);
    this.icmpLimiter = new IcmpLimiter(config, random);
  }
}

/** A link's MTU may change while it runs: then what is known of paths is asked for again. */
export function noteMtus(ip: IpLayer): void {
  const { links, mtus } = ip;
  for (let i = 0; i < links.length; i++) {
    const link = links[i];
    const mtu = link === null || link === undefined ? 0 : link.mtu;
    if (mtus[i] === mtu) continue;
    mtus[i] = mtu;
    ip.routeEpoch++;
  }
}

/** Counts a discarded packet under its reason. */
export function drop(ip: IpLayer, rx: Rx, reason: Drop): typeof Verdict.DONE {
  const drops = ip.counters.drops;
  drops[reason] = (drops[reason] as number) + 1;
  ip.examples.keep(reason, rx, ip.nowUs);
  if (ip.onDrop !== null) ip.onDrop(reason, rx);
  if (ip.watch !== null) ip.watch.dropped(reason, rx);
  if (ip.tap !== null) ip.tap.discarded(reason);
  return Verdict.DONE;
}

/** A number that no other socket of this stack has had. */
export function nextId(ip: IpLayer): number {
  ip.ids = (ip.ids + 1) | 0;
  return ip.ids;
}

export function count(ip: IpLayer, counter: number, n = 1): void {
  const values = ip.counters.values;
  values[counter] = (values[counter] as number) + n;
}

/** Sends what every link has queued; afterwards headers and payload pieces may be reused. */
export function flushLinks(ip: IpLayer): void {
  if (ip.arena.used === 0 && !ip.passed) return;
  ip.passed = false;
  for (let i = 0; i < ip.links.length; i++) {
    const link = ip.links[i];
    if (link !== null && link !== undefined) link.flush();
  }
  ip.arena.reset();
}

export { Ctr };
