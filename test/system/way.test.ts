// `portside traceroute` and `tracepath` through a running host: the kernel is a router on the way to
// a second namespace, over a link with a smaller MTU.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KERNEL, Lab, type Outcome, PORTSIDE, US } from './netns.ts';

const FAR = '10.99.0.2';
const near = new Lab();
const far = new Lab();
afterAll(() => {
  near.close();
  far.close();
});
const ours = (args: string[]): Promise<Outcome> => near.runOutside([...PORTSIDE, ...args]);

beforeAll(async () => {
  await near.up(`${US}/24`, '--http');
  near.ip('link', 'add', 'v0', 'mtu', '1400', 'type', 'veth', 'peer', 'name', 'v1');
  near.ip('link', 'set', 'v1', 'netns', far.name);
  near.ip('addr', 'add', '10.99.0.1/24', 'dev', 'v0');
  near.ip('link', 'set', 'v0', 'up');
  far.ip('link', 'set', 'v1', 'mtu', '1400');
  far.ip('addr', 'add', `${FAR}/24`, 'dev', 'v1');
  far.ip('link', 'set', 'v1', 'up');
  far.ip('route', 'add', 'default', 'via', '10.99.0.1');
  await near.sh('echo 1 > /proc/sys/net/ipv4/ip_forward');
});

describe('portside traceroute', () => {
  test.each([
    ['datagrams', []],
    ['echo requests', ['-I']],
  ])('%s find the router and the end (traceroute(8))', async (_what, flags) => {
    const { code, out } = await ours(['traceroute', '-q', '1', ...flags, FAR]);
    expect(code).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).toBe(`traceroute to ${FAR} (${FAR}), 30 hops max, 60 byte packets`);
    expect(lines[1]).toMatch(new RegExp(`^ 1  ${KERNEL.replaceAll('.', '\\.')}  [\\d.]+ ms$`));
    expect(lines[2]).toMatch(/^ 2 {2}10\.99\.0\.2 {2}[\d.]+ ms$/);
    expect(lines).toHaveLength(3);
  });

  test('silence is a star, and -m ends it (traceroute(8) -m -w)', async () => {
    const hop = ['-f', '2', '-m', '2'];
    const { out } = await ours(['traceroute', '-q', '2', '-w', '0.2', ...hop, '10.99.0.77']);
    expect(out.split('\n').slice(1)).toEqual([' 2 * *', '']);
  });

  test('tracepath finds the smaller MTU on the way (RFC 1191, tracepath(8))', async () => {
    const { code, out } = await ours(['tracepath', FAR]);
    expect(out).toMatch(/pmtu 1500$/m);
    expect(out).toMatch(/10\.77\.0\.1 .*pmtu 1400$/m);
    expect(out).toMatch(/10\.99\.0\.2 .* reached$/m);
    expect(out).toContain('Resume: pmtu 1400 hops 2');
    expect(code).toBe(0);
  });
});
