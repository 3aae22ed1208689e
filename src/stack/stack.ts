// The walk of a packet on one page, and the four verbs of the core (docs/architecture.md):
// `receive` a packet that lies in the slab, `advance` the clock, `drain` what became ready, and
// `nextDeadline`. Nothing here reads a clock, a random source or a device.

import { Code, CodeError } from '../base/code.ts';
import { Counters, Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import { RxFlag } from '../base/rx.ts';
import { Slab } from '../base/slab.ts';
import { forward } from '../forward/forward.ts';
import type { Filter } from '../forward/packet-view.ts';
import * as configureIp from '../ip/configure.ts';
import { drainEchoes } from '../ip/echo.ts';
import { notePort } from '../ip/ether.ts';
import { inputEther } from '../ip/ether-input.ts';
import * as icmp from '../ip/icmp.ts';
import { protocolUnreachable } from '../ip/icmp-send.ts';
import * as icmp6 from '../ip/icmp6.ts';
import { protocolUnreachable6 } from '../ip/icmp6-send.ts';
import * as igmp from '../ip/igmp.ts';
import { input4 } from '../ip/input4.ts';
import { input6 } from '../ip/input6.ts';
import { drop, flushLinks, IpLayer, noteMtus, Verdict } from '../ip/ip.ts';
import type { NeighborRow } from '../ip/neighbor.ts';
import type { RouteSpec } from '../ip/routes.ts';
import * as ipTimers from '../ip/timers.ts';
import type { Link } from '../link/link.ts';
import { Loopback } from '../link/loopback.ts';
import { offloaded } from '../link/offload.ts';
import { type PingOptions, PingSocket } from '../socket/ping-socket.ts';
import { StreamSocket } from '../socket/stream-socket.ts';
import { type ListenOptions, TcpServer } from '../socket/tcp-server.ts';
import { type ConnectOptions, connect, type TcpSocket } from '../socket/tcp-socket.ts';
import { openUdpSocket, type UdpOptions, type UdpSocket } from '../socket/udp-socket.ts';
import { drainTcp } from '../tcp/deliver.ts';
import { takeIcmpError as tcpIcmpError } from '../tcp/icmp.ts';
import { input as tcpInput } from '../tcp/input.ts';
import { TcpLayer } from '../tcp/tcp.ts';
import * as tcpTimers from '../tcp/timers.ts';
import * as udpDrain from '../udp/drain.ts';
import { error as udpIcmpError, input as udpInput } from '../udp/input.ts';
import { UdpLayer } from '../udp/udp.ts';
import { type Prefix, parsePrefix } from '../wire/address.ts';
import * as checksum from '../wire/checksum.ts';
import { type Config, configure } from './config.ts';
import type { RouteOptions, StackOptions } from './options.ts';
import { Routing } from './routing.ts';
import {
  type End,
  type FlowRow,
  flowTables,
  kill,
  memory,
  neighbors,
  type SocketRow,
  sockets,
} from './snapshot.ts';

export type { RouteOptions, StackOptions } from './options.ts';

const DEFAULT_SLAB = 8 << 20;

export class Stack {
  readonly slab: Slab;
  readonly config: Config;
  readonly counters = new Counters();
  readonly ip: IpLayer;
  readonly udpLayer: UdpLayer;
  readonly tcp: TcpLayer;
  readonly loopback: Loopback;
  /** What this stack does as a router. */
  readonly routing: Routing;
  onWork: () => void;
  #asked = false;
  #draining = false;

  constructor(o: StackOptions) {
    this.slab = o.slab ?? new Slab(DEFAULT_SLAB);
    this.config = configure(o.config);
    this.onWork = o.onWork ?? (() => {});
    const u8 = this.slab.u8;
    const sum = o.sum ?? ((off, len, initial) => checksum.sum(u8, off, len, initial));
    this.ip = new IpLayer(this.slab, this.config.ip, o.random, this.counters, sum);
    this.ip.memory.cap = this.config.stack.memoryOctets;
    this.tcp = new TcpLayer(this.ip, this.config.tcp, o.random);
    this.tcp.onWork = () => this.#work();
    this.udpLayer = new UdpLayer(this.ip, this.config.udp, o.random);
    this.udpLayer.onWork = () => this.#work();
    this.ip.echoes.onWork = () => {
      if (!this.#draining) this.#work();
    };
    const { loopbackOctets, loopbackPackets } = this.config.stack;
    this.loopback = new Loopback(this.slab, loopbackOctets, loopbackPackets);
    this.ip.links.push(this.loopback);
    this.routing = new Routing(this);
    this.advance(o.nowUs ?? 0);
  }

  // --- the four verbs -------------------------------------------------------------------------

  /**
   * One packet: `len` octets at `off` of the slab, an IP header first, on an Ethernet its header.
   * @param flags bits of RxFlag
   * @param gso GsoType | segment size << 8; 0 for a single packet
   */
  receive(link: number, off: number, len: number, flags = 0, gso = 0): void {
    const ip = this.ip;
    const rx = ip.rx;
    rx.linkId = link;
    rx.off = off;
    rx.len = len;
    rx.flags = flags;
    rx.gsoType = gso & 0xff;
    rx.gsoSize = gso >>> 8;
    const values = this.counters.values;
    values[Ctr.PortsideRxPackets] = (values[Ctr.PortsideRxPackets] as number) + 1;
    const tap = ip.tap;
    if (tap !== null) tap.arrived(rx);
    try {
      this.#walk();
    } catch {
      values[Ctr.PortsideExceptions] = (values[Ctr.PortsideExceptions] as number) + 1;
      drop(ip, rx, Drop.INTERNAL);
    }
    if (tap !== null) tap.judged();
  }

  /**
   * The clock is `nowUs`, and no deadline acts yet. For packets that waited while the process did
   * not run: the acknowledgment among them comes before the timer that it stops.
   */
  tick(nowUs: number): void {
    if (nowUs > this.ip.nowUs) this.ip.nowUs = nowUs;
    this.tcp.deadlines.tick(this.ip.nowUs);
  }

  /** The clock is `nowUs`: deadlines that have passed act. */
  advance(nowUs: number): void {
    const ip = this.ip;
    if (nowUs > ip.nowUs) ip.nowUs = nowUs;
    noteMtus(ip);
    tcpTimers.advance(this.tcp);
    udpDrain.advance(this.udpLayer);
    ipTimers.advance(ip);
    this.routing.advance();
  }

  /**
   * Tells handlers what has happened, sends what may go, flushes the links. Runs in rounds until
   * nothing is left, at most `maxDrainRounds`, of which `maxLoopbackHops` take in what was sent
   * over loopback. Raises the first error that a handler has thrown when everything is done.
   */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#asked = false;
    this.tcp.draining = true;
    this.udpLayer.draining = true;
    const limits = this.config.stack;
    try {
      let more = true;
      let hops = 0;
      for (let round = 0; more && round < limits.maxDrainRounds; round++) {
        if (this.loopback.pending > 0 && ++hops > limits.maxLoopbackHops) break;
        while (this.loopback.shift()) {
          const lo = this.loopback;
          this.receive(lo.link, lo.off, lo.len, lo.flags, lo.gso);
        }
        more = drainTcp(this.tcp);
        // A datagram's handler may have opened a connection, or written to one.
        if (this.#drainUdp() || this.tcp.ready.size > 0) more = true;
        if (this.#drainEchoes()) more = true;
        this.loopback.release();
        flushLinks(this.ip);
        if (this.loopback.pending > 0) more = true;
      }
      if (more) this.#work();
    } finally {
      this.#draining = false;
      this.tcp.draining = false;
      this.udpLayer.draining = false;
    }
    this.#raise();
  }

  /** When `advance` is wanted next: absolute µs, Infinity = never. */
  nextDeadline(): number {
    const transports = Math.min(
      tcpTimers.nextDeadline(this.tcp),
      udpDrain.nextDeadline(this.udpLayer),
    );
    return Math.min(transports, ipTimers.nextDeadline(this.ip), this.routing.nextDeadline());
  }

  #drainUdp(): boolean {
    if (this.udpLayer.ready.size === 0) return false;
    try {
      return udpDrain.drainReady(this.udpLayer);
    } catch (error) {
      this.tcp.errors.push(error);
      return this.udpLayer.ready.size > 0;
    }
  }

  #drainEchoes(): boolean {
    try {
      return drainEchoes(this.ip);
    } catch (error) {
      this.tcp.errors.push(error);
      return this.ip.echoes.ready.size > 0;
    }
  }

  // --- the walk -------------------------------------------------------------------------------

  #walk(): void {
    const ip = this.ip;
    const rx = ip.rx;
    if ((rx.flags & RxFlag.BAD_META) !== 0) {
      drop(ip, rx, Drop.BAD_META);
      return;
    }
    if (rx.len < 1) {
      drop(ip, rx, Drop.PKT_TOO_SMALL);
      return;
    }
    if (ip.etherCount > 0) {
      const port = ip.ethers[rx.linkId];
      if (port !== null && port !== undefined && inputEther(ip, rx, port) !== Verdict.DELIVER) {
        return;
      }
    }
    const version = (rx.u8[rx.off] as number) >> 4;
    const verdict = version === 6 ? input6(ip, rx) : input4(ip, rx);
    if (verdict === Verdict.FORWARD) forward(this.routing.forwarding, rx);
    if (verdict !== Verdict.DELIVER) return;
    if (ip.router !== null && !this.routing.forwarding.askIn(rx)) return;
    // The only place where the layers meet.
    switch (rx.protocol) {
      case 6:
        tcpInput(this.tcp, rx);
        return;
      case 17:
        udpInput(this.udpLayer, rx);
        return;
      case 1:
        if (rx.family !== 4) protocolUnreachable6(ip, rx);
        else if (icmp.input(ip, rx) === Verdict.ERROR) this.#icmpError();
        return;
      case 2:
        if (rx.family === 4) igmp.input(ip, rx);
        else protocolUnreachable6(ip, rx);
        return;
      case 58:
        if (rx.family !== 6) protocolUnreachable(ip, rx);
        else if (icmp6.input6(ip, rx) === Verdict.ERROR) this.#icmpError();
        return;
      default:
        if (rx.family === 6) protocolUnreachable6(ip, rx);
        else protocolUnreachable(ip, rx);
    }
  }

  /** A transport decides whether the packet that an error quotes was its own. */
  #icmpError(): void {
    const { protocol } = this.ip.icmpError;
    if (protocol === 6) {
      if (!tcpIcmpError(this.tcp)) this.ip.elsewhere?.pass(this.ip.rx, false);
    } else if (protocol === 17) udpIcmpError(this.udpLayer);
  }

  #work(): void {
    if (this.#asked) return;
    this.#asked = true;
    this.onWork();
  }

  #raise(): void {
    const errors = this.tcp.errors;
    if (errors.length === 0) return;
    const first = errors.shift();
    if (errors.length > 0) this.#work();
    throw first;
  }

  // --- links, addresses, routes -----------------------------------------------------------------

  /** Adds a link and answers its id. What the link cannot do (checksums, GSO) is done before it. */
  addLink(link: Link): number {
    const id = this.ip.links.push(offloaded(link, this.slab, checksum.sum)) - 1;
    notePort(this.ip, id, link);
    return id;
  }

  /** Forgets a link with its addresses and routes. */
  removeLink(id: number): void {
    configureIp.removeLink(this.ip, id);
  }

  /** Throws CodeError: EINVAL, EADDRINUSE, ENODEV, ENOBUFS. */
  addAddress(link: number, address: string, length: number, o: { own?: 'all' } = {}): void {
    const prefix = this.#prefix(address, length);
    const code = configureIp.addAddress(this.ip, link, prefix, o.own === 'all');
    if (code !== Code.NONE) throw new CodeError(code, 'address', `${address}/${length}`);
  }

  removeAddress(link: number, address: string, length: number, o: { own?: 'all' } = {}): void {
    const prefix = this.#prefix(address, length);
    const code = configureIp.removeAddress(this.ip, link, prefix, o.own === 'all');
    if (code !== Code.NONE) throw new CodeError(code, 'address', `${address}/${length}`);
  }

  /** Throws CodeError: EINVAL, ENODEV, ENOBUFS. */
  addRoute(destination: string, length: number, o: RouteOptions): void {
    const code = configureIp.addRoute(this.ip, this.#route(destination, length, o));
    if (code !== Code.NONE) throw new CodeError(code, 'route', `${destination}/${length}`);
  }

  /** Throws CodeError: EINVAL, ENETUNREACH when there is no such route. */
  removeRoute(destination: string, length: number, o: RouteOptions): void {
    const code = configureIp.removeRoute(this.ip, this.#route(destination, length, o));
    if (code !== Code.NONE) throw new CodeError(code, 'route', `${destination}/${length}`);
  }

  #route(destination: string, length: number, o: RouteOptions): RouteSpec {
    const prefix = this.#prefix(destination, length);
    const gateway = o.gateway === undefined ? null : this.#prefix(o.gateway, 0).address;
    return { prefix, linkId: o.link, gateway, metric: o.metric ?? 0, mtu: o.mtu ?? 0 };
  }

  #prefix(address: string, length: number): Prefix {
    const prefix = parsePrefix(`${address}/${length}`);
    if (prefix === null) throw new CodeError(Code.EINVAL, 'address', `${address}/${length}`);
    return prefix;
  }

  // --- a router (docs/forwarding.md) ------------------------------------------------------------

  /** Who is asked about each packet; null: nobody. */
  get filter(): Filter | null {
    return this.routing.filter;
  }
  set filter(filter: Filter | null) {
    this.routing.setFilter(filter);
  }

  // --- sockets ----------------------------------------------------------------------------------

  /** Opens a connection. Throws CodeError; later fate comes to the handler. */
  connect(o: ConnectOptions): TcpSocket {
    return connect(this.tcp, o);
  }

  /** Opens a UDP socket. Throws CodeError EINVAL, EADDRINUSE, EADDRNOTAVAIL, ENOBUFS. */
  udp(o: UdpOptions): UdpSocket {
    return openUdpSocket(this.udpLayer, o);
  }

  /** Opens a socket for echo requests. Throws CodeError ENOBUFS. */
  ping(o: PingOptions): PingSocket {
    return new PingSocket(this.ip, o);
  }

  /** A socket with Berkeley-like calls: pull-style reading, readiness, linger. */
  stream(): StreamSocket {
    return new StreamSocket(this.tcp);
  }

  /** Every socket, as `ss` lists them; `state` is an ss name. */
  sockets(state?: string): SocketRow[] {
    return sockets(this, state);
  }

  /** Resets the connection between two ends (`ss -K`); whether there was one. */
  kill(local: End, remote: End): boolean {
    return kill(this, local, remote);
  }

  /** Load and probe lengths of the flow tables. */
  flowTables(): FlowRow[] {
    return flowTables(this);
  }

  /** Neighbours on Ethernet links, as `ip neigh` lists them. */
  neighbors(): NeighborRow[] {
    return neighbors(this);
  }

  /** Octets held for peers and programs: `used`, `cap`, and by kind. */
  memory(): { used: number; cap: number } & Record<string, number> {
    return memory(this);
  }

  /** Listens. Throws CodeError EADDRINUSE, EADDRNOTAVAIL, EINVAL. */
  listen(o: ListenOptions): TcpServer {
    return new TcpServer(this.tcp, o);
  }
}
