// IGMP (RFC 1112, RFC 2236, RFC 9776 §4): offsets, types, and the versions of a query.

export const Type = {
  QUERY: 0x11,
  REPORT1: 0x12,
  REPORT2: 0x16,
  LEAVE: 0x17,
  REPORT3: 0x22,
} as const;

/** Octets of a message of versions 1 and 2, of a query of version 3, of a report's head. */
export const HEADER = 8;
export const QUERY3 = 12;
export const Offset = {
  TYPE: 0,
  CODE: 1,
  CHECKSUM: 2,
  GROUP: 4,
  RESV_S_QRV: 8,
  QQIC: 9,
  QUERY_SOURCES: 10,
  REPORT_RECORDS: 6,
} as const;

/** Types of a group record, the same in MLDv2 (RFC 9776 §4.2.12, RFC 9777 §5.2.12). */
export const Record = {
  IS_IN: 1,
  IS_EX: 2,
  TO_IN: 3,
  TO_EX: 4,
  ALLOW: 5,
  BLOCK: 6,
} as const;

/** The option that makes routers look at a packet (RFC 2113). */
export const ROUTER_ALERT = 0x94040000;

/**
 * 8-bit time code of RFC 9776 §4.1.1 and §4.1.7: a number below 128, else a mantissa of four bits
 * with an exponent of three.
 */
export function fromCode(code: number): number {
  if (code < 128) return code;
  return ((code & 15) | 16) << (((code >>> 4) & 7) + 3);
}

/** The version of a query: by its length and by whether it has a maximum time (RFC 9776 §7.1). */
export function queryVersion(len: number, code: number): 0 | 1 | 2 | 3 {
  if (len >= QUERY3) return 3;
  if (len !== HEADER) return 0;
  return code === 0 ? 1 : 2;
}
