// A closed port says so at once, both ways.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHost, type Host } from '../../src/node/host.ts';
import { KERNEL, Lab, US } from './netns.ts';

describe('a closed port', () => {
  const lab = new Lab();
  let host: Host;
  afterAll(async () => {
    await host.close({ deadlineMs: 200 });
    lab.close();
  });
  beforeAll(async () => {
    host = await createHost({
      tun: { name: 'portside0', netns: lab.name },
      addresses: [`${US}/24`],
      peer: KERNEL,
    });
  });

  function counted(): { segments: number; resets: number } {
    const { counters } = host.stack;
    return { segments: counters.get('TcpInSegs'), resets: counters.get('TcpOutRsts') };
  }

  test('of ours answers every SYN of the kernel with RST (RFC 9293 §3.10.7.1)', async () => {
    const before = counted();
    const curl = await lab.run([
      'curl',
      '-s',
      '-m',
      '60',
      '-o',
      '/dev/null',
      '-w',
      '%{errormsg}',
      `http://${US}:81/`,
    ]);
    expect(curl.code).toBe(7); // CURLE_COULDNT_CONNECT, not 28 (timeout)
    const nc = await lab.run(['nc', '-z', '-v', '-w', '60', US, '82']);
    expect(nc.err).toContain('Connection refused');
    const after = counted();
    expect(after.segments - before.segments).toBeGreaterThanOrEqual(2);
    expect(after.resets - before.resets).toBe(after.segments - before.segments);
  });

  test('of ours refuses a datagram with port unreachable (RFC 1122 §4.1.3.1)', async () => {
    // A connected UDP socket of the kernel gets the ICMP message as an error of its second send.
    const script = `exec 3<>/dev/udp/${US}/4444; echo a >&3; for i in $(seq 600); do sleep 0.1; echo b >&3 || exit 0; done`;
    const bash = await lab.run(['bash', '-c', script]);
    expect(bash.err).toContain('Connection refused');
  });

  test("of the kernel is ECONNREFUSED here after one SYN, with Node's fields", async () => {
    const socket = host.net.connect({ port: 83, host: KERNEL });
    const error = await new Promise<NodeJS.ErrnoException>((resolve, reject) => {
      socket.on('error', resolve);
      socket.on('connect', () => reject(new Error('connected to a closed port')));
    });
    expect(host.stack.counters.get('TcpExtTCPSynRetrans')).toBe(0);
    expect(error).toMatchObject({
      code: 'ECONNREFUSED',
      errno: -111,
      syscall: 'connect',
      address: KERNEL,
      port: 83,
      message: `connect ECONNREFUSED ${KERNEL}:83`,
    });
  });
});
