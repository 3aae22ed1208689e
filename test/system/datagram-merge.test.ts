// Datagrams of one turn to one place cross the device several to a packet, and arrive as they were
// sent: one by one, in order, with their own octets.

import { once } from 'node:events';
import { afterAll, describe, expect, it } from 'vitest';
import { createHost } from '../../src/index.ts';
import { TunLink } from '../../src/node/tun.ts';
import { KERNEL, Lab, US } from './netns.ts';

const lab = new Lab();
afterAll(() => lab.close());

const RECEIVER = `
  const s = require('dgram').createSocket('udp4');
  const got = [];
  s.on('message', (m, from) => {
    got.push(m.toString());
    if (m.toString() !== 'end') return;
    console.log(JSON.stringify({ got, from: from.port }));
    s.close();
  });
  s.bind(9000, '${KERNEL}', () => { s.setRecvBufferSize(1 << 20); console.log('up'); });`;

describe('datagrams through a device', () => {
  it('are sent 17 to a packet where the kernel cuts them, and none is changed', async () => {
    const host = await createHost({
      tun: { name: 'ps0', netns: lab.name },
      addresses: [`${US}/24`],
    });
    try {
      const child = lab.spawn([process.execPath, '-e', RECEIVER]);
      const out = child.stdout as NodeJS.ReadableStream;
      await once(out, 'data');
      const link = host.stack.ip.links[1] as TunLink;
      expect(link).toBeInstanceOf(TunLink);
      const socket = host.dgram.createSocket('udp4');
      await new Promise<void>((resolve) => socket.bind(0, resolve));
      const sent = Array.from({ length: 170 }, (_, i) => `${i}`.padStart(64, '.'));
      const before = link.stats();
      await new Promise<void>((resolve, reject) => {
        const done = (error: Error | null): void => (error ? reject(error) : resolve());
        socket.sendBatch(sent, 9000, KERNEL, done);
      });
      const told = once(out, 'data');
      socket.send('end', 9000, KERNEL);
      const { got, from } = JSON.parse(String((await told)[0]));
      expect(got).toEqual([...sent, 'end']);
      expect(from).toBe(socket.address().port);
      const packets = link.stats().txPackets - before.txPackets;
      // 170 datagrams in ten packets of 17, and the last word; where the kernel has no USO (before
      // 6.2) one each.
      expect(packets).toBe(host.device?.offloads.includes('uso4') ? 11 : 171);
      socket.close();
    } finally {
      await host.close();
    }
  });
});
