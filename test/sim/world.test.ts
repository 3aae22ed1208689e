import { describe, expect, test } from 'vitest';
import { fill, firstWrong } from '../../src/sim/stream.ts';
import { World } from '../../src/sim/world.ts';
import type { TcpHandler, TcpSocket } from '../../src/socket/tcp-socket.ts';

class Reader implements TcpHandler {
  octets = 0;
  code: number | null = null;
  wrong = -1;
  readonly key: number;
  constructor(key: number) {
    this.key = key;
  }
  opened(_s: TcpSocket): void {}
  data(_s: TcpSocket, u8: Uint8Array, off: number, len: number): void {
    if (this.wrong < 0) this.wrong = firstWrong(this.key, this.octets, u8, off, len);
    this.octets += len;
  }
  ended(s: TcpSocket): void {
    s.close();
  }
  writable(): void {}
  written(): void {}
  closed(_s: TcpSocket, code: number): void {
    this.code = code;
  }
}

class Writer extends Reader {
  readonly total: number;
  constructor(key: number, total: number) {
    super(key);
    this.total = total;
  }
  override opened(s: TcpSocket): void {
    const octets = new Uint8Array(this.total);
    fill(this.key, 0, octets, 0, this.total);
    s.write(octets, 0, this.total);
    s.shutdown();
  }
}

function transfer(world: World, total: number): { writer: Writer; reader: Reader } {
  const a = world.hosts[0];
  const b = world.hosts[1];
  const reader = new Reader(5);
  const writer = new Writer(5, total);
  const server = b?.stack.listen({ port: 80, handler: { accept: () => reader } });
  a?.stack.connect({ address: '10.0.0.2', port: 80, handler: writer });
  world.run({ untilUs: world.clock.nowUs() + 60_000_000, done: () => reader.code !== null });
  server?.close();
  world.run();
  return { writer, reader };
}

function twoHosts(seed: number): World {
  const world = new World({ seed });
  world.host('a', { addresses: ['10.0.0.1/24'] });
  world.host('b', { addresses: ['10.0.0.2/24'] });
  return world;
}

describe('a world', () => {
  test('moves a megabyte across a lossy cable and comes to rest', () => {
    const world = twoHosts(11);
    const [a, b] = world.hosts;
    if (a === undefined || b === undefined) throw new Error('hosts');
    world.link(a, b, { loss: 0.02, delayUs: 10_000 });
    const { writer, reader } = transfer(world, 1_000_000);
    expect([reader.octets, reader.wrong, reader.code, writer.code]).toEqual([1_000_000, -1, 0, 0]);
    expect(world.nextUs()).toBe(Infinity);
    expect(world.packets).toBeGreaterThan(700);
  });

  test('with offloads on the cable fewer packets carry the same octets', () => {
    const packets = (caps: number): number => {
      const world = twoHosts(12);
      const [a, b] = world.hosts;
      if (a === undefined || b === undefined) throw new Error('hosts');
      world.link(a, b, { delayUs: 1000 }, { caps });
      expect(transfer(world, 1_000_000).reader.octets).toBe(1_000_000);
      return world.packets;
    };
    expect(packets(15)).toBeLessThan(packets(0) / 2);
  });

  test('goodput follows the rate of the cable', () => {
    const world = twoHosts(13);
    const [a, b] = world.hosts;
    if (a === undefined || b === undefined) throw new Error('hosts');
    world.link(a, b, { rate: 1_000_000, delayUs: 5000, queue: 100_000 });
    const start = world.clock.nowUs();
    const reader = new Reader(5);
    b.stack.listen({ port: 80, handler: { accept: () => reader } });
    a.stack.connect({ address: '10.0.0.2', port: 80, handler: new Writer(5, 2_000_000) });
    world.run({ done: () => reader.octets === 2_000_000, untilUs: start + 60_000_000 });
    const seconds = (world.clock.nowUs() - start) / 1e6;
    expect(reader.octets).toBe(2_000_000);
    expect(2_000_000 / seconds).toBeGreaterThan(800_000);
    expect(2_000_000 / seconds).toBeLessThan(1_000_000);
  });

  test('three hosts: each cable has its own addresses', () => {
    const world = new World({ seed: 14 });
    const a = world.host('a', { addresses: ['10.0.0.1/24'] });
    const b = world.host('b', { addresses: ['10.0.0.2/24'] });
    const c = world.host('c');
    world.link(a, b);
    world.link(b, c, {}, { addresses: [['10.0.1.2/24'], ['10.0.1.3/24']] });
    const reader = new Reader(9);
    c.stack.listen({ port: 7, handler: { accept: () => reader } });
    b.stack.connect({ address: '10.0.1.3', port: 7, handler: new Writer(9, 50_000) });
    world.run({ untilUs: world.clock.nowUs() + 10_000_000, done: () => reader.code !== null });
    expect([reader.octets, reader.wrong]).toEqual([50_000, -1]);
  });
});
