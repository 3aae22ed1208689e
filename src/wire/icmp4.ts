// ICMP for IPv4 (RFC 792): offsets, types and codes.
// @hot

export const HEADER = 8;
export const Offset = { TYPE: 0, CODE: 1, CHECKSUM: 2, ID: 4, SEQ: 6, POINTER: 4, MTU: 6 } as const;

export const Type = {
  ECHO_REPLY: 0,
  DEST_UNREACH: 3,
  SOURCE_QUENCH: 4,
  REDIRECT: 5,
  ECHO: 8,
  TIME_EXCEEDED: 11,
  PARAM_PROBLEM: 12,
  TIMESTAMP: 13,
  TIMESTAMP_REPLY: 14,
  INFO_REQUEST: 15,
  INFO_REPLY: 16,
  MASK_REQUEST: 17,
  MASK_REPLY: 18,
} as const;

/** Codes of DEST_UNREACH. */
export const Unreach = { NET: 0, HOST: 1, PROTOCOL: 2, PORT: 3, FRAG_NEEDED: 4 } as const;

/** Codes of TIME_EXCEEDED. */
export const Exceeded = { TTL: 0, REASSEMBLY: 1 } as const;

export function type(u8: Uint8Array, off: number): number {
  return u8[off] as number;
}

export function code(u8: Uint8Array, off: number): number {
  return u8[off + 1] as number;
}

export function checksum(u8: Uint8Array, off: number): number {
  return ((u8[off + 2] as number) << 8) | (u8[off + 3] as number);
}

export function echoId(u8: Uint8Array, off: number): number {
  return ((u8[off + 4] as number) << 8) | (u8[off + 5] as number);
}

export function echoSeq(u8: Uint8Array, off: number): number {
  return ((u8[off + 6] as number) << 8) | (u8[off + 7] as number);
}

/** Octet of the quoted packet that a PARAM_PROBLEM complains of. */
export function pointer(u8: Uint8Array, off: number): number {
  return u8[off + 4] as number;
}

/** Next-hop MTU of FRAG_NEEDED (RFC 1191 §4); 0 from routers that know no better. */
export function mtu(u8: Uint8Array, off: number): number {
  return ((u8[off + 6] as number) << 8) | (u8[off + 7] as number);
}

/**
 * Whether a type is known to be a query or its answer. Everything else may be an error message, and
 * no error answers an error (RFC 1122 §3.2.2).
 */
export function isQuery(t: number): boolean {
  return t === Type.ECHO || t === Type.ECHO_REPLY || (t >= Type.TIMESTAMP && t <= Type.MASK_REPLY);
}
