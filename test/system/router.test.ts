// `portside router` between two namespaces of real programs: IPv4 leaves by `wan0` under the router's
// address there, IPv6 keeps its own. A stack of ours in the first one is a router farther away.

import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectEchoed, Lab, type Outcome, PORTSIDE, Portside, US, until } from './netns.ts';

const LAN = '10.1.0.9';
const LAN6 = 'fd00:1::9';
const WAN = '10.2.0.9';
const WAN6 = 'fd00:2::9';
const OUTSIDE = '10.2.0.1';
const WAN_MTU = 1400;
/** Answers whoever asks with the address that it sees. */
const SERVER = `require('node:http').createServer((req, res) => {
  res.end(req.socket.remoteAddress.replace('::ffff:', ''));
}).listen(8080, '::', () => console.log('listening'));`;

const lan = new Lab();
const wan = new Lab();
let router: Portside;
afterAll(() => {
  lan.close();
  wan.close();
});

function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.once('close', (code) => reject(new Error(`a server ended with ${code}`)));
  });
}

beforeAll(async () => {
  // A host behind a host: the way from there to the far side has two routers.
  await lan.up(`${US}/24`, '--http');
  const links = [
    `lan0,10.1.0.1/24,fd00:1::1/64,peer=${LAN},netns=${lan.name}`,
    `wan0,${OUTSIDE}/24,fd00:2::1/64,peer=${WAN},netns=${wan.name},mtu=${WAN_MTU}`,
  ];
  const args = [
    ...['router', ...links.flatMap((link) => ['--link', link])],
    ...['--route', `10.77.0.0/24,lan0,via=${LAN}`],
    ...['--nat', 'wan0', '--forward', `tcp:80:${LAN}:8080`, '--no-control'],
  ];
  router = await Portside.ready(lan.spawnOutside([...PORTSIDE, ...args]));
  lan.ip('addr', 'add', `${LAN6}/64`, 'dev', 'lan0', 'nodad');
  wan.ip('addr', 'add', `${WAN6}/64`, 'dev', 'wan0', 'nodad');
  lan.ip('route', 'add', 'default', 'via', '10.1.0.1');
  lan.ip('-6', 'route', 'add', 'default', 'via', 'fd00:1::1', 'dev', 'lan0');
  wan.ip('-6', 'route', 'add', 'default', 'via', 'fd00:2::1', 'dev', 'wan0');
  await lan.sh('echo 1 > /proc/sys/net/ipv4/ip_forward');
  await Promise.all([lan, wan].map((l) => started(l.spawn([process.execPath, '-e', SERVER]))));
});

const curl = (from: Lab, host: string): Promise<Outcome> =>
  from.run(['curl', '-sS', '-m', '60', `http://${host}/`]);

describe('portside router', () => {
  test('ping goes through, under another address (RFC 3022 §4.1, RFC 5508 REQ-1)', async () => {
    const ping = await lan.run(['ping', '-n', '-c', '3', '-i', '0.1', '-W', '60', WAN]);
    await expectEchoed(lan, ping, 3);
    expect(ping.out).toMatch(/^64 bytes from 10\.2\.0\.9: icmp_seq=1 ttl=63 /m);
  });

  test('ping -6 goes through with its own (RFC 8200 §3)', async () => {
    const args = ['ping', '-6', '-n', '-c', '3', '-i', '0.1', '-W', '60', WAN6];
    const ping = await lan.run(args);
    expect(ping.out).toMatch(/^64 bytes from fd00:2::9: icmp_seq=1 ttl=63 /m);
    expect(ping.code).toBe(0);
  });

  test('echoes larger than a packet come back whole (RFC 4787 REQ-14)', async () => {
    const ping = await lan.run(['ping', '-n', '-c', '2', '-s', '4000', '-M', 'dont', WAN]);
    expect(ping.out).toMatch(/^4008 bytes from 10\.2\.0\.9: icmp_seq=1 ttl=63 /m);
  });

  test('traceroute from behind two routers finds both and the end (RFC 5508 REQ-4)', async () => {
    const trace = await lan.runOutside([...PORTSIDE, 'traceroute', '-q', '1', WAN]);
    const hops = trace.out.trimEnd().split('\n').slice(1);
    expect(hops.map((hop) => hop.split(/ +/).slice(1, 3).join(' '))).toEqual([
      '1 10.77.0.1',
      '2 10.1.0.1',
      `3 ${WAN}`,
    ]);
    expect(trace.code).toBe(0);
  });

  test('tracepath learns the smaller MTU from the router (RFC 1191 §4)', async () => {
    const { out } = await lan.runOutside([...PORTSIDE, 'tracepath', WAN]);
    expect(out).toMatch(/10\.1\.0\.1 .*pmtu 1400$/m);
    expect(out).toContain('Resume: pmtu 1400 hops 3');
  });

  test('curl reaches a server that sees the router (RFC 3022 §2.2)', async () => {
    expect((await curl(lan, `${WAN}:8080`)).out).toBe(OUTSIDE);
  });

  test('curl -6 reaches a server that sees the client', async () => {
    expect((await curl(lan, `[${WAN6}]:8080`)).out).toBe(LAN6);
    expect((await curl(wan, `[${LAN6}]:8080`)).out).toBe(WAN6);
  });

  test('a forwarded port leads inside, and nothing else does', async () => {
    expect((await curl(wan, OUTSIDE)).out).toBe(WAN);
    // The server within is not to be had by its own port: the router's own stack answers.
    const refused = await curl(wan, `${OUTSIDE}:8080`);
    expect(refused.err).toMatch(/refused|Failed to connect/);
    expect(refused.code).toBe(7);
  });
});

/** Octets and packets that a device has carried in one direction. */
function carried(lab: Lab, device: string, way: 'rx' | 'tx'): { bytes: number; packets: number } {
  return JSON.parse(lab.ip('-s', '-j', 'link', 'show', device))[0].stats64[way];
}

describe('iperf3 through portside router', () => {
  const MB = 1 << 20;
  beforeAll(async () => {
    wan.spawn(['iperf3', '-s']);
    await until('iperf3 listens', async () =>
      (await wan.run(['ss', '-Hltn'])).out.includes(':5201'),
    );
  });

  test.each([
    ['IPv4 with NAT', WAN, []],
    ['IPv4 with NAT, reversed', WAN, ['-R']],
    ['IPv6', WAN6, []],
    ['IPv6, reversed', WAN6, ['-R']],
  ])('%s: super-segments pass whole', async (_what, host, flags) => {
    const reversed = flags.includes('-R');
    const source = reversed ? { lab: wan, device: 'wan0' } : { lab: lan, device: 'lan0' };
    const sink = reversed ? { lab: lan, device: 'lan0' } : { lab: wan, device: 'wan0' };
    const look = (): { bytes: number; packets: number }[] => [
      carried(source.lab, source.device, 'tx'),
      carried(sink.lab, sink.device, 'rx'),
    ];
    const before = look();
    const run = await lan.run(['iperf3', '-J', '-c', host, '-n', '64M', ...flags]);
    expect(JSON.parse(run.out).error).toBeUndefined();
    expect(JSON.parse(run.out).end.sum_received.bytes).toBeGreaterThan(60 * MB);
    look().forEach((after, i) => {
      const bytes = after.bytes - (before[i]?.bytes ?? 0);
      const packets = after.packets - (before[i]?.packets ?? 0);
      expect(bytes).toBeGreaterThan(60 * MB);
      // No packet of these links is larger than 1,400 octets on the wire.
      expect(bytes / packets).toBeGreaterThan(5 * WAN_MTU);
    });
  });
});

test('its devices go with it', async () => {
  expect(lan.ip('-o', 'link')).toContain('lan0');
  expect((await router.stop()).code).toBe(0);
  expect(router.err).toBe('');
  for (const lab of [lan, wan]) expect(lab.ip('-o', 'link')).not.toMatch(/(lan|wan)0/);
});
