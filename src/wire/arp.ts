// ARP for IPv4 over Ethernet (RFC 826): offsets, accessors and the checks that need no state.

import { Drop } from '../base/drop.ts';
import * as ethernet from './ethernet.ts';

export const LENGTH = 28;
export const Offset = {
  HARDWARE: 0,
  PROTOCOL: 2,
  HARDWARE_LENGTH: 4,
  PROTOCOL_LENGTH: 5,
  OPERATION: 6,
  SENDER_MAC: 8,
  SENDER: 14,
  TARGET_MAC: 18,
  TARGET: 24,
} as const;
export const Op = { REQUEST: 1, REPLY: 2 } as const;

const ETHERNET = 1;
/** IEEE 802 networks, which say the same with another number (RFC 1042); Linux takes it, too. */
const IEEE_802 = 6;
const MAC_LENGTH = 6;
const IPV4_LENGTH = 4;

/** NONE when `len` octets at `off` hold a request or reply that is ours to understand. */
export function check(u8: Uint8Array, off: number, len: number): Drop {
  if (len < LENGTH) return Drop.PKT_TOO_SMALL;
  const hardware = ethernet.type(u8, off);
  if (hardware !== ETHERNET && hardware !== IEEE_802) return Drop.INVALID_PROTO;
  if (ethernet.type(u8, off + Offset.PROTOCOL) !== ethernet.EtherType.IPV4) {
    return Drop.INVALID_PROTO;
  }
  if (u8[off + Offset.HARDWARE_LENGTH] !== MAC_LENGTH) return Drop.INVALID_PROTO;
  if (u8[off + Offset.PROTOCOL_LENGTH] !== IPV4_LENGTH) return Drop.INVALID_PROTO;
  const op = operation(u8, off);
  if (op !== Op.REQUEST && op !== Op.REPLY) return Drop.INVALID_PROTO;
  const sender = off + Offset.SENDER_MAC;
  // A group is nobody's address: believing it would make us send to everybody.
  const isHost = ethernet.isHost(ethernet.high(u8, sender), ethernet.low(u8, sender));
  return isHost ? Drop.NONE : Drop.IP_INVALID_SOURCE;
}

export function operation(u8: Uint8Array, off: number): number {
  return ethernet.type(u8, off + Offset.OPERATION);
}

/** The IPv4 address at `off` as int32. */
export function address(u8: Uint8Array, off: number): number {
  return ethernet.high(u8, off);
}

export interface ArpFields {
  readonly op: number;
  readonly senderHigh: number;
  readonly senderLow: number;
  readonly sender: number;
  readonly targetHigh: number;
  readonly targetLow: number;
  readonly target: number;
}

/** Writes a message of LENGTH octets. */
export function write(u8: Uint8Array, off: number, f: ArpFields): void {
  u8.set([0, ETHERNET, 0x08, 0x00, MAC_LENGTH, IPV4_LENGTH, 0, f.op], off);
  ethernet.put(u8, off + Offset.SENDER_MAC, f.senderHigh, f.senderLow);
  putAddress(u8, off + Offset.SENDER, f.sender);
  ethernet.put(u8, off + Offset.TARGET_MAC, f.targetHigh, f.targetLow);
  putAddress(u8, off + Offset.TARGET, f.target);
}

function putAddress(u8: Uint8Array, at: number, bits: number): void {
  u8[at] = bits >>> 24;
  u8[at + 1] = bits >>> 16;
  u8[at + 2] = bits >>> 8;
  u8[at + 3] = bits;
}
