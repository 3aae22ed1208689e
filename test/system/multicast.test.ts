// Multicast with the kernel on the other side of a TUN: node:dgram in the namespace and our host hear
// each other's groups; tshark judges what routers would be told.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHost, type Host } from '../../src/node/host.ts';
import { CapturedTun } from './captured.ts';
import { KERNEL, Lab, US, until } from './netns.ts';

let lab: Lab;
let host: Host;
let file = '';

beforeAll(async () => {
  lab = new Lab();
  file = join(lab.dir, 'groups.pcapng');
  host = await createHost({
    link: (slab) => new CapturedTun(slab, file, lab.name, KERNEL),
    addresses: [`${US}/24`, '2001:db8:77::2/64', 'fe80::2/64'],
  });
  lab.ip('addr', 'add', '2001:db8:77::1/64', 'dev', device(), 'nodad');
});

afterAll(async () => {
  await host?.close({ deadlineMs: 100 });
  lab?.close();
});

function device(): string {
  return host.device?.name ?? '';
}

/** A program on the kernel's side: joins, answers what it hears to another group. */
async function peer(type: 'udp4' | 'udp6', on: string, joined: string, answers: string) {
  const child = lab.spawn([
    process.execPath,
    '-e',
    `const s = require('node:dgram').createSocket('${type}');
    s.bind(7000, () => {
      s.addMembership('${joined}', '${on}');
      s.setMulticastInterface('${on}');
      s.setMulticastTTL(3);
      console.log('up');
    });
    s.on('message', (m, from) => {
      console.log('heard ' + m + ' from ' + from.address);
      s.send('answer to ' + m, 7001, '${answers}');
    });`,
  ]);
  let out = '';
  child.stdout?.on('data', (text) => {
    out += text;
  });
  await until('the peer', () => out.startsWith('up\n'));
  return {
    heard: (): string => out.slice('up\n'.length),
    end: async (): Promise<void> => {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
    },
  };
}

function inside(path: string): string {
  return execFileSync('ip', ['netns', 'exec', lab.name, 'cat', path], { encoding: 'utf8' });
}

function tshark(...args: string[]): string[] {
  const stdio: ('ignore' | 'pipe')[] = ['ignore', 'pipe', 'ignore'];
  const out = execFileSync('tshark', ['-r', file, '-o', 'ip.check_checksum:TRUE', ...args], {
    encoding: 'utf8',
    timeout: 300_000,
    stdio,
  });
  return out.split('\n').filter((line) => line !== '');
}

describe('groups over a TUN', () => {
  it('IPv4: the kernel hears us, we hear the kernel, and no more after leaving', async () => {
    const p = await peer('udp4', KERNEL, '239.77.0.1', '239.77.0.2');
    // As the kernel writes addresses here: least significant octet first.
    expect(inside('/proc/net/igmp')).toContain('01004DEF');
    const s = host.dgram.createSocket({ type: 'udp4', packetInfo: true });
    s.bind(7001);
    await once(s, 'listening');
    s.addMembership('239.77.0.2');
    const got = once(s, 'message');
    s.send('ping', 7000, '239.77.0.1');
    const [data, from] = (await got) as [Buffer, Record<string, unknown>];
    expect(p.heard()).toBe(`heard ping from ${US}\n`);
    expect([data.toString(), from['address'], from['localAddress'], from['ttl']]).toEqual([
      'answer to ping',
      KERNEL,
      '239.77.0.2',
      3,
    ]);
    s.dropMembership('239.77.0.2');
    const drops = (): number => host.stack.counters.snapshot().drops['OTHERHOST'] ?? 0;
    const before = drops();
    s.on('message', () => expect.fail('heard a group that was left'));
    s.send('again', 7000, '239.77.0.1');
    await until('the answer that nobody wants', () => drops() > before);
    s.close();
    await p.end();
  });

  it('IPv4: only from the source that was asked for', async () => {
    const p = await peer('udp4', KERNEL, '239.77.0.3', '232.77.0.4');
    const heard: string[] = [];
    const hear = async (source: string): Promise<() => void> => {
      const s = host.dgram.createSocket({ type: 'udp4', reuseAddr: true });
      s.bind(7001);
      await once(s, 'listening');
      s.addSourceSpecificMembership(source, '232.77.0.4');
      s.on('message', () => heard.push(source));
      return () => s.close();
    };
    const ends = [await hear('10.77.0.9'), await hear(KERNEL)];
    const c = host.dgram.createSocket('udp4');
    c.send('x', 7000, '239.77.0.3');
    await until('the answer', () => heard.length > 0);
    expect(heard).toEqual([KERNEL]);
    for (const end of ends) end();
    c.close();
    await p.end();
  });

  it('IPv6: the kernel hears us, we hear the kernel', async () => {
    const p = await peer('udp6', `::%${device()}`, 'ff15::77:1', 'ff15::77:2');
    expect(inside('/proc/net/igmp6')).toContain('ff150000000000000000000000770001');
    const s = host.dgram.createSocket('udp6');
    s.bind(7001);
    await once(s, 'listening');
    s.addMembership('ff15::77:2', `::%${device()}`);
    const got = once(s, 'message');
    s.send('ping', 7000, 'ff15::77:1');
    expect(String((await got)[0])).toBe('answer to ping');
    expect(p.heard()).toBe('heard ping from 2001:db8:77::2\n');
    s.close();
    await p.end();
  });

  it('tshark reads every report of ours, their checksums are right', async () => {
    // The last repetitions leave within a second of the change.
    await until('the end of all that is to be told', () => host.stack.ip.groups.size === 0);
    const ours = 'frame.packet_flags_direction == 2';
    const igmp = tshark(
      ...['-Y', `${ours} && igmp`, '-T', 'fields', '-e', 'igmp.version'],
      ...['-e', 'igmp.checksum.status', '-e', 'ip.ttl', '-e', 'ip.opt.ra'],
      ...['-e', 'igmp.record_type', '-e', 'igmp.maddr', '-e', 'igmp.saddr'],
    );
    // TO_EX and TO_IN of the first test, ALLOW of the second: the first of each; what follows is
    // merged with what still was to be told, as time goes.
    expect(igmp).toContain('3\t1\t1\t0\t4\t239.77.0.2\t');
    expect(igmp).toContain('3\t1\t1\t0\t3\t239.77.0.2\t');
    expect(igmp).toContain('3\t1\t1\t0\t5\t232.77.0.4\t10.77.0.9');
    expect(igmp.filter((row) => !row.startsWith('3\t1\t1\t0\t'))).toEqual([]);
    const mld = tshark(
      ...['-Y', `${ours} && icmpv6.type == 143`, '-T', 'fields'],
      ...['-e', 'icmpv6.checksum.status', '-e', 'icmpv6.mldr.mar.record_type'],
      ...['-e', 'icmpv6.mldr.mar.multicast_address', '-e', 'ipv6.src', '-e', 'ipv6.hlim'],
    );
    expect(new Set(mld)).toEqual(
      new Set(['1\t4\tff15::77:2\tfe80::2\t1', '1\t3\tff15::77:2\tfe80::2\t1']),
    );
    expect(tshark('-Y', `${ours} && (_ws.malformed || _ws.expert.severity >= 0x00600000)`)).toEqual(
      [],
    );
  });
});
