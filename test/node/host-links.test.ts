// A host with several links: one that is asked on each of them, and a router between two others.

import type * as net from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { Cable } from '../../src/link/pair.ts';
import { createHost, type Host } from '../../src/node/host.ts';
import type { HostOptions } from '../../src/node/options.ts';

const hosts: Host[] = [];
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.close({ deadlineMs: 50 });
});

async function made(options: HostOptions): Promise<Host> {
  const host = await createHost(options);
  hosts.push(host);
  return host;
}

/** near 10.1.0.9 — 10.1.0.1 router 10.2.0.1 — 10.2.0.9 far */
async function three(forwarding?: boolean): Promise<{ near: Host; router: Host; far: Host }> {
  const one = new Cable({ mtu: 1500 });
  const two = new Cable({ mtu: 1400 });
  const router = await made({
    link: one.end('a'),
    addresses: ['10.1.0.1/24'],
    links: [{ link: two.end('a'), addresses: ['10.2.0.1/24'], mtu: 1400 }],
    ...(forwarding === undefined ? {} : { forwarding }),
  });
  const routes = (via: string): HostOptions['routes'] => [{ prefix: '0.0.0.0/0', via }];
  const near = await made({
    ...{ link: one.end('b'), addresses: ['10.1.0.9/24'], routes: routes('10.1.0.1') },
  });
  const far = await made({
    ...{ link: two.end('b'), addresses: ['10.2.0.9/24'], routes: routes('10.2.0.1') },
  });
  return { near, router, far };
}

/** Listens on a port of its own, greeting each connection with the address that it comes from. */
async function greeter(host: Host): Promise<number> {
  const server = host.net.createServer((s) => s.end(String(s.remoteAddress)));
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', () => resolve()));
  return (server.address() as net.AddressInfo).port;
}

function greeted(host: Host, port: number, address: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    host.net
      .connect(port, address)
      .on('data', (chunk) => {
        text += String(chunk);
      })
      .on('end', () => resolve(text))
      .on('error', reject);
  });
}

it('answers on the second link as on the first', async () => {
  const { near, router, far } = await three();
  const port = await greeter(router);
  expect(await greeted(near, port, '10.1.0.1')).toBe('10.1.0.9');
  expect(await greeted(far, port, '10.2.0.1')).toBe('10.2.0.9');
  expect(router.stack.counters.get('IpForwDatagrams')).toBe(0);
});

it('is a router between them with `forwarding`', async () => {
  const { near, router, far } = await three(true);
  expect(await greeted(near, await greeter(far), '10.2.0.9')).toBe('10.1.0.9');
  // SYN, SYN-ACK, ACK, and the greeting with its FIN.
  expect(router.stack.counters.get('IpForwDatagrams')).toBeGreaterThanOrEqual(4);
});

it('hides the one behind the other with NAT (RFC 3022 §2.2)', async () => {
  const { near, router, far } = await three(true);
  router.stack.routing.setNat({ masquerade: [2] });
  expect(await greeted(near, await greeter(far), '10.2.0.9')).toBe('10.2.0.1');
  expect(router.stack.routing.tracked()).toHaveLength(1);
});
