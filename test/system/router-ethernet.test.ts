// `portside router` between two Ethernets: a TAP whose other end is one kernel's, and a veth's end
// by AF_PACKET with another kernel behind it. Real programs on both sides.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectEchoed, Lab, PORTSIDE, Portside } from './netns.ts';

const lan = new Lab();
const ours = new Lab();
const wan = new Lab();

afterAll(() => {
  for (const lab of [lan, ours, wan]) lab.close();
});

beforeAll(async () => {
  ours.ip('link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'veth1', 'netns', wan.name);
  wan.ip('addr', 'add', '10.2.0.9/24', 'dev', 'veth1');
  wan.ip('addr', 'add', 'fd02::9/64', 'dev', 'veth1', 'nodad');
  wan.ip('link', 'set', 'veth1', 'up');
  const router = [
    ...['--link', `lan0,tap,10.1.0.1/24,fd01::1/64,peer=10.1.0.9,netns=${lan.name}`],
    ...['--link', `veth0,packet,10.2.0.1/24,fd02::1/64,netns=${ours.name}`],
  ];
  await Portside.ready(ours.spawnOutside([...PORTSIDE, 'router', ...router]));
  lan.ip('addr', 'add', 'fd01::9/64', 'dev', 'lan0', 'nodad');
  for (const [lab, dev, net] of [
    [lan, 'lan0', '1'],
    [wan, 'veth1', '2'],
  ] as const) {
    lab.ip('route', 'add', 'default', 'via', `10.${net}.0.1`, 'dev', dev);
    lab.ip('-6', 'route', 'add', 'default', 'via', `fd0${net}::1`, 'dev', dev);
  }
});

test.each([
  ['IPv4', '10.2.0.9', '56'],
  ['IPv6', 'fd02::9', '56'],
  ['fragments of IPv4', '10.2.0.9', '20000'],
  ['fragments of IPv6', 'fd02::9', '20000'],
])('ping passes from one to the other and back: %s', async (_case, to, size) => {
  const ping = await lan.run(['ping', '-n', '-i', '0.05', '-c', '10', '-s', size, to]);
  await expectEchoed(lan, ping, 10);
  expect(ping.code).toBe(0);
});

test.each([
  ['IPv4', ['10.2.0.9']],
  ['IPv4, back', ['10.2.0.9', '-R']],
  ['IPv6', ['fd02::9', '-6']],
  ['IPv6, back', ['fd02::9', '-6', '-R']],
])('TCP with its super-segments passes: %s', async (_case, args) => {
  const server = wan.spawn(['iperf3', '-s', '-1', '--forceflush']);
  await new Promise((resolve) => server.stdout?.once('data', resolve));
  const run = await lan.run(['iperf3', '-c', ...args, '-n', '8M', '-J']);
  expect(run.code).toBe(0);
  const { end } = JSON.parse(run.out) as { end: { sum_sent: { bytes: number } } };
  expect(end.sum_sent.bytes).toBeGreaterThanOrEqual(8 << 20);
});

test('a neighbour that is not there is said to be unreachable (RFC 1812 §5.2.7.1)', async () => {
  const ping = await lan.run(['ping', '-n', '-c', '1', '-W', '10', '10.2.0.77']);
  expect(ping.out).toContain('From 10.1.0.1 icmp_seq=1 Destination Host Unreachable');
});
