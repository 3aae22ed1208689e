// A link over any Duplex whose chunks are whole IP packets (IFF_NO_PI), such as tuntap2's devices:
// the same shape as a TunLink, without the addon, without offloads, one copy per packet each way.

import { createRequire } from 'node:module';
import type { Duplex } from 'node:stream';
import { Code } from '../base/code.ts';
import type { Slab } from '../base/slab.ts';
import type { Tx } from '../base/tx.ts';
import { loadAddon } from './addon.ts';
import { coded } from './errors.ts';
import {
  type DeviceInfo,
  type DeviceLink,
  type DeviceSink,
  type LinkSetup,
  RX_ROWS,
  RX_STRIDE,
  TunLink,
  type TunOptions,
} from './tun.ts';

/** What is used of a tuntap2 device beyond a Duplex; all of it may be missing. */
export interface TuntapDevice extends Duplex {
  readonly name?: string;
  mtu?: number;
  isUp?: boolean;
  ipv4?: string;
  ipv6?: string;
  release?: () => void;
}

export interface FromTuntapOptions {
  /** When the device does not say; default 1500. */
  mtu?: number;
  name?: string;
}

/** Octets waiting in the stream for the kernel; what comes on top is dropped and counted. */
const MAX_QUEUED = 4 << 20;
const ALIGN = 64;
const MAX_PACKET = 65535;
const FOREVER_MS = 0x7fffffff;

/** Some devices ask the system on every read of a property, and throw while they are down. */
function property<T>(read: () => T | undefined, otherwise: T): T {
  try {
    return read() ?? otherwise;
  } catch {
    return otherwise;
  }
}

function unsupported(what: string): Error {
  return coded(
    TypeError,
    'ERR_PORTSIDE_DRIVER_OPTION',
    `this device cannot be given ${what}: set it up in the program, or use driver 'native'`,
  );
}

export class StreamLink implements DeviceLink {
  readonly name: string;
  mtu: number;
  readonly caps = 0;
  readonly loopback = false;
  readonly device: DeviceInfo;
  readonly meta = new Int32Array(RX_ROWS * RX_STRIDE);
  /** Packets dropped: the stream's queue was full, or a chunk was no packet that fits. */
  txDropped = 0;
  rxDropped = 0;
  readonly #dev: TuntapDevice;
  #timer: NodeJS.Timeout | null = null;
  #slab: Slab | null = null;
  #sink: DeviceSink | null = null;
  #base = 0;
  #end = 0;
  #cursor = 0;
  #count = 0;
  #scheduled = false;
  #closed = false;

  constructor(dev: TuntapDevice, options: FromTuntapOptions = {}) {
    this.#dev = dev;
    this.name = options.name ?? property(() => dev.name, 'tuntap');
    this.mtu = options.mtu ?? property(() => dev.mtu, 1500);
    this.device = {
      name: this.name,
      index: 0,
      mtu: this.mtu,
      netns: '',
      offloads: [],
      created: true,
    };
  }

  start(slab: Slab, rxBase: number, rxSize: number, sink: DeviceSink): void {
    if (this.#sink !== null) throw new Error('the link is started already');
    if (rxSize < MAX_PACKET + ALIGN) throw new RangeError('the receive region is too small');
    this.#slab = slab;
    this.#sink = sink;
    this.#base = rxBase;
    this.#end = rxBase + rxSize;
    this.#cursor = rxBase;
    const dev = this.#dev;
    dev.on('data', this.#onData);
    dev.on('error', this.#onError);
    dev.on('close', this.#onEnd);
    dev.on('end', this.#onEnd);
  }

  readonly #onData = (chunk: Uint8Array): void => {
    const slab = this.#slab;
    if (slab === null || this.#closed) return;
    const len = chunk.length;
    if (len === 0 || len > MAX_PACKET) {
      this.rxDropped++;
      return;
    }
    if (this.#count === RX_ROWS || this.#cursor + len > this.#end) this.#deliver();
    if (this.#closed) return;
    slab.u8.set(chunk, this.#cursor);
    const row = this.#count * RX_STRIDE;
    this.meta.fill(0, row, row + RX_STRIDE);
    this.meta[row] = this.#cursor;
    this.meta[row + 1] = len;
    this.#cursor += (len + ALIGN - 1) & ~(ALIGN - 1);
    this.#count++;
    if (this.#scheduled) return;
    // Chunks that the stream has at hand come in one turn: one batch for all of them.
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#count > 0 && !this.#closed) this.#deliver();
    });
  };

  #deliver(): void {
    const count = this.#count;
    this.#count = 0;
    this.#cursor = this.#base;
    const nowUs = Number(process.hrtime.bigint()) / 1000;
    this.#sink?.batch(this, count, nowUs);
  }

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    this.#fail(typeof error.errno === 'number' ? -Math.abs(error.errno) : Code.ENODEV);
  };

  readonly #onEnd = (): void => this.#fail(Code.ENODEV);

  #fail(errno: number): void {
    if (this.#closed || this.#sink === null) return;
    const sink = this.#sink;
    this.#sink = null;
    sink.failed(this, errno);
  }

  transmit(tx: Tx): boolean {
    const slab = this.#slab;
    if (slab === null || this.#closed || this.#dev.destroyed) return false;
    if (this.#dev.writableLength > MAX_QUEUED) {
      this.txDropped++;
      return false;
    }
    // The stream keeps the chunk for as long as it likes, so it gets memory of its own.
    const packet = Buffer.allocUnsafe(tx.headerLen + tx.payloadLen);
    packet.set(slab.u8.subarray(tx.headerOff, tx.headerOff + tx.headerLen), 0);
    let at = tx.headerLen;
    for (let i = 0; i < tx.pieces; i++) {
      const from = tx.pieceBuf[i] ?? slab.u8;
      const off = tx.pieceOff[i] as number;
      const len = tx.pieceLen[i] as number;
      packet.set(from.subarray(off, off + len), at);
      at += len;
    }
    this.#dev.write(packet);
    return true;
  }

  flush(): void {}

  /**
   * Sets up the kernel's side as far as a tuntap2 device can: MTU, one address a family, up.
   * @throws ERR_PORTSIDE_DRIVER_OPTION for routes and for what the device has no property for
   */
  configure(setup: LinkSetup): void {
    if ((setup.routes?.length ?? 0) > 0) throw unsupported('a route');
    const dev = this.#dev;
    if (setup.mtu !== undefined) {
      if (!('mtu' in dev)) throw unsupported('an MTU');
      dev.mtu = setup.mtu;
      this.mtu = setup.mtu;
    }
    for (const { address, prefix } of setup.addresses ?? []) {
      const family = address.includes(':') ? 'ipv6' : 'ipv4';
      if (!(family in dev)) throw unsupported(`an ${family} address`);
      dev[family] = `${address}/${prefix}`;
    }
    if (setup.up !== undefined) {
      if (!('isUp' in dev)) throw unsupported('up and down');
      dev.isUp = setup.up;
    }
  }

  /** A Duplex has no handle to hold: a timer that does nothing keeps the event loop alive. */
  ref(): void {
    if (this.#closed) return;
    this.#timer ??= setInterval(() => {}, FOREVER_MS);
    this.#timer.ref();
  }

  unref(): void {
    this.#timer?.unref();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    const dev = this.#dev;
    dev.off('data', this.#onData);
    dev.off('close', this.#onEnd);
    dev.off('end', this.#onEnd);
    // `error` keeps its listener: an error after the end is nobody's business any more.
    if (typeof dev.release === 'function') dev.release();
    else dev.destroy();
  }
}

/** Makes a link of a Duplex whose chunks are whole IP packets. The link closes it in the end. */
export function fromTuntap(dev: TuntapDevice, options: FromTuntapOptions = {}): StreamLink {
  return new StreamLink(dev, options);
}

export type TunDriver = 'auto' | 'native' | 'tuntap2';

interface Tuntap2 {
  Tun: new () => TuntapDevice;
}

async function importTuntap2(): Promise<Tuntap2> {
  // A name in a variable: the module is optional, and neither TypeScript nor a bundler follows it.
  const name = 'tuntap2';
  try {
    const require = createRequire(import.meta.url);
    return (await import(require.resolve(name))) as Tuntap2;
  } catch (error) {
    throw coded(
      Error,
      'ERR_PORTSIDE_DRIVER_UNAVAILABLE',
      `driver 'tuntap2' cannot be loaded (${(error as Error).message.split('\n')[0]}): ` +
        "npm install tuntap2, or use driver 'native'",
    );
  }
}

async function openTuntap2(options: TunOptions): Promise<StreamLink> {
  const isOther = options.kind !== undefined && options.kind !== 'tun';
  if (isOther || options.netns !== undefined || options.fd !== undefined) {
    throw coded(
      TypeError,
      'ERR_PORTSIDE_DRIVER_OPTION',
      "driver 'tuntap2' opens a TUN that it names itself: no kind, netns or fd",
    );
  }
  const { Tun } = await importTuntap2();
  return fromTuntap(new Tun());
}

/**
 * Opens a TUN with the driver wanted. `auto`: the addon, or tuntap2 where there is no addon.
 * A tuntap2 device picks its own name and is configured by the program (`dev.ipv4`, `dev.isUp`).
 */
export async function openTun(
  options: TunOptions & { driver?: TunDriver | undefined } = {},
): Promise<TunLink | StreamLink> {
  const driver = options.driver ?? 'auto';
  if (driver === 'tuntap2') return openTuntap2(options);
  if (driver === 'auto') {
    try {
      loadAddon();
    } catch (unavailable) {
      try {
        return await openTuntap2(options);
      } catch {
        throw unavailable; // the addon is what should be mended
      }
    }
  }
  return TunLink.open(options);
}
