// TCP and UDP over IPv6 through whole stacks: loopback, dual-stack sockets, a lossy link.

import { expect, test } from 'vitest';
import { World } from '../../src/sim/world.ts';
import type { TcpHandler, TcpSocket } from '../../src/socket/tcp-socket.ts';
import type { Stack } from '../../src/stack/stack.ts';

const QUIET: TcpHandler = {
  opened: () => {},
  data: () => {},
  ended: () => {},
  writable: () => {},
  written: () => {},
  closed: () => {},
};

interface Net {
  w: World;
  a: Stack;
  b: Stack;
}

function net(link: { delayUs?: number; loss?: number; mtu?: number } = {}): Net {
  const w = new World({ seed: 5 });
  const a = w.host('a', { addresses: ['2001:db8::1/64', '10.0.0.1/24'] });
  const b = w.host('b', { addresses: ['2001:db8::2/64', '10.0.0.2/24'] });
  w.link(a, b, { delayUs: 1000, ...link });
  return { w, a: a.stack, b: b.stack };
}

/** An echo server that says whom it has met. */
function echo(stack: Stack, address: string, ipv6Only = false): { met: string[]; mss: number[] } {
  const met: string[] = [];
  const mss: number[] = [];
  stack.listen({
    address,
    port: 80,
    ipv6Only,
    handler: {
      accept: (_server, s) => {
        met.push(`${s.family} ${s.localAddress} ${s.remoteAddress}`);
        mss.push(s.info().snd_mss);
        return {
          ...QUIET,
          data: (x, u8, off, len) => void x.write(u8.slice(off, off + len), 0, len),
          ended: (x) => x.shutdown(),
        };
      },
    },
  });
  return { met, mss };
}

/** Sends octets and answers what came back, or the errno. */
function ask(n: Net, from: Stack, address: string, octets: number): number {
  const out = new Uint8Array(octets).map((_, i) => i * 7);
  let back = 0;
  let code = 1;
  let sent = 0;
  const push = (s: TcpSocket): void => {
    sent += s.send(out, sent, octets - sent);
    if (sent === octets) s.shutdown();
  };
  from.connect({
    address,
    port: 80,
    handler: {
      ...QUIET,
      opened: push,
      writable: push,
      data: (_s, u8, off, len) => {
        for (let i = 0; i < len; i++) {
          if (u8[off + i] !== ((back + i) * 7) % 256) throw new Error(`octet ${back + i}`);
        }
        back += len;
      },
      closed: (_s, c) => {
        code = c;
      },
    },
  });
  n.w.run({ untilUs: n.w.clock.nowUs() + 300_000_000 });
  return code === 0 ? back : code;
}

test('a dual-stack listener answers IPv6 and IPv4; MSS leaves room for the larger header', () => {
  const n = net();
  const { met, mss } = echo(n.b, '::');
  expect(ask(n, n.a, '2001:db8::2', 100_000)).toBe(100_000);
  expect(ask(n, n.a, '10.0.0.2', 100_000)).toBe(100_000);
  expect(met).toEqual(['6 2001:db8::2 2001:db8::1', '4 10.0.0.2 10.0.0.1']);
  // 1500 less headers of 40 or 20, 20, and timestamps of 12 octets (RFC 6691).
  expect(mss).toEqual([1428, 1448]);
});

test('with ipv6Only IPv4 is refused (RFC 3493 §5.3)', () => {
  const n = net();
  echo(n.b, '::', true);
  expect(ask(n, n.a, '2001:db8::2', 10)).toBe(10);
  expect(ask(n, n.a, '10.0.0.2', 10)).toBe(-111);
});

test('::1 is a host of its own, and a closed port on it refuses (RFC 4291 §2.5.3)', () => {
  const n = net();
  const { met } = echo(n.a, '::1');
  expect(ask(n, n.a, '::1', 70_000)).toBe(70_000);
  expect(met).toEqual(['6 ::1 ::1']);
  expect(ask(n, n.b, '::1', 10)).toBe(-111);
});

test('a transfer over a lossy IPv6 link of 1280 octets loses nothing', () => {
  const n = net({ loss: 0.05, mtu: 1280 });
  echo(n.b, '::');
  expect(ask(n, n.a, '2001:db8::2', 300_000)).toBe(300_000);
});

test('datagrams: fragments both ways, the sender’s address, ICMP refusal to a connected socket', () => {
  const n = net();
  const seen: string[] = [];
  const errors: number[] = [];
  const receiver = n.b.udp({
    address: '::',
    port: 53,
    handler: {
      datagram: (s, u8, off, len, from) => {
        seen.push(`${len} ${from.remote()}`);
        s.send(u8, off, len, from.remote(), from.port);
      },
      error: () => {},
      writable: () => {},
    },
  });
  const sender = n.a.udp({
    handler: {
      datagram: (_s, _u8, _off, len, from) => void seen.push(`back ${len} ${from.remote()}`),
      error: (_s, code) => void errors.push(code),
      writable: () => {},
    },
  });
  sender.connect('2001:db8::2', 53);
  expect(sender.send(new Uint8Array(5000), 0, 5000)).toBe(0);
  n.w.run({ untilUs: n.w.clock.nowUs() + 1_000_000 });
  expect(seen).toEqual(['5000 2001:db8::1', 'back 5000 2001:db8::2']);
  expect(n.a.counters.get('Ip6FragCreates')).toBe(4);
  receiver.close();
  sender.send(new Uint8Array(5), 0, 5);
  n.w.run({ untilUs: n.w.clock.nowUs() + 1_000_000 });
  expect(errors).toEqual([-111]);
});
