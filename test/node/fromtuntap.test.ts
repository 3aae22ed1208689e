// A link over a Duplex whose chunks are packets: tuntap2's shape, without a device.

import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Slab } from '../../src/base/slab.ts';
import { Tx } from '../../src/base/tx.ts';
import { fromTuntap, openTun, type TuntapDevice } from '../../src/node/fromtuntap.ts';

const REGION = 262_144;

class Fake extends Duplex {
  readonly name = 'tun7';
  mtu = 1400;
  isUp = false;
  ipv4 = '';
  released = 0;
  hold = false;
  readonly written: Buffer[] = [];
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk);
    if (!this.hold) done();
  }
  release(): void {
    this.released++;
    this.destroy();
  }
}

function rig() {
  const dev = new Fake();
  const link = fromTuntap(dev as unknown as TuntapDevice);
  const slab = new Slab(REGION + 65_536);
  const base = slab.reserve(REGION);
  const batches: string[][] = [];
  const failures: number[] = [];
  link.start(slab, base, REGION, {
    batch(from, count) {
      const rows: string[] = [];
      for (let i = 0; i < count; i++) {
        const [off, len, flags, type, size] = from.meta.subarray(i * 8, i * 8 + 5) as unknown as [
          number,
          number,
          number,
          number,
          number,
        ];
        const text = Buffer.from(slab.u8.subarray(off, off + len)).toString('latin1');
        rows.push(`${text} ${flags} ${type} ${size}${off % 64 === 0 ? '' : ' unaligned'}`);
      }
      batches.push(rows);
    },
    failed: (_from, errno) => failures.push(errno),
  });
  return { dev, link, slab, batches, failures };
}

const turn = (): Promise<void> =>
  new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe('fromTuntap', () => {
  it('makes one batch of the chunks that come in one turn', async () => {
    const { dev, batches } = rig();
    dev.push(Buffer.from('one'));
    dev.push(Buffer.from('second'));
    await turn();
    dev.push(Buffer.from('third'));
    await turn();
    expect(batches).toEqual([['one 0 0 0', 'second 0 0 0'], ['third 0 0 0']]);
  });

  it('delivers early when 64 packets or the region are full', async () => {
    const { dev, batches } = rig();
    for (let i = 0; i < 70; i++) dev.push(Buffer.from(String(i)));
    await turn();
    expect(batches.flat().length).toBe(70);
    expect(Math.max(...batches.map((rows) => rows.length))).toBeLessThanOrEqual(64);
    const big = rig();
    for (let i = 0; i < 6; i++) big.dev.push(Buffer.alloc(60_000, 'x'));
    await turn();
    expect(big.batches.flat().length).toBe(6);
    expect(big.batches.flat().every((row) => row.startsWith('xxxx'))).toBe(true);
  });

  it('drops chunks that are no IP packet', async () => {
    const { dev, link, batches } = rig();
    dev.push(Buffer.alloc(65_536));
    await turn();
    expect([batches.length, link.rxDropped]).toEqual([0, 1]);
  });

  it('writes header and pieces as one chunk of its own memory', () => {
    const { dev, link, slab } = rig();
    const at = slab.reserve(64);
    slab.u8.set(Buffer.from('head.slab'), at);
    const body = Buffer.from('..body..');
    const tx = new Tx();
    tx.headerOff = at;
    tx.headerLen = 5;
    tx.gather(body, 2, 4);
    tx.gather(null, at + 5, 4);
    expect(link.transmit(tx)).toBe(true);
    link.flush();
    body.fill('!');
    slab.u8.fill(0, at, at + 9);
    expect(dev.written.map(String)).toEqual(['head.bodyslab']);
  });

  it('drops and counts what a stalled device cannot take', () => {
    const { dev, link, slab } = rig();
    dev.hold = true;
    const tx = new Tx();
    tx.headerOff = slab.reserve(64);
    tx.headerLen = 20;
    tx.gather(new Uint8Array(60_000), 0, 60_000);
    let taken = 0;
    for (let i = 0; i < 100; i++) if (link.transmit(tx)) taken++;
    // 4 MiB of packets of 60,020 octets, and the one that crosses the limit
    expect([taken, link.txDropped]).toEqual([70, 30]);
  });

  it('takes name and MTU from the device and configures what it has', () => {
    const { dev, link } = rig();
    expect([link.name, link.mtu, link.caps, link.loopback]).toEqual(['tun7', 1400, 0, false]);
    link.configure({ mtu: 1300, addresses: [{ address: '10.1.2.3', prefix: 24 }], up: true });
    expect([dev.mtu, dev.ipv4, dev.isUp, link.mtu]).toEqual([1300, '10.1.2.3/24', true, 1300]);
    const wrong = [
      { routes: [{ address: '0.0.0.0', prefix: 0 }] },
      { addresses: [{ address: 'fd00::1', prefix: 64 }] },
    ];
    for (const setup of wrong) {
      expect(() => link.configure(setup)).toThrow(
        expect.objectContaining({ code: 'ERR_PORTSIDE_DRIVER_OPTION' }),
      );
    }
  });

  it('reports the end of the device once and nothing after close', async () => {
    const lost = rig();
    lost.dev.destroy(Object.assign(new Error('EBADFD'), { errno: -77 }));
    await turn();
    expect(lost.failures).toEqual([-77]);
    const gone = rig();
    gone.dev.destroy();
    await turn();
    expect(gone.failures).toEqual([-19]);
    const closed = rig();
    closed.link.close();
    closed.link.close();
    await turn();
    expect([closed.failures, closed.dev.released]).toEqual([[], 1]);
  });
});

describe('openTun', () => {
  it("says how to get the driver 'tuntap2' where it is not installed", async () => {
    await expect(openTun({ driver: 'tuntap2' })).rejects.toMatchObject({
      code: 'ERR_PORTSIDE_DRIVER_UNAVAILABLE',
      message: expect.stringContaining('npm install tuntap2'),
    });
  });

  it("refuses what the driver 'tuntap2' cannot do", async () => {
    await expect(openTun({ driver: 'tuntap2', netns: 'lab' })).rejects.toMatchObject({
      code: 'ERR_PORTSIDE_DRIVER_OPTION',
    });
  });
});
