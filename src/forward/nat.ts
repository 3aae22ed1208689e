// NAT for IPv4 (RFC 3022, RFC 4787, RFC 5382, RFC 5508): on arrival a packet's connection is looked
// up, or begun, and its destination translated, before anything is decided about it; on leaving its
// source. A connection becomes an entry when its first packet leaves: refused ones cost nothing.
// @hot

import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import { DstKind, type Rx } from '../base/rx.ts';
import { NOT_OURS } from '../ip/addresses.ts';
import { acceptFragment } from '../ip/input4.ts';
import { count, drop, type IpLayer, Verdict } from '../ip/ip.ts';
import { isMulticast, V4_MAPPED } from '../wire/address.ts';
import * as icmp4 from '../wire/icmp4.ts';
import * as ipv4 from '../wire/ipv4.ts';
import type { Conntrack } from './conntrack.ts';
import { isIcmpError, translateError } from './nat-error.ts';
import { NatMap } from './nat-map.ts';
import { outsideOf } from './nat-out.ts';
import { type NatRules, ruleFor } from './nat-rules.ts';
import { rewriteDestination, rewriteSource } from './rewrite.ts';

/** What the last packet that arrived belongs to. */
const NOTHING = 0;
const ENTRY = 1;
const NEW = 2;
const ERROR = 3;

const TCP_HEADER = 20;
const ICMP_HEADER = 8;

/** Asked once for each new connection; false: refused, and done with. */
export type AskFlow = (rx: Rx) => boolean;

export class Nat {
  readonly ip: IpLayer;
  readonly rules: NatRules;
  readonly track: Conntrack;
  readonly map: NatMap;
  /** A port of that protocol that a socket of this stack holds is nobody else's. */
  readonly isOwnPort: (protocol: number, port: number) => boolean;
  askFlow: AskFlow | null = null;
  #what = NOTHING;
  #id = -1;
  /** The packet as it came: for a new connection's entry, and to quote it. */
  cameSrc = 0;
  cameDst = 0;
  camePorts = 0;
  /** Mapping by which a stranger's packet found its way in; -1. */
  #through = -1;

  constructor(
    ip: IpLayer,
    rules: NatRules,
    track: Conntrack,
    isOwnPort: (protocol: number, port: number) => boolean,
  ) {
    this.ip = ip;
    this.rules = rules;
    this.track = track;
    this.map = new NatMap(ip.random);
    this.isOwnPort = isOwnPort;
    track.onGone = (mapping) => this.map.release(mapping);
  }

  /** False: the packet is done with. @param forwards whether its link does */
  arrives(rx: Rx, forwards: boolean): boolean {
    this.#what = NOTHING;
    if (!forwards) return true;
    const { ip } = this;
    if ((ipv4.fragmentWord(rx.u8, rx.off) & (ipv4.MF | ipv4.OFFSET_MASK)) !== 0) {
      // Ports lie in the first fragment alone: the whole is wanted (RFC 4787 REQ-14).
      if (acceptFragment(ip, rx) !== Verdict.DELIVER) return false;
    }
    if (!this.#describe(rx)) return true;
    const id = this.track.find(rx.protocol, this.cameSrc, this.cameDst, this.camePorts);
    if (id < 0) return this.#begin(rx);
    this.#what = ENTRY;
    this.#id = id;
    this.track.touch(id, tcpFlags(rx));
    const back = id ^ 1;
    const dst = this.track.src(back);
    const port = this.track.ports(back) >>> 16;
    if (dst !== this.cameDst || port !== (this.camePorts & 0xffff)) {
      rewriteDestination(rx, dst, port);
    }
    return true;
  }

  /** Reads addresses and ports; false: nothing that is followed, or an error, translated. */
  #describe(rx: Rx): boolean {
    this.cameSrc = rx.src3;
    this.cameDst = rx.dst3;
    const { protocol } = rx;
    if (protocol === ipv4.Proto.ICMP) {
      if (rx.l4Len < ICMP_HEADER) return false;
      const type = icmp4.type(rx.u8, rx.l4Off);
      if (isIcmpError(type)) {
        if (translateError(this, rx)) this.#what = ERROR;
        return false;
      }
      if (type !== icmp4.Type.ECHO && type !== icmp4.Type.ECHO_REPLY) return false;
      const id = icmp4.echoId(rx.u8, rx.l4Off);
      this.camePorts = (id << 16) | id;
      return true;
    }
    const least = protocol === ipv4.Proto.TCP ? TCP_HEADER : ICMP_HEADER;
    if (protocol !== ipv4.Proto.TCP && protocol !== ipv4.Proto.UDP) return false;
    if (rx.l4Len < least) return false;
    this.camePorts = rx.view.getInt32(rx.l4Off);
    return true;
  }

  #begin(rx: Rx): boolean {
    const { ip, rules } = this;
    this.#through = -1;
    const { protocol } = rx;
    const echo = protocol === ipv4.Proto.ICMP;
    // An answer to nothing begins nothing.
    if (echo && icmp4.type(rx.u8, rx.l4Off) !== icmp4.Type.ECHO) return true;
    const kind = ip.addresses.kindOf(0, 0, V4_MAPPED, rx.dst3);
    if (kind !== NOT_OURS && kind !== DstKind.UNICAST) return true;
    if (isMulticast(0, 0, V4_MAPPED, rx.dst3)) return true;
    const port = this.camePorts & 0xffff;
    if (kind === DstKind.UNICAST) {
      const rule = echo ? null : ruleFor(rules, rx, port);
      if (rule !== null) rewriteDestination(rx, rule.to, rule.toPort === 0 ? port : rule.toPort);
      else if (!this.#admits(rx, port)) return true;
    }
    this.#what = NEW;
    if (this.askFlow === null || this.askFlow(rx)) return true;
    this.#what = NOTHING;
    return false;
  }

  /** RFC 4787 §5: whether a stranger may use a mapping that somebody inside has made. */
  #admits(rx: Rx, port: number): boolean {
    if (!this.rules.openFiltering || this.isOwnPort(rx.protocol, port)) return false;
    const id = this.map.behind(rx.protocol, rx.dst3, port);
    if (id < 0) return false;
    const mapping = this.map.at(id);
    this.#through = id;
    rewriteDestination(rx, mapping.inside, mapping.insidePort);
    return true;
  }

  /** The packet leaves by `out`. False: it does not, and is done with. */
  leaves(rx: Rx, out: number): boolean {
    if (this.#what === ERROR) return true;
    if (this.#what === NOTHING) {
      if (this.rules.masquerade[out] !== 1) return true;
      // What belongs to nothing would show an inside address to the outside.
      count(this.ip, Ctr.PortsideTrackInvalid);
      drop(this.ip, rx, Drop.NETFILTER_DROP);
      return false;
    }
    if (this.#what === NEW && !this.#confirm(rx, out)) {
      drop(this.ip, rx, Drop.NETFILTER_DROP);
      return false;
    }
    const back = this.#id ^ 1;
    const src = this.track.dst(back);
    const port = this.track.ports(back) & 0xffff;
    if (src !== rx.src3 || port !== this.camePorts >>> 16) rewriteSource(rx, src, port);
    return true;
  }

  /** Makes the entry of a new connection, whose destination stands in `rx` translated. */
  #confirm(rx: Rx, out: number): boolean {
    const { map } = this;
    const through = this.#through;
    // Room is made at the cost of another connection: not of the last one of this mapping.
    if (through >= 0) map.hold(through);
    const made = this.#make(rx, out);
    if (through >= 0) map.release(through);
    return made;
  }

  #make(rx: Rx, out: number): boolean {
    const { track, map } = this;
    if (!track.makeRoom()) return false;
    const protocol = rx.protocol;
    const echo = protocol === ipv4.Proto.ICMP;
    const dport = echo ? this.camePorts & 0xffff : rx.view.getUint16(rx.l4Off + 2);
    const found = outsideOf(this, rx, out, dport);
    if (found < -1) {
      count(this.ip, Ctr.PortsideNatNoPort);
      return false;
    }
    let src = this.cameSrc;
    let sport = this.camePorts >>> 16;
    let mapping = found;
    if (found >= 0) {
      src = map.at(found).outside;
      sport = map.at(found).outsidePort;
    } else mapping = this.#through;
    track.draft(0, this.cameSrc, this.cameDst, this.camePorts);
    const back = echo ? sport : dport;
    track.draft(1, rx.dst3, src, (back << 16) | sport);
    this.#id = track.insert(protocol, mapping);
    if (this.#id < 0) {
      if (found >= 0 && map.at(found).uses === 0) {
        map.hold(found);
        map.release(found);
      }
      return false;
    }
    if (mapping >= 0) map.hold(mapping);
    track.touch(this.#id, tcpFlags(rx));
    return true;
  }

  /** Before an error is sent about the packet: its destination as it was when it came. */
  restore(rx: Rx): void {
    if (this.#what !== ENTRY && this.#what !== NEW) return;
    if (rx.dst3 !== this.cameDst) rewriteDestination(rx, this.cameDst, this.camePorts & 0xffff);
  }
}

function tcpFlags(rx: Rx): number {
  return rx.protocol === ipv4.Proto.TCP ? (rx.u8[rx.l4Off + 13] as number) : 0;
}
