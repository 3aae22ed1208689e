// `portside ports`, `addr`, `route`, `link` and `neigh` on a host that runs, beside the kernel that
// is its neighbour.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KERNEL, Lab, type Outcome, PORTSIDE, US } from './netns.ts';

describe('portside addr, route, link, neigh, ports', () => {
  const lab = new Lab();
  afterAll(() => lab.close());
  const ours = (...args: string[]): Promise<Outcome> => lab.runOutside([...PORTSIDE, ...args]);
  beforeAll(async () => {
    await lab.up(`${US}/24`, '--echo');
  });

  test('an address is added, answers, is shown, and goes (ip-address(8))', async () => {
    expect((await ours('addr', '-4')).out).toBe(
      'lo               UNKNOWN        127.0.0.1/8\n' +
        `portside0        UP             ${US}/24\n`,
    );
    expect((await ours('addr', 'add', '10.77.0.3/24')).code).toBe(0);
    expect((await ours('addr', 'add', '10.99.0.1/32')).code).toBe(0);
    for (const address of ['10.77.0.3', '10.99.0.1']) {
      const ping = await lab.run(['ping', '-n', '-c', '1', '-W', '30', address]);
      expect(ping.out).toContain('1 received');
    }
    const again = await ours('addr', 'add', '10.77.0.3/24');
    expect(again).toMatchObject({ code: 1, err: 'portside: address EADDRINUSE 10.77.0.3/24\n' });
    expect((await ours('addr', 'del', '10.77.0.3/24')).code).toBe(0);
    expect((await ours('addr')).out).not.toContain('10.77.0.3/24');
    const shown = JSON.parse((await ours('addr', '-j')).out) as { ifname: string }[];
    expect(shown.map((one) => one.ifname)).toEqual(['lo', 'portside0']);
  });

  test('a route comes and goes (ip-route(8))', async () => {
    const via = ['10.9.0.0/16', 'via', KERNEL];
    expect((await ours('route', 'add', ...via)).code).toBe(0);
    const { out } = await ours('route');
    expect(out).toContain(`default via ${KERNEL} dev portside0\n`);
    expect(out).toContain(`10.77.0.0/24 dev portside0 scope link src ${US}\n`);
    expect(out).toContain(`10.9.0.0/16 via ${KERNEL} dev portside0\n`);
    expect((await ours('route', 'del', ...via)).code).toBe(0);
    expect((await ours('route', 'del', ...via)).err).toContain('ENETUNREACH');
    expect((await ours('route')).out).not.toContain('10.9.0.0/16');
  });

  test('a link gets another MTU, on both sides (ip-link(8))', async () => {
    expect((await ours('link')).out).toMatch(/^portside0 +UP +mtu 1500/m);
    expect((await ours('link', 'set', 'portside0', 'mtu', '1400')).code).toBe(0);
    expect((await ours('link')).out).toMatch(/^portside0 +UP +mtu 1400/m);
    expect(lab.ip('link', 'show', 'portside0')).toContain('mtu 1400');
    expect((await ours('link', 'set', 'nobody', 'mtu', '1400')).err).toContain('no link nobody');
  });

  test('a TUN has no neighbours (ip-neighbour(8))', async () => {
    expect(await ours('neigh')).toMatchObject({ code: 0, out: '' });
  });

  test('ports names the holders and the connections, --flows where they lie', async () => {
    const client = lab.spawn([
      'bash',
      '-c',
      `exec 3<>/dev/tcp/${US}/7; echo x >&3; head -1 <&3; cat`,
    ]);
    await new Promise((resolve) => client.stdout?.once('data', resolve));
    const { out } = await ours('ports', '7', '--tcp');
    expect(out).toMatch(/^tcp +7 +\[::\]:7 +LISTEN +0\/\d+ +1 ESTAB +-$/m);
    const flows = await ours('ports', '--flows', '--tcp');
    expect(flows.out).toMatch(/^tcp: 1 flows in \d+ cells \(load 0\.0\d\), probes 1\.00/m);
    expect(flows.out).toMatch(/^0x[0-9a-f]+ +[0-9a-f]{8} +1 +10\.77\.0\.1:\d+ -> 10\.77\.0\.2:7$/m);
    const rows = (await ours('ports', '--json')).out.trimEnd().split('\n');
    expect(rows.map((row) => JSON.parse(row).netid)).toEqual(['tcp', 'udp']);
  });
});
