// The driver alone, over a stack that only notes what it is asked.

import { describe, expect, it } from 'vitest';
import { Slab } from '../../src/base/slab.ts';
import type { Link } from '../../src/link/link.ts';
import type { Clock } from '../../src/node/clock.ts';
import { Driver } from '../../src/node/driver.ts';
import type { DeviceLink, DeviceSink } from '../../src/node/tun.ts';
import type { Stack } from '../../src/stack/stack.ts';

class NotingStack {
  readonly calls: string[] = [];
  deadline = Infinity;
  throws: Error | null = null;
  tick(nowUs: number): void {
    this.calls.push(`tick ${nowUs}`);
  }
  advance(nowUs: number): void {
    this.calls.push(`advance ${nowUs}`);
  }
  receive(link: number, off: number, len: number, flags: number, gso: number): void {
    this.calls.push(`receive ${link} ${off} ${len} ${flags} ${gso}`);
  }
  drain(): void {
    this.calls.push('drain');
    const error = this.throws;
    this.throws = null;
    if (error !== null) throw error;
  }
  nextDeadline(): number {
    return this.deadline;
  }
}

class HandClock implements Clock {
  now = 1000;
  armed: number[] = [];
  cancelled = 0;
  run: (() => void) | null = null;
  nowUs(): number {
    return this.now;
  }
  after(delayUs: number, run: () => void): () => void {
    this.armed.push(delayUs);
    this.run = run;
    return () => {
      this.cancelled++;
      this.run = null;
    };
  }
}

interface Rig {
  stack: NotingStack;
  clock: HandClock;
  driver: Driver;
}

function rig(): Rig {
  const stack = new NotingStack();
  const clock = new HandClock();
  return { stack, clock, driver: new Driver(stack as unknown as Stack, clock) };
}

class Device implements DeviceLink {
  readonly name = 'd0';
  mtu = 1500;
  readonly caps = 0;
  readonly loopback = false;
  readonly meta = new Int32Array(16);
  readonly device = { name: 'd0', index: 1, mtu: 1500, netns: '', offloads: [], created: false };
  sink: DeviceSink | null = null;
  log: string[] = [];
  start(_slab: Slab, rxBase: number, rxSize: number, sink: DeviceSink): void {
    this.log.push(`start ${rxBase} ${rxSize}`);
    this.sink = sink;
  }
  transmit(): boolean {
    return true;
  }
  flush(): void {}
  ref(): void {
    this.log.push('ref');
  }
  unref(): void {
    this.log.push('unref');
  }
  close(): void {
    this.log.push('close');
  }
}

const nextImmediate = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a batch of a device', () => {
  it('is tick, one receive a row, the deadlines, one drain', () => {
    const { stack, driver } = rig();
    const device = new Device();
    driver.attach(device, 3, new Slab(64), 64, 4096);
    device.meta.set([100, 40, 1, 0, 0, 0, 0, 0, 200, 65_000, 2, 1, 1448, 0, 0, 0]);
    device.sink?.batch(device, 2, 5000);
    expect(stack.calls).toEqual([
      'tick 5000',
      'receive 3 100 40 1 0',
      `receive 3 200 65000 2 ${1 | (1448 << 8)}`,
      'advance 5000',
      'drain',
    ]);
    expect(device.log).toEqual(['start 64 4096', 'unref']);
  });

  it('does the work that its packets make in its own drain, and what the drain leaves in another', async () => {
    const { stack, driver } = rig();
    const device = new Device();
    driver.attach(device, 1, new Slab(64), 0, 64);
    const received = stack.receive.bind(stack);
    stack.receive = (...row) => {
      received(...row);
      driver.work();
    };
    device.meta.set([100, 40, 0, 0, 0, 0, 0, 0]);
    device.sink?.batch(device, 1, 5000);
    await nextImmediate();
    const once = ['tick 5000', 'receive 1 100 40 0 0', 'advance 5000', 'drain'];
    expect(stack.calls).toEqual(once);
    const drained = stack.drain.bind(stack);
    stack.drain = () => {
      drained();
      stack.drain = drained;
      driver.work();
    };
    driver.flush();
    await nextImmediate();
    expect(stack.calls).toEqual([...once, 'advance 1000', 'drain', 'advance 1000', 'drain']);
  });

  it('that a handler ends with an exception is followed by another turn', async () => {
    const { stack, driver } = rig();
    const device = new Device();
    driver.attach(device, 1, new Slab(64), 0, 64);
    stack.throws = new Error('handler');
    expect(() => device.sink?.batch(device, 0, 5000)).toThrow('handler');
    await nextImmediate();
    expect(stack.calls).toEqual(['tick 5000', 'advance 5000', 'drain', 'advance 1000', 'drain']);
  });
});

describe('work of the program', () => {
  it('is one turn however often it is announced', async () => {
    const { stack, driver } = rig();
    driver.work();
    driver.work();
    process.nextTick(() => driver.work());
    expect(stack.calls).toEqual([]);
    await nextImmediate();
    expect(stack.calls).toEqual(['advance 1000', 'drain']);
    await nextImmediate();
    expect(stack.calls.length).toBe(2);
  });

  it('comes to nothing after stop', async () => {
    const { stack, clock, driver } = rig();
    stack.deadline = 9000;
    driver.flush();
    driver.work();
    driver.stop();
    await nextImmediate();
    expect(stack.calls).toEqual(['advance 1000', 'drain']);
    expect(clock.cancelled).toBe(1);
  });
});

describe('the one timer', () => {
  it('is set for the first deadline and again only for an earlier one', () => {
    const { stack, clock, driver } = rig();
    stack.deadline = 201_000;
    driver.flush();
    stack.deadline = 301_000;
    driver.flush();
    stack.deadline = 200_900; // half a millisecond earlier is not worth a timer
    driver.flush();
    expect([clock.armed, clock.cancelled]).toEqual([[200_000], 0]);
    stack.deadline = 51_000;
    driver.flush();
    expect([clock.armed, clock.cancelled]).toEqual([[200_000, 50_000], 1]);
  });

  it('runs a turn and is set for what is next', () => {
    const { stack, clock, driver } = rig();
    stack.deadline = 11_000;
    driver.flush();
    clock.now = 11_000;
    stack.deadline = 61_000;
    clock.run?.();
    expect(stack.calls).toEqual(['advance 1000', 'drain', 'advance 11000', 'drain']);
    expect(clock.armed).toEqual([10_000, 50_000]);
    stack.deadline = Infinity;
    clock.now = 61_000;
    clock.run?.();
    expect(clock.armed).toEqual([10_000, 50_000]);
  });

  it('lets a device’s waiting packets go first: poll comes before the check phase', async () => {
    const { stack, clock, driver } = rig();
    driver.attach(new Device(), 1, new Slab(64), 0, 64);
    stack.deadline = 11_000;
    driver.flush();
    stack.calls.length = 0;
    clock.now = 11_000;
    clock.run?.();
    expect(stack.calls).toEqual([]);
    await nextImmediate();
    expect(stack.calls).toEqual(['advance 11000', 'drain']);
  });
});

describe('links that are asked', () => {
  it('give at most 256 packets a turn and are released after the drain', async () => {
    const { stack, driver } = rig();
    let left = 300;
    const released: number[] = [];
    const link = {
      name: 'p0',
      mtu: 1500,
      caps: 0,
      loopback: false,
      off: 7,
      len: 40,
      flags: 0,
      gso: 0,
      onPackets: null as (() => void) | null,
      transmit: () => true,
      flush: () => {},
      shift: () => left-- > 0,
      release: () => released.push(stack.calls.length),
    };
    driver.attach(link as Link, 2, new Slab(64), 0, 0);
    link.onPackets?.();
    await nextImmediate();
    expect(stack.calls.filter((c) => c.startsWith('receive')).length).toBe(256);
    expect(released).toEqual([258]);
    await nextImmediate();
    expect(stack.calls.filter((c) => c.startsWith('receive')).length).toBe(300);
  });
});

describe('the event loop', () => {
  it('is held while something holds, unless muted, until stop', () => {
    const { driver } = rig();
    const device = new Device();
    driver.attach(device, 1, new Slab(64), 0, 64);
    device.log.length = 0;
    driver.hold();
    driver.hold();
    driver.release();
    expect(device.log).toEqual(['ref']);
    driver.mute(true);
    driver.mute(false);
    driver.release();
    expect(device.log).toEqual(['ref', 'unref', 'ref', 'unref']);
    driver.stop();
    expect(device.log).toEqual(['ref', 'unref', 'ref', 'unref', 'close']);
  });
});
