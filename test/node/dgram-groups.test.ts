// Two hosts on a cable, in one group: node:dgram's calls on both, and what routers on the cable hear.

import { once } from 'node:events';
import { expect, it } from 'vitest';
import { Cable } from '../../src/link/pair.ts';
import { createHost } from '../../src/node/host.ts';

it('two hosts on a cable meet in a group, and each hears itself (RFC 1112 §6.1)', async () => {
  const cable = new Cable();
  const a = await createHost({ link: cable.end('a'), addresses: ['10.0.0.1/24', 'fe80::1/64'] });
  const b = await createHost({ link: cable.end('b'), addresses: ['10.0.0.2/24', 'fe80::2/64'] });
  for (const [type, group, any] of [
    ['udp4', '239.1.2.3', '0.0.0.0'],
    ['udp6', 'ff02::123', '::'],
  ] as const) {
    const [x, y] = [a, b].map((host) => host.dgram.createSocket(type));
    if (x === undefined || y === undefined) throw new Error('no sockets');
    for (const s of [x, y]) {
      s.bind(5353, any);
      await once(s, 'listening');
      s.addMembership(group);
    }
    const heard = [once(x, 'message'), once(y, 'message')];
    x.send('who is there?', 5353, group);
    const from = type === 'udp4' ? '10.0.0.1' : 'fe80::1';
    for (const [data, rinfo] of (await Promise.all(heard)) as [Buffer, { address: string }][]) {
      expect([String(data), rinfo.address]).toEqual(['who is there?', from]);
    }
    y.setMulticastLoopback(false);
    const one = once(x, 'message');
    y.on('message', () => expect.fail('heard itself'));
    y.send('I am', 5353, group);
    expect(String((await one)[0])).toBe('I am');
    x.close();
    y.close();
  }
  // Joined and left, by both protocols; the repetitions have random times.
  const { counters } = a.stack;
  expect(counters.get('PortsideIgmpOutReports')).toBeGreaterThanOrEqual(2);
  expect(counters.get('Icmp6OutMLDv2Reports')).toBeGreaterThanOrEqual(2);
  await Promise.all([a.close(), b.close()]);
});

it('on a host of loopback alone groups work among its own sockets', async () => {
  const host = await createHost();
  const x = host.dgram.createSocket({ type: 'udp4', reuseAddr: true });
  x.bind(5353);
  await once(x, 'listening');
  x.addMembership('224.0.0.251');
  const got = once(x, 'message');
  x.send('alone', 5353, '224.0.0.251');
  expect(String((await got)[0])).toBe('alone');
  x.setMulticastLoopback(false);
  x.on('message', (m) => expect(String(m)).toBe('by address'));
  const last = once(x, 'message');
  x.send('not back', 5353, '224.0.0.251');
  x.send('by address', 5353, '127.0.0.1');
  await last;
  x.close();
  await host.close();
});
