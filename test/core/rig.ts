// The example of docs/core.md, word for word: what an adapter for packet scripts needs.

import { copyPacket, type Link, packetLen, profile, SeededRandom, Stack } from '../../src/core.ts';

export class Rig {
  nowUs = 0;
  readonly sent: { atUs: number; packet: Uint8Array }[] = [];
  readonly stack = new Stack({
    random: new SeededRandom(7),
    nowUs: 0,
    config: profile('linux', { tcp: { testIss: 1000, testTsOffset: 0 } }),
  });
  readonly #link = this.stack.addLink(this.#makeLink());
  readonly #at = this.stack.slab.reserve(65_536);

  constructor() {
    this.stack.addAddress(this.#link, '192.0.2.1', 24);
    this.stack.addRoute('0.0.0.0', 0, { link: this.#link });
  }

  #makeLink(): Link {
    const transmit: Link['transmit'] = (tx) => {
      const packet = new Uint8Array(packetLen(tx));
      copyPacket(tx, this.stack.slab.u8, packet, 0);
      this.sent.push({ atUs: this.nowUs, packet });
      return true;
    };
    return { name: 'rig0', caps: 0, loopback: false, mtu: 1500, transmit, flush() {} };
  }

  /** One IP packet arrives now. */
  inject(packet: Uint8Array): void {
    this.stack.slab.u8.set(packet, this.#at);
    this.stack.tick(this.nowUs);
    this.stack.receive(this.#link, this.#at, packet.length);
    this.settle();
  }

  /** After calls on sockets: what they have to send goes now. */
  settle(): void {
    this.stack.advance(this.nowUs);
    this.stack.drain();
  }

  /** The clock goes on; each timer on the way acts at its own time. */
  runTo(us: number): void {
    for (let next = this.stack.nextDeadline(); next <= us; next = this.stack.nextDeadline()) {
      this.nowUs = Math.max(this.nowUs, next);
      this.settle();
    }
    this.nowUs = us;
    this.settle();
  }
}
