// Things that break in the middle: the link goes down, the device vanishes, either side is killed.
// Nothing is stuck afterwards beyond the protocol's own timeouts.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bytesDigest } from '../../src/cli/bytes.ts';
import { expectEchoed, Lab, sleep, US, until } from './netns.ts';

describe('in the middle of a transfer', () => {
  let lab: Lab;
  beforeEach(() => {
    lab = new Lab();
  });
  afterEach(() => lab.close());

  async function established(): Promise<number> {
    const ss = await lab.run(['ss', '-Htn', 'state', 'established', 'dst', US]);
    return ss.out.split('\n').filter(Boolean).length;
  }

  test('a link that goes down for a while delays it and breaks nothing (RFC 6298)', async () => {
    await lab.up(`${US}/24`, '--http');
    const size = 30_000_000;
    const curl = lab.sh(`curl -sS --limit-rate 15M http://${US}/bytes/${size} | sha256sum`);
    await until('the transfer runs', async () => (await established()) === 1);
    await sleep(300);
    lab.ip('link', 'set', 'portside0', 'down');
    await sleep(1000);
    lab.ip('link', 'set', 'portside0', 'up');
    expect((await curl).out.split(' ')[0]).toBe(bytesDigest(size));
  });

  test('a device that vanishes ends the process with one sentence', async () => {
    const p = await lab.up(`${US}/24`, '--http', '--echo');
    const curl = lab.spawn(['curl', '-s', '--limit-rate', '1M', `http://${US}/bytes/100000000`]);
    await until('the transfer runs', async () => (await established()) === 1);
    lab.ip('link', 'del', 'portside0');
    const { code } = await p.ended;
    expect(code).toBe(1);
    expect(p.err.trim().split('\n')).toHaveLength(1);
    curl.kill('SIGKILL');
  });

  test('kill -9 of the clients leaves a server that answers the next one', async () => {
    await lab.up(`${US}/24`, '--http', '--chargen', '--echo');
    const clients = [
      lab.spawn(['curl', '-s', '-o', '/dev/null', `http://${US}/bytes/100000000000`]),
      lab.spawn(['nc', '-d', US, '19']),
      lab.spawn(['nc', US, '7']),
    ];
    await until('three connections', async () => (await established()) === 3);
    for (const client of clients) client.kill('SIGKILL');
    await until('the kernel has forgotten them', async () => (await established()) === 0);
    const ping = await lab.run(['ping', '-c', '3', '-i', '0.05', US]);
    await expectEchoed(lab, ping, 3);
    const curl = await lab.run(['curl', '-sS', '-m', '60', `http://${US}/`]);
    expect(curl.out).toBe('hello, world');
  });

  test('kill -9 of portside: after a restart old connections are reset (RFC 9293 §3.5.2)', async () => {
    const first = await lab.up(`${US}/24`, '--http');
    const upload = `head -c 100000000 /dev/zero | curl -sS --limit-rate 1M -T - http://${US}/sha256`;
    const curl = lab.run(['sh', '-c', upload]);
    await until('the transfer runs', async () => (await established()) === 1);
    await first.stop('SIGKILL');
    expect(lab.ip('-br', 'link')).not.toContain('portside0');
    await lab.up(`${US}/24`, '--http');
    const fresh = await lab.run(['curl', '-sS', '-m', '60', `http://${US}/`]);
    expect(fresh.out).toBe('hello, world');
    // The old client sends on (again), and learns that nobody knows it here.
    const old = await curl;
    expect(old.err).toContain('Connection reset by peer');
    expect([55, 56]).toContain(old.code); // CURLE_SEND_ERROR, CURLE_RECV_ERROR
  });
});
