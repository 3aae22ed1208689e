// `portside router`: what the words ask for, and which make no sense.

import { expect, test } from 'vitest';
import { routerPlan } from '../../src/cli/router.ts';

const LAN = 'lan0,10.1.0.1/24';
const WAN = 'wan0,10.2.0.1/24,peer=10.2.0.9,netns=out,mtu=1400';
const HOME = 'lan0,10.1.0.1/24,fd00:1::1/64,peer=10.1.0.9,netns=lan';
const AWAY = 'wan0,10.2.0.1/24,mtu=1400,peer=none';

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

test('links, routes, NAT and forwarded ports', () => {
  const plan = routerPlan({
    link: [HOME, AWAY],
    route: ['0.0.0.0/0,wan0,via=10.2.0.9', '10.77.0.0/16,lan0'],
    nat: ['wan0'],
    forward: ['tcp:8080:10.1.0.9:80', 'udp:53:10.1.0.9'],
    mapping: 'address-port',
    filtering: 'endpoint',
    json: true,
  });
  expect(plan).toEqual({
    links: [
      {
        name: 'lan0',
        addresses: ['10.1.0.1/24', 'fd00:1::1/64'],
        routes: [{ prefix: '10.77.0.0/16' }],
        tun: { name: 'lan0', netns: 'lan' },
        peer: '10.1.0.9',
      },
      {
        name: 'wan0',
        addresses: ['10.2.0.1/24'],
        routes: [{ prefix: '0.0.0.0/0', via: '10.2.0.9' }],
        tun: { name: 'wan0' },
        mtu: 1400,
        peer: null,
      },
    ],
    nat: ['wan0'],
    forwards: [
      { protocol: 'tcp', port: 8080, to: '10.1.0.9', toPort: 80 },
      { protocol: 'udp', port: 53, to: '10.1.0.9' },
    ],
    mapping: 'address-and-port-dependent',
    filtering: 'endpoint-independent',
    control: true,
    json: true,
  });
});

test('without a word NAT maps by endpoint and lets in whom it spoke to (RFC 4787 REQ-1, REQ-8)', () => {
  expect(routerPlan({ link: [HOME, AWAY], control: false })).toMatchObject({
    nat: [],
    forwards: [],
    mapping: 'endpoint-independent',
    filtering: 'address-and-port-dependent',
    control: false,
    json: false,
  });
});

test.each([
  [{ link: [LAN] }, 'two links'],
  [{ link: ['lan0,tap', WAN] }, 'ADDR/PREFIX is missing'],
  [{ link: [`${LAN},mac=02:00:5e:10:00:01`, WAN] }, 'mac= goes with'],
  [{ link: [`${LAN},tap,mac=ff:ff:ff:ff:ff:ff`, WAN] }, "not a host's address"],
  [{ link: [`${LAN},colour=red`, WAN] }, "'colour=' is unknown"],
  [{ link: [LAN, 'a/b,10.2.0.1/24'] }, "'a/b' is no device name"],
  [{ link: [LAN, 'wan0,10.2.0.1/33'] }, '--link wan0'],
  [{ link: [LAN, WAN], route: ['0.0.0.0/0,wan0,via=x'] }, '--route via='],
  [{ link: [LAN, WAN], forward: ['sctp:80:10.1.0.9'] }, 'begins with tcp: or udp:'],
  [{ link: [LAN, WAN], forward: ['tcp:0:10.1.0.9'] }, '--forward'],
  [{ link: [LAN, WAN], mapping: 'cone' }, "--mapping: 'cone' is neither endpoint nor address-port"],
  [{ link: [LAN, WAN], route: ['10.9.0.0/16,dmz0'] }, "no device 'dmz0'"],
  [{ link: [LAN, WAN], nat: ['dmz0'] }, "no device 'dmz0'"],
])('%o is refused', (options, words) => {
  expect(() => routerPlan(options)).toThrow(words);
});
