// An address on an Ethernet is had only when nobody else has it. IPv6: duplicate address detection
// before use (RFC 4862 §5.4). IPv4: probes before use where the knob wants them, announcements when
// it is taken, and a defence while it is ours (RFC 5227 §2).

import { Code } from '../base/code.ts';
import { Ctr } from '../base/counters.ts';
import { fraction } from '../base/random.ts';
import { Address, type Prefix } from '../wire/address.ts';
import * as ndp from '../wire/ndp.ts';
import { assign } from './configure.ts';
import type { EtherPort } from './ether.ts';
import { changeGroup } from './group-changes.ts';
import { count, type IpLayer } from './ip.ts';
import { announce4, probe4, probe6, type Words } from './solicit.ts';

export const Phase = { PROBING: 0, ANNOUNCING: 1, OURS: 2, DUPLICATE: 3 } as const;

/** RFC 5227 §1.1. */
const PROBE_WAIT_US = 1_000_000;
const PROBE_MIN_US = 1_000_000;
const PROBE_MAX_US = 2_000_000;
const ANNOUNCE_WAIT_US = 2_000_000;
const ANNOUNCE_NUM = 2;
const ANNOUNCE_INTERVAL_US = 2_000_000;
const DEFEND_INTERVAL_US = 10_000_000;

const NEVER = Infinity;

export class Claim {
  readonly prefix: Prefix;
  phase: number = Phase.PROBING;
  /** Probes or announcements still to be sent. */
  left = 0;
  dueUs = NEVER;
  /** When we have last said that it is ours. */
  defendedUs = -Infinity;

  constructor(prefix: Prefix) {
    this.prefix = prefix;
  }

  get isV4(): boolean {
    return this.prefix.address.family === 4;
  }
}

/** The claim that is still being probed for with these words; null when there is none. */
export function claimed(port: EtherPort, a: number, b: number, c: number, d: number): Claim | null {
  const claim = find(port, a, b, c, d);
  return claim !== null && claim.phase === Phase.PROBING ? claim : null;
}

function find(port: EtherPort, a: number, b: number, c: number, d: number): Claim | null {
  for (const claim of port.claims) {
    const { address } = claim.prefix;
    if (address.d === d && address.c === c && address.b === b && address.a === a) return claim;
  }
  return null;
}

/** Takes an address, at once or when nobody has objected. NONE, or what `assign` answers. */
export function claim(ip: IpLayer, port: EtherPort, prefix: Prefix): Code {
  const { a, b, c, d } = prefix.address;
  const before = find(port, a, b, c, d);
  if (before !== null) {
    if (before.phase !== Phase.DUPLICATE) return Code.EADDRINUSE;
    port.claims.splice(port.claims.indexOf(before), 1);
  }
  const code = ip.addresses.check(prefix, false);
  if (code !== Code.NONE) return code;
  const made = new Claim(prefix);
  const isV4 = prefix.address.family === 4;
  made.left = isV4 ? ip.config.arpProbes : ip.config.dadTransmits;
  port.claims.push(made);
  if (!isV4) listen(ip, port, made, 1);
  if (made.left === 0) return take(ip, port, made);
  const wait = isV4 ? fraction(ip.random) * PROBE_WAIT_US : 0;
  want(port, made, ip.nowUs + wait);
  if (!isV4) due(ip, port, made);
  return Code.NONE;
}

/** The address is given up. Whether there was a claim to it that had not been granted. */
export function unclaim(ip: IpLayer, port: EtherPort, address: Address): boolean {
  const found = find(port, address.a, address.b, address.c, address.d);
  if (found === null) return false;
  port.claims.splice(port.claims.indexOf(found), 1);
  if (!found.isV4) listen(ip, port, found, -1);
  return found.phase === Phase.PROBING || found.phase === Phase.DUPLICATE;
}

/** RFC 4861 §7.2.1: questions about an address come to its solicited-node group. */
function listen(ip: IpLayer, port: EtherPort, of: Claim, step: 1 | -1): void {
  const last = ndp.solicitedNode(of.prefix.address.d);
  const group = new Address(ndp.GROUP_A, 0, ndp.SOLICITED_C, last);
  changeGroup(ip, port.linkId, group, (g) => {
    g.excluders += step;
    return Code.NONE;
  });
}

function want(port: EtherPort, of: Claim, us: number): void {
  of.dueUs = us;
  port.wantAt(us);
}

function take(ip: IpLayer, port: EtherPort, of: Claim): Code {
  const code = assign(ip, port.linkId, of.prefix, false);
  of.dueUs = NEVER;
  of.phase = Phase.OURS;
  if (code === Code.NONE && of.isV4) {
    of.phase = Phase.ANNOUNCING;
    of.left = ANNOUNCE_NUM;
    due(ip, port, of);
  }
  ip.onAddress?.(port.linkId, of.prefix.address, code === Code.NONE);
  return code;
}

/** Acts on what is due among a link's claims. */
export function advanceClaims(ip: IpLayer, port: EtherPort): void {
  // A claim that is taken may tell somebody who claims another.
  for (const of of [...port.claims]) {
    if (of.dueUs <= ip.nowUs) due(ip, port, of);
    port.wantAt(of.dueUs);
  }
}

function due(ip: IpLayer, port: EtherPort, of: Claim): void {
  const { a, b, c, d } = of.prefix.address;
  if (of.phase === Phase.ANNOUNCING) {
    announce4(ip, port, d);
    of.left--;
    of.defendedUs = ip.nowUs;
    if (of.left === 0) of.phase = Phase.OURS;
    want(port, of, of.left === 0 ? NEVER : ip.nowUs + ANNOUNCE_INTERVAL_US);
    return;
  }
  if (of.phase !== Phase.PROBING) return;
  if (of.left === 0) {
    take(ip, port, of);
    return;
  }
  of.left--;
  if (!of.isV4) {
    probe6(ip, port, [a, b, c, d]);
    want(port, of, ip.nowUs + port.retransMs * 1000);
    return;
  }
  probe4(ip, port, d);
  const spread = PROBE_MIN_US + fraction(ip.random) * (PROBE_MAX_US - PROBE_MIN_US);
  want(port, of, ip.nowUs + (of.left === 0 ? ANNOUNCE_WAIT_US : spread));
}

/** Somebody else uses, or wants, an address of ours or one that we would like to have. */
export function contest(ip: IpLayer, port: EtherPort, words: Words): void {
  const [a, b, c, d] = words;
  count(ip, Ctr.PortsideAddressConflicts);
  const of = find(port, a, b, c, d);
  if (of === null) return;
  if (of.phase === Phase.PROBING) {
    of.phase = Phase.DUPLICATE;
    of.dueUs = NEVER;
    ip.onAddress?.(port.linkId, of.prefix.address, false);
    return;
  }
  // RFC 5227 §2.4 (c): one announcement, and silence for a while: two who defend shall not shout.
  if (!of.isV4 || ip.nowUs - of.defendedUs < DEFEND_INTERVAL_US) return;
  of.defendedUs = ip.nowUs;
  announce4(ip, port, d);
}
