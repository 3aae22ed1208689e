// The real nc (OpenBSD) on the other side: half-close both ways, small services by hand.

import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { createHost, type Host } from '../../src/node/host.ts';
import { KERNEL, Lab, sleep, US, until } from './netns.ts';

function randomOctets(n: number): Buffer {
  const random = new SeededRandom(7);
  const octets = Buffer.alloc(n);
  for (let i = 0; i + 4 <= n; i += 4) octets.writeInt32LE(random.next(), i);
  return octets;
}

function sha256(octets: Uint8Array): string {
  return createHash('sha256').update(octets).digest('hex');
}

describe('nc and the small services', () => {
  const lab = new Lab();
  const octets = randomOctets(20_000_000);
  afterAll(() => lab.close());
  beforeAll(async () => {
    writeFileSync(join(lab.dir, 'octets'), octets);
    await lab.up(`${US}/24`, '--echo', '--discard', '--chargen');
  });

  test('echo returns everything after the client has closed its half (RFC 9293 §3.6)', async () => {
    const nc = await lab.sh(`nc -N ${US} 7 < ${join(lab.dir, 'octets')} | sha256sum`);
    expect(nc.out.split(' ')[0]).toBe(sha256(octets));
  });

  test('an echo client that does not read stops us, and loses nothing (RFC 862)', async () => {
    // 20 MB go in while nothing is read for a second: windows and buffers fill on both sides.
    const nc = await lab.sh(`nc -N ${US} 7 < ${join(lab.dir, 'octets')} | (sleep 1; sha256sum)`);
    expect(nc.out.split(' ')[0]).toBe(sha256(octets));
  });

  test('discard reads all and ends when the client does (RFC 863)', async () => {
    const nc = await lab.sh(`nc -N ${US} 9 < ${join(lab.dir, 'octets')} | wc -c`);
    expect(nc.out.trim()).toBe('0');
    expect(nc.code).toBe(0);
  });

  test('chargen sends the rotating pattern without a gap (RFC 864)', async () => {
    const nc = await lab.sh(`nc -d ${US} 19 | head -c 5000000`);
    const lines = nc.out.split('\r\n').slice(0, -1);
    expect(lines.length).toBeGreaterThan(50_000 / 74);
    const ring = Array.from({ length: 95 }, (_, i) => String.fromCharCode(0x20 + i)).join('');
    const first = ring.indexOf((lines[1] as string).charAt(0));
    for (let i = 1; i < lines.length; i++) {
      const start = (first + i - 1) % 95;
      expect(lines[i]).toBe((ring + ring).slice(start, start + 72));
    }
  });

  test('echo answers datagrams, but not those from a system port (RFC 862)', async () => {
    const script = `exec 3<>/dev/udp/${US}/7; echo hello >&3; timeout 60 head -c 6 <&3`;
    const answered = await lab.run(['bash', '-c', script]);
    expect(answered.out).toBe('hello\n');
    for (const port of [7, 19, 53, 1023, 5201]) {
      const silent = await lab.sh(`echo hello | nc -u -w 1 -p ${port} ${US} 7`);
      expect(silent.out, `source port ${port}`).toBe('');
    }
  });
});

describe('a portside client and a server on the kernel', () => {
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

  function listening(port: number): Promise<void> {
    return until(`nc listens on ${port}`, async () =>
      (await lab.run(['ss', '-Htln', `sport = :${port}`])).out.includes(`:${port}`),
    );
  }

  test('we close our half first and still receive (RFC 9293 §3.6)', async () => {
    const octets = randomOctets(3_000_000);
    writeFileSync(join(lab.dir, 'answer'), octets);
    // nc gives up its own sending when the other side has ended; Node on the kernel's TCP does not.
    const program = `
      const answer = require('fs').readFileSync(process.argv[1]);
      require('net').createServer({ allowHalfOpen: true }, (s) => {
        let heard = '';
        s.on('data', (chunk) => { heard += chunk; });
        s.on('end', () => s.end(answer, () => { console.log(heard); process.exit(0); }));
      }).listen(5001);`;
    const server = lab.run([process.execPath, '-e', program, join(lab.dir, 'answer')]);
    await listening(5001);
    const socket = host.net.connect({ port: 5001, host: KERNEL, allowHalfOpen: true });
    const got = createHash('sha256');
    socket.end('the question');
    socket.on('data', (chunk: Buffer) => got.update(chunk));
    await new Promise((resolve, reject) => {
      socket.on('end', resolve);
      socket.on('error', reject);
    });
    expect(got.digest('hex')).toBe(sha256(octets));
    expect((await server).out).toBe('the question\n');
  });

  test('the server closes its half first and still receives', async () => {
    const server = lab.sh('nc -l -N 5002 < /dev/null | sha256sum');
    await listening(5002);
    const octets = randomOctets(3_000_000);
    const socket = host.net.connect({ port: 5002, host: KERNEL, allowHalfOpen: true });
    socket.resume();
    await new Promise((resolve, reject) => {
      socket.on('end', resolve);
      socket.on('error', reject);
    });
    await sleep(50);
    socket.end(octets);
    expect((await server).out.split(' ')[0]).toBe(sha256(octets));
  });
});
