// A stack alone, its services reached over its own loopback: no device, no clock but a number.

import { SeededRandom } from '../../src/base/random.ts';
import type { Timers } from '../../src/services/service.ts';
import type { TcpHandler, TcpSocket } from '../../src/socket/tcp-socket.ts';
import type { UdpHandler, UdpSocket } from '../../src/socket/udp-socket.ts';
import { Stack } from '../../src/stack/stack.ts';

export class Loop implements Timers {
  readonly stack = new Stack({ random: new SeededRandom(1), nowUs: 1_000_000 });
  #now = 1_000_000;
  readonly #calls: { at: number; fn: () => void }[] = [];

  nowUs(): number {
    return this.#now;
  }

  after(us: number, fn: () => void): () => void {
    const call = { at: this.#now + us, fn };
    this.#calls.push(call);
    return () => {
      const i = this.#calls.indexOf(call);
      if (i >= 0) this.#calls.splice(i, 1);
    };
  }

  /** How many calls of services wait for their time. */
  get waiting(): number {
    return this.#calls.length;
  }

  /** Lets `ms` pass in steps of 1 ms. */
  run(ms: number): void {
    for (let i = 0; i < ms; i++) {
      this.#now += 1000;
      for (const call of this.#calls.filter((c) => c.at <= this.#now)) {
        const i = this.#calls.indexOf(call);
        if (i < 0) continue; // another one of this step has cancelled it
        this.#calls.splice(i, 1);
        call.fn();
      }
      this.stack.advance(this.#now);
      this.stack.drain();
    }
  }

  connect(port: number): Client {
    return new Client(this, port);
  }

  udp(port: number): UdpClient {
    return new UdpClient(this, port);
  }
}

/** A TCP client that keeps what it hears. */
export class Client implements TcpHandler {
  readonly socket: TcpSocket;
  readonly #loop: Loop;
  #heard: number[] = [];
  hasEnded = false;
  /** NaN while open. */
  code = Number.NaN;
  octets = 0;

  constructor(loop: Loop, port: number) {
    this.#loop = loop;
    this.socket = loop.stack.connect({
      address: '127.0.0.1',
      port,
      noDelay: true,
      handler: this,
    });
    loop.run(3);
  }

  /** Sends and lets 5 ms pass. */
  say(octets: Uint8Array | readonly number[]): void {
    const u8 = Uint8Array.from(octets);
    this.socket.write(u8, 0, u8.length);
    this.#loop.run(5);
  }

  /** What has come since the last call. */
  hear(): number[] {
    const heard = this.#heard;
    this.#heard = [];
    return heard;
  }

  opened(_s: TcpSocket): void {}
  data(_s: TcpSocket, u8: Uint8Array, off: number, len: number): void {
    this.octets += len;
    if (this.#heard.length < 100_000) this.#heard.push(...u8.subarray(off, off + len));
  }
  ended(_s: TcpSocket): void {
    this.hasEnded = true;
  }
  writable(_s: TcpSocket): void {}
  written(_s: TcpSocket, _n: number): void {}
  closed(_s: TcpSocket, code: number): void {
    this.code = code;
  }
}

export class UdpClient implements UdpHandler {
  readonly socket: UdpSocket;
  readonly #loop: Loop;
  readonly heard: number[][] = [];
  readonly errors: number[] = [];

  constructor(loop: Loop, port: number) {
    this.#loop = loop;
    this.socket = loop.stack.udp({ port, handler: this });
  }

  say(octets: readonly number[], to: number): void {
    if (!this.socket.connected) this.socket.connect('127.0.0.1', to);
    this.socket.send(Uint8Array.from(octets), 0, octets.length);
    this.#loop.run(3);
  }

  datagram(_s: UdpSocket, u8: Uint8Array, off: number, len: number): void {
    this.heard.push([...u8.subarray(off, off + len)]);
  }
  error(_s: UdpSocket, code: number): void {
    this.errors.push(code);
  }
  writable(_s: UdpSocket): void {}
}
