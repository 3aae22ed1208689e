// Multicast Listener Discovery (RFC 2710, RFC 9777 §5): offsets, types, versions of a query.

export const Type = { QUERY: 130, REPORT1: 131, DONE: 132, REPORT2: 143 } as const;

/** Octets of a message of version 1, of a query of version 2, of a report's head. */
export const MESSAGE1 = 24;
export const QUERY2 = 28;
export const REPORT_HEADER = 8;
export const Offset = {
  TYPE: 0,
  CODE: 1,
  CHECKSUM: 2,
  MAX_RESPONSE: 4,
  GROUP: 8,
  RESV_S_QRV: 24,
  QQIC: 25,
  QUERY_SOURCES: 26,
  REPORT_RECORDS: 6,
} as const;

/** Type of the hop-by-hop option that makes routers look at a packet (RFC 2711). */
export const ROUTER_ALERT = 5;

/** 16-bit response code in ms (RFC 9777 §5.1.3): above 32767 mantissa and exponent. */
export function fromCode(code: number): number {
  if (code < 32_768) return code;
  return ((code & 0xfff) | 0x1000) << (((code >>> 12) & 7) + 3);
}

/** The version of a query by its length (RFC 9777 §8.1); 0 for a length that none has. */
export function queryVersion(len: number): 0 | 1 | 2 {
  if (len === MESSAGE1) return 1;
  return len >= QUERY2 ? 2 : 0;
}
