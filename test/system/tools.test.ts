// `portside ping` and `nc` send through the stack of a running host, beside the kernel that is its
// neighbour and beside the real programs.

import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KERNEL, Lab, type Outcome, PORTSIDE, type RunOptions, US, until } from './netns.ts';

const lab = new Lab();
afterAll(() => lab.close());
const ours = (args: string[], options?: RunOptions): Promise<Outcome> =>
  lab.runOutside([...PORTSIDE, ...args], options);

beforeAll(async () => {
  await lab.up(`${US}/24`, '--echo', '--http');
});

describe('portside ping', () => {
  test('the kernel answers; the summary is iputils (ping(8))', async () => {
    const { code, out } = await ours(['ping', '-c', '3', '-i', '0.2', KERNEL]);
    expect(code).toBe(0);
    const lines = out.split('\n');
    expect(lines[0]).toBe(`PING ${KERNEL} (${KERNEL}) 56(84) bytes of data.`);
    expect(lines[1]).toMatch(/^64 bytes from 10\.77\.0\.1: icmp_seq=1 ttl=64 time=[\d.]+ ms$/);
    expect(lines[6]).toMatch(/^3 packets transmitted, 3 received, 0% packet loss, time \d+ms$/);
    expect(lines[7]).toMatch(/^rtt min\/avg\/max\/mdev = [\d.]+\/[\d.]+\/[\d.]+\/[\d.]+ ms$/);
  });

  test('64 KiB make the way in fragments, and DF forbids them (ping(8) -s -M)', async () => {
    const large = await ours(['ping', '-c', '1', '-s', '65507', KERNEL]);
    expect(large.out).toContain(`65515 bytes from ${KERNEL}: icmp_seq=1`);
    const df = await ours(['ping', '-c', '1', '-M', 'do', '-s', '1473', KERNEL]);
    expect(df.code).toBe(1);
    expect(df.out).toContain('ping: local error: message too long, mtu=1500\n');
    expect((await ours(['ping', '-c', '1', '-M', 'do', '-s', '1472', KERNEL])).code).toBe(0);
  });

  test('nobody there is 1, no such name is 2 (ping(8), exit codes)', async () => {
    const silent = await ours(['ping', '-q', '-c', '1', '-W', '0.2', '10.77.0.99']);
    expect(silent.code).toBe(1);
    expect(silent.out).toContain('1 packets transmitted, 0 received, 100% packet loss');
    const name = await ours(['ping', '-c', '1', 'nowhere.example']);
    expect(name).toMatchObject({ code: 2, err: 'ping: getaddrinfo ENOTFOUND nowhere.example\n' });
  });

  test('on a host of its own, which is gone afterwards', async () => {
    const own = ['--netns', lab.name, '--address', '10.78.0.2/24'];
    expect((await ours(['ping', '-c', '1', ...own, '10.78.0.1'])).code).toBe(0);
    expect(lab.ip('-br', 'link').trim().split('\n')).toHaveLength(2);
  });
});

describe('portside nc', () => {
  const octets = randomBytes(3_000_000);
  const digest = createHash('sha256').update(octets).digest('hex');

  test("sends to the kernel's nc, every octet (nc(1))", async () => {
    const file = join(lab.dir, 'received');
    const theirs = lab.spawn(['sh', '-c', `nc -v -l -p 9000 > ${file} < /dev/null`]);
    await until('nc listens', () => lab.run(['ss', '-tlnH']).then((o) => o.out.includes(':9000')));
    const closed = new Promise((resolve) => theirs.once('close', resolve));
    expect((await ours(['nc', '-N', KERNEL, '9000'], { input: octets })).code).toBe(0);
    await closed;
    expect(createHash('sha256').update(readFileSync(file)).digest('hex')).toBe(digest);
  });

  test("listens for the kernel's nc, -k for one after the other (nc(1) -l -k)", async () => {
    const file = join(lab.dir, 'sent');
    writeFileSync(file, octets);
    const listener = lab.spawnOutside([...PORTSIDE, 'nc', '-vlk', '9001']);
    const hash = createHash('sha256');
    let got = 0;
    let said = '';
    listener.stdin?.end();
    listener.stdout?.on('data', (chunk: Buffer) => {
      got += chunk.length;
      hash.update(chunk);
    });
    listener.stderr?.on('data', (chunk: Buffer) => {
      said += String(chunk);
    });
    await until('nc listens', () => said.includes('Listening on :: 9001'));
    await lab.sh(`head -c 1000000 ${file} | nc -N ${US} 9001`);
    await lab.sh(`tail -c +1000001 ${file} | nc -N ${US} 9001`);
    await until('all octets', () => got === octets.length);
    expect(hash.digest('hex')).toBe(digest);
    expect(said.match(/Connection received on 10\.77\.0\.1 \d+/g)).toHaveLength(2);
    listener.kill();
  });

  test('-z tells open from closed, -u sends datagrams (nc(1) -z -u)', async () => {
    const open = await ours(['nc', '-zv', US, '7']);
    expect(open).toMatchObject({ code: 0 });
    expect(open.err).toBe(`Connection to ${US} 7 port [tcp/*] succeeded!\n`);
    const closed = await ours(['nc', '-zv', KERNEL, '7']);
    expect(closed.code).toBe(1);
    expect(closed.err).toBe(`nc: connect to ${KERNEL} port 7 (tcp) failed: Connection refused\n`);
    const echo = await ours(['nc', '-u', '-w', '1', US, '7'], { input: 'hello\n' });
    expect(echo.out).toBe('hello\n');
  });
});
