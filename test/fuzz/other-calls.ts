// More calls of the sequence fuzzer: those about IPv6, names of addresses and links, gates, listeners
// of prefixes, routes, and what few programs ask for. Instructions whose bits 5 and 6 are set.

import { removeRoute } from '../../src/ip/configure.ts';
import type { StreamOptions } from '../../src/socket/stream-options.ts';
import type { StreamSocket } from '../../src/socket/stream-socket.ts';
import { type Address, parse, parsePrefix } from '../../src/wire/address.ts';
import { scatter } from './arrivals.ts';
import { groups, PREFIXES, texts } from './names.ts';
import { Behaviour, CONTROLLERS, type Machine } from './program.ts';

const HOSTS = [
  '2001:db8::9',
  '2001:db8:1::6409',
  '::1',
  '2001:db8::1',
  'fe80::9',
  'fe80::9%fuzz0',
  'ff02::5',
  '::ffff:192.0.2.9',
  '::',
  '255.255.255.255',
  '0.0.0.0',
  '2002:c000:209::1',
  'fec0::5',
  'fc00::7',
  '3ffe::1',
  '::192.0.2.9',
] as const;
const OWN = ['::', '0.0.0.0', '::1', '2001:db8::1', 'fe80::1', '192.0.2.1', '10.9.1.5', '::2'];
const STATES = ['ESTAB', 'LISTEN', 'TIME-WAIT', 'none', 'UNCONN', 'SYN-SENT'] as const;

export function otherCallInstruction(m: Machine, op: number): void {
  const { r } = m;
  const calls = [
    () => listen(m),
    () => connect(m),
    () => openUdp(m),
    () => udpCalls(m),
    () => routes(m),
    () => addresses(m),
    () => links(m),
    () => look(m),
    () => answer(m),
    () => servers(m),
    () => streamCalls(m),
    () => tcpCalls(m),
    () => texts(m),
    () => groups(m),
    () => streamSet(m),
    () => (r.arg(6) < 100 ? m.rig.stack.tick(m.rig.now + r.word(0)) : scatter(m)),
  ];
  m.guard(calls[op & 15] as () => void);
  m.guard(() => m.rig.settle());
}

function listen(m: Machine): void {
  const { r } = m;
  if (m.servers.length >= 8) return;
  const bits = r.arg(1);
  const serve = {
    accept: (_server: unknown, s: Parameters<Machine['keep']>[0]) => {
      m.keep(s);
      return (bits & 64) !== 0 ? null : new Behaviour(m, r.arg(3));
    },
  };
  const gate = (_server: unknown, knock: Machine['knocks'][number]): void => {
    void [knock.remoteAddress, knock.localAddress, knock.family];
    if ((bits & 2) !== 0) knock.admit();
    else m.knocks.push(knock);
  };
  m.servers.push(
    m.rig.stack.listen({
      port: [80, 81, 0, 53][r.arg(0) & 3] as number,
      address: OWN[(r.arg(0) >> 2) & 7] as string,
      backlog: r.arg(4) & 3,
      reusePort: (bits & 4) !== 0,
      ipv6Only: (bits & 8) !== 0,
      fastOpen: (bits & 16) !== 0 ? 1 : 0,
      ecn: (['off', 'ask', 'accept', undefined] as const)[r.arg(5) & 3],
      maxSegment: (bits & 128) !== 0 ? 600 : undefined,
      receiveBuffer: (bits & 128) !== 0 ? 9000 : undefined,
      ...(r.arg(2) < 60 ? { prefix: PREFIXES[r.arg(2) & 7] as string } : {}),
      ...(r.arg(2) > 200 ? { balance: (_a: string, port: number) => (port & 3) - 1 } : {}),
      handler: (bits & 1) !== 0 ? { ...serve, gate } : serve,
    }),
  );
}

function connect(m: Machine): void {
  const { r } = m;
  const bits = r.arg(2);
  const s = m.rig.stack.connect({
    address: HOSTS[r.arg(0) & 15] as string,
    port: [80, 81, 4000, 0][r.arg(0) >> 6] as number,
    localPort: (bits & 1) !== 0 ? 2000 + (r.arg(1) & 3) : undefined,
    localAddress: (bits & 2) !== 0 ? (OWN[r.arg(1) >> 5] as string) : undefined,
    fastOpen: (bits & 4) !== 0,
    ecn: (['off', 'ask', 'accept', undefined] as const)[r.arg(3) & 3],
    ...((bits & 8) !== 0 ? { sendBuffer: 5000, receiveBuffer: 1000, keepAliveProbes: 1 } : {}),
    ...((bits & 16) !== 0 ? { keepAlive: true, keepAliveIdleMs: 10, keepAliveIntervalMs: 10 } : {}),
    handler: new Behaviour(m, r.arg(5)),
  });
  m.keep(s);
  if ((bits & 32) !== 0) m.guard(() => s.send(m.bulk, 0, 1 + 10 * r.arg(4)));
}

function openUdp(m: Machine): void {
  const { r } = m;
  if (m.udps.length >= 8) return;
  const bits = r.arg(1);
  const s = m.rig.stack.udp({
    address: [...OWN, 'ff02::5', '239.1.1.1', '224.0.0.251'][r.arg(0) % 11] as string,
    port: [53, 7, 5000, 0][bits & 3] as number,
    reusePort: (bits & 4) !== 0,
    reuseAddr: (bits & 8) !== 0,
    ipv6Only: (bits & 16) !== 0,
    handler: {
      datagram: (own, u8, off, len, from) => {
        void [from.remote(), from.local()];
        if ((bits & 32) !== 0) m.answer(() => own.reply(u8, off, len, from));
      },
      error: () => {},
      writable: () => {},
      ...((bits & 64) !== 0 ? { delivered: () => {} } : {}),
    },
  });
  m.udps.push(s);
}

function udpCalls(m: Machine): void {
  const { r } = m;
  const s = m.udps[r.arg(0) % Math.max(1, m.udps.length)];
  if (s === undefined) return;
  const to = parse(HOSTS[r.arg(2) & 15] as string) as Address;
  const port = [5000, 5001, 53, 0][r.arg(3) & 3] as number;
  const source = parse(OWN[r.arg(4) & 7] as string) as Address;
  const n = 20 * r.arg(5);
  const calls = [
    () => s.send(m.bulk, 0, n, to, port),
    () => s.sendWith(m.bulk, 0, n, { address: to, port, source }),
    () => s.sendWith(m.bulk, 0, n, { address: to, port, tos: r.arg(6), ttl: r.arg(4) }),
    () => s.sendWith(m.bulk, 0, n, {}),
    () => s.connect(to, port),
    () => s.connect(HOSTS[r.arg(2) & 15] as string, port),
    () => s.setSendLimit(n),
    () => s.setReceiveLimit(n),
    () => [s.datagramsLost, s.sendLimit, s.receiveLimit, s.localAddress, s.pathMtu],
    () => s.send(m.bulk, 0, 60_000 + n * 2, to, port),
    () => s.setBroadcast(true),
    () => s.setMulticastTtl(r.arg(4) & 1),
    () => s.close(),
    () => s.setTtl(r.arg(4)),
  ];
  calls[r.arg(1) % calls.length]?.();
}

/** Routes by gateway, of other metrics, in and out of use. */
function routes(m: Machine): void {
  const { r } = m;
  const { stack, linkId } = m.rig;
  const prefix = parsePrefix(
    ['203.0.113.0/24', '2001:db8:1::/48', '0.0.0.0/0', '::/0', '203.0.113.5/32'][
      r.arg(0) % 5
    ] as string,
  );
  if (prefix === null) return;
  const six = prefix.address.family === 6;
  const gateway = r.arg(1) < 100 ? parse(six ? '2001:db8::7' : '192.0.2.7') : null;
  const source = r.arg(2) < 60 ? parse(six ? '2001:db8::1' : '192.0.2.1') : null;
  const spec = { prefix, linkId: r.arg(4) < 230 ? linkId : 0, gateway, source };
  const all = { ...spec, metric: r.arg(3) & 1, mtu: r.arg(3) > 128 ? 1280 : 0 };
  const { routes: table } = stack.ip;
  const index = table.add(all);
  stack.ip.routeEpoch++;
  m.undo.push(() => {
    table.setLinkUsable(linkId, true);
    removeRoute(stack.ip, all);
    removeRoute(stack.ip, all);
    stack.ip.routeEpoch++;
    if (prefix.length !== 0) return;
    stack.addRoute('::', 0, { link: linkId });
    stack.addRoute('0.0.0.0', 0, { link: linkId, gateway: '192.0.2.254' });
  });
  if (r.arg(5) < 40) table.setUsable(index, false);
  else if (r.arg(5) < 60) table.setLinkUsable(linkId, (r.arg(6) & 1) === 0);
  else if (r.arg(5) < 80) removeRoute(stack.ip, all);
  table.list();
}

function addresses(m: Machine): void {
  const { r } = m;
  const { stack, linkId } = m.rig;
  const list = [...HOSTS, '10.9.0.0', '10.9.1.0', '224.0.0.9', '2001:db8:1::1', '192.0.2.77'];
  const text = list[r.arg(0) % list.length] as string;
  const length = [24, 32, 64, 128, 16, 0, 31, 30][r.arg(1) & 7] as number;
  const own = r.arg(2) < 100 ? { own: 'all' as const } : {};
  const link = r.arg(3) < 220 ? linkId : r.arg(3) & 3;
  stack.addAddress(link, text, length, own);
  m.undo.push(() => stack.removeAddress(link, text, length, own));
}

/** A link more, for a while: packets to it go nowhere. */
function links(m: Machine): void {
  const { r } = m;
  const { stack } = m.rig;
  const id = stack.addLink({
    name: 'fuzz1',
    caps: 0xff, // what it can do itself needs no memory of the rig's
    loopback: false,
    mtu: r.arg(1) < 128 ? 1500 : 1280,
    multicast: (r.arg(0) & 128) === 0,
    transmit: () => r.arg(2) < 200,
    flush: () => {},
  });
  m.guard(() => stack.addAddress(id, '10.7.7.1', 24));
  m.guard(() => stack.addAddress(id, '2001:db7::1', 64));
  if (r.arg(3) < 100) m.guard(() => stack.addRoute('203.0.113.0', 24, { link: id }));
  m.undo.push(() => {
    stack.removeLink(id);
    stack.ip.links.length = id;
  });
}

function look(m: Machine): void {
  const { r } = m;
  const { stack } = m.rig;
  stack.sockets(STATES[r.arg(0) % STATES.length]);
  stack.flowTables();
  stack.memory();
  for (const u of m.udps) m.guard(() => u.groups.hasLink(['lo', 'fuzz0', 0, 9][r.arg(1) & 3] ?? 0));
  for (const s of m.servers) void [s.address, s.family, s.listening, s.port, s.waiting];
}

/** Those who knock are let in, sent away, or kept waiting. */
function answer(m: Machine): void {
  const knock = m.knocks.shift();
  if (knock === undefined) return;
  if (m.r.arg(0) < 128) knock.admit();
  else if (m.r.arg(0) < 200) knock.reset();
  else knock.ignore();
  if (m.r.arg(1) < 100) knock.admit();
  if (m.r.arg(1) > 200) knock.reset();
}

function servers(m: Machine): void {
  const { r } = m;
  const s = m.servers[r.arg(0) % Math.max(1, m.servers.length)];
  if (s === undefined) return;
  const kind = r.arg(1) % 6;
  if (kind === 0) s.adjust({ fastOpen: 2, receiveBuffer: 4000, maxSegment: 500, noDelay: true });
  else if (kind === 1) s.adjust({ ecn: 'ask', tos: 8 });
  else if (kind === 2) {
    const child = s.take(new Behaviour(m, r.arg(2)));
    if (child !== null) m.keep(child);
  } else if (kind === 3) s.pause();
  else if (kind === 4) s.resume();
  else s.close();
}

function streamOf(m: Machine): StreamSocket | null {
  const s = m.streams[m.r.arg(0) % Math.max(1, m.streams.length)];
  if (s !== undefined && m.r.arg(6) > 60) return s;
  if (m.streams.length >= 10) return null;
  const fresh = m.rig.stack.stream();
  m.streams.push(fresh);
  return fresh;
}

function streamCalls(m: Machine): void {
  const { r } = m;
  const s = streamOf(m);
  if (s === null) return;
  const host = HOSTS[r.arg(2) & 15] as string;
  const n = 30 * r.arg(3);
  const calls = [
    () => s.connectWith(host, 80, m.bulk.subarray(0, n)),
    () => s.receive(new Uint8Array(n), { all: true }),
    () => s.receive(new Uint8Array(n), { peek: true, all: true }),
    () => s.send(m.bulk.subarray(0, n), { more: true }),
    () => s.bind(OWN[r.arg(2) & 7] as string, [80, 0, 2000, 81][r.arg(4) & 3] as number),
    () => s.connect(host, 80),
    () => s.listen(r.arg(4) & 3),
    () => [s.lingers, s.poll(), s.unread, s.unacknowledged, s.urgentMarks, s.state],
    () => s.close(),
    () => s.takeError(),
  ];
  calls[r.arg(1) % calls.length]?.();
}

function streamSet(m: Machine): void {
  const { r } = m;
  const s = streamOf(m);
  if (s === null) return;
  const n = r.word(2);
  const choices: Partial<StreamOptions>[] = [
    { synRetries: 1 + (n & 3) },
    { finWait2Ms: (n & 1) === 0 ? -1 : n },
    { notSentLowWater: n },
    { windowClamp: n },
    { receiveLowWater: n & 1023 },
    { sendBuffer: n, receiveBuffer: n },
    { maxPacingRate: 1000 * n },
    { keepAlive: true, keepAliveIdleMs: 10, keepAliveIntervalMs: 10, keepAliveProbes: 1 },
    { reusePort: true, ipv6Only: true },
    { lingerMs: (n & 1) === 0 ? 100 : undefined },
    { maxSegment: 100 + (n & 255), fastOpen: 1 },
    { cork: (n & 1) === 0, quickAck: (n & 2) === 0, noDelay: (n & 4) === 0 },
    { userTimeoutMs: n, tos: n & 255, ttl: n & 255, controller: CONTROLLERS[n % 3] },
  ];
  s.set(choices[r.arg(1) % choices.length] ?? {});
}

function tcpCalls(m: Machine): void {
  const { r } = m;
  const s = m.sockets[r.arg(0) % Math.max(1, m.sockets.length)];
  if (s === undefined) return;
  const n = 200 * r.arg(2);
  const calls = [
    () => s.abort(0),
    () => s.setUserTimeout(n * 100),
    () => s.setKeepAlive(true, 0, 0, 0),
    () => s.setMaxPacingRate(n),
    () => s.setTtl(r.arg(2)),
    () => s.send(m.bulk, 0, 0),
    () => s.write(m.bulk, 0, 0),
    () => {
      for (let i = 0; i < 300; i++) s.write(m.bulk, i, 1 + (n & 7));
    },
    () => s.setQuickAck(false),
    () => [s.readable, s.atEnd, s.info(), s.takeError(), s.urgentAhead],
    () => s.send(m.bulk, 0, 100_000),
    () => s.read(new Uint8Array(100), 0, 50, r.arg(3) < 128),
    () => (r.arg(2) < 128 ? s.pause() : s.resume()),
    () => s.sendUrgent(m.bulk, 0, n),
    () => s.setController(CONTROLLERS[r.arg(2) % 3] ?? CONTROLLERS[0]),
  ];
  calls[r.arg(1) % calls.length]?.();
}
