// ICMPv6 (RFC 4443): offsets, types and codes.
// @hot

export const HEADER = 8;
export const Offset = { TYPE: 0, CODE: 1, CHECKSUM: 2, ID: 4, SEQ: 6, POINTER: 4, MTU: 4 } as const;

export const Type = {
  DEST_UNREACH: 1,
  PACKET_TOO_BIG: 2,
  TIME_EXCEEDED: 3,
  PARAM_PROBLEM: 4,
  ECHO: 128,
  ECHO_REPLY: 129,
  LISTENER_QUERY: 130,
  LISTENER_REPORT: 131,
  LISTENER_DONE: 132,
  ROUTER_SOLICIT: 133,
  ROUTER_ADVERT: 134,
  NEIGHBOR_SOLICIT: 135,
  NEIGHBOR_ADVERT: 136,
  REDIRECT: 137,
  LISTENER_REPORT2: 143,
} as const;

/** Codes of DEST_UNREACH (RFC 4443 §3.1). */
export const Unreach = {
  NO_ROUTE: 0,
  PROHIBITED: 1,
  SCOPE: 2,
  ADDRESS: 3,
  PORT: 4,
  POLICY: 5,
  REJECT: 6,
} as const;

/** Codes of TIME_EXCEEDED. */
export const Exceeded = { HOP_LIMIT: 0, REASSEMBLY: 1 } as const;

/** Codes of PARAM_PROBLEM (RFC 4443 §3.4, RFC 7112 §7). */
export const Problem = { HEADER: 0, NEXT_HEADER: 1, OPTION: 2, FIRST_FRAGMENT: 3 } as const;

/** Types below 128 are errors (RFC 4443 §2.1). */
export const INFORMATIONAL = 128;

export function type(u8: Uint8Array, off: number): number {
  return u8[off] as number;
}

export function code(u8: Uint8Array, off: number): number {
  return u8[off + 1] as number;
}

export function checksum(u8: Uint8Array, off: number): number {
  return ((u8[off + 2] as number) << 8) | (u8[off + 3] as number);
}

/** The second word: MTU of PACKET_TOO_BIG, pointer of PARAM_PROBLEM; unsigned. */
export function word(u8: Uint8Array, off: number): number {
  const high = ((u8[off + 4] as number) << 8) | (u8[off + 5] as number);
  return high * 65_536 + (((u8[off + 6] as number) << 8) | (u8[off + 7] as number));
}
