// TCP options (RFC 9293 §3.2; MSS, RFC 7323 window scale and timestamps, RFC 2018 SACK). Parsing
// fills one reused object; a malformed list answers false and never reads past its end.
// @hot

export const Kind = {
  EOL: 0,
  NOP: 1,
  MSS: 2,
  WSCALE: 3,
  SACK_OK: 4,
  SACK: 5,
  TS: 8,
  FAST_OPEN: 34,
};

/** RFC 7323 §2.3: larger shifts are used as 14. */
export const MAX_WSCALE = 14;
/** Most SACK blocks that fit into 40 octets of options. */
export const MAX_SACK_BLOCKS = 4;
/** NOP, NOP, TS(10) as one word of kinds and lengths. */
const ALIGNED_TS = 0x0101080a;

export class TcpOptions {
  /** -1: absent. */
  mss = -1;
  wscale = -1;
  sackOk = false;
  hasTs = false;
  tsVal = 0;
  tsEcr = 0;
  sackCount = 0;
  /** Octets of a Fast Open cookie and where it lies; 0 = a request, -1 = absent. */
  fastOpenLen = -1;
  fastOpenOff = 0;
  readonly sackStart = new Int32Array(MAX_SACK_BLOCKS);
  readonly sackEnd = new Int32Array(MAX_SACK_BLOCKS);

  clear(): void {
    this.mss = -1;
    this.wscale = -1;
    this.sackOk = false;
    this.hasTs = false;
    this.sackCount = 0;
    this.fastOpenLen = -1;
  }
}

/** Parses `len` octets at `off`. False: an option's length is illegal (RFC 9293 MUST-7). */
export function parse(view: DataView, off: number, len: number, o: TcpOptions): boolean {
  o.clear();
  if (len === 0) return true;
  if (len === 12 && view.getInt32(off) === ALIGNED_TS) {
    o.hasTs = true;
    o.tsVal = view.getInt32(off + 4);
    o.tsEcr = view.getInt32(off + 8);
    return true;
  }
  const end = off + len;
  let at = off;
  while (at < end) {
    const kind = view.getUint8(at);
    if (kind === 0) return true;
    if (kind === 1) {
      at++;
      continue;
    }
    if (at + 2 > end) return false;
    const size = view.getUint8(at + 1);
    if (size < 2 || at + size > end) return false;
    read(view, at, kind, size, o);
    at += size;
  }
  return true;
}

function read(view: DataView, at: number, kind: number, size: number, o: TcpOptions): void {
  switch (kind) {
    case 2:
      if (size === 4) o.mss = view.getUint16(at + 2);
      break;
    case 3:
      if (size === 3) o.wscale = Math.min(view.getUint8(at + 2), MAX_WSCALE);
      break;
    case 4:
      if (size === 2) o.sackOk = true;
      break;
    case 5: {
      if (size < 10 || ((size - 2) & 7) !== 0) break;
      const n = Math.min((size - 2) >> 3, MAX_SACK_BLOCKS);
      for (let i = 0; i < n; i++) {
        o.sackStart[i] = view.getInt32(at + 2 + i * 8);
        o.sackEnd[i] = view.getInt32(at + 6 + i * 8);
      }
      o.sackCount = n;
      break;
    }
    case 8:
      if (size === 10) {
        o.hasTs = true;
        o.tsVal = view.getInt32(at + 2);
        o.tsEcr = view.getInt32(at + 6);
      }
      break;
    case 34:
      // RFC 7413 §4.1.1: a cookie has 4 to 16 octets, an even number; two octets alone ask for one
      if (size === 2 || (size >= 6 && size <= 18 && (size & 1) === 0)) {
        o.fastOpenLen = size - 2;
        o.fastOpenOff = at + 2;
      }
      break;
    default: // MUST-6: unknown options are skipped by their length
  }
}

/** NOP, NOP, timestamps: 12 octets. */
export function putTimestamps(view: DataView, at: number, tsVal: number, tsEcr: number): number {
  view.setInt32(at, ALIGNED_TS);
  view.setInt32(at + 4, tsVal);
  view.setInt32(at + 8, tsEcr);
  return 12;
}

export function putMss(view: DataView, at: number, mss: number): number {
  view.setInt32(at, 0x0204_0000 | mss);
  return 4;
}

/** NOP, window scale: 4 octets. */
export function putWscale(view: DataView, at: number, shift: number): number {
  view.setInt32(at, 0x0103_0300 | shift);
  return 4;
}

/** NOP, NOP, SACK-permitted: 4 octets. */
export function putSackOk(view: DataView, at: number): number {
  view.setInt32(at, 0x0101_0402);
  return 4;
}

/** NOP, NOP and the SACK option's head for `n` blocks: 4 octets; blocks follow with `putBlock`. */
export function putSackHead(view: DataView, at: number, n: number): number {
  view.setInt32(at, 0x0101_0500 | (2 + n * 8));
  return 4;
}

export function putBlock(view: DataView, at: number, start: number, end: number): number {
  view.setInt32(at, start);
  view.setInt32(at + 4, end);
  return 8;
}
