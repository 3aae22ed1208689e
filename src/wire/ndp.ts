// Neighbour discovery for IPv6 (RFC 4861 §4): offsets and options of the five messages, and the
// checks that need no state. The ICMPv6 checksum has been verified before.

import { Drop } from '../base/drop.ts';
import * as ethernet from './ethernet.ts';

/** Hop limit of every message: no router has passed it on (RFC 4861 §3.1). */
export const HOP_LIMIT = 255;

/** Octets before the options, which are also the least lengths (RFC 4861 §6.1, §7.1, §8.1). */
export const Length = { SOLICIT: 8, ADVERT: 16, NEIGHBOR: 24, REDIRECT: 40 } as const;
export const Offset = {
  FLAGS: 4,
  TARGET: 8,
  REDIRECT_DST: 24,
  HOP_LIMIT: 4,
  RA_FLAGS: 5,
  LIFETIME: 6,
  REACHABLE: 8,
  RETRANS: 12,
} as const;

/** Flags of a neighbour advertisement, in the first octet behind the checksum. */
export const Flag = { ROUTER: 0x80, SOLICITED: 0x40, OVERRIDE: 0x20 } as const;

export const Option = {
  SOURCE_MAC: 1,
  TARGET_MAC: 2,
  PREFIX: 3,
  REDIRECTED: 4,
  MTU: 5,
  RDNSS: 25,
} as const;
/** Octets of an option with an Ethernet address. */
export const MAC_OPTION = 8;

/** Bounded by the packet: an option has at least eight octets, and an MTU of 9000 holds 1125. */
const MOST_OPTIONS = 1125;

/** NONE when every option of a message has a length, and lies in it (RFC 4861 §4.6). */
export function checkOptions(u8: Uint8Array, from: number, end: number): Drop {
  let at = from;
  for (let i = 0; i < MOST_OPTIONS && at < end; i++) {
    if (at + 2 > end) return Drop.IPV6_NDISC_BAD_OPTIONS;
    const len = (u8[at + 1] as number) << 3;
    if (len === 0 || at + len > end) return Drop.IPV6_NDISC_BAD_OPTIONS;
    at += len;
  }
  return at === end ? Drop.NONE : Drop.IPV6_NDISC_BAD_OPTIONS;
}

/** Offset of the first option of a kind behind `from`, -1; the options have been checked. */
export function findOption(u8: Uint8Array, from: number, end: number, kind: number): number {
  let at = from;
  while (at < end) {
    if (u8[at] === kind) return at;
    at += Math.max(8, (u8[at + 1] as number) << 3);
  }
  return -1;
}

/**
 * Where the address in an option of this kind lies, -1 when there is none, or none that a host may
 * have (RFC 4861 §4.6.1 says how long it is on Ethernet: RFC 2464 §6).
 */
export function macOption(u8: Uint8Array, from: number, end: number, kind: number): number {
  const at = findOption(u8, from, end, kind);
  if (at < 0 || (u8[at + 1] as number) << 3 !== MAC_OPTION) return -1;
  const mac = at + 2;
  return ethernet.isHost(ethernet.high(u8, mac), ethernet.low(u8, mac)) ? mac : -1;
}

export function putMacOption(u8: Uint8Array, at: number, kind: number, mac: ethernet.Mac): void {
  u8[at] = kind;
  u8[at + 1] = 1;
  ethernet.put(u8, at + 2, mac.high, mac.low);
}

/** The last word of the solicited-node group in ff02::1:ff00:0/104 (RFC 4291 §2.7.1). */
export function solicitedNode(lastWord: number): number {
  return 0xff000000 | (lastWord & 0xffffff);
}

export const GROUP_A = 0xff020000 | 0;
/** Third word of solicited-node groups. */
export const SOLICITED_C = 1;
