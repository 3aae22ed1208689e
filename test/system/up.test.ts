// `portside up` as a person or a script starts it: what it prints, how it ends, and what it leaves
// behind: nothing.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KERNEL, Lab, PORTSIDE, Portside, US, until } from './netns.ts';

function namespaces(): string[] {
  const text = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(' ')[0] as string);
}

describe('misuse ends with 1 and one sentence', () => {
  const lab = new Lab();
  afterAll(() => lab.close());

  const rows = [
    ['no address', [], /ADDR\/PREFIX is missing/],
    ['no prefix length', ['10.77.0.2'], /'10\.77\.0\.2' lacks its prefix length/],
    ['not an address', ['10.77.0.256/24'], /'10\.77\.0\.256\/24' is not ADDRESS\/PREFIX/],
    ['prefix too long', ['10.77.0.2/33'], /'\/33' is not a prefix length from 0 to 32/],
    ['name too long', ['a-name-of-17-char', '10.77.0.2/24'], /is not a device name/],
    ['three words', ['a', '10.77.0.2/24', 'c'], /too many arguments/],
    ['our own address as peer', ['10.77.0.2/24', '--peer', '10.77.0.2'], /is our own address/],
    ['peer is no address', ['10.77.0.2/24', '--peer', 'router'], /'router' is not an IP address/],
    ['a /32 without peer', ['10.77.0.2/32'], /no other host address: give --peer/],
    ['MTU too small', ['10.77.0.2/24', '--mtu', '100'], /'100' is not a number from 576/],
    [
      'no such directory',
      ['10.77.0.2/24', '--http', '/no/such'],
      /'\/no\/such' is not a directory/,
    ],
    ['port out of range', ['10.77.0.2/24', '--iperf3', '70000'], /'70000' is not a port/],
    ['namespace with a slash', ['10.77.0.2/24', '--netns', '../x'], /is not a name for a network/],
    ['unknown option', ['10.77.0.2/24', '--ecko'], /unknown option '--ecko'/],
    ['bad further address', ['10.77.0.2/24', '--addr', 'x'], /--addr: 'x' is not ADDRESS/],
  ] as const;
  test.each(rows)('%s', async (_name, args, sentence) => {
    const run = await lab.run([...PORTSIDE, 'up', ...args]);
    expect(run.err).toMatch(sentence);
    expect(run.err.trim().split('\n')).toHaveLength(1);
    expect(run.out).toBe('');
    expect(run.code).toBe(1);
  });

  test('without CAP_NET_ADMIN it names the capability', async () => {
    const run = await lab.run([
      'setpriv',
      '--bounding-set=-net_admin',
      '--inh-caps=-net_admin',
      ...PORTSIDE,
      'up',
      `${US}/24`,
    ]);
    expect(run.err).toMatch(/CAP_NET_ADMIN/);
    expect(run.err.trim().split('\n')).toHaveLength(1);
    expect(run.code).toBe(1);
  });

  test('a device that somebody else holds is busy', async () => {
    const first = await lab.up('held0', `${US}/24`);
    const run = await lab.run([...PORTSIDE, 'up', 'held0', `${US}/24`]);
    expect(run.err).toMatch(/EBUSY/);
    expect(run.code).toBe(1);
    await first.stop();
  });
});

describe('a device that it makes', () => {
  let lab: Lab;
  beforeEach(() => {
    lab = new Lab();
  });
  afterEach(() => lab.close());

  test('is gone after SIGTERM and SIGINT, with connections open that would last for hours', async () => {
    const before = lab.ip('-br', 'link') + lab.ip('route');
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const p = await lab.up(`${US}/24`, '--echo', '--chargen', '--http');
      const open = [
        lab.spawn(['nc', US, '7']),
        lab.spawn(['sh', '-c', `nc -d ${US} 19 | sleep 600`]), // a full queue, nobody reads
        lab.spawn(['curl', '-s', '--limit-rate', '1M', `http://${US}/bytes/100000000`]),
      ];
      await until(
        'three connections',
        () =>
          execFileSync('ip', ['netns', 'exec', lab.name, 'ss', '-Htn', 'state', 'established'], {
            encoding: 'utf8',
          })
            .trim()
            .split('\n').length >= 3,
      );
      const { code } = await p.stop(signal);
      expect(code).toBe(0);
      expect(p.err).toBe('');
      expect(lab.ip('-br', 'link') + lab.ip('route')).toBe(before);
      for (const child of open) child.kill('SIGKILL');
    }
  });

  test('is announced with what it owns and where services listen, then ready', async () => {
    const p = await lab.up('web0', `${US}/24`, '--addr', '10.77.0.9/24', '--http', '--echo');
    expect(p.out).toMatch(
      /^web0 in namespace ps-\d+-\d+ owns 10\.77\.0\.2\/24, 10\.77\.0\.9\/24 \(peer 10\.77\.0\.1, MTU 1500, /,
    );
    expect(p.out).toContain('echo     10.77.0.2:7/tcp 10.77.0.2:7/udp');
    expect(p.out).toContain('http     10.77.0.2:80/tcp');
    expect(p.out.endsWith('\nready\n')).toBe(true);
    expect(lab.ip('-br', 'addr', 'show', 'dev', 'web0')).toContain(KERNEL);
    const ping = await lab.run(['ping', '-c', '1', '-W', '60', '10.77.0.9']);
    expect(ping.code).toBe(0);
  });

  test('--json prints one object a line, --pidfile names the process until the end', async () => {
    const pidfile = join(lab.dir, 'pid');
    const p = await lab.up(`${US}/24`, '--discard', '--json', '--pidfile', pidfile);
    const events = p.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string });
    expect(events.map((e) => e.event)).toEqual(['up', 'listen', 'ready']);
    expect(events[0]).toMatchObject({ device: 'portside0', peer: KERNEL, addresses: [`${US}/24`] });
    expect(events[1]).toMatchObject({
      service: 'discard',
      listens: [
        { protocol: 'tcp', port: 9 },
        { protocol: 'udp', port: 9 },
      ],
    });
    expect(readFileSync(pidfile, 'utf8')).toBe(`${p.pid}\n`);
    await p.stop();
    expect(existsSync(pidfile)).toBe(false);
  });

  test('--own answers for every address of a prefix, and the kernel finds the way', async () => {
    await lab.up(`${US}/24`, '--own', '10.9.0.0/16', '--http');
    for (const address of ['10.9.0.1', '10.9.77.3', '10.9.255.254']) {
      const ping = await lab.run(['ping', '-c', '1', '-W', '60', address]);
      expect(ping.code, address).toBe(0);
      const curl = await lab.run(['curl', '-sS', '-m', '60', `http://${address}/`]);
      expect(curl.out, address).toBe('hello, world');
    }
  });

  test('--mtu sets the size of packets both ways', async () => {
    await lab.up(`${US}/24`, '--mtu', '9000', '--http');
    expect(lab.ip('link', 'show', 'dev', 'portside0')).toContain('mtu 9000');
    const ping = await lab.run(['ping', '-c', '1', '-M', 'do', '-s', '8972', US]);
    expect(ping.code).toBe(0);
  });
});

describe('a device that exists already', () => {
  let lab: Lab;
  beforeEach(() => {
    lab = new Lab();
  });
  afterEach(() => lab.close());

  const kinds = [
    ['with vnet_hdr', ['vnet_hdr']],
    ['without vnet_hdr', []],
  ] as const;
  test.each(kinds)('%s, up and addressed, is used and left as it was found', async (_n, flags) => {
    // The carrier comes and goes with whoever holds the device, a second late; IPv6 follows it.
    await lab.sh(
      'sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1',
    );
    lab.ip('tuntap', 'add', 'dev', 'tun7', 'mode', 'tun', ...flags);
    lab.ip('link', 'set', 'tun7', 'up');
    lab.ip('addr', 'add', `${KERNEL}/24`, 'dev', 'tun7');
    const state = (): string =>
      [
        lab.ip('tuntap', 'show'),
        lab.ip('-4', 'addr', 'show', 'dev', 'tun7'),
        lab.ip('route', 'show', 'table', 'all'),
        execFileSync('ip', ['netns', 'exec', lab.name, 'ethtool', '-k', 'tun7'], {
          encoding: 'utf8',
        }),
      ]
        .join('')
        .replace(/NO-CARRIER,|,LOWER_UP| state [A-Z]+| linkdown| \[requested on\]/g, '');
    const before = state();
    // as other people's rigs start it: inside the namespace, the device by its name
    const p = await lab.upInside(
      'tun7',
      `${US}/24`,
      '--peer',
      KERNEL,
      '--echo',
      '--discard',
      '--chargen',
      '--http',
    );
    const curl = await lab.run(['curl', '-sS', '-m', '60', `http://${US}/`]);
    expect(curl.out).toBe('hello, world');
    const bulk = await lab.sh(`curl -sS -m 200 http://${US}/bytes/50000000 | wc -c`);
    expect(bulk.out.trim()).toBe('50000000');
    const up = await lab.sh(`head -c 50000000 /dev/zero | nc -N -w 100 ${US} 7 | wc -c`);
    expect(up.out.trim()).toBe('50000000');
    await p.stop();
    expect(state()).toBe(before);
  });
});

describe('a namespace that it makes', () => {
  let lab: Lab;
  beforeEach(() => {
    lab = new Lab();
  });
  afterEach(() => lab.close());

  /** Named so that the sweep finds it if this test dies. */
  const name = `ps-${process.pid}-9001`;

  function start(): Promise<Portside> {
    return Portside.ready(
      lab.spawnOutside([...PORTSIDE, 'up', `${US}/24`, '--http', '--netns', name]),
    );
  }

  test('works and is gone at the end', async () => {
    const p = await start();
    const curl = await lab.runOutside([
      'ip',
      'netns',
      'exec',
      name,
      'curl',
      '-sS',
      '-m',
      '60',
      `http://${US}/`,
    ]);
    expect(curl.out).toBe('hello, world');
    await p.stop();
    expect(namespaces()).not.toContain(name);
  });

  test('is recognised after kill -9 and removed by the next start of that name', async () => {
    const first = await start();
    await first.stop('SIGKILL');
    expect(namespaces()).toContain(name);
    const second = await start();
    const curl = await lab.runOutside([
      'ip',
      'netns',
      'exec',
      name,
      'curl',
      '-sS',
      '-m',
      '60',
      `http://${US}/`,
    ]);
    expect(curl.out).toBe('hello, world');
    await second.stop();
    expect(namespaces()).not.toContain(name);
  });

  test('of a live owner is refused to a second one', async () => {
    const first = await start();
    const second = await lab.runOutside([...PORTSIDE, 'up', `${US}/24`, '--netns', name]);
    expect(second.code).toBe(1);
    expect(second.err).toMatch(/EBUSY/);
    expect((await first.stop()).code).toBe(0);
  });

  test('a namespace of somebody else is entered and left alone', async () => {
    const p = await lab.up(`${US}/24`);
    await p.stop();
    expect(namespaces()).toContain(lab.name);
  });
});
