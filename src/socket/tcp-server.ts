// The handle of a listening port.

import { Code, CodeError } from '../base/code.ts';
import { DstKind } from '../base/rx.ts';
import { admitHeld, refuseHeld } from '../tcp/gate.ts';
import type { Balance, Listener, ListenerUser } from '../tcp/listen.ts';
import { Ready, type Tcb } from '../tcp/tcb.ts';
import { type TcpLayer, wake } from '../tcp/tcp.ts';
import * as user from '../tcp/user.ts';
import { type Address, format, parsePrefix, V4_MAPPED } from '../wire/address.ts';
import { boundLink } from './bound-link.ts';
import { ECN_MODES } from './tcp-options.ts';
import {
  applyOptions,
  type TcpHandler,
  type TcpOptions,
  TcpSocket,
  toAddress,
} from './tcp-socket.ts';

/** A peer whose SYN is held until one of the three is called (ServerHandler.gate). */
export interface Knock {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly family: number;
  /** The handshake goes on. */
  admit(): void;
  /** RST: the peer sees ECONNREFUSED. */
  reset(): void;
  /** Silence: the peer sees its own timeout. */
  ignore(): void;
}

export interface ServerHandler {
  /**
   * Given: each SYN is held, unanswered, until the program has decided, at most `gateTimeoutMs` of
   * the stack's configuration. There are no SYN cookies then: a full SYN queue drops.
   */
  gate?(server: TcpServer, knock: Knock): void;
  /** One connection is ready. Its handler, or null to refuse it with RST. */
  accept(server: TcpServer, s: TcpSocket): TcpHandler | null;
}

export interface ListenOptions extends TcpOptions {
  /** Default `::`: every address of both families. */
  address?: string | Address | undefined;
  /** 0: any free port. */
  port: number;
  /**
   * Every port of a prefix (`'10.9.0.0/16'`, `'::/0'` for every address of both families) on which
   * nobody else listens, instead of `address` and `port`: each connection's local address and port
   * are those that the peer asked for.
   */
  prefix?: string | undefined;
  /**
   * Among sharers of a port (`reusePort`): whose the peer's connections are, 0 … members − 1 in the
   * order of listening. A pure function: it is asked again for each segment without a connection.
   */
  balance?: Balance | undefined;
  backlog?: number | undefined;
  ipv6Only?: boolean | undefined;
  /** Share the port with other listeners that say the same. */
  reusePort?: boolean | undefined;
  /** RFC 7413: take data from SYNs with a good cookie, at most so many unproven at once. */
  fastOpen?: number | undefined;
  handler: ServerHandler;
}

/** Until the program has answered, a connection has this handler. */
const NOBODY: TcpHandler = {
  opened() {},
  data() {},
  ended() {},
  writable() {},
  written() {},
  closed() {},
};

export class TcpServer implements ListenerUser {
  owner: unknown = null;
  handler: ServerHandler;
  readonly layer: TcpLayer;
  #listener: Listener | null = null;
  /** What children get: a copy of what listen was told, and of what came later. */
  readonly #inherited: ListenOptions;

  constructor(layer: TcpLayer, told: ListenOptions) {
    const o = { ...told };
    this.layer = layer;
    this.#inherited = o;
    this.handler = o.handler;
    if (o.prefix !== undefined) {
      this.#listener = this.#listenPrefix(o, o.prefix);
      return;
    }
    const address = toAddress(o.address ?? '::', 'listen');
    let port = o.port;
    const any =
      (address.a | address.b | address.d) === 0 && (address.c === 0 || address.c === V4_MAPPED);
    if (!any && !isOurs(layer, address)) {
      throw new CodeError(Code.EADDRNOTAVAIL, 'listen', address.toString(), port);
    }
    const binding = {
      port,
      a: address.a,
      b: address.b,
      c: address.c,
      d: address.d,
      v6Only: o.ipv6Only === true,
      share: o.reusePort === true,
      slot: -1,
      link: boundLink(layer.ip, o.link, 'listen'),
    };
    if (port === 0) {
      const { ephemeralLow, ephemeralHigh } = layer.config;
      port = layer.ports.ephemeral(layer.random, ephemeralLow, ephemeralHigh, (p) => {
        return !layer.ports.taken({ ...binding, port: p });
      });
      if (port < 0) throw new CodeError(Code.EADDRINUSE, 'listen', address.toString(), 0);
    }
    try {
      this.#listener = user.listen(
        layer,
        { ...binding, port },
        o.backlog ?? layer.config.backlogDefault,
        this,
        (t) => applyOptions(t, o),
      );
      this.#configure(this.#listener, o);
    } catch (error) {
      if (error instanceof CodeError)
        throw new CodeError(error.errno, 'listen', address.toString(), port);
      throw error;
    }
  }

  #listenPrefix(o: ListenOptions, text: string): Listener {
    const prefix = parsePrefix(text);
    if (prefix === null || o.link !== undefined)
      throw new CodeError(Code.EINVAL, 'listen', text, 0);
    const backlog = o.backlog ?? this.layer.config.backlogDefault;
    const listener = user.listenPrefix(this.layer, prefix, backlog, this, (t) =>
      applyOptions(t, o),
    );
    this.#configure(listener, o);
    return listener;
  }

  #configure(listener: Listener, o: ListenOptions): void {
    listener.fastOpenLimit = o.fastOpen ?? 0;
    listener.receiveBuffer = Math.max(0, o.receiveBuffer ?? 0);
    listener.maxSegment = Math.max(0, o.maxSegment ?? 0);
    listener.ecn = o.ecn === undefined ? -1 : ECN_MODES[o.ecn];
    listener.gated = o.handler.gate !== undefined;
    listener.balance = o.balance ?? null;
  }

  /** Other options for the connections to come. */
  adjust(o: Partial<ListenOptions>): void {
    const listener = this.#listener;
    if (listener === null) return;
    Object.assign(this.#inherited, o);
    this.#configure(listener, this.#inherited);
  }

  get listening(): boolean {
    return this.#listener !== null;
  }
  get port(): number {
    return this.#listener === null ? 0 : this.#listener.binding.port;
  }
  get address(): string {
    if (this.#listener === null) return '';
    const { a, b, c, d } = this.#listener.binding;
    return format(a, b, c, d);
  }
  get family(): number {
    return this.#listener !== null && this.#listener.binding.c === V4_MAPPED ? 4 : 6;
  }
  get backlog(): number {
    return this.#listener === null ? 0 : this.#listener.backlog;
  }
  /** Established connections that wait to be accepted. */
  get waiting(): number {
    return this.#listener === null ? 0 : this.#listener.waiting.length;
  }

  /** New connections wait in the accept queue, at most `backlog` of them. */
  pause(): void {
    if (this.#listener !== null) this.#listener.paused = true;
  }

  resume(): void {
    const listener = this.#listener;
    if (listener === null || !listener.paused) return;
    listener.paused = false;
    for (const slot of listener.waiting) {
      const t = this.layer.connections[slot];
      if (t !== null && t !== undefined) wake(t, Ready.ACCEPT);
    }
  }

  /** While paused: the oldest connection of the accept queue, or null. */
  take(handler: TcpHandler): TcpSocket | null {
    const listener = this.#listener;
    if (listener === null || listener.waiting.length === 0) return null;
    const t = this.layer.connections[listener.waiting.shift() as number];
    if (t === null || t === undefined) return null;
    t.listener = -1;
    const s = new TcpSocket(t, handler);
    wake(t, Ready.DATA | Ready.ENDED | Ready.CLOSED);
    return s;
  }

  /** Stops listening. Accepted connections live on; waiting ones are reset. */
  close(): void {
    const listener = this.#listener;
    if (listener === null) return;
    this.#listener = null;
    user.unlisten(this.layer, listener);
  }

  // --- ListenerUser ---------------------------------------------------------------------------
  knocked(t: Tcb): void {
    const p = t.path;
    const knock: Knock = {
      remoteAddress: format(p.dst0, p.dst1, p.dst2, p.dst3),
      remotePort: t.remotePort,
      localAddress: format(p.src0, p.src1, p.src2, p.src3),
      localPort: t.localPort,
      family: p.family,
      admit: () => admitHeld(t),
      reset: () => refuseHeld(t, true),
      ignore: () => refuseHeld(t, false),
    };
    if (this.handler.gate === undefined) knock.admit();
    else this.handler.gate(this, knock);
  }
  accepted(t: Tcb): void {
    const s = new TcpSocket(t, NOBODY);
    let handler: TcpHandler | null = null;
    try {
      handler = this.handler.accept(this, s);
    } finally {
      if (handler === null) t.user = null;
      else s.handler = handler;
    }
  }
}

function isOurs(layer: TcpLayer, a: Address): boolean {
  return layer.ip.addresses.kindOf(a.a, a.b, a.c, a.d) === DstKind.UNICAST;
}
