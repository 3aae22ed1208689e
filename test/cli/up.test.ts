// What the words of `portside up` come to; what it does with them is test/system/up.test.ts.

import { describe, expect, test } from 'vitest';
import { plan } from '../../src/cli/up.ts';

const NONE = { addr: [], own: [] };

describe('portside up', () => {
  test('with an address alone: the default name, the first other host as the peer', () => {
    expect(plan('10.77.0.2/24', undefined, NONE)).toEqual({
      name: 'portside0',
      addresses: ['10.77.0.2/24'],
      own: [],
      peer: '10.77.0.1',
      mtu: undefined,
      netns: undefined,
      kind: 'tun',
      mac: undefined,
      busyPollUs: undefined,
      wanted: {
        via: 'core',
        echo: false,
        discard: false,
        chargen: false,
        http: false,
        iperf3: false,
      },
      pidfile: undefined,
      json: false,
      control: true,
      inspect: null,
      metrics: null,
    });
  });

  test('with a name and everything', () => {
    const all = plan('tun3', '10.77.0.2/24', {
      addr: ['10.77.0.9/24'],
      own: ['10.9.0.0/16'],
      peer: '10.77.0.254',
      mtu: '9000',
      netns: 'lab',
      echo: true,
      discard: true,
      chargen: true,
      http: true,
      iperf3: '5202',
      metrics: '9090',
      via: 'net',
      busyPoll: '0',
      pidfile: '/run/x.pid',
      json: true,
      control: true,
      inspect: '9229',
    });
    expect(all).toEqual({
      name: 'tun3',
      addresses: ['10.77.0.2/24', '10.77.0.9/24'],
      own: ['10.9.0.0/16'],
      peer: '10.77.0.254',
      mtu: 9000,
      netns: 'lab',
      kind: 'tun',
      mac: undefined,
      busyPollUs: 0,
      wanted: { via: 'net', echo: true, discard: true, chargen: true, http: true, iperf3: 5202 },
      pidfile: '/run/x.pid',
      json: true,
      control: true,
      inspect: 9229,
      metrics: 9090,
    });
  });

  test('--iperf3 without a port means 5201', () => {
    expect(plan('10.77.0.2/24', undefined, { ...NONE, iperf3: true }).wanted.iperf3).toBe(5201);
  });

  test('--http with a directory serves it', () => {
    expect(plan('10.77.0.2/24', undefined, { ...NONE, http: '/' }).wanted.http).toBe('/');
  });

  const refused = [
    ['no words', [undefined, undefined, {}], 'ADDR/PREFIX is missing'],
    ['a name alone', ['tun3', undefined, {}], "'tun3' is not ADDRESS/PREFIX"],
    ['the words swapped', ['10.77.0.2/24', 'tun3', {}], 'is not a device name'],
    ['a space in the name', ['a b', '10.77.0.2/24', {}], "'a b' is not a device name"],
    ['a dot for a name', ['.', '10.77.0.2/24', {}], "'.' is not a device name"],
    ['an MTU of no number', ['10.77.0.2/24', undefined, { mtu: '1e3' }], "--mtu: '1e3'"],
    ['an MTU above IPv4', ['10.77.0.2/24', undefined, { mtu: '65536' }], "--mtu: '65536'"],
    ['dots for a namespace', ['10.77.0.2/24', undefined, { netns: '..' }], "--netns: '..'"],
    [
      'an inspector without a control socket',
      ['10.77.0.2/24', undefined, { inspect: true, control: false }],
      '--inspect asks the control socket',
    ],
    ['a bad prefix to own', ['10.77.0.2/24', undefined, { own: ['10.9/16'] }], "--own: '10.9/16'"],
  ] as const;
  test.each(refused)('refuses %s', (_name, [first, second, options], message) => {
    const all = { ...NONE, ...options } as Parameters<typeof plan>[2];
    expect(() => plan(first, second, all)).toThrow(message);
  });
});
