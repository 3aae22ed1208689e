// `portside router`: what the words ask for, and which make no sense.

import { expect, test } from 'vitest';
import { routerPlan } from '../../src/cli/router.ts';

const LAN = 'lan0,10.1.0.1/24';
const WAN = 'wan0,10.2.0.1/24,peer=10.2.0.9,netns=out,mtu=1400';

test('a link is a TUN with addresses of ours', () => {
  expect(routerPlan({ link: [LAN, WAN] }).links).toEqual([
    { name: 'lan0', tun: { name: 'lan0' }, addresses: ['10.1.0.1/24'], routes: [] },
    {
      name: 'wan0',
      tun: { name: 'wan0', netns: 'out' },
      addresses: ['10.2.0.1/24'],
      routes: [],
      peer: '10.2.0.9',
      mtu: 1400,
    },
  ]);
});

test('a link may be a TAP or an Ethernet interface, with a link-layer address of ours', () => {
  const link = ['lan0,tap,10.1.0.1/24,mac=02:00:5e:10:00:01', 'veth0,packet,fd02::1/64,netns=out'];
  expect(routerPlan({ link }).links).toEqual([
    {
      name: 'lan0',
      tap: { name: 'lan0', mac: '02:00:5e:10:00:01' },
      addresses: ['10.1.0.1/24'],
      routes: [],
    },
    {
      name: 'veth0',
      packet: { name: 'veth0', netns: 'out' },
      addresses: ['fd02::1/64'],
      routes: [],
    },
  ]);
});

test('routes go to the link that they name', () => {
  const route = ['0.0.0.0/0,wan0,via=10.2.0.254', '10.9.0.0/16,lan0'];
  const plan = routerPlan({ link: [LAN, WAN], route });
  expect(plan.links.map((link) => link.routes)).toEqual([
    [{ prefix: '10.9.0.0/16' }],
    [{ prefix: '0.0.0.0/0', via: '10.2.0.254' }],
  ]);
});

test.each([
  [{ link: [LAN] }, 'two links'],
  [{ link: ['lan0,tap', WAN] }, 'ADDR/PREFIX is missing'],
  [{ link: [`${LAN},mac=02:00:5e:10:00:01`, WAN] }, 'mac= goes with'],
  [{ link: [`${LAN},tap,mac=ff:ff:ff:ff:ff:ff`, WAN] }, "not a host's address"],
  [{ link: [`${LAN},colour=red`, WAN] }, "'colour=' is unknown"],
  [{ link: [LAN, WAN], route: ['10.9.0.0/16,dmz0'] }, "no device 'dmz0'"],
  [{ link: [LAN, WAN], nat: ['dmz0'] }, "no device 'dmz0'"],
])('%o is refused', (options, words) => {
  expect(() => routerPlan(options)).toThrow(words);
});
