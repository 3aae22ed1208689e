// Sockets bound to one link (Linux's SO_BINDTODEVICE, socket(7)) on a host with two: what they hear,
// by which link they send, and who may have the same port.

import { describe, expect, test } from 'vitest';
import type { SimHost } from '../../src/sim/host.ts';
import { World } from '../../src/sim/world.ts';
import type { TcpHandler } from '../../src/socket/tcp-socket.ts';
import type { UdpHandler } from '../../src/socket/udp-socket.ts';
import { type Address, parse } from '../../src/wire/address.ts';

/** Both neighbours have it: which of them answers shows the link. */
const SHARED = '10.7.7.7';

function rig() {
  const w = new World({ seed: 11 });
  const m = w.host('m');
  const left = w.host('left');
  const right = w.host('right');
  w.link(m, left, {}, { addresses: [['10.0.1.1/24'], ['10.0.1.2/24', SHARED]] });
  w.link(m, right, {}, { addresses: [['10.0.2.1/24'], ['10.0.2.2/24', SHARED]] });
  // The better route to the shared address is by m0; the one by m1 has a gateway.
  m.stack.addRoute(SHARED, 32, { link: 2, gateway: '10.0.2.2', metric: 9 });
  const run = (): void => void w.run({ untilUs: w.clock.nowUs() + 300_000 });
  return { m, left, right, run };
}

function quiet(log: string[] = [], name = ''): TcpHandler {
  return {
    opened: () => void log.push(`${name} opened`),
    data: () => {},
    ended: () => {},
    writable: () => {},
    written: () => {},
    closed: (_s, code) => void log.push(`${name} closed ${code}`),
  };
}

function listen(host: SimHost, log: string[], name: string, link?: string | number) {
  return host.stack.listen({
    port: 80,
    link,
    handler: {
      accept(_server, s) {
        log.push(`${name} from ${s.remoteAddress}`);
        return quiet();
      },
    },
  });
}

function dial(host: SimHost, address: string, log: string[], link?: string | number) {
  return host.stack.connect({ address, port: 80, link, handler: quiet(log, host.name) });
}

function hearing(log: string[], name: string): UdpHandler {
  return {
    datagram: (_s, _u8, _off, len, from) => void log.push(`${name} ${len} from ${from.remote()}`),
    error: (_s, code) => void log.push(`${name} error ${code}`),
    writable: () => {},
  };
}

const DATA = new Uint8Array(3);
const at = (text: string): Address => parse(text) as Address;

describe('a TCP listener that is bound to a link', () => {
  test('hears what comes by it alone: others find nobody (socket(7), SO_BINDTODEVICE)', () => {
    const { m, left, right, run } = rig();
    const log: string[] = [];
    listen(m, log, 'm1', 'm1');
    dial(left, '10.0.1.1', log);
    dial(right, '10.0.2.1', log);
    run();
    expect(log.sort()).toEqual(['left closed -111', 'm1 from 10.0.2.2', 'right opened']);
  });

  test('shares its port with one on another link, and with none that is on every link', () => {
    const { m, left, right, run } = rig();
    const log: string[] = [];
    listen(m, log, 'first', 'm0');
    listen(m, log, 'second', 2);
    expect(() => listen(m, log, 'third')).toThrow('EADDRINUSE');
    expect(() => listen(m, log, 'fourth', 'm1')).toThrow('EADDRINUSE');
    dial(left, '10.0.1.1', log);
    dial(right, '10.0.2.1', log);
    run();
    expect(log.filter((line) => line.includes('from')).sort()).toEqual([
      'first from 10.0.1.2',
      'second from 10.0.2.2',
    ]);
  });

  test('of two that share a port the bound one goes first on its link', () => {
    const { m, left, right, run } = rig();
    const log: string[] = [];
    const accept = (name: string) => ({
      accept: () => {
        log.push(name);
        return quiet();
      },
    });
    m.stack.listen({ port: 80, reusePort: true, handler: accept('every') });
    m.stack.listen({ port: 80, reusePort: true, link: 'm1', handler: accept('bound') });
    for (let i = 0; i < 4; i++) dial(right, '10.0.2.1', []);
    dial(left, '10.0.1.1', []);
    run();
    expect(log.sort()).toEqual(['bound', 'bound', 'bound', 'bound', 'every']);
  });
});

describe('a TCP connection that is bound to a link', () => {
  test('leaves by it, by that link’s own route and from its address', () => {
    const { m, left, right, run } = rig();
    const log: string[] = [];
    listen(left, log, 'left');
    listen(right, log, 'right');
    dial(m, SHARED, []);
    dial(m, SHARED, [], 'm1');
    run();
    expect(log).toEqual(['left from 10.0.1.1', 'right from 10.0.2.1']);
  });

  test('a link that is not there is ENODEV, and takes no control block', () => {
    const { m } = rig();
    expect(() => dial(m, SHARED, [], 'eth9')).toThrow('ENODEV');
    expect(() => listen(m, [], '', 7)).toThrow('ENODEV');
    expect(() => m.stack.udp({ link: 'eth9', handler: hearing([], '') })).toThrow('ENODEV');
    expect(m.stack.sockets()).toEqual([]);
  });
});

describe('a UDP socket that is bound to a link', () => {
  test('hears and sends by it alone, and another may have the same port', () => {
    const { m, left, right, run } = rig();
    const log: string[] = [];
    const peers = [left, right].map((host) =>
      host.stack.udp({ port: 7, handler: hearing(log, host.name) }),
    );
    const first = m.stack.udp({ port: 9, link: 'm0', handler: hearing(log, 'first') });
    const second = m.stack.udp({ port: 9, link: 'm1', handler: hearing(log, 'second') });
    expect(first.send(DATA, 0, 1, at(SHARED), 7)).toBe(0);
    expect(second.send(DATA, 0, 2, at(SHARED), 7)).toBe(0);
    run();
    expect(log.splice(0)).toEqual(['left 1 from 10.0.1.1', 'right 2 from 10.0.2.1']);
    peers[0]?.send(DATA, 0, 3, at('10.0.1.1'), 9);
    peers[1]?.send(DATA, 0, 3, at('10.0.2.1'), 9);
    run();
    expect(log.splice(0).sort()).toEqual(['first 3 from 10.0.1.2', 'second 3 from 10.0.2.2']);
    second.close();
    peers[1]?.send(DATA, 0, 3, at('10.0.2.1'), 9);
    run();
    expect(log).toEqual([]);
  });

  test('connected, it hears its peer by that link alone', () => {
    const { m, left, right, run } = rig();
    const log: string[] = [];
    const s = m.stack.udp({ port: 9, link: 'm1', handler: hearing(log, 's') });
    s.connect(SHARED, 7);
    const peers = [left, right].map((host) =>
      host.stack.udp({ address: SHARED, port: 7, handler: hearing([], '') }),
    );
    for (const [i, peer] of peers.entries()) peer.send(DATA, 0, 1 + i, at('10.0.2.1'), 9);
    run();
    expect(s.address).toBe('10.0.2.1');
    expect(log).toEqual(['s 2 from 10.7.7.7']);
  });
});
