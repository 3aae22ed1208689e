// Echo, RFC 862: TCP and UDP port 7. What cannot be sent back at once waits in one bounded rest
// while reading is paused, so a client that does not read is slowed and costs no memory.

import type { TcpHandler, TcpSocket } from '../socket/tcp-socket.ts';
import type { UdpHandler, UdpMeta, UdpSocket } from '../socket/udp-socket.ts';
import type { Stack } from '../stack/stack.ts';
import { mayAnswer, type Service } from './service.ts';

export const ECHO_PORT = 7;
const NOTHING = new Uint8Array(0);

export class EchoConnection implements TcpHandler {
  readonly #open: Set<TcpSocket>;
  /** Octets that `send` has not taken yet: [#at, #end) of #rest. Empty when #at === #end. */
  #rest: Uint8Array = NOTHING;
  #at = 0;
  #end = 0;
  #finished = false;

  constructor(open: Set<TcpSocket>) {
    this.#open = open;
  }

  /** Octets kept until there is room. */
  get waiting(): number {
    return this.#end - this.#at;
  }

  opened(_s: TcpSocket): void {}

  data(s: TcpSocket, u8: Uint8Array, off: number, len: number): void {
    let taken = 0;
    if (this.#at === this.#end) taken = s.send(u8, off, len);
    if (taken === len) return;
    this.#keep(u8, off + taken, len - taken);
    s.pause();
  }

  ended(s: TcpSocket): void {
    this.#finished = true;
    if (this.#at === this.#end) s.close();
  }

  writable(s: TcpSocket): void {
    if (this.#at < this.#end) {
      this.#at += s.send(this.#rest, this.#at, this.#end - this.#at);
      if (this.#at < this.#end) return;
      this.#rest = NOTHING;
      this.#at = 0;
      this.#end = 0;
    }
    if (this.#finished) s.close();
    else s.resume();
  }

  written(_s: TcpSocket, _n: number): void {}

  closed(s: TcpSocket, _code: number): void {
    this.#open.delete(s);
    this.#rest = NOTHING;
    this.#at = 0;
    this.#end = 0;
  }

  /** At most one delivery is kept: `pause` holds back all that follows. */
  #keep(u8: Uint8Array, off: number, len: number): void {
    const before = this.#end - this.#at;
    const kept = new Uint8Array(before + len);
    kept.set(this.#rest.subarray(this.#at, this.#end), 0);
    kept.set(u8.subarray(off, off + len), before);
    this.#rest = kept;
    this.#at = 0;
    this.#end = kept.length;
  }
}

class EchoDatagrams implements UdpHandler {
  readonly #ownPorts: ReadonlySet<number>;
  constructor(ownPorts: ReadonlySet<number>) {
    this.#ownPorts = ownPorts;
  }

  datagram(s: UdpSocket, u8: Uint8Array, off: number, len: number, from: UdpMeta): void {
    if (!mayAnswer(from.port, this.#ownPorts)) return;
    // From the address that was asked; a full queue loses the answer, as UDP may.
    s.reply(u8, off, len, from);
  }

  error(_s: UdpSocket, _code: number): void {}

  writable(_s: UdpSocket): void {}
}

/** @param ownPorts source ports that get no UDP answer besides those below 1024 */
export function startEcho(stack: Stack, ownPorts: ReadonlySet<number>): Service {
  const open = new Set<TcpSocket>();
  const server = stack.listen({
    port: ECHO_PORT,
    noDelay: true,
    handler: {
      accept(_server, s): TcpHandler {
        open.add(s);
        return new EchoConnection(open);
      },
    },
  });
  const udp = stack.udp({ port: ECHO_PORT, handler: new EchoDatagrams(ownPorts) });
  return {
    name: 'echo',
    listens: [
      { protocol: 'tcp', port: ECHO_PORT },
      { protocol: 'udp', port: ECHO_PORT },
    ],
    close(): void {
      server.close();
      udp.close();
      for (const s of [...open]) s.abort();
    },
  };
}
