// `portside up` on an Ethernet: a TAP device, and one end of a veth by AF_PACKET. The real programs
// at the other end, ARP and neighbour discovery with the kernel, duplicate addresses, and floods.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Slab } from '../../src/base/slab.ts';
import { Tx } from '../../src/base/tx.ts';
import { TunLink } from '../../src/node/tun.ts';
import { arp, nd } from '../ip/ether-kit.ts';
import { expectEchoed, KERNEL, Lab, PORTSIDE, type Portside, US } from './netns.ts';

const US6 = 'fd77::2';
const KERNEL6 = 'fd77::1';

/** Two namespaces and a cable: veth0 is ours, veth1 the kernel's. */
class Wired {
  readonly ours = new Lab();
  readonly kernel = new Lab();

  constructor() {
    const { ours, kernel } = this;
    ours.ip('link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'veth1', 'netns', kernel.name);
    kernel.ip('addr', 'add', `${KERNEL}/24`, 'dev', 'veth1');
    kernel.ip('addr', 'add', `${KERNEL6}/64`, 'dev', 'veth1', 'nodad');
    kernel.ip('link', 'set', 'veth1', 'up');
  }

  up(...args: string[]): Promise<Portside> {
    return this.ours.up(`${US}/24`, '--addr', `${US6}/64`, '--packet', 'veth0', ...args);
  }

  close(): void {
    this.ours.close();
    this.kernel.close();
  }
}

function tapLab(): { lab: Lab; start: () => Promise<Portside>; close: () => void } {
  const lab = new Lab();
  const start = async (): Promise<Portside> => {
    const host = await lab.up(`${US}/24`, '--addr', `${US6}/64`, '--tap', '--http', '--iperf3');
    lab.ip('addr', 'add', `${KERNEL6}/64`, 'dev', 'portside0', 'nodad');
    return host;
  };
  return { lab, start, close: () => lab.close() };
}

function packetLab(): { lab: Lab; start: () => Promise<Portside>; close: () => void } {
  const wired = new Wired();
  const start = (): Promise<Portside> => wired.up('--http', '--iperf3');
  return { lab: wired.kernel, start, close: () => wired.close() };
}

describe.each([
  ['a TAP device', tapLab],
  ['a veth’s end by AF_PACKET', packetLab],
])('%s', (_name, make) => {
  const { lab, start, close } = make();
  afterAll(close);
  beforeAll(async () => {
    await start();
  });

  test.each([
    ['IPv4', US, '56', 20],
    ['IPv6', US6, '56', 20],
    ['the largest of IPv4', US, '65507', 2],
    ['the largest of IPv6', US6, '65487', 2],
  ])('answers ping: %s (RFC 826, RFC 4861 §7.2)', async (_case, to, size, count) => {
    const ping = ['ping', '-n', '-i', '0.05', '-c', String(count), '-s', size, to];
    const out = await lab.run(ping);
    await expectEchoed(lab, out, count);
    expect(out.code).toBe(0);
  });

  test.each([US, `[${US6}]`])('gives 4 MB to curl at %s', async (to) => {
    const get = await lab.run([
      'curl',
      '-sS',
      '-o',
      '/dev/null',
      '-w',
      '%{size_download}',
      `http://${to}/bytes/4000000`,
    ]);
    expect(get).toMatchObject({ code: 0, out: '4000000' });
  });

  test.each([
    ['in over IPv4', [US]],
    ['out over IPv4', [US, '-R']],
    ['in over IPv6', [US6, '-6']],
    ['out over IPv6', [US6, '-6', '-R']],
  ])('carries iperf3 %s', async (_case, args) => {
    const run = await lab.run(['iperf3', '-c', ...args, '-n', '8M', '-J']);
    expect(run.code).toBe(0);
    type Sum = { bytes: number };
    const { end } = JSON.parse(run.out) as { end: { sum_sent: Sum; sum_received: Sum } };
    expect(end.sum_sent.bytes).toBeGreaterThanOrEqual(8 << 20);
    // iperf3 ends when all is sent; what is on its way then does not count.
    expect(end.sum_received.bytes).toBeGreaterThan(1 << 20);
  });

  test('is a neighbour of the kernel’s by both protocols', () => {
    const known = lab.ip('neigh');
    expect(known).toMatch(/^10\.77\.0\.2 .* lladdr /m);
    expect(known).toMatch(/^fd77::2 .* lladdr /m);
  });
});

describe('an address that another host has', () => {
  const wired = new Wired();
  afterAll(() => wired.close());

  test('is found out before it is used, and said (RFC 4862 §5.4)', async () => {
    const { ours } = wired;
    const up = [...PORTSIDE, 'up', `${US}/24`, '--addr', `${KERNEL6}/64`, '--packet', 'veth0'];
    const run = await ours.runOutside([...up, '--netns', ours.name]);
    expect(run.code).not.toBe(0);
    expect(run.err).toContain('EADDRINUSE');
    expect(run.err).toContain(KERNEL6);
  });
});

/** An end of the cable that sends whatever it is told. */
class RawEnd {
  readonly #slab = new Slab(1 << 20);
  readonly #link: TunLink;
  readonly #out: number;
  readonly #tx = new Tx();

  constructor(name: string, netns: string) {
    this.#link = TunLink.open({ kind: 'packet', name, netns });
    const size = 1 << 18;
    const at = this.#slab.reserve(size);
    this.#link.start(this.#slab, at, size, { batch: () => {}, failed: () => {} });
    this.#out = this.#slab.reserve(1 << 18);
  }

  send(frames: readonly Uint8Array[]): void {
    frames.forEach((octets, i) => {
      const off = this.#out + (i % 200) * 128;
      this.#slab.u8.set(octets, off);
      this.#tx.reset();
      this.#tx.headerOff = off;
      this.#tx.headerLen = octets.length;
      this.#link.transmit(this.#tx);
      if (i % 200 === 199) this.#link.flush();
    });
    this.#link.flush();
  }

  close(): void {
    this.#link.close();
  }
}

describe('a flood (RFC 6583)', () => {
  const wired = new Wired();
  let raw: RawEnd | null = null;
  let ourMac = '';
  afterAll(() => {
    raw?.close();
    wired.close();
  });
  beforeAll(async () => {
    await wired.up('--http');
    const link = JSON.parse(wired.ours.ip('-j', 'link', 'show', 'veth0')) as { address: string }[];
    ourMac = (link[0] as { address: string }).address;
    raw = new RawEnd('veth1', wired.kernel.name);
  });

  async function stillServes(): Promise<void> {
    for (const to of [US, `[${US6}]`]) {
      wired.kernel.ip('neigh', 'flush', 'all');
      const url = `http://${to}/bytes/100000`;
      const get = await wired.kernel.run([
        'curl',
        '-sS',
        '-o',
        '/dev/null',
        '-w',
        '%{size_download}',
        url,
      ]);
      expect(get).toMatchObject({ code: 0, out: '100000' });
    }
  }

  function macOf(i: number): string {
    return `02:00:00:${[i >> 16, (i >> 8) & 255, i & 255].map((x) => x.toString(16).padStart(2, '0')).join(':')}`;
  }

  test('of ARP requests from 20,000 strangers: a new neighbour is still served', async () => {
    const frames = Array.from({ length: 20_000 }, (_, i) =>
      arp({ sender: `10.77.0.${3 + (i % 250)}`, target: US, mac: macOf(i + 1) }),
    );
    raw?.send(frames);
    await stillServes();
  });

  test('of solicitations from 20,000 strangers: a new neighbour is still served', async () => {
    const frames = Array.from({ length: 20_000 }, (_, i) =>
      nd({
        type: 135,
        src: `fd77::${(i + 16).toString(16)}`,
        dst: US6,
        target: US6,
        dstMac: ourMac,
        mac: macOf(i + 1),
      }),
    );
    raw?.send(frames);
    await stillServes();
  });
});
