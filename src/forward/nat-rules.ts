// What a NAT is told to do: by which links sources are hidden, which of our ports stand for whose.

import type { Rx } from '../base/rx.ts';
import { parse } from '../wire/address.ts';

export interface PortForward {
  /** Packets that come by this link; default: any. */
  readonly link?: number;
  readonly protocol: 'tcp' | 'udp';
  /** One of our addresses; default: each of them. */
  readonly address?: string;
  readonly port: number;
  readonly to: string;
  /** Default: the same port. */
  readonly toPort?: number;
}

export interface NatOptions {
  /** Links by which sources leave under the link's own address. */
  readonly masquerade?: readonly number[];
  readonly forwards?: readonly PortForward[];
  /** RFC 4787 §4.1; default endpoint-independent, as its REQ-1 wants. */
  readonly mapping?: 'endpoint-independent' | 'address-and-port-dependent';
  /** RFC 4787 §5; default address-and-port-dependent. */
  readonly filtering?: 'endpoint-independent' | 'address-and-port-dependent';
}

export interface ForwardRule {
  readonly link: number;
  readonly protocol: number;
  readonly address: number;
  readonly anyAddress: boolean;
  readonly port: number;
  readonly to: number;
  readonly toPort: number;
}

export interface NatRules {
  /** Index = link id; 1: hides sources. */
  readonly masquerade: readonly number[];
  readonly forwards: readonly ForwardRule[];
  readonly sharedMapping: boolean;
  readonly openFiltering: boolean;
}

/** Most rules: each new connection to one of our addresses is held against all of them. */
const MOST_RULES = 1024;

/** Throws RangeError where the options make no sense. */
export function readRules(o: NatOptions): NatRules {
  const masquerade: number[] = [];
  for (const link of o.masquerade ?? []) masquerade[link] = 1;
  const forwards = (o.forwards ?? []).map(readForward);
  if (forwards.length > MOST_RULES) throw new RangeError(`more than ${MOST_RULES} port forwards`);
  return {
    masquerade,
    forwards,
    sharedMapping: o.mapping !== 'address-and-port-dependent',
    openFiltering: o.filtering === 'endpoint-independent',
  };
}

function readForward(f: PortForward): ForwardRule {
  const to = parse(f.to);
  const own = f.address === undefined ? null : parse(f.address);
  if (to === null || to.family !== 4) throw new RangeError(`'${f.to}' is no IPv4 address`);
  if (f.address !== undefined && own?.family !== 4) {
    throw new RangeError(`'${f.address}' is no IPv4 address`);
  }
  for (const port of [f.port, f.toPort ?? f.port]) {
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      throw new RangeError(`${port} is no port`);
    }
  }
  return {
    link: f.link ?? -1,
    protocol: f.protocol === 'tcp' ? 6 : 17,
    address: own?.d ?? 0,
    anyAddress: own === null,
    port: f.port,
    to: to.d,
    toPort: f.toPort ?? 0,
  };
}

/** The first rule for a packet to one of our addresses; null. */
export function ruleFor(rules: NatRules, rx: Rx, port: number): ForwardRule | null {
  const { forwards } = rules;
  for (let i = 0; i < forwards.length; i++) {
    const rule = forwards[i] as ForwardRule;
    if (rule.port !== port || rule.protocol !== rx.protocol) continue;
    if (rule.link >= 0 && rule.link !== rx.linkId) continue;
    if (rule.anyAddress || rule.address === rx.dst3) return rule;
  }
  return null;
}
