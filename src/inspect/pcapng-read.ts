// Reads pcapng files of any writer, block by block as the octets come: interfaces, packets,
// comments, in both byte orders. What it does not know it skips; what makes no sense is an error.

/** A file that is no pcapng, or a broken one. */
export class PcapngError extends Error {
  override readonly name = 'PcapngError';
}

export interface ReadInterface {
  readonly name: string;
  readonly linkType: number;
  /** Ticks of a second. */
  readonly perSecond: number;
}

export interface ReadPacket {
  readonly interface: ReadInterface;
  /** µs since 1970. */
  readonly atUs: number;
  readonly octets: Uint8Array;
  /** Of the packet on the wire. */
  readonly length: number;
  /** 0 unknown, 1 came, 2 went. */
  readonly direction: number;
  readonly comment: string;
}

export interface ReadBlock {
  /** The block as it is in the file. */
  readonly raw: Uint8Array;
  /** A section header or an interface: what every file has to begin with. */
  readonly head: boolean;
  readonly packet: ReadPacket | null;
}

const SHB = 0x0a0d0d0a;
const MAGIC = 0x1a2b3c4d;
/** No honest block is longer: a packet of 256 KiB and its options. */
const LONGEST = 1 << 20;

export class PcapngReader {
  #rest = new Uint8Array(0);
  #little = true;
  #begun = false;
  #interfaces: ReadInterface[] = [];

  /** Octets of the file; answers the blocks that are whole now. Throws PcapngError. */
  push(chunk: Uint8Array): ReadBlock[] {
    const all = new Uint8Array(this.#rest.length + chunk.length);
    all.set(this.#rest);
    all.set(chunk, this.#rest.length);
    const view = new DataView(all.buffer);
    const blocks: ReadBlock[] = [];
    let at = 0;
    while (all.length - at >= 12) {
      const type = view.getUint32(at, this.#little);
      if (type === SHB) this.#little = order(view, at);
      else if (!this.#begun) throw new PcapngError('this is not a pcapng file');
      const total = view.getUint32(at + 4, this.#little);
      if (total < 12 || total % 4 !== 0 || total > LONGEST) {
        throw new PcapngError(`a block of ${total} octets`);
      }
      if (all.length - at < total) break;
      blocks.push(this.#block(type, all.subarray(at, at + total)));
      this.#begun = true;
      at += total;
    }
    this.#rest = all.slice(at);
    return blocks;
  }

  #block(type: number, raw: Uint8Array): ReadBlock {
    const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
    if (type === SHB) {
      this.#interfaces = [];
      return { raw, head: true, packet: null };
    }
    if (type === 1 && raw.length >= 20) {
      this.#interfaces.push(this.#interface(view));
      return { raw, head: true, packet: null };
    }
    if (type !== 6 || raw.length < 32) return { raw, head: false, packet: null };
    return { raw, head: false, packet: this.#packet(view) };
  }

  #interface(view: DataView): ReadInterface {
    let name = '';
    let perSecond = 1e6;
    this.#options(view, 16, (code, at, length) => {
      if (code === 2) name = text(view, at, length);
      else if (code === 9 && length > 0) {
        const exponent = view.getUint8(at);
        perSecond = (exponent & 0x80) === 0 ? 10 ** exponent : 2 ** (exponent & 0x7f);
      }
    });
    return { name, linkType: view.getUint16(8, this.#little), perSecond };
  }

  #packet(view: DataView): ReadPacket {
    const little = this.#little;
    const from = this.#interfaces[view.getUint32(8, little)];
    if (from === undefined) throw new PcapngError('a packet of an interface that is not there');
    const kept = view.getUint32(20, little);
    if (28 + kept > view.byteLength - 4) throw new PcapngError('a packet that is cut off');
    let direction = 0;
    let comment = '';
    this.#options(view, 28 + ((kept + 3) & ~3), (code, at, length) => {
      if (code === 1) comment = text(view, at, length);
      else if (code === 2 && length === 4) direction = view.getUint32(at, little) & 3;
    });
    const ticks = view.getUint32(12, little) * 2 ** 32 + view.getUint32(16, little);
    const octets = new Uint8Array(view.buffer, view.byteOffset + 28, kept).slice();
    const atUs = (ticks / from.perSecond) * 1e6;
    const length = view.getUint32(24, little);
    return { interface: from, atUs, octets, length, direction, comment };
  }

  #options(
    view: DataView,
    from: number,
    each: (code: number, at: number, length: number) => void,
  ): void {
    const end = view.byteLength - 4;
    for (let at = from; at + 4 <= end; ) {
      const code = view.getUint16(at, this.#little);
      const length = view.getUint16(at + 2, this.#little);
      if (code === 0 || at + 4 + length > end) return;
      each(code, at + 4, length);
      at += 4 + ((length + 3) & ~3);
    }
  }
}

function order(view: DataView, at: number): boolean {
  if (view.getUint32(at + 8, true) === MAGIC) return true;
  if (view.getUint32(at + 8, false) === MAGIC) return false;
  throw new PcapngError('this is not a pcapng file');
}

/** UTF-8 to text, without TextDecoder, which the core's library does not have. */
function text(view: DataView, at: number, length: number): string {
  let out = '';
  for (let i = at; i < at + length; ) {
    const first = view.getUint8(i++);
    const more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    let c = more === 0 ? first : first & (0x3f >> more);
    for (let k = 0; k < more && i < at + length; k++) c = (c << 6) | (view.getUint8(i++) & 63);
    out += c <= 0x10ffff ? String.fromCodePoint(c) : '\ufffd';
  }
  return out;
}
