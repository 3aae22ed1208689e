// Packets for the sequence fuzzer, written into one buffer without allocation: an IPv4 or IPv6 header
// and a transport segment, every field the caller's, checksums right unless asked otherwise. Nothing
// of src/wire is used. Addresses are IPv4's in both families: `sixOf` says which IPv6 one is meant.

/** Octets for a packet with what mutations may add. */
const ROOM = 1 << 17;

const LOCAL_WORD = 0xc0000201 | 0;

/** The IPv6 address that stands for an IPv4 one: us, neighbours, groups, hosts far away. */
export function sixOf(word: number): readonly [number, number, number, number] {
  if (word === LOCAL_WORD) return [0x20010db8, 0, 0, 1];
  if (word === -1) return [0xff020000, 0, 0, 1];
  if (word >>> 28 === 0xe) return [0xff020000, 0, 0, word & 0xffff];
  if (word >>> 8 === 0xc00002) return [0x20010db8, 0, 0, word & 0xff];
  return [0x20010db8, 0x10000, 0, word & 0xffff];
}

/** An extension header: its number and its octets, the first of which is filled in later. */
export interface Extension {
  readonly kind: number;
  readonly octets: Uint8Array;
}

export class PacketWriter {
  /** The next packets are IPv6; the packet at 0 is. */
  wantSix = false;
  six = false;
  /** TCP, UDP, ICMP (of its family) or what the program has said. */
  protocol = 0;
  /** Extension headers of the next IPv6 packet, and its source when it is not `sixOf`. */
  chain: Extension[] = [];
  from6: readonly number[] | null = null;
  #start = 0;
  readonly u8 = new Uint8Array(ROOM);
  readonly view = new DataView(this.u8.buffer);
  /** Length of the packet at 0. */
  len = 0;
  #options = 0;

  /** An IPv4 header with `optionLen` octets of options (zero; a multiple of 4). */
  ip(protocol: number, src: number, dst: number, optionLen = 0): void {
    const v = this.view;
    this.#options = 0;
    this.protocol = protocol;
    this.six = this.wantSix;
    if (this.six) {
      this.#ip6(protocol, src, dst);
      return;
    }
    const header = 20 + optionLen;
    this.u8.fill(0, 0, header);
    v.setUint8(0, 0x40 | (header >> 2));
    v.setUint16(6, 0x4000);
    v.setUint8(8, 64);
    v.setUint8(9, protocol);
    v.setInt32(12, src);
    v.setInt32(16, dst);
    this.len = header;
  }

  #ip6(protocol: number, src: number, dst: number): void {
    const v = this.view;
    this.u8.fill(0, 0, 40);
    v.setUint8(0, 0x60);
    v.setUint8(7, 64);
    const from = this.from6 ?? sixOf(src);
    const to = sixOf(dst);
    for (let i = 0; i < 4; i++) {
      v.setUint32(8 + 4 * i, (from[i] as number) >>> 0);
      v.setUint32(24 + 4 * i, (to[i] as number) >>> 0);
    }
    this.protocol = protocol === 1 ? 58 : protocol;
    this.len = 40;
    let field = 6;
    for (const { kind, octets } of this.chain) {
      v.setUint8(field, kind);
      field = this.len;
      this.u8.set(octets, this.len);
      this.len += octets.length;
    }
    v.setUint8(field, this.protocol);
    this.chain = [];
    this.#start = this.len;
  }

  /** Takes the packet at 0 for what it says it is: one that has come from elsewhere. */
  adopt(len: number): void {
    this.len = len;
    this.six = this.view.getUint8(0) >> 4 === 6;
    this.protocol = this.view.getUint8(this.six ? 6 : 9);
    this.#start = 40;
  }

  get header(): number {
    if (this.six) return this.#start;
    return (this.view.getUint8(0) & 15) * 4;
  }

  /** A TCP header without options; `option` and `payload` follow, then `end`. */
  tcp(ports: number, seq: number, ack: number, flags: number, window: number): void {
    const at = this.len;
    const v = this.view;
    v.setInt32(at, ports);
    v.setInt32(at + 4, seq);
    v.setInt32(at + 8, ack);
    v.setUint8(at + 12, 0x50);
    v.setUint8(at + 13, flags);
    v.setUint16(at + 14, window);
    v.setInt32(at + 16, 0);
    this.len = at + 20;
  }

  /** Appends an option: its kind and length, and up to eight octets from two words. */
  option(kind: number, len: number, a = 0, b = 0): void {
    if (this.#options + len > 40) return;
    const at = this.len;
    const v = this.view;
    v.setUint8(at, kind);
    if (kind > 1) v.setUint8(at + 1, len);
    for (let i = 2; i < len; i++) {
      const word = i < 6 ? a : b;
      v.setUint8(at + i, word >>> (24 - 8 * ((i - 2) & 3)));
    }
    this.len += len;
    this.#options += len;
  }

  /** Pads the options of the TCP header at `l4` and sets its data offset. */
  endOptions(l4: number): void {
    while ((this.len - l4) % 4 !== 0) this.u8[this.len++] = 0;
    this.u8[l4 + 12] = (((this.len - l4) >> 2) << 4) & 0xff;
  }

  payload(n: number, key: number): void {
    const { u8 } = this;
    const end = Math.min(ROOM, this.len + n);
    for (let i = this.len; i < end; i++) u8[i] = (i * 31 + key) & 0xff;
    this.len = end;
  }

  /** Total length and both checksums as the octets are now. */
  seal(): void {
    const v = this.view;
    if (this.six) v.setUint16(4, Math.min(this.len - 40, 0xffff));
    else v.setUint16(2, Math.min(this.len, 0xffff));
    this.sealIp();
    this.sealTransport();
  }

  sealIp(): void {
    if (this.six) return;
    const v = this.view;
    v.setUint16(10, 0);
    v.setUint16(10, ~this.#sum(0, Math.min(this.header, this.len), 0) & 0xffff);
  }

  sealTransport(): void {
    const l4 = this.header;
    const v = this.view;
    if (this.six) {
      this.#sealSix();
      return;
    }
    const protocol = v.getUint8(9);
    const end = Math.min(this.len, Math.max(l4, v.getUint16(2)));
    const field = protocol === 6 ? 16 : protocol === 17 ? 6 : protocol < 3 ? 2 : -1;
    if (field < 0 || l4 + field + 2 > end) return;
    v.setUint16(l4 + field, 0);
    const pseudo = protocol < 3 ? 0 : this.#sum(12, 20, protocol + end - l4);
    const sum = ~this.#sum(l4, end, pseudo) & 0xffff;
    v.setUint16(l4 + field, sum === 0 && protocol === 17 ? 0xffff : sum);
  }

  #sealSix(): void {
    const { view: v, protocol } = this;
    const l4 = this.#start;
    const end = Math.min(this.len, 40 + v.getUint16(4));
    const field = protocol === 6 ? 16 : protocol === 17 ? 6 : protocol === 58 ? 2 : -1;
    if (field < 0 || l4 + field + 2 > end) return;
    v.setUint16(l4 + field, 0);
    const sum = ~this.#sum(l4, end, this.#sum(8, 40, protocol + end - l4)) & 0xffff;
    v.setUint16(l4 + field, sum === 0 && protocol === 17 ? 0xffff : sum);
  }

  #sum(from: number, end: number, initial: number): number {
    const v = this.view;
    let s = initial;
    let at = from;
    for (; at + 1 < end; at += 2) s += v.getUint16(at);
    if (at < end) s += v.getUint8(at) << 8;
    while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
    return s;
  }
}
