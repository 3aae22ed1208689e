// Two hosts of the simulated world with Berkeley-like sockets on them.

import { expect } from 'vitest';
import { World } from '../../src/sim/world.ts';
import type { StreamSocket } from '../../src/socket/stream-socket.ts';

export const PORT = 4000;

export class Pair {
  readonly world = new World({ seed: 5 });
  readonly a = this.world.host('a', { addresses: ['10.0.0.1/24'] });
  readonly b = this.world.host('b', { addresses: ['10.0.0.2/24'] });
  readonly listener: StreamSocket;
  readonly client: StreamSocket;
  constructor() {
    this.world.link(this.a, this.b, { delayUs: 5000 });
    this.listener = this.b.stack.stream();
    this.client = this.a.stack.stream();
  }

  /** The clock goes on so far that what is on its way arrives. */
  settle(ms = 100): this {
    this.world.run({ untilUs: this.world.clock.nowUs() + ms * 1000 });
    return this;
  }

  listen(backlog?: number): this {
    expect(this.listener.bind('10.0.0.2', PORT)).toBe(0);
    expect(this.listener.listen(backlog)).toBe(0);
    return this;
  }

  connected(): StreamSocket {
    this.listen();
    expect(this.client.connect('10.0.0.2', PORT)).toBe(0);
    this.settle();
    const child = this.listener.accept();
    if (typeof child === 'number') throw new Error(`accept: ${child}`);
    return child;
  }
}

export const octets = (n: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => i & 255);

export function read(s: StreamSocket, n: number): Uint8Array | number {
  const to = new Uint8Array(n);
  const got = s.receive(to);
  return got < 0 ? got : to.subarray(0, got);
}
