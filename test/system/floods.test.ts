// Floods with forged sources onto a TUN device, at a size for every commit: honest clients are served
// in the end, a flow under way loses nothing, and what the stack holds is the same before and
// after. `npm run bench -- floods` has the rates and times.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHost, type Host } from '../../src/node/host.ts';
import { FULL, KERNEL, Lab, ROOT, US, until } from './netns.ts';

const RATE = FULL ? 100_000 : 20_000;
const SECONDS = FULL ? 5 : 1;
const DEVICE = 'fl0';
const MB = 1 << 20;

describe('a flood', () => {
  const lab = new Lab();
  const program = join(lab.dir, 'flood');
  let host: Host;
  /** SHA-256 of what each connection to port 9 has sent, once it has ended. */
  const digests: string[] = [];
  afterAll(async () => {
    await host?.close();
    lab.close();
  });
  beforeAll(async () => {
    execFileSync('gcc', ['-O2', '-x', 'c', join(ROOT, 'bench/flood.c'), '-o', program]);
    host = await createHost({
      tun: { name: DEVICE, netns: lab.name },
      addresses: [`${US}/24`],
      peer: KERNEL,
      routes: [{ prefix: '0.0.0.0/0', via: KERNEL }],
    });
    const answer = host.net.createServer((s) => {
      s.on('error', () => {});
      s.once('data', () => s.end('x'));
    });
    const sink = host.net.createServer((s) => {
      const hash = createHash('sha256');
      s.on('data', (chunk: Buffer) => hash.update(chunk));
      s.on('end', () => digests.push(hash.digest('hex')));
    });
    answer.listen(80);
    sink.listen(9);
    await until('both servers', () => answer.listening && sink.listening);
  });

  const flood = (kind: string, port: number, seconds = SECONDS) =>
    lab.run([program, kind, DEVICE, US, `${port}`, `${RATE}`, `${seconds}`]);

  test('of SYNs leaves every honest client its connection, and nothing behind (RFC 4987 §3.6)', async () => {
    const { stack } = host;
    const before = stack.memory();
    const honest = lab.run([program, 'connect', US, '80', '50', `${SECONDS + 1}`]);
    const sent = JSON.parse((await flood('syn', 80)).out) as Record<string, number>;
    const clients = JSON.parse((await honest).out) as Record<string, number>;
    expect(clients).toMatchObject({ failed: 0, answered: 50 * (SECONDS + 1) });
    const count = (name: Parameters<typeof stack.counters.get>[0]): number =>
      stack.counters.get(name);
    // all that the device took but the queue's 768 were answered with a cookie, nothing was kept
    const cookies = count('TcpExtSyncookiesSent');
    expect(cookies).toBeGreaterThan(1000);
    expect(cookies).toBeLessThanOrEqual((sent['sent'] as number) + 50 * (SECONDS + 1) * 3);
    expect(stack.tcp.live).toBeLessThanOrEqual(1024 + 50 * (SECONDS + 1));
    expect(stack.memory().used - before.used).toBeLessThan(4 * MB);
    expect(count('PortsideExceptions')).toBe(0);
  });

  const others = { rst: 9, ack: 9, fin: 9, frag: 9, echo: 0, unreach: 9, udp: 9999 };
  test.each(Object.entries(others))(
    'of %s does not break a flow under way (RFC 5961 §3, RFC 5927 §4)',
    async (kind, port) => {
      const code = `
        const data = Buffer.alloc(${4 * MB});
        for (let i = 0; i < data.length; i++) data[i] = (i * 7919) >>> 5;
        const s = require('node:net').connect(9, '${US}', () => s.end(data));
        s.on('close', (failed) => console.log(failed,
          require('node:crypto').createHash('sha256').update(data).digest('hex')));
        s.resume();`;
      const from = digests.length;
      const flooding = flood(kind, port);
      const client = await lab.run([process.execPath, '-e', code]);
      await flooding;
      await until('the end of the flow', () => digests.length > from);
      expect(client.out.trim()).toBe(`false ${digests[from]}`);
      const { used, fragments } = host.stack.memory();
      expect(fragments).toBeLessThanOrEqual(4 * MB);
      expect(used).toBeLessThan(12 * MB);
      expect(host.stack.counters.get('PortsideExceptions')).toBe(0);
    },
  );
});
