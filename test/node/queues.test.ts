// Stacks that share their addresses, and a device that brings packets to any of them: a flow stays
// with its own, listeners share, and nobody resets what another one knows.

import { afterEach, describe, expect, test } from 'vitest';
import { Drop } from '../../src/base/drop.ts';
import { below, SeededRandom } from '../../src/base/random.ts';
import { Slab } from '../../src/base/slab.ts';
import { Cable, type PairEnd } from '../../src/link/pair.ts';
import {
  inboxOctets,
  makeSeat,
  Queues,
  type Seat,
  seatIn,
  splitPorts,
} from '../../src/node/queues.ts';
import type { TcpHandler } from '../../src/socket/tcp-socket.ts';
import { Stack } from '../../src/stack/stack.ts';
import { type Address, parse } from '../../src/wire/address.ts';

interface Member {
  readonly stack: Stack;
  readonly queues: Queues;
  /** Remote ports of the connections it has accepted. */
  readonly accepted: number[];
}

const open: Queues[] = [];
afterEach(() => {
  for (const q of open.splice(0)) q.stop();
});

/** `count` stacks on one end of a cable, a peer on the other. The device chooses at random. */
class Street {
  readonly members: Member[] = [];
  readonly peer: Stack;
  readonly #random = new SeededRandom(11);
  readonly #near: PairEnd;
  readonly #far: PairEnd;
  readonly #farLink: number;
  readonly #link: number[] = [];
  readonly #seat: Seat;
  nowUs = 1e6;

  constructor(count: number, config = {}) {
    const cable = new Cable();
    this.#near = cable.end('near');
    this.#far = cable.end('far');
    this.#seat = makeSeat(count);
    // One slab for all of them: what the cable brings can be anybody's.
    const slab = new Slab((12 << 20) * count + inboxOctets(this.#seat) * count);
    this.#near.attach(slab);
    for (let i = 0; i < count; i++) this.#join(slab, i, config);
    const far = new Slab(16 << 20);
    this.#far.attach(far);
    this.peer = new Stack({ slab: far, random: new SeededRandom(5), nowUs: this.nowUs });
    this.#farLink = this.peer.addLink(this.#far);
    this.peer.addAddress(this.#farLink, '10.0.0.1', 24);
  }

  #join(slab: Slab, i: number, config: object): void {
    const first = this.members[0]?.queues;
    const seat = first === undefined ? this.#seat : (first.promise() as Seat);
    expect(seat.index).toBe(i);
    const random = new SeededRandom(100 + i);
    const knobs = splitPorts(config, seat);
    const stack = new Stack({ slab, random, nowUs: this.nowUs, config: knobs });
    const link = stack.addLink(this.#near);
    stack.addAddress(link, '10.0.0.2', 24);
    const queues = new Queues(seat, stack, link);
    stack.ip.elsewhere = queues;
    queues.attach(slab);
    open.push(queues);
    this.#link.push(link);
    this.members.push({ stack, queues, accepted: [] });
  }

  /** Packets go back and forth until nobody has any; no timer acts. */
  settle(choose = (): number => below(this.#random, this.members.length)): void {
    for (let quiet = 0, turns = 0; quiet < 3 && turns < 10_000; turns++) {
      quiet++;
      this.nowUs += 10;
      while (this.#near.shift()) {
        quiet = 0;
        const i = choose();
        const { off, len, flags, gso } = this.#near;
        (this.members[i] as Member).stack.receive(this.#link[i] as number, off, len, flags, gso);
      }
      for (let i = 0; i < this.members.length; i++) {
        const { stack, queues } = this.members[i] as Member;
        while (queues.shift()) {
          quiet = 0;
          const { off, len, flags, gso } = queues;
          stack.receive(this.#link[i] as number, off, len, flags, gso);
        }
        stack.advance(this.nowUs);
        stack.drain();
        queues.release();
      }
      this.#near.release();
      while (this.#far.shift()) {
        quiet = 0;
        const { off, len, flags, gso } = this.#far;
        this.peer.receive(this.#farLink, off, len, flags, gso);
      }
      this.peer.advance(this.nowUs);
      this.peer.drain();
      this.#far.release();
    }
  }

  /** What the stacks send is lost. */
  cut(on: boolean): void {
    this.#far.up = !on;
  }

  listen(i: number, port: number): void {
    const { stack, accepted } = this.members[i] as Member;
    stack.listen({
      port,
      handler: {
        accept: (_server, s) => {
          accepted.push(s.remotePort);
          return echo;
        },
      },
    });
  }
}

const nothing = (): void => {};
const echo: TcpHandler = {
  opened: nothing,
  data: (s, u8, off, len) => {
    s.send(u8, off, len);
  },
  ended: (s) => s.shutdown(),
  writable: nothing,
  written: nothing,
  closed: nothing,
};

/** A client's connection, with what it heard. */
class Client {
  heard = '';
  code: number | null = null;
  constructor(stack: Stack, address: string, port: number, text: string) {
    const octets = new TextEncoder().encode(text);
    stack.connect({
      address,
      port,
      handler: {
        ...echo,
        opened: (s) => {
          s.send(octets, 0, octets.length);
          s.shutdown();
        },
        data: (_s, u8, off, len) => {
          this.heard += new TextDecoder().decode(u8.subarray(off, off + len));
        },
        ended: (s) => s.close(),
        closed: (_s, code) => {
          this.code = code;
        },
      },
    });
  }
}

const resets = (street: Street): number =>
  street.members.reduce((n, m) => n + (m.stack.counters.get('TcpOutRsts') ?? 0), 0);

describe('several stacks behind one device', () => {
  test('a flow stays with the stack that took it, wherever its packets come in', () => {
    const street = new Street(3);
    for (let i = 0; i < 3; i++) street.listen(i, 80);
    const clients = Array.from({ length: 60 }, (_, i) => {
      return new Client(street.peer, '10.0.0.2', 80, `${i} `.repeat(3000));
    });
    street.settle();
    expect(clients.map((c) => c.heard)).toEqual(clients.map((_, i) => `${i} `.repeat(3000)));
    const ports = street.members.flatMap((m) => m.accepted);
    expect([ports.length, new Set(ports).size, resets(street)]).toEqual([60, 60, 0]);
    expect(street.members.map((m) => m.accepted.length > 5)).toEqual([true, true, true]);
  });

  test('a port that one of them listens on is found, one that none does is refused once', () => {
    const street = new Street(3);
    street.listen(2, 80);
    const [there, gone] = [80, 81].map((port) => new Client(street.peer, '10.0.0.2', port, 'x'));
    street.settle(() => 0);
    expect([there?.heard, there?.code, gone?.code]).toEqual(['x', 0, -111]);
    // The one that the device had brought it to has answered, and nobody else.
    expect(street.members.map((m) => m.stack.counters.get('TcpOutRsts'))).toEqual([1, 0, 0]);
  });

  test('connections of their own never collide, and answers to another one come home', () => {
    const street = new Street(2, { tcp: { ephemeralLow: 40_000, ephemeralHigh: 40_039 } });
    street.peer.listen({ port: 7, handler: { accept: () => echo } });
    const clients = street.members.flatMap((m) =>
      Array.from({ length: 20 }, (_, i) => new Client(m.stack, '10.0.0.1', 7, `hello ${i}`)),
    );
    street.settle();
    expect(clients.map((c) => c.heard)).toEqual(
      [0, 1].flatMap(() => Array.from({ length: 20 }, (_, i) => `hello ${i}`)),
    );
    expect(resets(street)).toBe(0);
  });

  test('an ICMP error reaches the stack whose packet it quotes', () => {
    const street = new Street(2);
    const heard = street.members.map((m) => {
      const codes: number[] = [];
      const handler = {
        datagram: nothing,
        writable: nothing,
        error: (_s: unknown, code: number) => codes.push(code),
      };
      const socket = m.stack.udp({ handler });
      socket.connect('10.0.0.1', 53);
      socket.send(new Uint8Array(4), 0, 4);
      return codes;
    });
    street.settle(() => 0);
    // The peer has nobody on port 53, and all that it says of it comes to the first.
    expect(heard).toEqual([[-111], [-111]]);
  });

  test('a repeated SYN finds its embryo though a queue has gone since', () => {
    const street = new Street(3, { tcp: { rtoInitialMs: 30_000 } });
    for (let i = 0; i < 3; i++) street.listen(i, 80);
    const first = new Client(street.peer, '10.0.0.2', 80, 'a');
    street.settle(() => 1);
    expect(first.heard).toBe('a');
    const client = new Client(street.peer, '10.0.0.2', 80, 'b');
    street.peer.drain();
    street.cut(true); // the SYN is on its way, its answer will be lost
    street.settle(() => 1);
    street.cut(false);
    // The kernel's hash changes with the number of queues: what is repeated comes elsewhere.
    street.members[0]?.queues.vacate(2);
    street.nowUs += 1_100_000;
    street.settle(() => 0);
    expect([client.heard, resets(street)]).toEqual(['b', 0]);
    expect(street.members.map((m) => m.accepted.length)).toEqual([0, 2, 0]);
    expect(street.members[0]?.queues.stats().passed).toBeGreaterThan(0);
    expect(street.members[0]?.queues.stats().alive).toEqual([0, 1]);
  });

  test('a datagram for a group is heard by all of them', () => {
    const street = new Street(3);
    const heard: number[] = [];
    street.members.forEach((m, i) => {
      const handler = { datagram: () => heard.push(i), error: nothing, writable: nothing };
      const socket = m.stack.udp({ port: 5000, handler });
      socket.groups.join('239.1.2.3', 1);
    });
    const sender = street.peer.udp({
      handler: { datagram: nothing, error: nothing, writable: nothing },
    });
    sender.sendWith(new Uint8Array(4), 0, 4, {
      address: parse('239.1.2.3') as Address,
      port: 5000,
    });
    street.settle(() => 1);
    expect(heard.sort()).toEqual([0, 1, 2]);
  });

  test('a full ring loses packets and counts them; nothing is answered', () => {
    const street = new Street(2);
    const { stack, queues } = street.members[0] as Member;
    const { rx } = stack.ip;
    Object.assign(rx, { linkId: 1, off: 0, l4Off: 20, l4Len: 60_000, dstPort: 80 });
    // 512 KiB hold eight of 60,020 octets with 32 of words.
    const answers = Array.from({ length: 12 }, () => queues.pass(rx, false));
    expect(answers).toEqual(Array(12).fill(true));
    expect([queues.stats().passed, queues.stats().dropped]).toEqual([8, 4]);
    expect(stack.counters.drops[Drop.FULL_RING]).toBe(4);
  });
});

describe('a seat', () => {
  test('is promised to one thread only, and free again when that has ended', () => {
    const street = new Street(2);
    const first = (street.members[0] as Member).queues;
    expect(first.promise()).toBeNull();
    first.vacate(1);
    expect(first.promise()?.index).toBe(1);
    expect(first.promise()).toBeNull();
  });

  test('is found in the data of a worker, beside what the program put there', () => {
    const seat = makeSeat(2);
    const data = { mine: 1, portside: { seat, options: { mtu: 1400 } } };
    expect(seatIn(data)).toEqual({ seat, options: { mtu: 1400 } });
    expect([seatIn(null), seatIn({}), seatIn({ portside: 1 })]).toEqual([null, null, null]);
  });

  test('takes a part of the ephemeral ports that no other seat has', () => {
    const memory = new SharedArrayBuffer(8);
    const parts = [0, 1, 2].map((index) => splitPorts({}, { memory, index, count: 3 }).tcp);
    expect(parts.map((p) => [p?.ephemeralLow, p?.ephemeralHigh])).toEqual([
      [32_768, 42_177],
      [42_178, 51_587],
      [51_588, 60_997],
    ]);
  });
});
