// What a filter asks of a packet: its addresses, protocol, ports and flags, read without trust in
// anything that it says. Cold code.

import { Address, fromV4 } from '../wire/address.ts';

export interface PacketView {
  readonly version: 4 | 6 | 0;
  readonly src: Address | null;
  readonly dst: Address | null;
  /** 0 where it cannot be told. */
  readonly protocol: number;
  /** -1 where there are none: no TCP or UDP, or a later fragment. */
  readonly srcPort: number;
  readonly dstPort: number;
  /** TCP's flags; 0 for others. */
  readonly flags: number;
  readonly length: number;
  readonly inbound: boolean;
  /** Why it was discarded; `` when it was not. */
  readonly reason: string;
}

const EXTENSIONS = new Set([0, 43, 60]);
const FRAGMENT = 44;
/** Extension headers that are walked through. */
const MOST_EXTENSIONS = 8;

interface Transport {
  protocol: number;
  /** Where it begins; -1: a later fragment, or cut off before. */
  at: number;
}

function transportOf(u8: Uint8Array): Transport {
  const first = u8[0] ?? 0;
  if (first >> 4 === 4 && u8.length >= 20) {
    const later = (((u8[6] as number) & 0x1f) << 8) | (u8[7] as number);
    return { protocol: u8[9] as number, at: later === 0 ? (first & 15) * 4 : -1 };
  }
  if (first >> 4 !== 6 || u8.length < 40) return { protocol: 0, at: -1 };
  let protocol = u8[6] as number;
  let at = 40;
  for (let n = 0; n < MOST_EXTENSIONS && at + 8 <= u8.length; n++) {
    if (protocol === FRAGMENT) {
      const offset = ((u8[at + 2] as number) << 8) | ((u8[at + 3] as number) & 0xf8);
      if (offset !== 0) return { protocol: u8[at] as number, at: -1 };
    } else if (!EXTENSIONS.has(protocol)) break;
    const len = protocol === FRAGMENT ? 8 : ((u8[at + 1] as number) + 1) * 8;
    protocol = u8[at] as number;
    at += len;
  }
  return { protocol, at };
}

/** Where the header of `protocol` (6, 17) lies, with its ports there; -1. */
export function portsAt(u8: Uint8Array, protocol: number): number {
  const l4 = transportOf(u8);
  return l4.protocol === protocol && l4.at >= 0 && l4.at + 4 <= u8.length ? l4.at : -1;
}

/** @param inbound whether it came; @param reason why it was discarded, or `` */
export function viewPacket(u8: Uint8Array, inbound: boolean, reason: string): PacketView {
  const view = new DataView(u8.buffer, u8.byteOffset, u8.length);
  const four = (u8[0] ?? 0) >> 4 === 4 && u8.length >= 20;
  const six = (u8[0] ?? 0) >> 4 === 6 && u8.length >= 40;
  const at = (off: number): Address => {
    const w = (n: number): number => view.getInt32(off + 4 * n);
    return four ? fromV4(w(0)) : new Address(w(0), w(1), w(2), w(3));
  };
  const { protocol, at: l4 } = transportOf(u8);
  const ports = (protocol === 6 || protocol === 17) && l4 >= 0 && l4 + 4 <= u8.length;
  return {
    version: four ? 4 : six ? 6 : 0,
    src: four ? at(12) : six ? at(8) : null,
    dst: four ? at(16) : six ? at(24) : null,
    protocol,
    srcPort: ports ? view.getUint16(l4) : -1,
    dstPort: ports ? view.getUint16(l4 + 2) : -1,
    flags: ports && protocol === 6 ? (u8[l4 + 13] ?? 0) : 0,
    length: u8.length,
    inbound,
    reason,
  };
}
