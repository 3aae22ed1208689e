// Instructions of the sequence fuzzer that are calls of the program: listen, connect, send, close,
// options, the passing of time, changes of addresses and links, reading of figures.

import type { TcpOptions } from '../../src/socket/tcp-socket.ts';
import { parse } from '../../src/wire/address.ts';
import { groupCall } from './groups.ts';
import { Behaviour, CONTROLLERS, type Machine } from './program.ts';

const SIZES = [1, 10, 100, 536, 1460, 3000, 10_000, 60_000] as const;
const DAY = 86_400_000_000;
const TIMES = [
  1000,
  10_000,
  45_000,
  210_000,
  1_100_000,
  3_500_000,
  31_000_000,
  61_000_000,
  130_000_000,
  610_000_000,
  7_300_000_000,
  DAY,
  25 * DAY,
  1,
  256,
  100_000,
] as const;
const HOSTS = [
  '192.0.2.9',
  '198.51.100.9',
  '127.0.0.1',
  '192.0.2.1',
  '192.0.2.255',
  '::1',
] as const;
const MOST_SERVERS = 6;

export function callInstruction(m: Machine, op: number): void {
  const { r } = m;
  m.guard(() => {
    switch (op & 15) {
      case 0:
        return listen(m);
      case 1:
        return connect(m);
      case 2:
      case 3:
        return send(m);
      case 4:
        return finish(m);
      case 5:
        return settings(m);
      case 6:
      case 7:
        return pass(m);
      case 8:
        return stream(m);
      case 9:
        return streamCalls(m);
      case 10:
        return openUdp(m);
      case 11:
        return udpCalls(m);
      case 12:
        return administration(m);
      case 13:
        return look(m);
      case 14:
        return read(m);
      default:
        m.rig.refusing = r.arg(0) & 7;
    }
  });
  m.guard(() => m.rig.settle());
}

function options(m: Machine, bits: number): TcpOptions {
  return {
    noDelay: (bits & 1) !== 0,
    keepAlive: (bits & 2) !== 0,
    keepAliveIdleMs: (bits & 2) !== 0 ? 1000 : undefined,
    userTimeoutMs: (bits & 4) !== 0 ? 5000 : undefined,
    sendBuffer: (bits & 8) !== 0 ? 3000 : undefined,
    receiveBuffer: (bits & 16) !== 0 ? 3000 : undefined,
    maxSegment: (bits & 32) !== 0 ? 700 : undefined,
    tos: bits,
    ttl: (bits & 64) !== 0 ? 3 : undefined,
    controller: CONTROLLERS[m.r.arg(4) % 3],
  };
}

const PORTS = [80, 81, 0, 7] as const;

function listen(m: Machine): void {
  const { r } = m;
  if (m.servers.length >= MOST_SERVERS) return;
  const bits = r.arg(1);
  const server = m.rig.stack.listen({
    port: PORTS[r.arg(0) & 3] as number,
    address: ['::', '0.0.0.0', '192.0.2.1', '::1'][(r.arg(0) >> 2) & 3] as string,
    backlog: (bits & 1) !== 0 ? 1 : 64,
    reusePort: (bits & 2) !== 0,
    ipv6Only: (bits & 0x60) === 0x60,
    fastOpen: (bits & 4) !== 0 ? 2 : 0,
    ...((bits & 8) !== 0 ? options(m, r.arg(2)) : {}),
    handler: {
      accept: (_server, s) => {
        if ((bits & 0x90) === 0x90) return null;
        m.keep(s);
        if ((m.behaviour & 0xc0) === 0x40) s.pause();
        return new Behaviour(m, (bits & 16) !== 0 ? r.arg(3) : m.behaviour & 63);
      },
    },
  });
  if ((bits & 0xa0) === 0xa0) server.pause();
  m.servers.push(server);
}

function connect(m: Machine): void {
  const { r } = m;
  const bits = r.arg(2);
  const s = m.rig.stack.connect({
    address: HOSTS[r.arg(0) % HOSTS.length] as string,
    port: PORTS[(r.arg(0) >> 4) & 3] || 4000,
    localPort: (bits & 1) !== 0 ? 2000 + (r.arg(1) & 3) : undefined,
    localAddress: (bits & 2) !== 0 ? '192.0.2.1' : undefined,
    fastOpen: (bits & 4) !== 0,
    ...((bits & 8) !== 0 ? options(m, r.arg(3)) : {}),
    handler: new Behaviour(m, r.arg(5) & 0xff),
  });
  m.keep(s);
  if ((bits & 16) !== 0) m.guard(() => s.send(m.bulk, 0, SIZES[r.arg(4) & 7]));
}

function send(m: Machine): void {
  const { r } = m;
  const s = m.sockets[r.arg(0) % Math.max(1, m.sockets.length)];
  if (s === undefined) return;
  const n = SIZES[r.arg(1) & 7] as number;
  const kind = r.arg(2);
  if (kind < 100) s.send(m.bulk, 0, n);
  else if (kind < 200) s.write(m.bulk, r.arg(3), n);
  else if (kind < 220) s.sendUrgent(m.bulk, 0, n);
  else for (let i = 0; i < 20; i++) s.send(m.bulk, i, 1 + (kind & 31));
}

function finish(m: Machine): void {
  const { r } = m;
  const s = m.sockets[r.arg(0) % Math.max(1, m.sockets.length)];
  if (s === undefined) return;
  const kind = r.arg(1) & 7;
  if (kind < 3) s.shutdown();
  else if (kind < 5) s.close();
  else if (kind === 5) s.abort();
  else if (kind === 6) {
    for (const x of m.servers.splice(r.arg(2) % 7, 1)) x.close();
  } else {
    for (const x of m.servers) {
      if (r.arg(2) < 128) x.pause();
      else x.resume();
    }
  }
}

function settings(m: Machine): void {
  const { r } = m;
  const s = m.sockets[r.arg(0) % Math.max(1, m.sockets.length)];
  if (s === undefined) return;
  const on = r.arg(2) < 128;
  const calls = [
    () => s.setNoDelay(on),
    () => (on ? s.cork() : s.uncork()),
    () => s.setKeepAlive(on, 1000, 1000, 2),
    () => s.setUserTimeout(on ? 3000 : 0),
    () => s.setQuickAck(on),
    () => s.setController(CONTROLLERS[r.arg(3) % 3] ?? CONTROLLERS[0]),
    () => s.setMaxPacingRate(on ? 1000 * (1 + r.arg(3)) : 0),
    () => s.setTos(r.arg(3)),
    () => s.setTtl(r.arg(3)),
    () => (on ? s.pause() : s.resume()),
    () => s.takeError(),
  ];
  calls[r.arg(1) % calls.length]?.();
}

function pass(m: Machine): void {
  const { rig, r } = m;
  if (r.arg(0) < 100) {
    const next = rig.stack.nextDeadline();
    if (next !== Infinity) rig.pass(Math.max(1, next - rig.now));
    return;
  }
  if (r.arg(0) < 120) rig.stack.tick(rig.now + 500);
  rig.pass(TIMES[r.arg(1) & 15] as number);
}

function stream(m: Machine): void {
  const { r } = m;
  if (m.streams.length >= 8) return;
  const s = m.rig.stack.stream();
  m.streams.push(s);
  const bits = r.arg(1);
  if ((bits & 4) !== 0) s.set({ fastOpen: 2, cork: true, keepAlive: true, keepAliveIdleMs: 1000 });
  if ((bits & 8) !== 0) s.set({ lingerMs: 0, receiveBuffer: 3000 });
  if ((bits & 1) !== 0) s.bind('192.0.2.1', (bits & 2) !== 0 ? 81 : 0);
  if (r.arg(0) < 128) s.listen(1 + (bits & 31));
  else s.connect(HOSTS[r.arg(2) % HOSTS.length] as string, PORTS[r.arg(3) & 3] || 4000);
}

function streamCalls(m: Machine): void {
  const { r } = m;
  const s = m.streams[r.arg(0) % Math.max(1, m.streams.length)];
  if (s === undefined) return;
  const n = SIZES[r.arg(2) & 7] as number;
  const calls = [
    () => s.send(m.bulk.subarray(0, n)),
    () => s.receive(new Uint8Array(n)),
    () => s.receive(new Uint8Array(n), { peek: true }),
    () => s.shutdown(r.arg(2) % 3),
    () => s.close(),
    () => s.abort(),
    () => [s.poll(), s.unread, s.unacknowledged, s.urgentMarks, s.info(), s.handle],
    () => [s.takeError(), s.localAddress, s.localPort, s.remoteAddress, s.remotePort, s.state],
    () => s.set({ noDelay: true, quickAck: true, cork: false, userTimeoutMs: 3000 }),
    () => s.set({ tos: n, ttl: 9, controller: CONTROLLERS[1], keepAlive: false }),
    () => s.send(m.bulk.subarray(0, n), { urgent: true }),
    () => s.bind('0.0.0.0', 82),
    () => s.listen(),
    () => s.connect('192.0.2.9', 80),
    () => accept(m, s.accept()),
    () => accept(m, s.accept()),
  ];
  calls[r.arg(1) & 15]?.();
}

function accept(m: Machine, child: number | (typeof m.streams)[number]): void {
  if (typeof child === 'number') return;
  if (m.streams.length < 16) m.streams.push(child);
  else child.abort();
}

function openUdp(m: Machine): void {
  const { r } = m;
  if (m.udps.length >= 6) return;
  const bits = r.arg(1);
  const s = m.rig.stack.udp({
    address: ['::', '0.0.0.0', '192.0.2.1', '127.0.0.1', '::1'][r.arg(0) % 5] as string,
    port: (bits & 1) !== 0 ? 0 : ([53, 7, 9, 5000][(bits >> 1) & 3] as number),
    reusePort: (bits & 8) !== 0,
    ipv6Only: (bits & 16) !== 0,
    handler: {
      datagram: (own, u8, off, len, from) => {
        if ((bits & 0xc0) === 0x40) m.answer(() => own.reply(u8, off, len, from));
        else if ((bits & 0xc0) === 0x80) {
          m.answer(() => own.send(u8, off, len, from.remote(), from.port));
        } else if ((bits & 0xf0) === 0xf0) throw m.rig.thrown;
        else if ((bits & 0xf0) === 0xe0) own.close();
        from.local();
      },
      error: (own) => {
        if ((bits & 0x30) === 0x30) own.close();
      },
      writable: (own) => {
        m.answer(() => own.send(m.bulk, 0, 10));
      },
    },
  });
  m.udps.push(s);
}

function udpCalls(m: Machine): void {
  const { r } = m;
  const s = m.udps[r.arg(0) % Math.max(1, m.udps.length)];
  if (s === undefined) return;
  const n = SIZES[r.arg(2) & 7] as number;
  const to = parse((r.arg(3) & 8) !== 0 ? '224.0.0.5' : (HOSTS[r.arg(3) % 6] as string));
  const on = r.arg(4) < 128;
  const calls = [
    () => s.send(m.bulk, 0, n, to ?? undefined, 5000 + (r.arg(4) & 3)),
    () => s.send(m.bulk, 0, n),
    () => s.connect(to ?? '192.0.2.9', 5000 + (r.arg(4) & 3)),
    () => s.disconnect(),
    () => s.close(),
    () => (on ? s.pause() : s.resume()),
    () => s.setTtl(r.arg(4)),
    () => s.setMulticastTtl(r.arg(4)),
    () => s.setTos(r.arg(4)),
    () => s.setBroadcast(on),
    () => s.setDontFragment(on),
    () => s.setReceiveLimit(r.arg(4) * 10),
    () => [s.address, s.family, s.remoteAddress, s.remotePort, s.connected, s.paused, s.closed],
    () => [s.queuedDatagrams, s.queuedOctets, s.datagramsReceived, s.datagramsSent, s.pathMtu],
    () => {
      for (let i = 0; i < 5; i++) s.send(m.bulk, i, n, to ?? undefined, 5000);
    },
  ];
  if ((r.arg(1) & 0x60) === 0x60) groupCall(m, s);
  else calls[r.arg(1) % calls.length]?.();
}

/** Addresses, routes, links come and go; what the rig needs is there again afterwards. */
function administration(m: Machine): void {
  const { rig, r } = m;
  const { stack, linkId } = rig;
  const kind = r.arg(0) % 7;
  if (kind === 0) {
    rig.link.mtu = [1500, 576, 1280, 9000][r.arg(1) & 3] as number;
    stack.ip.routeEpoch++; // whoever changes a link says so
  } else if (kind === 1) {
    stack.addAddress(
      linkId,
      '10.1.2.3',
      8 + (r.arg(1) & 15),
      (r.arg(1) & 16) !== 0 ? { own: 'all' } : {},
    );
    rig.settle();
    stack.removeAddress(
      linkId,
      '10.1.2.3',
      8 + (r.arg(1) & 15),
      (r.arg(1) & 16) !== 0 ? { own: 'all' } : {},
    );
  } else if (kind === 2) {
    stack.addRoute('198.51.100.0', 24, { link: linkId, gateway: '192.0.2.7' });
  } else if (kind === 3) {
    stack.removeAddress(linkId, '192.0.2.1', 24);
    m.guard(() => rig.pass(1000));
    stack.addAddress(linkId, '192.0.2.1', 24);
  } else if (kind === 4) {
    const host = HOSTS[r.arg(1) % 6] as string;
    stack.addAddress(linkId, host, r.arg(2));
    m.undo.push(() => stack.removeAddress(linkId, host, r.arg(2)));
  } else if (kind === 5) stack.addRoute('203.0.113.0', 24, { link: r.arg(3) & 3 });
  else {
    stack.removeAddress(linkId, '192.0.2.1', 24);
    m.undo.push(() => stack.addAddress(linkId, '192.0.2.1', 24));
  }
}

function look(m: Machine): void {
  const { rig } = m;
  rig.stack.sockets();
  for (const s of m.sockets) {
    s.info();
    void [s.localAddress, s.remoteAddress, s.localPort, s.remotePort, s.family, s.bytesSent];
    void [s.queued, s.unsent, s.urgentAhead, s.bytesReceived, s.paused, s.atEnd, s.sendHighWater];
  }
  for (const s of m.servers) void [s.address, s.port, s.family, s.backlog, s.waiting, s.listening];
  rig.stack.ip.pmtu.list();
}

function read(m: Machine): void {
  const { r } = m;
  const s = m.sockets[r.arg(0) % Math.max(1, m.sockets.length)];
  if (s?.paused) s.read(m.bulk.slice(0, SIZES[r.arg(1) & 7]), 0, undefined, r.arg(2) < 32);
}
