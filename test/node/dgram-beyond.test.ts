// What our dgram sockets have beyond node:dgram's: batches, TOS and ECN, where a datagram was sent
// to, ports that are shared by flow, buffers that bound.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DatagramBatch } from '../../src/node/dgram-batch.ts';
import type {
  BatchCallback,
  Datagram,
  PacketInfo,
  PortsideDgramSocket,
} from '../../src/node/dgram-extras.ts';
import { createHost, type Host } from '../../src/node/host.ts';

let host: Host;
const open: PortsideDgramSocket[] = [];

beforeAll(async () => {
  host = await createHost();
});
afterAll(async () => {
  for (const s of open) if (!isClosed(s)) s.close();
  await host.close({ deadlineMs: 100 });
});

function isClosed(s: PortsideDgramSocket): boolean {
  try {
    s.address();
    return false;
  } catch (error) {
    return (error as { code: string }).code === 'ERR_SOCKET_DGRAM_NOT_RUNNING';
  }
}

type Options = Parameters<Host['dgram']['createSocket']>[0];

async function socket(options: Options = 'udp4', address = '127.0.0.1', port = 0) {
  const s = host.dgram.createSocket(options);
  open.push(s);
  s.bind(port, address);
  await once(s, 'listening');
  return { s, port: (s.address() as AddressInfo).port };
}

function batchOf(s: PortsideDgramSocket): Promise<DatagramBatch> {
  return new Promise((resolve) => s.once('batch', resolve));
}

type List = readonly (string | ArrayBufferView | Datagram)[];

function sendAll(
  s: PortsideDgramSocket,
  list: List,
  port?: number,
  address?: string,
): Promise<[Error | null, number]> {
  return new Promise((resolve) => {
    const done: BatchCallback = (error, n) => resolve([error, n]);
    s.sendBatch(list, port ?? done, address ?? done, done);
  });
}

describe('sendBatch', () => {
  it('sends every form, in order, and says how many are gone', async () => {
    const { s, port } = await socket();
    const { s: c } = await socket();
    const got = batchOf(s);
    const list = ['text', Buffer.from('buffer'), new Uint16Array([0x4241]), { data: 'own', port }];
    expect(await sendAll(c, list, port)).toEqual([null, 4]);
    const batch = await got;
    expect([...batch].map(({ data }) => data.toString())).toEqual(['text', 'buffer', 'AB', 'own']);
  });

  it('binds a socket that is not bound, and closes with it', async () => {
    const { s, port } = await socket();
    const c = host.dgram.createSocket('udp4');
    open.push(c);
    const got = batchOf(s);
    expect(await sendAll(c, ['a', 'b'], port, '127.0.0.1')).toEqual([null, 2]);
    expect((await got).port(1)).toBe((c.address() as AddressInfo).port);
    c.close();
    expect(() => c.sendBatch(['x'], port)).toThrow('Not running');
  });

  it('goes to the peer of a connected socket, and to others by the datagram', async () => {
    const { s, port } = await socket();
    const { s: c } = await socket();
    c.connect(port, '127.0.0.1');
    await once(c, 'connect');
    const got = batchOf(s);
    expect(await sendAll(c, ['1', '2', '3'])).toEqual([null, 3]);
    expect((await got).length).toBe(3);
  });

  it('an empty list is done at once', async () => {
    const { s: c } = await socket();
    expect(await sendAll(c, [], 9)).toEqual([null, 0]);
  });

  it('one that is too large is the error; the others go', async () => {
    const { s, port } = await socket();
    const { s: c } = await socket();
    const got = batchOf(s);
    const [error, n] = await sendAll(c, ['a', Buffer.alloc(65_508), 'b'], port);
    expect([(error as NodeJS.ErrnoException).code, n]).toEqual(['EMSGSIZE', 2]);
    expect((await got).length).toBe(2);
    const failed = once(c, 'error');
    c.sendBatch([Buffer.alloc(65_508)], port);
    expect(((await failed)[0] as NodeJS.ErrnoException).code).toBe('EMSGSIZE');
  });

  it('more than the send buffer holds waits for room, and all of it goes', async () => {
    const { s, port } = await socket();
    const { s: c } = await socket();
    c.setSendBufferSize(4000);
    let heard = 0;
    const all = new Promise<void>((resolve) => {
      s.on('batch', (batch) => {
        heard += batch.length;
        if (heard === 40) resolve();
      });
    });
    const done = sendAll(
      c,
      Array.from({ length: 40 }, () => Buffer.alloc(1000)),
      port,
    );
    // Eight have gone, and the first that did not fit stands with the rest in the queue.
    expect([c.getSendQueueCount(), c.getSendQueueSize()]).toEqual([32, 32_000]);
    expect(await done).toEqual([null, 40]);
    await all;
    expect(c.getSendQueueCount()).toBe(0);
  });

  // biome-ignore format: a table
  const wrong: [string, unknown, number | undefined, string | undefined, string][] = [
    ['no list', 'x', 9, undefined, 'ERR_INVALID_ARG_TYPE'],
    ['no data', [{}], 9, undefined, 'ERR_INVALID_ARG_TYPE'],
    ['a number', [5], 9, undefined, 'ERR_INVALID_ARG_TYPE'],
    ['no port', ['x'], undefined, undefined, 'ERR_SOCKET_BAD_PORT'],
    ['a port too large', ['x'], 65_536, undefined, 'ERR_SOCKET_BAD_PORT'],
    ['a name', ['x'], 9, 'localhost', 'ERR_INVALID_ARG_VALUE'],
    ['a TOS of 256', [{ data: 'x', tos: 256 }], 9, undefined, 'ERR_INVALID_ARG_VALUE'],
    ['a TTL of 0', [{ data: 'x', ttl: 0 }], 9, undefined, 'ERR_INVALID_ARG_VALUE'],
    ['a source that is none', [{ data: 'x', localAddress: 'lo' }], 9, undefined,
      'ERR_INVALID_ARG_VALUE'],
  ];
  it.each(wrong)('%s is refused before anything goes', async (_name, list, port, to, code) => {
    const { s } = await socket();
    let thrown = '';
    try {
      s.sendBatch(list as string[], port, to);
    } catch (error) {
      thrown = (error as { code: string }).code;
    }
    expect(thrown).toBe(code);
  });
});

describe("the event 'batch'", () => {
  it('has what was sent together in one piece, and takes the place of message', async () => {
    const { s, port } = await socket();
    const { s: c, port: from } = await socket();
    const messages: string[] = [];
    s.on('message', (m) => messages.push(m.toString()));
    const got = batchOf(s);
    await sendAll(c, ['one', '', 'three'], port);
    const batch = await got;
    expect(batch.length).toBe(3);
    expect([0, 1, 2].map((i) => [batch.offset(i), batch.size(i)])).toEqual([
      [0, 3],
      [3, 0],
      [3, 5],
    ]);
    expect(batch.octets.toString()).toBe('onethree');
    expect(batch.data(2).buffer).toBe(batch.octets.buffer);
    const rinfo = { address: '127.0.0.1', family: 'IPv4', port: from, size: 5 };
    expect(batch.rinfo(2)).toEqual(rinfo);
    expect([batch.localAddress(0), batch.ttl(0), batch.tos(0), batch.ecn(0)]).toEqual([
      '127.0.0.1',
      64,
      0,
      0,
    ]);
    expect(() => batch.data(3)).toThrow('There is no datagram 3');
    // Nobody listens to batches any more: messages again.
    const message = once(s, 'message');
    await sendAll(c, ['four'], port);
    await message;
    expect(messages).toEqual(['four']);
  });

  it('keeps what it has: the next batch does not change it', async () => {
    const { s, port } = await socket();
    const { s: c } = await socket();
    const first = batchOf(s);
    await sendAll(c, ['aaaa'], port);
    const kept = await first;
    const second = batchOf(s);
    await sendAll(c, ['bbbb'], port);
    await second;
    expect(kept.data(0).toString()).toBe('aaaa');
  });

  it('a datagram of every size, many more than its memory was made for', async () => {
    const { s, port } = await socket();
    const { s: c } = await socket();
    const sizes = Array.from({ length: 300 }, (_, i) => (i * 37) % 1400);
    const got: number[] = [];
    let isRight = true;
    const all = new Promise<void>((resolve) => {
      s.on('batch', (batch) => {
        for (const { data } of batch) {
          isRight &&= data.every((x) => x === (got.length & 255));
          got.push(data.length);
        }
        if (got.length === sizes.length) resolve();
      });
    });
    for (let i = 0; i < sizes.length; i += 50) {
      const part = sizes.slice(i, i + 50);
      await sendAll(
        c,
        part.map((n, k) => Buffer.alloc(n, (i + k) & 255)),
        port,
      );
      // Delivered before the next: together they are more than the receive buffer.
      await new Promise((resolve) => setImmediate(resolve));
    }
    await all;
    expect([got, isRight]).toEqual([sizes, true]);
  });

  it('shows an IPv4 sender of an IPv6 socket as mapped', async () => {
    const { s, port } = await socket('udp6', '::');
    const { s: c } = await socket();
    const got = batchOf(s);
    await sendAll(c, ['x'], port);
    const batch = await got;
    expect([batch.address(0), batch.localAddress(0)]).toEqual([
      '::ffff:127.0.0.1',
      '::ffff:127.0.0.1',
    ]);
    expect(batch.rinfo(0).family).toBe('IPv6');
  });
});

describe('TOS, ECN and the address that was addressed', () => {
  it('of each datagram, and of the socket (RFC 2474, RFC 3168)', async () => {
    const { s, port } = await socket('udp4', '0.0.0.0');
    const { s: c } = await socket('udp4', '0.0.0.0');
    const got = batchOf(s);
    expect(c.setTOS(0x28)).toBe(0x28);
    const list = [
      { data: 'a', tos: 0xbb, ttl: 9, address: '127.0.0.7', localAddress: '127.0.0.8' },
      { data: 'b', address: '127.0.0.9' },
    ];
    expect(await sendAll(c, list, port)).toEqual([null, 2]);
    const batch = await got;
    const seen = [0, 1].map((i) => [
      batch.tos(i),
      batch.ecn(i),
      batch.ttl(i),
      batch.address(i),
      batch.localAddress(i),
    ]);
    expect(seen).toEqual([
      [0xbb, 3, 9, '127.0.0.8', '127.0.0.7'],
      [0x28, 0, 64, '127.0.0.1', '127.0.0.9'],
    ]);
  });

  it('stand in rinfo with packetInfo, and only then', async () => {
    const plain = await socket('udp4', '0.0.0.0');
    const { s, port } = await socket({ type: 'udp4', packetInfo: true }, '0.0.0.0');
    const { s: c } = await socket();
    const got = once(s, 'message');
    await sendAll(c, [{ data: 'x', tos: 1 }], port, '127.0.0.4');
    const [, rinfo] = (await got) as [Buffer, PacketInfo];
    const info = { localAddress: '127.0.0.4', ttl: 64, tos: 1, ecn: 1 };
    expect(rinfo).toMatchObject(info);
    const other = once(plain.s, 'message');
    await sendAll(c, ['x'], plain.port);
    expect(Object.keys((await other)[1] as object)).toEqual(['address', 'family', 'port', 'size']);
  });

  it('setTOS and setDontFragment refuse what is wrong', async () => {
    const { s } = await socket();
    expect(() => s.setTOS(256)).toThrow('setTOS EINVAL');
    expect(() => s.setTOS('1' as unknown as number)).toThrow('"tos" argument');
    expect(() => host.dgram.createSocket('udp4').setTOS(1)).toThrow('setTOS EBADF');
    s.setDontFragment(true);
    s.close();
    expect(() => s.setDontFragment(true)).toThrow('Not running');
  });
});

describe('buffers that bound', () => {
  it('what does not fit the receive buffer is lost, and counted', async () => {
    const { s, port } = await socket();
    s.setRecvBufferSize(1152);
    expect(s.getRecvBufferSize()).toBe(2304);
    const { s: c } = await socket();
    const before = host.stack.counters.get('UdpRcvbufErrors');
    const got = batchOf(s);
    await sendAll(
      c,
      Array.from({ length: 10 }, () => Buffer.alloc(500)),
      port,
    );
    // A datagram costs its octets and 128: three fit 2304.
    expect((await got).length).toBe(3);
    expect(host.stack.counters.get('UdpRcvbufErrors') - before).toBe(7);
  });
});

describe('reusePort', () => {
  it('spreads senders over sockets, and each stays with one', async () => {
    const options = { type: 'udp4', reusePort: true } as const;
    const { s: a, port } = await socket(options);
    const { s: b } = await socket(options, '127.0.0.1', port);
    const heard = new Map<number, Set<string>>();
    let left = 0;
    let done = (): void => {};
    for (const [name, s] of [
      ['a', a],
      ['b', b],
    ] as const) {
      s.on('message', (_m, from) => {
        heard.set(from.port, (heard.get(from.port) ?? new Set()).add(name));
        left--;
        if (left === 0) done();
      });
    }
    const senders = await Promise.all(Array.from({ length: 24 }, () => socket()));
    left = senders.length * 2;
    const all = new Promise<void>((resolve) => {
      done = resolve;
    });
    for (const { s } of senders) await sendAll(s, ['1', '2'], port);
    await all;
    const holders = [...heard.values()];
    expect(holders.every((names) => names.size === 1)).toBe(true);
    expect(new Set(holders.map((names) => [...names][0]))).toEqual(new Set(['a', 'b']));
  });

  it('does not mix with reuseAddr: EADDRINUSE', async () => {
    const { port } = await socket({ type: 'udp4', reusePort: true });
    const s = host.dgram.createSocket({ type: 'udp4', reuseAddr: true });
    open.push(s);
    const failed = once(s, 'error');
    s.bind(port, '127.0.0.1');
    expect(((await failed)[0] as NodeJS.ErrnoException).code).toBe('EADDRINUSE');
  });
});
