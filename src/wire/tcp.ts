// The TCP header (RFC 9293 §3.1): offsets and accessors over a DataView. No state.
//
//    0                   1                   2                   3
//   |          Source Port          |       Destination Port        |
//   |                        Sequence Number                        |
//   |                    Acknowledgment Number                      |
//   | Offset|Rsrvd|N|C|E|U|A|P|R|S|F|            Window             |
//   |           Checksum            |         Urgent Pointer        |
// @hot

export const HEADER_LEN = 20;
export const MAX_HEADER_LEN = 60;
export const CHECKSUM_OFFSET = 16;

export const Flag = {
  FIN: 0x01,
  SYN: 0x02,
  RST: 0x04,
  PSH: 0x08,
  ACK: 0x10,
  URG: 0x20,
  ECE: 0x40,
  CWR: 0x80,
} as const;

export function srcPort(view: DataView, off: number): number {
  return view.getUint16(off);
}
export function dstPort(view: DataView, off: number): number {
  return view.getUint16(off + 2);
}
export function seq(view: DataView, off: number): number {
  return view.getInt32(off + 4);
}
export function ack(view: DataView, off: number): number {
  return view.getInt32(off + 8);
}
/** Octets of header including options. */
export function headerLen(view: DataView, off: number): number {
  return (view.getUint8(off + 12) >> 4) << 2;
}
export function flags(view: DataView, off: number): number {
  return view.getUint8(off + 13);
}
export function window(view: DataView, off: number): number {
  return view.getUint16(off + 14);
}
export function checksum(view: DataView, off: number): number {
  return view.getUint16(off + 16);
}
export function urgent(view: DataView, off: number): number {
  return view.getUint16(off + 18);
}

/** Whether a header of `len` octets of segment is well formed (lengths only). */
export function check(view: DataView, off: number, len: number): boolean {
  if (len < HEADER_LEN) return false;
  const h = headerLen(view, off);
  return h >= HEADER_LEN && h <= len;
}

/** Writes ports, sequence and acknowledgment numbers. */
export function setNumbers(
  view: DataView,
  off: number,
  ports: number,
  seqNumber: number,
  ackNumber: number,
): void {
  view.setInt32(off, ports);
  view.setInt32(off + 4, seqNumber);
  view.setInt32(off + 8, ackNumber);
}

/** Writes header length, flags and window; checksum and urgent pointer become 0. */
export function setControl(
  view: DataView,
  off: number,
  headerOctets: number,
  flagBits: number,
  wnd: number,
): void {
  view.setUint16(off + 12, ((headerOctets >> 2) << 12) | flagBits);
  view.setUint16(off + 14, wnd);
  view.setInt32(off + 16, 0);
}

export function setUrgent(view: DataView, off: number, pointer: number): void {
  view.setUint16(off + 18, pointer);
}
