// A TUN, a TAP or an interface by AF_PACKET as a link (link/link.ts), over the addon: batches come
// in through one call of a sink, packets leave through a table and one native flush.

import { randomBytes } from 'node:crypto';
import type { Slab } from '../base/slab.ts';
import type { Tx } from '../base/tx.ts';
import type { Link } from '../link/link.ts';
import { LinkCap } from '../link/link.ts';
import { type Mac, parseMac } from '../wire/ethernet.ts';
import {
  type Addon,
  type DeviceStats,
  type LinkState,
  loadAddon,
  type NativeDevice,
  type NativeInfo,
} from './addon.ts';
import { DatagramMerge } from './datagram-merge.ts';
import { type DeviceWish, explain } from './device-error.ts';
import { TX_ROWS, TxTable } from './tx-table.ts';

/** Packets of one batch; also rows of `meta`. */
export const RX_ROWS = 64;
/** Ints of one row of `meta`. */
export const RX_STRIDE = 8;

/** Takes what a device has received. */
export interface DeviceSink {
  /**
   * `count` packets lie in the slab, a row of `link.meta` each: [off, len, flags (RxFlag), gsoType,
   * gsoSize, csumStart, csumOffset, hdrLen], `off` being the first octet of the packet. Their
   * octets stay until this call returns.
   */
  batch(link: DeviceLink, count: number, nowUs: number): void;
  /** The device is lost for good; `errno` is negative. */
  failed(link: DeviceLink, errno: number): void;
}

/** A link that calls a sink: the same shape for the addon's devices and for `fromTuntap`. */
export interface DeviceLink extends Link {
  readonly meta: Int32Array;
  readonly device: DeviceInfo;
  start(slab: Slab, rxBase: number, rxSize: number, sink: DeviceSink): void;
  /** Keeps the event loop alive while started. A link begins without. */
  ref(): void;
  unref(): void;
  /** Idempotent; nothing is called afterwards. */
  close(): void;
}

export interface DeviceInfo {
  readonly name: string;
  readonly index: number;
  readonly mtu: number;
  /** Name of the device's network namespace; '' = where the program runs. */
  readonly netns: string;
  /** 'vnet-hdr', 'csum', 'tso4', 'tso6', 'tso-ecn', 'uso4', 'uso6': what the kernel granted. */
  readonly offloads: string[];
  /** False when the device was there before. */
  readonly created: boolean;
}

/** TUN_F_* of linux/if_tun.h. */
const OFFLOADS = { csum: 1, tso4: 2, tso6: 4, 'tso-ecn': 8, uso4: 0x20, uso6: 0x40 } as const;
export type Offload = keyof typeof OFFLOADS;

export interface TunOptions {
  /** Default `portside0`. A pattern like `ps%d` lets the kernel number it. */
  name?: string | undefined;
  kind?: 'tun' | 'tap' | 'packet' | undefined;
  /** Own link-layer address; default: random on a TAP, the interface's by AF_PACKET. */
  mac?: string | undefined;
  promiscuous?: boolean | undefined;
  /** Network namespace by name, as `ip netns` knows it; made when there is none. */
  netns?: string | undefined;
  /** An open TUN or TAP descriptor. It is duplicated: the program closes its own. */
  fd?: number | undefined;
  /** Default true: virtio-net headers, and with them offloads. */
  vnetHdr?: boolean | undefined;
  multiQueue?: boolean | undefined;
  /** Offloads to ask for; default all. */
  offloads?: readonly Offload[] | undefined;
  /** µs to ask for packets before the event loop sleeps; default 0 here, 50 in `createHost`. */
  busyPollUs?: number | undefined;
}

export interface KernelAddress {
  readonly address: string;
  readonly prefix: number;
  readonly peer?: string | undefined;
}

export interface KernelRoute {
  readonly address: string;
  readonly prefix: number;
  readonly via?: string | undefined;
  readonly src?: string | undefined;
  readonly metric?: number | undefined;
}

/** The kernel's side of the device. */
export interface LinkSetup {
  readonly mtu?: number | undefined;
  readonly txQueueLen?: number | undefined;
  readonly addresses?: readonly KernelAddress[] | undefined;
  readonly up?: boolean | undefined;
  readonly routes?: readonly KernelRoute[] | undefined;
}

function offloadNames(info: NativeInfo): string[] {
  const names: string[] = info.headerSize > 0 ? ['vnet-hdr'] : [];
  for (const [name, bit] of Object.entries(OFFLOADS)) {
    if ((info.offloads & bit) !== 0) names.push(name);
  }
  return names;
}

/** With a virtio-net header the kernel takes from us what it would give to us. */
function capsOf(info: NativeInfo): number {
  if (info.headerSize === 0 || (info.offloads & OFFLOADS.csum) === 0) return 0;
  let caps: number = LinkCap.TX_CSUM;
  if ((info.offloads & OFFLOADS.tso4) !== 0) caps |= LinkCap.TSO4;
  if ((info.offloads & OFFLOADS.tso6) !== 0) caps |= LinkCap.TSO6;
  if ((info.offloads & OFFLOADS.uso4) !== 0) caps |= LinkCap.USO;
  return caps;
}

function offloadBits(wanted: readonly Offload[] | undefined): number {
  if (wanted === undefined) return 0x7f;
  return wanted.reduce((bits, name) => bits | OFFLOADS[name], 0);
}

/** RFC 7042 §2.1: administered locally, of one host. */
function randomMac(): string {
  const octets = [...randomBytes(6)];
  octets[0] = ((octets[0] as number) & 0xfc) | 2;
  return octets.map((octet) => octet.toString(16).padStart(2, '0')).join(':');
}

export class TunLink implements DeviceLink {
  readonly name: string;
  mtu: number;
  readonly caps: number;
  readonly loopback = false;
  readonly kind: 'tun' | 'tap' | 'packet';
  readonly mac: Mac | null;
  readonly device: DeviceInfo;
  readonly meta = new Int32Array(RX_ROWS * RX_STRIDE);
  readonly #native: NativeDevice;
  readonly #table = new TxTable();
  #closed = false;
  #started = false;

  private constructor(native: NativeDevice, info: NativeInfo, mtu: number, mac: Mac | null) {
    this.#native = native;
    this.name = info.name;
    this.mtu = mtu;
    this.kind = info.mac !== '' ? 'packet' : info.tap ? 'tap' : 'tun';
    this.mac = mac;
    this.caps = capsOf(info);
    this.device = {
      name: info.name,
      index: info.index,
      mtu,
      netns: info.netns,
      offloads: offloadNames(info),
      created: info.created,
    };
  }

  /**
   * Opens a device, or takes over an existing one of that name and leaves it in the end as it was.
   * @throws ERR_PORTSIDE_NATIVE_UNAVAILABLE; EPERM, EACCES, EBUSY, EINVAL, ENOENT with Node's
   *   fields and a message that names the remedy
   */
  static open(options: TunOptions = {}): TunLink {
    const addon: Addon = loadAddon();
    const name = options.name ?? 'portside0';
    const kind = options.kind ?? 'tun';
    const netns = options.netns ?? '';
    const wish: DeviceWish = {
      name: options.fd === undefined ? name : `fd ${options.fd}`,
      kind,
      netns,
    };
    try {
      const native = new addon.Device({
        name,
        tap: kind === 'tap',
        packet: kind === 'packet',
        promiscuous: options.promiscuous ?? false,
        ...(options.mac === undefined ? {} : { mac: options.mac.toLowerCase().replace(/-/g, ':') }),
        netns,
        vnetHdr: options.vnetHdr ?? true,
        multiQueue: options.multiQueue ?? false,
        offloads: offloadBits(options.offloads),
        busyPollUs: options.busyPollUs ?? 0,
        ...(options.fd === undefined ? {} : { fd: options.fd }),
      });
      const info = native.info();
      // An adopted descriptor may belong to a namespace that we may not look into.
      const mtu = info.index === 0 ? 1500 : native.link().mtu;
      const mac = info.tap ? parseMac(options.mac ?? (info.mac || randomMac())) : null;
      return new TunLink(native, info, mtu, mac);
    } catch (error) {
      throw explain(error, wish);
    }
  }

  get closed(): boolean {
    return this.#closed;
  }

  start(slab: Slab, rxBase: number, rxSize: number, sink: DeviceSink): void {
    if ((this.caps & LinkCap.USO) !== 0) this.#table.merge = new DatagramMerge(slab);
    this.#native.start(slab.buffer, rxBase, rxSize, this.meta, (count, nowUs) => {
      if (count > 0) sink.batch(this, count, nowUs);
      else sink.failed(this, count);
    });
    this.#started = true;
  }

  transmit(tx: Tx): boolean {
    if (!this.#started || this.#closed) return false;
    if (this.#table.count === TX_ROWS) this.flush();
    this.#table.put(tx);
    return true;
  }

  flush(): void {
    if (this.#table.count === 0) return;
    if (this.#closed) this.#table.clear();
    else this.#table.flush(this.#native);
  }

  ref(): void {
    this.#native.ref();
  }

  unref(): void {
    this.#native.unref();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#table.clear();
    this.#native.close();
  }

  /**
   * Sets up the kernel's side: MTU, queue, addresses, up, routes, in this order. An address or
   * route that exists already is no error and stays when the link is closed.
   * @throws Error with code, errno and syscall (EINVAL, EPERM, ENETUNREACH, …)
   */
  configure(setup: LinkSetup): void {
    const native = this.#native;
    try {
      if (setup.mtu !== undefined) {
        native.setLink({ mtu: setup.mtu });
        this.mtu = setup.mtu;
        Object.assign(this.device, { mtu: setup.mtu });
      }
      if (setup.txQueueLen !== undefined) native.setLink({ txQueueLen: setup.txQueueLen });
      for (const { address, prefix, peer } of setup.addresses ?? []) {
        native.address(true, address, prefix, peer);
      }
      if (setup.up !== undefined) native.setLink({ up: setup.up });
      for (const { address, prefix, via, src, metric } of setup.routes ?? []) {
        native.route(true, address, prefix, via, src, metric);
      }
    } catch (error) {
      throw explain(error, { name: this.name, kind: this.kind, netns: this.device.netns });
    }
  }

  removeAddress({ address, prefix, peer }: KernelAddress): void {
    this.#native.address(false, address, prefix, peer);
  }

  removeRoute({ address, prefix, via, src, metric }: KernelRoute): void {
    this.#native.route(false, address, prefix, via, src, metric);
  }

  /** The kernel's view of the device now. */
  state(): LinkState {
    return this.#native.link();
  }

  /** Counters of both directions since the device was opened. */
  stats(): DeviceStats {
    return this.#native.stats();
  }
}
