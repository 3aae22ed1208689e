// The far end of the UDP cells of `portside bench`: a counter that says now and then how many
// datagrams have come, and a source that sends while it is asked to. On the core's handles, and on
// modules of node:dgram's shape.

import type * as dgram from 'node:dgram';
import { performance } from 'node:perf_hooks';
import type { UdpHandler, UdpMeta, UdpSocket } from '../../socket/udp-socket.ts';
import type { Stack } from '../../stack/stack.ts';
import { Address } from '../../wire/address.ts';
import type { Modules } from '../net-services.ts';

export const COUNT_PORT = 4009;
export const SOURCE_PORT = 4019;
/** Datagrams between two reports of the counter. */
const EVERY = 64;
/** Datagrams that the source sends in a turn, or has under way. */
const WINDOW = 64;
/** How long one request keeps the source going. */
const GO_MS = 50;

/** A count as the load generator reads it: a double as the machine has it. */
class Count {
  readonly octets = new Uint8Array(8);
  readonly #value = new Float64Array(this.octets.buffer);

  /** True: it is time to report. */
  add(): boolean {
    this.#value[0] = (this.#value[0] as number) + 1;
    return (this.#value[0] as number) % EVERY === 0;
  }
}

class CoreCounter implements UdpHandler {
  readonly #count = new Count();
  datagram(s: UdpSocket, _u8: Uint8Array, _off: number, _len: number, from: UdpMeta): void {
    if (this.#count.add()) s.reply(this.#count.octets, 0, 8, from);
  }
  error(_s: UdpSocket, _code: number): void {}
  writable(_s: UdpSocket): void {}
}

class CoreSource implements UdpHandler {
  readonly #message: Uint8Array;
  #to: Address | null = null;
  #port = 0;
  #untilMs = 0;
  #going = false;

  constructor(size: number) {
    this.#message = new Uint8Array(size).fill(0x78);
  }

  datagram(s: UdpSocket, _u8: Uint8Array, _off: number, _len: number, from: UdpMeta): void {
    this.#to = new Address(from.src0, from.src1, from.src2, from.src3);
    this.#port = from.port;
    this.#untilMs = performance.now() + GO_MS;
    if (!this.#going) this.#pump(s);
  }

  error(_s: UdpSocket, _code: number): void {}
  writable(_s: UdpSocket): void {}

  #pump(s: UdpSocket): void {
    const to = this.#to;
    this.#going = to !== null && !s.closed && performance.now() < this.#untilMs;
    if (!this.#going || to === null) return;
    const message = this.#message;
    for (let i = 0; i < WINDOW; i++) {
      if (s.send(message, 0, message.length, to, this.#port) !== 0) break;
    }
    setImmediate(() => this.#pump(s));
  }
}

export function startCoreDatagrams(stack: Stack, size: number): void {
  stack.udp({ address: '0.0.0.0', port: COUNT_PORT, handler: new CoreCounter() });
  stack.udp({ address: '0.0.0.0', port: SOURCE_PORT, handler: new CoreSource(size) });
}

async function bound(modules: Modules, port: number): Promise<dgram.Socket> {
  const socket = modules.dgram.createSocket({ type: 'udp4' });
  socket.on('error', () => {});
  await new Promise<void>((resolve) => socket.bind(port, resolve));
  return socket;
}

/**
 * A source that keeps WINDOW sends under way while it is asked to, connected to who has asked: as a
 * program that sends a stream of datagrams would be.
 */
class NetSource {
  readonly #socket: dgram.Socket;
  readonly #message: Buffer;
  #untilMs = 0;
  #under = 0;
  #idle = true;

  constructor(socket: dgram.Socket, size: number) {
    this.#socket = socket;
    this.#message = Buffer.alloc(size, 'x');
    socket.on('message', (_data, from) => this.#go(from));
  }

  #go(from: dgram.RemoteInfo): void {
    this.#untilMs = performance.now() + GO_MS;
    if (!this.#idle) return;
    this.#idle = false;
    this.#socket.connect(from.port, from.address, () => this.#pump());
  }

  readonly #sent = (): void => {
    this.#under--;
    this.#pump();
  };

  #pump(): void {
    const goes = performance.now() < this.#untilMs;
    while (goes && this.#under < WINDOW) {
      this.#under++;
      this.#socket.send(this.#message, this.#sent);
    }
    if (goes || this.#under > 0 || this.#idle) return;
    this.#idle = true;
    this.#socket.disconnect();
  }
}

export async function startNetDatagrams(modules: Modules, size: number): Promise<void> {
  const count = new Count();
  const counter = await bound(modules, COUNT_PORT);
  counter.on('message', (_data, from) => {
    if (count.add()) counter.send(count.octets, from.port, from.address);
  });
  new NetSource(await bound(modules, SOURCE_PORT), size);
}
