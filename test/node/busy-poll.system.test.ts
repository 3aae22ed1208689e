// Asking on for packets before the event loop sleeps, and the load generator that shows it.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHost } from '../../src/node/host.ts';
import { TunLink } from '../../src/node/tun.ts';
import { startEcho } from '../../src/services/echo.ts';
import { Lab, PORTSIDE, until } from '../system/netns.ts';
import { US } from './rig.ts';

let lab: Lab;
beforeAll(() => {
  lab = new Lab();
});
afterAll(() => lab?.close());

/** 64-octet requests on one connection, one after the other, from the kernel. */
async function requests(): Promise<{ operations: number; p50Us: number }> {
  const load = { mode: 'rr', host: US, port: 7, connections: 1, seconds: 0.3, warm: 0.1 };
  const run = await lab.run([...PORTSIDE, 'bench-load', JSON.stringify(load)]);
  if (run.code !== 0) throw new Error(run.err);
  return JSON.parse(run.out) as { operations: number; p50Us: number };
}

describe('busyPollUs', () => {
  it.each([
    ['10 ms: answers that come so soon are asked for', 10_000],
    ['0: the loop always sleeps', 0],
  ])('%s', async (_name, busyPollUs) => {
    const link = TunLink.open({ name: 'busy0', netns: lab.name, busyPollUs });
    link.configure({ addresses: [{ address: '10.77.0.1', prefix: 24 }], up: true });
    const host = await createHost({ link, addresses: [`${US}/24`] });
    startEcho(host.stack, new Set());
    host.ref();
    try {
      const { operations, p50Us } = await requests();
      expect(operations).toBeGreaterThan(10);
      expect(p50Us).toBeGreaterThan(0);
      const { rxPolled, rxPackets } = link.stats();
      expect(rxPackets).toBeGreaterThan(operations);
      if (busyPollUs === 0) expect(rxPolled).toBe(0);
      else expect(rxPolled).toBeGreaterThan(10);
      // Nobody talks any more: the loop may sleep again.
      await until('the loop sleeps', () => !link.stats().busyPolling);
    } finally {
      await host.close();
    }
  });
});

describe('load', () => {
  it.each([
    ['no such mode', { mode: 'talk', host: '127.0.0.1', port: 9 }, /load EINVAL/],
    ['a name for a host', { mode: 'rr', host: 'localhost', port: 9 }, /load\(\{ mode/],
    ['no port', { mode: 'rr', host: '127.0.0.1' }, /load\(\{ mode/],
    ['nobody there', { mode: 'rr', host: '127.0.0.1', port: 9 }, /connect ECONNREFUSED/],
    [
      'a datagram too large',
      { mode: 'udp-echo', host: '127.0.0.1', port: 9, size: 4000 },
      /load EMSGSIZE/,
    ],
  ])('refuses %s', async (_name, options, message) => {
    const run = await lab.run([...PORTSIDE, 'bench-load', JSON.stringify(options)]);
    expect(run.code).toBe(1);
    expect(run.err).toMatch(message);
  });
});
