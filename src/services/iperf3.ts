// An iperf3 server (port 5201 by convention) on the core's handles, for the real iperf3 clients:
// plain, -R, -P, --bidir, -u, --get-server-output. Control and data connections arrive at one port
// and tell themselves apart by their cookie. A UDP stream is a connected socket of its own on the
// same port, beside a fresh wildcard socket for the next one.

import { DstKind } from '../base/rx.ts';
import type { TcpHandler, TcpSocket } from '../socket/tcp-socket.ts';
import type { UdpHandler, UdpMeta, UdpSocket } from '../socket/udp-socket.ts';
import type { Stack } from '../stack/stack.ts';
import { fromAscii } from './ascii.ts';
import { COOKIE_OCTETS, State, UDP_HELLO_OCTETS, UDP_HELLO_REPLY } from './iperf3-protocol.ts';
import { type Owner, Session } from './iperf3-session.ts';
import { mayAnswer, type Service, type Timers } from './service.ts';

export const IPERF3_PORT = 5201;

/** A connection shows its cookie within this time. */
const COOKIE_US = 10e6;

export interface Iperf3Options {
  readonly timers: Timers;
  /** Source ports that get no UDP answer besides those below 1024. */
  readonly ownPorts: ReadonlySet<number>;
  readonly port?: number;
  readonly cpu?: () => { userUs: number; systemUs: number };
}

class Iperf3Server implements Owner, UdpHandler {
  readonly port: number;
  readonly timers: Timers;
  readonly cpu: () => { userUs: number; systemUs: number };
  readonly open = new Set<TcpSocket>();
  readonly #stack: Stack;
  readonly #ownPorts: ReadonlySet<number>;
  #session: Session | null = null;
  /** Waits for the hello of the next UDP stream. */
  #udp: UdpSocket | null = null;

  constructor(stack: Stack, options: Iperf3Options) {
    this.#stack = stack;
    this.port = options.port ?? IPERF3_PORT;
    this.timers = options.timers;
    this.#ownPorts = options.ownPorts;
    this.cpu = options.cpu ?? (() => ({ userUs: 0, systemUs: 0 }));
  }

  accept(s: TcpSocket): TcpHandler {
    this.open.add(s);
    return new Arrival(this, s);
  }

  /** A new connection has shown `cookie`: what it is decides who goes on with it. */
  route(s: TcpSocket, cookie: string): TcpHandler | null {
    const session = this.#session;
    if (session === null) {
      this.#session = new Session(cookie, s, this);
      return this.#session;
    }
    if (session.wantsStreams && !session.udp && session.cookie === cookie) {
      return session.joinTcp(s);
    }
    s.send(Uint8Array.of(State.ACCESS_DENIED & 0xff), 0, 1);
    return null;
  }

  /** After `route`: a test whose last stream has come begins. */
  settle(): void {
    this.#session?.startIfComplete();
  }

  finished(session: Session): void {
    if (this.#session !== session) return;
    this.#session = null;
    this.#closeUdp();
  }

  openUdp(): boolean {
    try {
      this.#udp = this.#stack.udp({ port: this.port, handler: this });
      return true;
    } catch {
      return false; // somebody else holds the port
    }
  }

  datagram(s: UdpSocket, _u8: Uint8Array, _off: number, len: number, from: UdpMeta): void {
    const session = this.#session;
    if (s !== this.#udp || session === null || !session.wantsStreams) return;
    if (len < UDP_HELLO_OCTETS || !mayAnswer(from.port, this.#ownPorts)) return;
    if (from.dstKind !== DstKind.UNICAST) return;
    this.#closeUdp();
    const socket = this.#connected(from);
    if (socket === null) {
      this.openUdp();
      return;
    }
    socket.handler = session.joinUdp(socket, `${socket.remoteAddress} port ${socket.remotePort}`);
    socket.send(Uint8Array.from(UDP_HELLO_REPLY), 0, UDP_HELLO_REPLY.length);
    session.startIfComplete();
  }

  /** A socket for one sender, on the address that it has addressed. */
  #connected(from: UdpMeta): UdpSocket | null {
    const remote = from.remote();
    const { port } = from;
    try {
      const socket = this.#stack.udp({ address: from.local(), port: this.port, handler: this });
      socket.connect(remote, port);
      return socket;
    } catch {
      return null; // no way back to the sender
    }
  }

  error(_s: UdpSocket, _code: number): void {}
  writable(_s: UdpSocket): void {}

  close(): void {
    this.#closeUdp();
    this.#session?.end();
    for (const s of [...this.open]) s.abort();
  }

  #closeUdp(): void {
    this.#udp?.close();
    this.#udp = null;
  }
}

/** Reads the cookie of a new connection, then passes everything to whoever takes it. */
class Arrival implements TcpHandler {
  readonly #server: Iperf3Server;
  readonly #cancel: () => void;
  readonly #cookie = new Uint8Array(COOKIE_OCTETS);
  #have = 0;
  #next: TcpHandler | null = null;

  constructor(server: Iperf3Server, s: TcpSocket) {
    this.#server = server;
    this.#cancel = server.timers.after(COOKIE_US, () => s.abort());
  }

  opened(_s: TcpSocket): void {}

  data(s: TcpSocket, u8: Uint8Array, off: number, len: number): void {
    let at = off;
    if (this.#next === null) {
      const n = Math.min(len, COOKIE_OCTETS - this.#have);
      if (n === 0) return;
      this.#cookie.set(u8.subarray(off, off + n), this.#have);
      this.#have += n;
      at += n;
      if (this.#have < COOKIE_OCTETS) return;
      this.#cancel();
      this.#next = this.#server.route(s, fromAscii(this.#cookie, 0, COOKIE_OCTETS - 1));
      if (this.#next === null) {
        s.close();
        return;
      }
      this.#server.settle();
    }
    if (at < off + len) this.#next.data(s, u8, at, off + len - at);
  }

  ended(s: TcpSocket): void {
    if (this.#next === null) s.close();
    else this.#next.ended(s);
  }

  writable(s: TcpSocket): void {
    this.#next?.writable(s);
  }

  written(s: TcpSocket, n: number): void {
    this.#next?.written(s, n);
  }

  closed(s: TcpSocket, code: number): void {
    this.#cancel();
    this.#server.open.delete(s);
    this.#next?.closed(s, code);
  }
}

export function startIperf3(stack: Stack, options: Iperf3Options): Service {
  const server = new Iperf3Server(stack, options);
  const listener = stack.listen({
    port: server.port,
    noDelay: true,
    handler: { accept: (_server, s) => server.accept(s) },
  });
  return {
    name: 'iperf3',
    listens: [
      { protocol: 'tcp', port: server.port },
      { protocol: 'udp', port: server.port },
    ],
    close(): void {
      listener.close();
      server.close();
    },
  };
}
