// Ethernet (IEEE 802.3, RFC 894, RFC 2464): the frame header, VLAN tags (802.1Q), addresses of the
// link layer and how groups of IP map to them (RFC 1112 §6.4, RFC 2464 §7).
//
// A link-layer address is two numbers: `high`, its first four octets as int32, and `low`, the other
// two as uint16.
// @hot

export const HEADER = 14;
/** Octets that an 802.1Q tag adds. */
export const TAG = 4;
export const Offset = { DST: 0, SRC: 6, TYPE: 12, TCI: 14, INNER_TYPE: 16 } as const;
export const EtherType = { IPV4: 0x0800, ARP: 0x0806, VLAN: 0x8100, IPV6: 0x86dd } as const;
/** Smaller values of the type field are lengths (IEEE 802.3 §3.2.6). */
export const SMALLEST_TYPE = 0x0600;
/** Bits of a tag that name the VLAN; 0 says that the tag carries a priority only. */
export const VID_MASK = 0x0fff;
/** 0 and 4095 are reserved (IEEE 802.1Q §9.6). */
export const MAX_VID = 4094;

export const BROADCAST_HIGH = -1;
export const BROADCAST_LOW = 0xffff;

/** Low octet of the first: addressed to a group. */
const GROUP_BIT = 1;
const GROUP4_HIGH = 0x01005e00;
const GROUP6_HIGH = 0x33330000;

/** Address of a link, for options and for people. */
export class Mac {
  readonly high: number;
  readonly low: number;

  constructor(high: number, low: number) {
    this.high = high | 0;
    this.low = low & 0xffff;
  }

  toString(): string {
    return formatMac(this.high, this.low);
  }
}

export function high(u8: Uint8Array, at: number): number {
  return (
    ((u8[at] as number) << 24) |
    ((u8[at + 1] as number) << 16) |
    ((u8[at + 2] as number) << 8) |
    (u8[at + 3] as number)
  );
}

export function low(u8: Uint8Array, at: number): number {
  return ((u8[at + 4] as number) << 8) | (u8[at + 5] as number);
}

export function type(u8: Uint8Array, at: number): number {
  return ((u8[at] as number) << 8) | (u8[at + 1] as number);
}

export function put(u8: Uint8Array, at: number, h: number, l: number): void {
  u8[at] = h >>> 24;
  u8[at + 1] = h >>> 16;
  u8[at + 2] = h >>> 8;
  u8[at + 3] = h;
  u8[at + 4] = l >>> 8;
  u8[at + 5] = l;
}

/** Whether an address whose first four octets are `h` names a group, broadcast included. */
export function isGroup(h: number): boolean {
  return ((h >>> 24) & GROUP_BIT) !== 0;
}

/** Whether a host may have the address: neither a group's nor all zeros. */
export function isHost(h: number, l: number): boolean {
  return !isGroup(h) && (h | l) !== 0;
}

/** RFC 1112 §6.4: the low 23 bits of an IPv4 group. */
export function group4High(group: number): number {
  return GROUP4_HIGH | ((group >>> 16) & 0x7f);
}

/** RFC 2464 §7: 33-33 and the last four octets of an IPv6 group. */
export function group6High(lastWord: number): number {
  return GROUP6_HIGH | (lastWord >>> 16);
}

/** `02:00:5e:10:00:01`, also with dashes; null when it is none, or none that a host may have. */
export function parseMac(text: string): Mac | null {
  if (!/^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$/.test(text)) return null;
  const hex = text.replace(/[:-]/g, '');
  const h = Number.parseInt(hex.slice(0, 8), 16);
  const mac = new Mac(h, Number.parseInt(hex.slice(8), 16)); // cold
  return isHost(mac.high, mac.low) ? mac : null;
}

export function formatMac(h: number, l: number): string {
  const hex = (h >>> 0).toString(16).padStart(8, '0') + l.toString(16).padStart(4, '0');
  return hex.replace(/(..)(?!$)/g, '$1:');
}
