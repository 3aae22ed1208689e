// Programs for multicast and broadcast. Groups are joined and sent to on 127.0.0.1's interface: that
// is there on the kernel's side and on a host of loopback alone.

import { attempt, bound, sent, shut } from './dgram-kit.ts';
import { once, type Program, settled } from './transcript.ts';

const LO = '127.0.0.1';
const GROUP = '239.77.1.1';

export const dgramGroupPrograms: Record<string, Program> = {
  'addMembership and dropMembership of every kind of argument': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    await bound(s, t, 'S', '0.0.0.0');
    const calls = s as unknown as Record<string, (...a: unknown[]) => unknown>;
    for (const group of [GROUP, '224.0.0.114', '10.0.0.1', '256.1.1.1', '', undefined, '::1']) {
      for (const on of [LO, '10.9.9.9', 'junk', '::1', '']) {
        for (const call of ['addMembership', 'addMembership', 'dropMembership', 'dropMembership']) {
          attempt(t, `${call} ${group} ${on}`, () => calls[call]?.call(s, group, on));
        }
      }
    }
    await shut(s);
  },

  'addMembership without an interface, with 0.0.0.0 and with null': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    await bound(s, t, 'S', '0.0.0.0');
    for (const on of [undefined, '0.0.0.0', null]) {
      attempt(t, `add ${on}`, () => s.addMembership(GROUP, on as string));
      attempt(t, 'again', () => s.addMembership(GROUP));
      attempt(t, `drop ${on}`, () => s.dropMembership(GROUP, on as string));
      attempt(t, 'again', () => s.dropMembership(GROUP));
    }
    await shut(s);
  },

  'IPv6 groups on an IPv6 socket, and IPv4 groups on it': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp6');
    await bound(s, t, 'S', '::');
    for (const group of ['ff02::114', 'ff02::114%lo', 'ff01::5', '::1', GROUP]) {
      for (const on of ['::%lo', '::', LO, 'junk', '10.9.9.9']) {
        attempt(t, `add ${group} ${on}`, () => s.addMembership(group, on));
        attempt(t, `drop ${group} ${on}`, () => s.dropMembership(group, on));
      }
    }
    await shut(s);
  },

  'IPv6 groups on an IPv4 socket': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    await bound(s, t, 'S', '0.0.0.0');
    for (const on of [undefined, '::%lo', LO]) {
      attempt(t, `add ${on}`, () => s.addMembership('ff02::114', on));
      attempt(t, `drop ${on}`, () => s.dropMembership('ff02::114', on));
    }
    attempt(t, 'interface', () => s.setMulticastInterface('::%lo'));
    await shut(s);
  },

  'source-specific memberships and their errors': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    await bound(s, t, 'S', '0.0.0.0');
    type Call = (...a: unknown[]) => unknown;
    const add = (...a: unknown[]): unknown => (s.addSourceSpecificMembership as Call)(...a);
    const drop = (...a: unknown[]): unknown => (s.dropSourceSpecificMembership as Call)(...a);
    const rows: unknown[][] = [
      [LO, '232.1.1.1', LO],
      [LO, '232.1.1.1', LO],
      ['127.0.0.2', '232.1.1.1', LO],
      ['1.1.1', '232.1.1.1', LO],
      [LO, '10.1.1.1', LO],
      [LO, '232.1.1.2', '9.9.9.9'],
      [LO, '232.1.1.2', 'x'],
      ['::1', '232.1.1.1', LO],
      ['::1', 'ff3e::1', '::%lo'],
      [1, '232.1.1.1'],
      [LO, undefined],
      ['', ''],
    ];
    for (const row of rows) attempt(t, `add ${row.join()}`, () => add.call(s, ...row));
    for (const row of rows) attempt(t, `drop ${row.join()}`, () => drop.call(s, ...row));
    attempt(t, 'not a member', () => drop.call(s, LO, '232.1.1.99', LO));
    await shut(s);
  },

  'source-specific memberships of IPv6': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp6');
    await bound(s, t, 'S', '::');
    for (let i = 0; i < 2; i++) {
      attempt(t, 'add', () => s.addSourceSpecificMembership('::1', 'ff3e::1', '::%lo'));
    }
    for (let i = 0; i < 2; i++) {
      attempt(t, 'drop', () => s.dropSourceSpecificMembership('::1', 'ff3e::1', '::%lo'));
    }
    attempt(t, 'interface', () => s.addSourceSpecificMembership('::1', 'ff3e::1', LO));
    await shut(s);
  },

  'from the whole group to one source and back': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    await bound(s, t, 'S', '0.0.0.0');
    s.addMembership('232.5.5.5', LO);
    attempt(t, 'source', () => s.addSourceSpecificMembership(LO, '232.5.5.5', LO));
    attempt(t, 'drop', () => s.dropMembership('232.5.5.5', LO));
    attempt(t, 'source', () => s.dropSourceSpecificMembership(LO, '232.5.5.5', LO));
    await shut(s);
  },

  'twenty groups, and ten sources of one': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    await bound(s, t, 'S', '0.0.0.0');
    for (let i = 1; i <= 22; i++) attempt(t, `${i}`, () => s.addMembership(`239.9.9.${i}`, LO));
    await shut(s);
    const z = dgram.createSocket('udp4');
    await bound(z, t, 'Z', '0.0.0.0');
    for (let i = 1; i <= 12; i++) {
      attempt(t, `${i}`, () => z.addSourceSpecificMembership(`127.0.0.${i}`, '232.9.9.9', LO));
    }
    await shut(z);
  },

  'a socket that is not bound: membership binds it, options are EBADF': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    attempt(t, 'ttl', () => s.setMulticastTTL(4));
    attempt(t, 'loopback', () => s.setMulticastLoopback(true));
    attempt(t, 'interface', () => s.setMulticastInterface(LO));
    attempt(t, 'drop', () => s.dropMembership(GROUP));
    attempt(t, 'add', () => s.addMembership(GROUP, LO));
    const { address, family } = s.address();
    t.log(address, family);
    t.watch('s', s, 'error listening');
    s.bind(0);
    await once(s, 'error');
    await shut(s);
  },

  'a closed socket takes no membership': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    await bound(s, t, 'S');
    await shut(s);
    attempt(t, 'add', () => s.addMembership(GROUP));
    attempt(t, 'drop', () => s.dropMembership(GROUP));
    attempt(t, 'source', () => s.addSourceSpecificMembership(LO, GROUP));
    attempt(t, 'source', () => s.dropSourceSpecificMembership(LO, GROUP));
  },

  'setMulticastTTL and setMulticastLoopback': async ({ dgram }, t) => {
    for (const type of ['udp4', 'udp6'] as const) {
      const s = dgram.createSocket(type);
      await bound(s, t, 'S', type === 'udp4' ? LO : '::1');
      for (const ttl of [0, 1, 16, 255, 256, -1, 1.5, '1', undefined]) {
        attempt(t, `ttl ${ttl}`, () => s.setMulticastTTL(ttl as number));
      }
      for (const on of [true, false, 0, 1, 16, '', undefined]) {
        attempt(t, `loop ${on}`, () => s.setMulticastLoopback(on as boolean));
      }
      await shut(s);
    }
  },

  'setMulticastInterface of every kind of argument': async ({ dgram }, t) => {
    for (const type of ['udp4', 'udp6'] as const) {
      const s = dgram.createSocket(type);
      await bound(s, t, 'S', type === 'udp4' ? '0.0.0.0' : '::');
      for (const on of [LO, '0.0.0.0', '10.9.9.9', 'junk', '', '::', '::1', '::%lo', '::%none']) {
        attempt(t, `${type} ${on}`, () => s.setMulticastInterface(on));
      }
      for (const on of [undefined, null, 5, {}]) {
        attempt(t, `${type} ${on}`, () => s.setMulticastInterface(on as unknown as string));
      }
      await shut(s);
    }
  },

  'a group reaches its member and, on the same port, one that is none': async ({ dgram }, t) => {
    const member = dgram.createSocket({ type: 'udp4', reuseAddr: true });
    const { port } = await bound(member, t, 'PORT', '0.0.0.0');
    const other = dgram.createSocket({ type: 'udp4', reuseAddr: true });
    other.bind(port);
    await once(other, 'listening');
    member.addMembership(GROUP, LO);
    const sender = dgram.createSocket('udp4');
    await bound(sender, t, 'SENDER');
    sender.setMulticastInterface(LO);
    const heard = [once(member, 'message'), once(other, 'message')];
    await sent(t, sender, 'to all', port, GROUP);
    for (const one of heard) t.log(...(await one));
    await shut(sender, member, other);
  },

  'a group on the interface, after dropMembership no more': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    const { port } = await bound(s, t, 'PORT', '0.0.0.0');
    t.watch('s', s, 'message');
    s.setMulticastInterface(LO);
    s.addMembership(GROUP, LO);
    const first = once(s, 'message');
    await sent(t, s, 'heard', port, GROUP);
    await first;
    s.dropMembership(GROUP, LO);
    await sent(t, s, 'not heard', port, GROUP);
    const last = once(s, 'message');
    await sent(t, s, 'to myself', port, LO);
    await last;
    await shut(s);
  },

  'by source: one that is wanted, one that is not': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    const { port } = await bound(s, t, 'PORT', '0.0.0.0');
    t.watch('s', s, 'message');
    s.addSourceSpecificMembership('127.0.0.2', '232.7.7.7', LO);
    for (const from of ['127.0.0.3', '127.0.0.2']) {
      const c = dgram.createSocket('udp4');
      await bound(c, t, `FROM${from.slice(-1)}`, from);
      c.setMulticastInterface(LO);
      const heard = from === '127.0.0.2' ? once(s, 'message') : settled();
      await sent(t, c, from, port, '232.7.7.7');
      await heard;
      await shut(c);
    }
    await shut(s);
  },

  'a socket bound to the group itself': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    const { port } = await bound(s, t, 'PORT', GROUP);
    t.log(s.address());
    t.watch('s', s, 'message');
    s.addMembership(GROUP, LO);
    const c = dgram.createSocket('udp4');
    await bound(c, t, 'FROM');
    c.setMulticastInterface(LO);
    await sent(t, c, 'unicast', port, LO);
    const heard = once(s, 'message');
    await sent(t, c, 'group', port, GROUP);
    await heard;
    await shut(c, s);
  },

  'a connected sender to a group': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    const { port } = await bound(s, t, 'PORT', '0.0.0.0');
    s.addMembership(GROUP, LO);
    const c = dgram.createSocket('udp4');
    await bound(c, t, 'FROM', LO);
    c.setMulticastInterface(LO);
    const ready = once(c, 'connect');
    c.connect(port, GROUP);
    await ready;
    t.log(c.remoteAddress(), c.address());
    const heard = once(s, 'message');
    await sent(t, c, 'x');
    t.log(...(await heard));
    await shut(c, s);
  },

  'all members of a group get a large datagram whole': async ({ dgram }, t) => {
    const members = [1, 2, 3].map(() => dgram.createSocket({ type: 'udp4', reuseAddr: true }));
    let port = 0;
    for (const m of members) {
      m.bind(port, '0.0.0.0');
      await once(m, 'listening');
      port = m.address().port;
      m.addMembership(GROUP, LO);
    }
    t.call(port, 'PORT');
    const c = dgram.createSocket('udp4');
    await bound(c, t, 'FROM');
    c.setMulticastInterface(LO);
    const heard = members.map((m) => once(m, 'message'));
    await sent(t, c, Buffer.alloc(20_000, 'g'), port, GROUP);
    for (const one of heard) {
      const [data, from] = (await one) as [Buffer, unknown];
      t.log(
        data.length,
        data.every((x) => x === 103),
        from,
      );
    }
    await shut(c, ...members);
  },

  'a broadcast wants setBroadcast: EACCES': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    const { port } = await bound(s, t, 'PORT', '0.0.0.0');
    await sent(t, s, 'x', port, '127.255.255.255');
    s.setBroadcast(true);
    const heard = once(s, 'message');
    await sent(t, s, 'y', port, '127.255.255.255');
    t.log(...(await heard));
    s.setBroadcast(false);
    await sent(t, s, 'z', port, '127.255.255.255');
    await shut(s);
  },

  'connecting to a broadcast address wants setBroadcast': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    const { port } = await bound(s, t, 'PORT', '0.0.0.0');
    const failed = once(s, 'error');
    s.connect(port, '127.255.255.255');
    t.log(...(await failed));
    s.setBroadcast(true);
    const ready = once(s, 'connect');
    s.connect(port, '127.255.255.255');
    await ready;
    t.log(s.remoteAddress());
    await shut(s);
  },

  'setBroadcast and setTTL of every kind of argument': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    attempt(t, 'unbound broadcast', () => s.setBroadcast(true));
    attempt(t, 'unbound ttl', () => s.setTTL(5));
    await bound(s, t, 'S');
    for (const on of [true, false, 0, 'x', undefined, null]) {
      attempt(t, `broadcast ${on}`, () => s.setBroadcast(on as boolean));
    }
    for (const ttl of [1, 64, 255, 0, 256, -1, 1.5, '5', undefined]) {
      attempt(t, `ttl ${ttl}`, () => s.setTTL(ttl as number));
    }
    await shut(s);
  },
};
