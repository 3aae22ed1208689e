// For the system tests of the device: a link that answers or records, packets by hand, and Node
// programs in a process of their own.

import { fileURLToPath, pathToFileURL } from 'node:url';
import { Slab } from '../../src/base/slab.ts';
import { Tx } from '../../src/base/tx.ts';
import { TunLink, type TunOptions } from '../../src/node/tun.ts';
import { fold } from '../../src/wire/checksum.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const LOADER = pathToFileURL(`${ROOT}/scripts/ts-loader.mjs`).href;
const TUN = pathToFileURL(`${ROOT}/src/node/tun.ts`).href;
const SLAB = pathToFileURL(`${ROOT}/src/base/slab.ts`).href;

export const REGION = 1 << 20;
export const KERNEL = '10.77.0.1';
export const US = '10.77.0.2';

export interface Row {
  off: number;
  len: number;
  flags: number;
  gsoType: number;
  gsoSize: number;
  csumStart: number;
  csumOffset: number;
  hdrLen: number;
  /** A copy of the packet's octets. */
  octets: Buffer;
}

/** A started link that keeps what it received. */
export class Station {
  readonly link: TunLink;
  readonly slab = new Slab(REGION + 262_144);
  readonly rows: Row[] = [];
  readonly failures: number[] = [];
  readonly batches: number[] = [];
  /** Answers an IPv4 packet instead of keeping it; true: done with it. */
  answer: ((row: Row) => boolean) | null = null;
  readonly #tx = new Tx();
  readonly #out: number;
  #used = 0;

  constructor(options: TunOptions) {
    this.link = TunLink.open(options);
    const base = this.slab.reserve(REGION);
    this.#out = this.slab.reserve(196_608);
    this.link.start(this.slab, base, REGION, {
      batch: (_link, count) => this.#batch(count),
      failed: (_link, errno) => this.failures.push(errno),
    });
    this.link.ref();
  }

  #batch(count: number): void {
    this.batches.push(count);
    const m = this.link.meta;
    for (let i = 0; i < count; i++) {
      const at = (column: number): number => m[i * 8 + column] as number;
      const octets = Buffer.from(this.slab.u8.subarray(at(0), at(0) + at(1)));
      const row: Row = {
        off: at(0),
        len: at(1),
        flags: at(2),
        gsoType: at(3),
        gsoSize: at(4),
        csumStart: at(5),
        csumOffset: at(6),
        hdrLen: at(7),
        octets,
      };
      if (this.answer === null || !this.answer(row)) this.rows.push(row);
    }
    this.link.flush();
    this.#used = 0;
  }

  /** UDP datagrams over IPv4 that have arrived for the port. */
  udp(port: number): Row[] {
    return this.rows.filter(
      ({ octets }) => octets[0] === 0x45 && octets[9] === 17 && octets.readUInt16BE(22) === port,
    );
  }

  /** Queues a packet: `header` is copied into the slab, the pieces stay where they are. */
  send(header: Uint8Array, pieces: Uint8Array[], set: (tx: Tx) => void): boolean {
    const off = this.#out + this.#used + 64;
    this.#used += 64 + ((header.length + 63) & ~63);
    this.slab.u8.set(header, off);
    const tx = this.#tx;
    tx.reset();
    tx.headerOff = off;
    tx.headerLen = header.length;
    for (const piece of pieces) tx.gather(piece, 0, piece.length);
    set(tx);
    return this.link.transmit(tx);
  }

  flush(): void {
    this.link.flush();
    this.#used = 0;
  }
}

export function words(octets: Uint8Array, initial = 0): number {
  let s = initial;
  for (let i = 0; i < octets.length; i += 2) {
    s += ((octets[i] as number) << 8) | (octets[i + 1] ?? 0);
  }
  return s;
}

/** IPv4 + UDP header from us to the kernel; the UDP checksum field holds the pseudo-header's sum. */
export function udpHeader(port: number, payload: number, ipLen = 28 + payload): Buffer {
  const h = Buffer.alloc(28);
  h.writeUInt8(0x45, 0);
  h.writeUInt16BE(ipLen, 2);
  h.writeUInt8(64, 8);
  h.writeUInt8(17, 9);
  h.set([10, 77, 0, 2, 10, 77, 0, 1], 12);
  h.writeUInt16BE(~fold(words(h.subarray(0, 20))) & 0xffff, 10);
  h.writeUInt16BE(4000, 20);
  h.writeUInt16BE(port, 22);
  h.writeUInt16BE(8 + payload, 24);
  h.writeUInt16BE(fold(words(h.subarray(12, 20), 17 + 8 + payload)), 26);
  return h;
}

/** Node arguments that run `code` with `TunLink` and `Slab` in scope. */
export function program(code: string): string[] {
  const head = `import { TunLink } from '${TUN}';\nimport { Slab } from '${SLAB}';\n`;
  return [process.execPath, '--import', LOADER, '--input-type=module', '-e', head + code];
}

/** In a program's code: a started link called `link` that counts packets in `seen`. */
export function started(options: TunOptions): string {
  return `
    const link = TunLink.open(${JSON.stringify(options)});
    const slab = new Slab(${2 * REGION});
    let seen = 0;
    link.start(slab, slab.reserve(${REGION}), ${REGION}, {
      batch(_link, count) { seen += count; onBatch(); },
      failed(_link, errno) { console.log('failed', errno); onFailed(); },
    });
    var onBatch = () => {};
    var onFailed = () => {};
  `;
}
