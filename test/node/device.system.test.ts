// Devices that were there before, descriptors of the program's own, and refusals.

import { execFileSync } from 'node:child_process';
import { readdirSync, read as readFd, readFileSync, write as writeFd } from 'node:fs';
import { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Slab } from '../../src/base/slab.ts';
import { Tx } from '../../src/base/tx.ts';
import { fromTuntap, type TuntapDevice } from '../../src/node/fromtuntap.ts';
import { TunLink, type TunOptions } from '../../src/node/tun.ts';
import { Lab, until } from '../system/netns.ts';
import { program, REGION, Station, US } from './rig.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

let lab: Lab;
beforeAll(() => {
  lab = new Lab();
});
afterAll(() => lab?.close());

/** Everything of a device that a program could have changed. */
function portrait(name: string): string {
  const inside = (...command: string[]): string =>
    execFileSync('ip', ['netns', 'exec', lab.name, ...command], { encoding: 'utf8' });
  const link = lab.ip('-d', '-o', 'link', 'show', name).replace(/(numtxqueues|state) .*/, '');
  return [
    // Going up once gives a device its queueing discipline for good, whoever does it.
    link.replace(/ qdisc \S+/, ''),
    inside('cat', `/sys/class/net/${name}/tun_flags`),
    inside('cat', `/sys/class/net/${name}/tx_queue_len`),
    lab.ip('-o', '-4', 'addr', 'show', name),
    lab.ip('-4', 'route'),
  ].join('\n');
}

/** Descriptors of this process that are attached to the device, by /proc/self/fdinfo. */
function descriptorsOf(name: string): number[] {
  const found: number[] = [];
  for (const fd of readdirSync('/proc/self/fdinfo')) {
    try {
      if (
        new RegExp(`^iff:\\s*${name}$`, 'm').test(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))
      )
        found.push(Number(fd));
    } catch {
      // the descriptor of the listing itself
    }
  }
  return found;
}

function attempt(options: TunOptions): NodeJS.ErrnoException {
  try {
    TunLink.open({ netns: lab.name, ...options }).close();
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  throw new Error('it was opened');
}

describe('an existing device', () => {
  // biome-ignore format: a table
  const table: [string, string[]][] = [
    ['without virtio-net header', []],
    ['with virtio-net header', ['vnet_hdr']],
    ['with packet information', ['pi']],
    ['with both', ['pi', 'vnet_hdr']],
  ];
  it.each(table)('%s is used and left as it was found', async (_name, flags) => {
    lab.ip('tuntap', 'add', 'dev', 'old0', 'mode', 'tun', ...flags);
    lab.ip('link', 'set', 'old0', 'mtu', '1400', 'txqueuelen', '321');
    lab.ip('addr', 'add', '10.60.0.1/24', 'dev', 'old0');
    const before = portrait('old0');
    const station = new Station({ name: 'old0', netns: lab.name });
    expect(station.link.device).toMatchObject({ created: false, mtu: 1400 });
    expect(station.link.device.offloads).toContain('vnet-hdr');
    station.link.configure({
      mtu: 1500,
      txQueueLen: 1000,
      addresses: [
        { address: '10.60.0.1', prefix: 24 }, // there already: no error, and it stays
        { address: '10.77.0.1', prefix: 32, peer: US },
      ],
      up: true,
      routes: [{ address: '10.9.0.0', prefix: 16, src: '10.77.0.1', metric: 7 }],
    });
    expect(lab.ip('-4', 'route')).toMatch(/10\.9\.0\.0\/16 dev old0 .*src 10\.77\.0\.1 metric 7/);
    expect(lab.ip('-4', '-o', 'addr', 'show', 'old0')).toContain('10.77.0.1 peer 10.77.0.2/32');
    const ping = lab.run(['ping', '-c', '1', '-W', '0.1', US]);
    await until('the echo request', () => station.rows.some(({ octets }) => octets[9] === 1));
    await ping;
    expect(portrait('old0')).not.toBe(before);
    station.link.close();
    expect(portrait('old0')).toBe(before);
    lab.ip('link', 'del', 'old0');
  });

  // TUNSETIFF, TUNSETVNETHDRSZ, TUNGETVNETHDRSZ, TUNSETOFFLOAD; SIOCETHTOOL with GTXCSUM, GTSO
  const perl = (script: string): string =>
    execFileSync('ip', ['netns', 'exec', lab.name, 'perl', '-e', script], { encoding: 'utf8' });
  const attach = `
    open(my $f, '+<', '/dev/net/tun') or die;
    my $ifr = pack('a16 s x22', 'old1', 0x5001);
    ioctl($f, 0x400454ca, $ifr) or die "TUNSETIFF $!";`;
  const look = `${attach}
    my $size = pack('i', 0);
    ioctl($f, 0x800454d7, $size) or die;
    use Socket; socket(my $s, PF_INET, SOCK_DGRAM, 0) or die;
    my @on = map {
      my $value = pack('LL', $_, 0);
      my $ask = pack('a16 Q x16', 'old1', unpack('Q', pack('P', $value)));
      ioctl($s, 0x8946, $ask) or die;
      unpack('LL', $value) && (unpack('LL', $value))[1] ? 1 : 0;
    } 0x16, 0x1e;
    print 'header ', unpack('i', $size), ' csum ', $on[0], ' tso ', $on[1];`;

  it('gets its header size and its offloads back', () => {
    lab.ip('tuntap', 'add', 'dev', 'old1', 'mode', 'tun', 'vnet_hdr');
    perl(`${attach}
      my $size = pack('i', 12);
      ioctl($f, 0x400454d8, $size) or die;
      ioctl($f, 0x400454d0, 1) or die;`);
    expect(perl(look)).toBe('header 12 csum 1 tso 0');
    const link = TunLink.open({ name: 'old1', netns: lab.name });
    expect(link.device.offloads).toContain('tso4');
    link.close();
    expect(perl(look)).toBe('header 12 csum 1 tso 0');
    TunLink.open({ name: 'old1', netns: lab.name, vnetHdr: false }).close();
    expect(lab.ip('-d', 'link', 'show', 'old1')).toContain('vnet_hdr on');
    expect(perl(look)).toBe('header 12 csum 1 tso 0');
    lab.ip('link', 'del', 'old1');
  });

  it('keeps what an address and a route were before when they exist already', () => {
    lab.ip('tuntap', 'add', 'dev', 'old2', 'mode', 'tun');
    lab.ip('link', 'set', 'old2', 'up');
    lab.ip('route', 'add', '10.61.0.0/16', 'dev', 'old2');
    const link = TunLink.open({ name: 'old2', netns: lab.name });
    link.configure({
      addresses: [{ address: 'fd61::1', prefix: 64 }],
      routes: [
        { address: '10.61.0.0', prefix: 16 },
        { address: 'fd62::', prefix: 32 },
      ],
    });
    expect(lab.ip('-6', 'route')).toMatch(/fd62::\/32 dev old2/);
    link.removeRoute({ address: 'fd62::', prefix: 32 });
    link.removeAddress({ address: 'fd61::1', prefix: 64 });
    expect(lab.ip('-6', 'route')).not.toMatch(/fd6[12]/);
    link.close();
    expect(lab.ip('route')).toContain('10.61.0.0/16 dev old2');
    lab.ip('link', 'del', 'old2');
  });
});

describe('a device of our own', () => {
  it('is gone when it is closed, with its addresses and routes', () => {
    const link = TunLink.open({ name: 'new0', netns: lab.name });
    link.configure({
      addresses: [{ address: '10.62.0.1', prefix: 24 }],
      up: true,
      routes: [{ address: '10.63.0.0', prefix: 16, via: '10.62.0.9' }],
    });
    expect(lab.ip('route')).toMatch(/10\.63\.0\.0\/16 via 10\.62\.0\.9 dev new0/);
    link.close();
    expect(lab.ip('-br', 'link')).not.toContain('new0');
    expect(lab.ip('route')).not.toMatch(/10\.6[23]/);
  });

  it('is numbered by the kernel when its name is a pattern', () => {
    const links = [0, 1].map(() => TunLink.open({ name: 'ps%d', netns: lab.name }));
    expect(links.map(({ name }) => name)).toEqual(['ps0', 'ps1']);
    for (const link of links) link.close();
  });

  it('may be a TAP: frames whose IP header is aligned', async () => {
    const station = new Station({ name: 'tap0', kind: 'tap', netns: lab.name });
    station.link.configure({ addresses: [{ address: '10.64.0.1', prefix: 24 }], up: true });
    void lab.run(['ping', '-c', '1', '-W', '1', '10.64.0.2']);
    const isArp = ({ octets }: { octets: Buffer }): boolean => octets.readUInt16BE(12) === 0x0806;
    await until('an ARP request', () => station.rows.some(isArp));
    expect(station.rows.find(isArp)?.len).toBe(42);
    expect(station.rows.every(({ off }) => (off + 14) % 16 === 0)).toBe(true);
    station.link.close();
  });
});

describe('a descriptor of the program', () => {
  it('is used beside the program, which keeps it', async () => {
    const owner = TunLink.open({ name: 'fd0', netns: lab.name });
    const [fd] = descriptorsOf('fd0') as [number];
    const station = new Station({ fd });
    expect(station.link.device).toMatchObject({ name: 'fd0', created: false });
    expect(station.link.device.index).toBe(owner.device.index);
    expect(station.link.device.offloads).toContain('csum');
    station.link.configure({ addresses: [{ address: '10.77.0.1', prefix: 24 }], up: true });
    void lab.run(['ping', '-c', '1', '-W', '1', US]);
    await until('the echo request', () => station.rows.some(({ octets }) => octets[9] === 1));
    station.link.close();
    expect(lab.ip('-br', 'addr', 'show', 'fd0')).not.toContain('10.77.0.1');
    expect(descriptorsOf('fd0')).toEqual([fd]);
    owner.close();
    expect(descriptorsOf('fd0')).toEqual([]);
  });

  it('is refused when it is none (EBADF, EINVAL)', () => {
    expect(attempt({ fd: 9999 })).toMatchObject({ code: 'EBADF', syscall: 'fcntl' });
    expect(attempt({ fd: 0 })).toMatchObject({ code: 'EINVAL', syscall: 'TUNGETIFF' });
  });
});

/** A Duplex over a TUN descriptor, as tuntap2 makes one: a chunk is a packet. */
class DescriptorDuplex extends Duplex {
  readonly #fd: number;
  constructor(fd: number) {
    super({ allowHalfOpen: false });
    this.#fd = fd;
  }
  override _read(): void {
    const chunk = Buffer.allocUnsafe(65_536);
    readFd(this.#fd, chunk, 0, chunk.length, null, (error, n) => {
      if (this.destroyed) return;
      if (error === null) this.push(chunk.subarray(0, n));
      else if (error.code === 'EAGAIN') setTimeout(() => this._read(), 2);
      else this.destroy(error);
    });
  }
  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    writeFd(this.#fd, chunk, (error) => done(error));
  }
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    done(error); // the descriptor belongs to the test's owner link
  }
}

describe('fromTuntap over a real TUN descriptor', () => {
  it('answers ping', async () => {
    const owner = TunLink.open({ name: 'dup0', netns: lab.name, vnetHdr: false });
    owner.configure({ addresses: [{ address: '10.77.0.1', prefix: 24 }], up: true });
    const [attached] = descriptorsOf('dup0') as [number];
    const link = fromTuntap(new DescriptorDuplex(attached) as unknown as TuntapDevice);
    const slab = new Slab(REGION + 65_536);
    const base = slab.reserve(REGION);
    const tx = new Tx();
    link.start(slab, base, REGION, {
      batch(from, count) {
        for (let i = 0; i < count; i++) {
          const off = from.meta[i * 8] as number;
          const packet = slab.u8.subarray(off, off + (from.meta[i * 8 + 1] as number));
          if (packet[9] !== 1 || packet[20] !== 8) continue;
          packet.copyWithin(12, 16, 20);
          packet.set([10, 77, 0, 1], 16);
          packet[20] = 0;
          const sum = slab.view.getUint16(off + 22) + 0x0800;
          slab.view.setUint16(off + 22, sum > 0xffff ? sum - 0xffff : sum);
          tx.reset();
          tx.headerOff = off;
          tx.headerLen = packet.length;
          link.transmit(tx);
        }
      },
      failed() {},
    });
    const ping = await lab.run(['ping', '-q', '-c', '20', '-i', '0.01', US]);
    expect(ping.out).toContain('20 packets transmitted, 20 received, 0% packet loss');
    link.close();
    owner.close();
  });
});

describe('refusals', () => {
  const hint = (error: NodeJS.ErrnoException): string => error.message;

  it('EBUSY: another program holds the device', () => {
    const holder = TunLink.open({ name: 'busy0', netns: lab.name });
    const error = attempt({ name: 'busy0' });
    expect(error).toMatchObject({ code: 'EBUSY', errno: -16, syscall: 'TUNSETIFF' });
    expect(hint(error)).toContain('busy0 is in use by another program');
    holder.close();
  });

  it('EINVAL: another kind of device, multi_queue, a name that is none', () => {
    lab.ip('tuntap', 'add', 'dev', 'tap1', 'mode', 'tap');
    lab.ip('tuntap', 'add', 'dev', 'mq0', 'mode', 'tun', 'multi_queue');
    const invalid = { code: 'EINVAL', errno: -22, syscall: 'TUNSETIFF' };
    // biome-ignore format: a table
    const table: [TunOptions, string][] = [
      [{ name: 'lo' }, 'exists and is no TUN or TAP device'],
      [{ name: 'tap1' }, 'exists and is a TAP'],
      [{ name: 'mq0' }, 'exists with multi_queue'],
      [{ name: 'a/b' }, 'does not take "a/b" as a tun device'],
      [{ name: 'sixteen-letters-' }, 'at most 15 octets'],
    ];
    for (const [options, text] of table) {
      const error = attempt(options);
      expect(error).toMatchObject(invalid);
      expect(hint(error)).toContain(text);
    }
    const queue = TunLink.open({ name: 'mq0', netns: lab.name, multiQueue: true });
    queue.close();
    expect(lab.ip('-d', 'link', 'show', 'mq0')).toContain('multi_queue');
    for (const name of ['tap1', 'mq0']) lab.ip('link', 'del', name);
  });

  const open = `try { TunLink.open({ name: 'no0' }); console.log('opened'); }
    catch (error) { console.log(error.code, error.errno, error.syscall, error.message); }`;

  it('EPERM: without CAP_NET_ADMIN', async () => {
    const drop = ['setpriv', '--bounding-set', '-all', '--inh-caps', '-all', '--'];
    const { out } = await lab.run([...drop, ...program(open)]);
    expect(out).toMatch(/^EPERM -1 TUNSETIFF .*CAP_NET_ADMIN is missing.*ip tuntap add dev no0/);
  });

  it('EACCES: /dev/net/tun is closed to the user', async () => {
    // The user must reach the sources, wherever they lie (a clone in a folder of root's own).
    const script =
      `mount --bind ${ROOT} /mnt && cd /mnt && ` +
      'mount -t tmpfs none /dev/net && mknod /dev/net/tun c 10 200 && chmod 600 /dev/net/tun && ' +
      'exec setpriv --reuid 65534 --regid 65534 --clear-groups -- "$@"';
    const there = program(open).map((argument) => argument.replaceAll(ROOT, '/mnt'));
    const { out } = await lab.run(['unshare', '-m', 'sh', '-c', script, 'sh', ...there]);
    expect(out).toMatch(/^EACCES -13 open .*user 65534: chmod 0666 \/dev\/net\/tun/);
  });

  it('ENOENT: no /dev/net/tun', async () => {
    const script = 'mount -t tmpfs none /dev/net && exec "$@"';
    const { out } = await lab.run(['unshare', '-m', 'sh', '-c', script, 'sh', ...program(open)]);
    expect(out).toMatch(/^ENOENT -2 open .*modprobe tun/);
  });

  it('configuring wrongly: EINVAL, ENETUNREACH, and the kernel’s own words', () => {
    const link = TunLink.open({ name: 'bad0', netns: lab.name });
    const code = (setup: Parameters<TunLink['configure']>[0]): string => {
      try {
        link.configure(setup);
        return '';
      } catch (error) {
        const { code, syscall, message } = error as NodeJS.ErrnoException;
        return `${code} ${syscall} ${message}`;
      }
    };
    const address = (text: string, prefix: number) => ({
      addresses: [{ address: text, prefix }],
    });
    expect(code(address('10.0.0', 24))).toMatch(/^EINVAL RTM_NEWADDR .*not an address/);
    expect(code(address('10.0.0.1', 33))).toMatch(/^EINVAL RTM_NEWADDR/);
    expect(code({ mtu: 70_000 })).toMatch(/^EINVAL RTM_NEWLINK/);
    expect(code({ up: true, routes: [{ address: '10.0.0.1', prefix: 8 }] })).toMatch(
      /^EINVAL RTM_NEWROUTE/,
    );
    expect(code({ routes: [{ address: '10.0.0.0', prefix: 8, via: '192.0.2.1' }] })).toMatch(
      /^ENETUNREACH RTM_NEWROUTE .*Nexthop has invalid gateway/,
    );
    link.close();
  });

  it('does not leave a descriptor behind, whatever was refused', () => {
    const count = (): number => readdirSync('/proc/self/fd').length;
    const before = count();
    for (let i = 0; i < 20; i++) {
      attempt({ name: 'a/b' });
      TunLink.open({ name: 'leak0', netns: lab.name }).close();
    }
    expect(count()).toBe(before);
  });
});
