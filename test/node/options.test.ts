import { describe, expect, it } from 'vitest';
import { readOptions } from '../../src/node/options.ts';

describe('createHost refuses wrong options before anything is opened', () => {
  const table: [string, object, RegExp][] = [
    ['unknown name', { adresses: [] }, /'adresses' is unknown/],
    [
      'address without a prefix length that is one',
      { addresses: ['10.0.0.1/33'] },
      /addresses\[0\]/,
    ],
    ['nonsense address', { addresses: ['10.0.0.2/24', 'x'] }, /addresses\[1\]/],
    ['number', { addresses: [7] }, /addresses\[0\]/],
    ['own', { addresses: [{ prefix: '10.0.0.0/8', own: 'some' }] }, /addresses\[0\]\.own/],
    ['peer', { peer: 'nobody' }, /'peer' must be an IP address/],
    ['route', { routes: [{ prefix: '0/0' }] }, /routes\[0\]\.prefix/],
    ['via', { routes: [{ prefix: '0.0.0.0/0', via: 'x' }] }, /routes\[0\]\.via/],
    ['small mtu', { mtu: 575 }, /'mtu' must be an integer from 576 to 65535/],
    ['large mtu', { mtu: 65_536 }, /'mtu'/],
    ['tun name', { tun: 'a name' }, /tun\.name/],
    ['long tun name', { tun: { name: 'sixteen-letters-' } }, /tun\.name/],
    ['netns', { tun: { netns: '../x' } }, /tun\.netns/],
    ['driver', { tun: { driver: 'magic' } }, /tun\.driver/],
    ['fd', { tun: { fd: -1 } }, /tun\.fd/],
    ['busy poll', { tun: { busyPollUs: 10_001 } }, /tun\.busyPollUs/],
    ['busy poll', { tun: { busyPollUs: -1 } }, /tun\.busyPollUs/],
    ['tap name', { tap: 'a name' }, /tap\.name/],
    ['tap mac', { tap: { mac: 'ff:ff:ff:ff:ff:ff' } }, /tap\.mac/],
    ['packet without a name', { packet: {} }, /packet/],
    ['packet true', { packet: true }, /packet/],
    ['promiscuous', { packet: { name: 'v0', promiscuous: 1 } }, /packet\.promiscuous/],
    ['tun and tap', { tun: true, tap: true }, /together with `tun`/],
    ['packet and link', { packet: 'v0', link: () => null }, /together with `packet`/],
    ['queues on a TAP', { tap: true, queues: 2 }, /'queues' wants a `tun`/],
    ['links without a device', { tap: true, links: [{ tap: false }] }, /links\[0\]/],
    ['links with two', { tap: true, links: [{ tun: 'a', tap: 'b' }] }, /together with `tun`/],
    ['tun and link', { tun: true, link: () => null }, /together with `tun`/],
    ['link', { link: {} }, /'link' must have a transmit method/],
    ['clock', { clock: { nowUs: () => 0 } }, /'clock' must have the methods nowUs, after/],
    ['random', { random: {} }, /'random' must have the methods next/],
    ['lookup', { lookup: 'dns' }, /'lookup' must be a function/],
    ['links', { link: () => null, links: {} }, /'links' must be an array of at most 15 links/],
    ['too many', { tun: true, links: Array(16).fill({ tun: true }) }, /at most 15 links/],
    ['only further links', { links: [{ tun: true }] }, /are further ones/],
    ['no device', { tun: true, links: [{}] }, /'links\[0\]' must have a device or a `link`/],
    ['forwarding', { forwarding: 1 }, /'forwarding' must be a boolean/],
    ['limit', { limits: { lingerMs: 0 } }, /limits\.lingerMs/],
  ];
  it.each(table)('%s', (_name, options, message) => {
    let error: (Error & { code?: string }) | null = null;
    try {
      readOptions(options as never);
    } catch (thrown) {
      error = thrown as Error;
    }
    expect(error?.code).toBe('ERR_PORTSIDE_INVALID_OPTION');
    expect(error?.message).toMatch(message);
  });

  it('reads what is right', () => {
    const s = readOptions({
      tun: { name: 'ps0', netns: 'lab' },
      addresses: ['10.77.0.2/24', { prefix: '10.9.0.0/16', own: 'all' }, '10.1.1.1'],
      peer: '10.77.0.1',
      routes: [{ prefix: '0.0.0.0/0', via: '10.77.0.1' }],
      mtu: 9000,
    });
    expect(s.tun).toEqual({ name: 'ps0', netns: 'lab' });
    expect(s.addresses.map((a) => [a.address.toString(), a.length, a.all])).toEqual([
      ['10.77.0.2', 24, false],
      ['10.9.0.0', 16, true],
      ['10.1.1.1', 32, false],
    ]);
    expect(s.peer?.toString()).toBe('10.77.0.1');
    expect(s.routes?.[0]?.via?.toString()).toBe('10.77.0.1');
    expect(s.mtu).toBe(9000);
    expect(s.receiveOctets).toBe(8_388_608);
  });
});
