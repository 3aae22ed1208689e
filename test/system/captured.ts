// A TUN link that writes every packet of both directions into a pcapng file on its way.

import { appendFileSync, writeFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Slab } from '../../src/base/slab.ts';
import type { Tx } from '../../src/base/tx.ts';
import { Capture, PcapngWriter } from '../../src/link/capture.ts';
import {
  type DeviceInfo,
  type DeviceLink,
  type DeviceSink,
  RX_STRIDE,
  TunLink,
} from '../../src/node/tun.ts';
import { sum } from '../../src/wire/checksum.ts';

export class CapturedTun implements DeviceLink {
  readonly #inner: TunLink;
  readonly #capture: Capture;
  readonly loopback = false;

  /** The device is opened in `netns` and given the kernel's address. */
  constructor(slab: Slab, file: string, netns: string, kernel: string) {
    this.#inner = TunLink.open({ netns });
    this.#inner.configure({ addresses: [{ address: kernel, prefix: 24 }], up: true });
    writeFileSync(file, '');
    const writer = new PcapngWriter((chunk) => appendFileSync(file, chunk));
    this.#capture = new Capture(this.#inner, writer, {
      slab,
      sum,
      now: () => performance.now() * 1000,
    });
  }

  get name(): string {
    return this.#inner.name;
  }
  get mtu(): number {
    return this.#inner.mtu;
  }
  set mtu(octets: number) {
    this.#inner.mtu = octets;
  }
  get caps(): number {
    return this.#inner.caps;
  }
  get meta(): Int32Array {
    return this.#inner.meta;
  }
  get device(): DeviceInfo {
    return this.#inner.device;
  }

  start(slab: Slab, rxBase: number, rxSize: number, sink: DeviceSink): void {
    const { meta } = this.#inner;
    this.#inner.start(slab, rxBase, rxSize, {
      batch: (_link, count, nowUs) => {
        for (let i = 0; i < count; i++) {
          const [off, len, flags, gsoType, gsoSize] = meta.subarray(i * RX_STRIDE);
          const gso = (gsoType ?? 0) | ((gsoSize ?? 0) << 8);
          this.#capture.received(off ?? 0, len ?? 0, flags ?? 0, gso);
        }
        sink.batch(this, count, nowUs);
      },
      failed: (_link, errno) => sink.failed(this, errno),
    });
  }

  transmit(tx: Tx): boolean {
    return this.#capture.transmit(tx);
  }
  flush(): void {
    this.#inner.flush();
  }
  ref(): void {
    this.#inner.ref();
  }
  unref(): void {
    this.#inner.unref();
  }
  close(): void {
    this.#inner.close();
  }
}

/** A TUN that loses every thirtieth packet with octets in it, behind the capture. */
export class LossyTun extends CapturedTun {
  #n = 0;
  override transmit(tx: Tx): boolean {
    if (tx.pieces > 0 && ++this.#n % 30 === 0) return true;
    return super.transmit(tx);
  }
}
