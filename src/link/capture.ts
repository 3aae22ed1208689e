// Packets to a pcapng file (draft-ietf-opsawg-pcapng): one section, one interface for each link, of
// link type RAW, or ETHERNET where packets have its header, nanoseconds, direction flags and
// comments. Pure: chunks of octets go to a sink.
// Partial checksums are completed in the copy that is written, so that Wireshark finds them right;
// super-segments are written whole and noted.

import { RxFlag } from '../base/rx.ts';
import type { Slab } from '../base/slab.ts';
import { type Tx, TxFlag } from '../base/tx.ts';
import * as ethernet from '../wire/ethernet.ts';
import type { Link } from './link.ts';
import { completeChecksum, copyPacket, frameLen, type Sum } from './packet.ts';

/** Takes a chunk of the file; the octets are the sink's to keep. */
export type CaptureSink = (chunk: Uint8Array) => void;

export const Direction = { UNKNOWN: 0, INBOUND: 1, OUTBOUND: 2 } as const;
export type Direction = (typeof Direction)[keyof typeof Direction];

const BLOCK_SHB = 0x0a0d0d0a;
const BLOCK_IDB = 1;
const BLOCK_ISB = 5;
const BLOCK_EPB = 6;
const BLOCK_DSB = 10;
/** RFC draft pcapng §4.7: a TLS key log, as NSS writes it. */
const TLS_KEY_LOG = 0x544c534b;
const LINKTYPE_ETHERNET = 1;
const LINKTYPE_RAW = 101;
const OPT_END = 0;
const OPT_COMMENT = 1;
const SHB_USERAPPL = 4;
const IF_NAME = 2;
const IF_DESCRIPTION = 3;
const IF_TSRESOL = 9;
const EPB_FLAGS = 2;
const ISB_IFRECV = 4;
const ISB_IFDROP = 5;

function padded(n: number): number {
  return (n + 3) & ~3;
}

/** UTF-8 without TextEncoder, which the core's library does not have. */
export function utf8(text: string): Uint8Array {
  const out: number[] = [];
  for (const char of text) {
    const c = char.codePointAt(0) ?? 0xfffd;
    if (c < 0x80) out.push(c);
    else if (c < 0x800) out.push(0xc0 | (c >> 6), 0x80 | (c & 63));
    else if (c < 0x10000) out.push(0xe0 | (c >> 12), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
    else {
      out.push(0xf0 | (c >> 18), 0x80 | ((c >> 12) & 63));
      out.push(0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
    }
  }
  return Uint8Array.from(out);
}

interface Option {
  readonly code: number;
  readonly value: Uint8Array;
}

/** One block: type, length, body, options, length; little-endian, as the byte-order magic says. */
function block(type: number, fixed: Uint8Array, data: Uint8Array, options: Option[]): Uint8Array {
  let optionsLen = 0;
  for (const o of options) optionsLen += 4 + padded(o.value.length);
  if (optionsLen > 0) optionsLen += 4;
  const total = 12 + fixed.length + padded(data.length) + optionsLen;
  const out = new Uint8Array(total);
  const view = new DataView(out.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, total, true);
  out.set(fixed, 8);
  out.set(data, 8 + fixed.length);
  let at = 8 + fixed.length + padded(data.length);
  for (const o of options) {
    view.setUint16(at, o.code, true);
    view.setUint16(at + 2, o.value.length, true);
    out.set(o.value, at + 4);
    at += 4 + padded(o.value.length);
  }
  if (optionsLen > 0) view.setUint16(at, OPT_END, true);
  view.setUint32(total - 4, total, true);
  return out;
}

export class PcapngWriter {
  readonly #sink: CaptureSink;
  readonly #epochUs: number;
  readonly #snapLen: number;
  #interfaces = 0;
  /** Packets and octets written. */
  packets = 0;
  octets = 0;

  /**
   * Writes the section header at once.
   * @param epochUs µs since 1970 that belong to time 0 of the packets' clock
   * @param snapLen most octets kept of a packet
   */
  constructor(sink: CaptureSink, epochUs = 0, snapLen = 262_144) {
    this.#sink = sink;
    this.#epochUs = epochUs;
    this.#snapLen = snapLen;
    const fixed = new Uint8Array(16);
    const view = new DataView(fixed.buffer);
    view.setUint32(0, 0x1a2b3c4d, true);
    view.setUint16(4, 1, true);
    view.setUint16(6, 0, true);
    view.setUint32(8, 0xffffffff, true);
    view.setUint32(12, 0xffffffff, true);
    const options = [{ code: SHB_USERAPPL, value: utf8('portside') }];
    this.#emit(block(BLOCK_SHB, fixed, new Uint8Array(0), options));
  }

  /** Adds an interface; the answer names it in `packet`. */
  addInterface(name: string, description = '', isEthernet = false): number {
    const fixed = new Uint8Array(8);
    const view = new DataView(fixed.buffer);
    view.setUint16(0, isEthernet ? LINKTYPE_ETHERNET : LINKTYPE_RAW, true);
    view.setUint32(4, this.#snapLen, true);
    const options: Option[] = [{ code: IF_NAME, value: utf8(name) }];
    if (description !== '') options.push({ code: IF_DESCRIPTION, value: utf8(description) });
    options.push({ code: IF_TSRESOL, value: Uint8Array.of(9) });
    this.#emit(block(BLOCK_IDB, fixed, new Uint8Array(0), options));
    return this.#interfaces++;
  }

  /** @param timeUs on the packets' clock; fractions of a µs are kept as nanoseconds */
  packet(
    iface: number,
    timeUs: number,
    octets: Uint8Array,
    direction: Direction,
    comment = '',
  ): void {
    const fixed = new Uint8Array(20);
    const view = new DataView(fixed.buffer);
    view.setUint32(0, iface, true);
    this.#time(view, timeUs);
    const kept = octets.length > this.#snapLen ? octets.subarray(0, this.#snapLen) : octets;
    view.setUint32(12, kept.length, true);
    view.setUint32(16, octets.length, true);
    const options: Option[] = [{ code: EPB_FLAGS, value: Uint8Array.of(direction, 0, 0, 0) }];
    if (comment !== '') options.push({ code: OPT_COMMENT, value: utf8(comment) });
    this.#emit(block(BLOCK_EPB, fixed, kept, options));
    this.packets++;
  }

  /** Lines of a TLS key log (SSLKEYLOGFILE's format): whoever has the file can read the traffic. */
  secrets(lines: string): void {
    const data = utf8(lines);
    const fixed = new Uint8Array(8);
    const view = new DataView(fixed.buffer);
    view.setUint32(0, TLS_KEY_LOG, true);
    view.setUint32(4, data.length, true);
    this.#emit(block(BLOCK_DSB, fixed, data, []));
  }

  /** How many packets an interface has had, and how many are not here because nobody read. */
  statistics(iface: number, timeUs: number, received: number, dropped: number): void {
    const fixed = new Uint8Array(12);
    const view = new DataView(fixed.buffer);
    view.setUint32(0, iface, true);
    this.#time(view, timeUs);
    const options = [
      { code: ISB_IFRECV, value: u64(received) },
      { code: ISB_IFDROP, value: u64(dropped) },
    ];
    this.#emit(block(BLOCK_ISB, fixed, new Uint8Array(0), options));
  }

  /** 64-bit nanoseconds in two halves, at 4 and 8: the products stay below 2^53. */
  #time(view: DataView, timeUs: number): void {
    const us = this.#epochUs + timeUs;
    const whole = Math.floor(us);
    const low = (whole % 0x1_0000_0000) * 1000 + Math.floor((us - whole) * 1000);
    const high = Math.floor(whole / 0x1_0000_0000) * 1000 + Math.floor(low / 0x1_0000_0000);
    view.setUint32(4, high >>> 0, true);
    view.setUint32(8, low % 0x1_0000_0000, true);
  }

  #emit(chunk: Uint8Array): void {
    this.octets += chunk.length;
    this.#sink(chunk);
  }
}

function u64(n: number): Uint8Array {
  const out = new Uint8Array(8);
  const view = new DataView(out.buffer);
  view.setUint32(0, n % 0x1_0000_0000, true);
  view.setUint32(4, Math.floor(n / 0x1_0000_0000), true);
  return out;
}

export interface CaptureOptions {
  slab: Slab;
  sum: Sum;
  /** Monotonic µs now. */
  now: () => number;
  description?: string;
}

/** A link that writes down what goes through it. `received` is the tap for the other direction. */
export class Capture implements Link {
  readonly inner: Link;
  readonly loopback: boolean;
  readonly mac: ethernet.Mac | null;
  readonly #writer: PcapngWriter;
  readonly #iface: number;
  readonly #options: CaptureOptions;

  constructor(inner: Link, writer: PcapngWriter, options: CaptureOptions) {
    this.inner = inner;
    this.loopback = inner.loopback;
    this.#writer = writer;
    this.#options = options;
    this.mac = inner.mac ?? null;
    this.#iface = writer.addInterface(inner.name, options.description, this.mac !== null);
  }

  get name(): string {
    return this.inner.name;
  }
  get caps(): number {
    return this.inner.caps;
  }
  get mtu(): number {
    return this.inner.mtu;
  }
  set mtu(octets: number) {
    this.inner.mtu = octets;
  }

  transmit(tx: Tx): boolean {
    const copy = new Uint8Array(frameLen(tx));
    copyPacket(tx, this.#options.slab.u8, copy, 0);
    if ((tx.flags & TxFlag.NEEDS_CSUM) !== 0 && tx.csumOffset > 0) {
      completeChecksum(copy, tx.lead + tx.l4, copy.length, tx.csumOffset, this.#options.sum);
    }
    let comment = (tx.flags & TxFlag.RETRANSMIT) === 0 ? '' : 'retransmission';
    if (tx.gsoSize > 0) comment = joined(comment, `GSO ${tx.gsoSize}`);
    const taken = this.inner.transmit(tx);
    if (!taken) comment = joined(comment, 'DROP LINK_QUEUE');
    this.#write(copy, Direction.OUTBOUND, comment);
    return taken;
  }

  flush(): void {
    this.inner.flush();
  }

  /** Call with the arguments of `Stack.receive`. @param comment for instance `DROP TCP_CSUM` */
  received(off: number, len: number, flags: number, gso: number, comment = ''): void {
    const copy = this.#options.slab.u8.slice(off, off + len);
    if ((flags & RxFlag.NEEDS_CSUM) !== 0) this.#complete(copy);
    const note = gso >>> 8 === 0 ? comment : joined(comment, `GRO ${gso >>> 8}`);
    this.#write(copy, Direction.INBOUND, note);
  }

  #complete(frame: Uint8Array): void {
    let at = 0;
    if (this.mac !== null && frame.length >= ethernet.HEADER + ethernet.TAG) {
      const isTagged = ethernet.type(frame, ethernet.Offset.TYPE) === ethernet.EtherType.VLAN;
      at = ethernet.HEADER + (isTagged ? ethernet.TAG : 0);
    }
    completeReceived(frame.subarray(at), this.#options.sum);
  }

  #write(octets: Uint8Array, direction: Direction, comment: string): void {
    this.#writer.packet(this.#iface, this.#options.now(), octets, direction, comment);
  }
}

function joined(a: string, b: string): string {
  return a === '' ? b : `${a}; ${b}`;
}

/** Finds the checksum field of a received packet whose sum is only the pseudo-header's. */
export function completeReceived(u8: Uint8Array, sum: Sum): void {
  if (u8.length < 20) return;
  const version = (u8[0] as number) >>> 4;
  const l4 = version === 4 ? ((u8[0] as number) & 15) * 4 : 40;
  const protocol = u8[version === 4 ? 9 : 6];
  const csumOffset = protocol === 6 ? 16 : protocol === 17 ? 6 : 0;
  const total = ((u8[2] as number) << 8) | (u8[3] as number);
  const end = version === 4 ? Math.min(u8.length, total) : u8.length;
  if (csumOffset === 0 || l4 + csumOffset + 2 > end) return;
  completeChecksum(u8, l4, end, csumOffset, sum);
}
