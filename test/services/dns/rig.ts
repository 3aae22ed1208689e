// A client and its name servers as hosts of the simulated world: real packets, a clock that jumps.

import { DNS_DEFAULTS, type DnsConfig, type DnsReply } from '../../../src/services/dns/config.ts';
import { HostsTable } from '../../../src/services/dns/hosts.ts';
import { type LookupReply, lookup } from '../../../src/services/dns/lookup.ts';
import { DnsResolver } from '../../../src/services/dns/resolver.ts';
import type { SimHost } from '../../../src/sim/host.ts';
import { World } from '../../../src/sim/world.ts';
import type { TcpHandler, TcpSocket } from '../../../src/socket/tcp-socket.ts';
import type { UdpMeta, UdpSocket } from '../../../src/socket/udp-socket.ts';
import { type Address, parse } from '../../../src/wire/address.ts';
import type { DnsRecord } from '../../../src/wire/dns.ts';
import { type From, Responder } from '../../kit/dns-zone.ts';

export const PORT = 53;
const MOST_STEPS = 1_000_000;

export function ip(text: string): Address {
  const address = parse(text);
  if (address === null) throw new Error(`not an address: ${text}`);
  return address;
}

/** A name server on handles. */
export class CoreServer extends Responder {
  readonly host: SimHost;
  readonly address: string;
  /** Runs in the place of each answer over UDP: repeats, forgeries, delays. */
  send: (octets: Uint8Array, reply: (octets: Uint8Array) => void) => void = (octets, reply) => {
    reply(octets);
  };
  readonly udp: UdpSocket;
  /** Connections that are open. */
  readonly connections = new Set<TcpSocket>();

  constructor(host: SimHost, address: string, zone: readonly DnsRecord[]) {
    super(zone);
    this.host = host;
    this.address = address;
    this.udp = host.stack.udp({
      port: PORT,
      handler: {
        datagram: (s, u8, off, len, meta) => this.#datagram(s, u8.slice(off, off + len), meta),
        error: () => {},
        writable: () => {},
      },
    });
    host.stack.listen({ port: PORT, handler: { accept: () => this.#connection() } });
  }

  #datagram(s: UdpSocket, octets: Uint8Array, meta: UdpMeta): void {
    const to = meta.remote();
    const { port } = meta;
    const answer = this.respond(octets, 'udp', { address: to.toString(), port });
    if (answer === null) return;
    this.send(answer, (out) => {
      s.send(out, 0, out.length, to, port);
    });
  }

  /** One question a connection; the answer goes out in two pieces. */
  #connection(): TcpHandler {
    const heard: number[] = [];
    return {
      opened: () => {},
      data: (s, u8, off, len) => {
        this.connections.add(s);
        heard.push(...u8.subarray(off, off + len));
        const length = ((heard[0] ?? 0) << 8) | (heard[1] ?? 0);
        if (heard.length < 2 || heard.length < 2 + length) return;
        const from: From = { address: s.remoteAddress, port: s.remotePort };
        const answer = this.respond(Uint8Array.from(heard.slice(2)), 'tcp', from);
        if (answer === null) return;
        s.send(Uint8Array.of(answer.length >> 8), 0, 1);
        const rest = Uint8Array.of(answer.length & 255, ...answer);
        s.send(rest, 0, rest.length);
      },
      ended: (s) => s.close(),
      writable: () => {},
      written: () => {},
      closed: (s) => {
        this.connections.delete(s);
      },
    };
  }
}

export interface RigOptions {
  readonly servers?: number;
  readonly zone?: readonly DnsRecord[];
  readonly config?: Partial<DnsConfig>;
  readonly hosts?: string;
  readonly delayUs?: number;
}

export class Rig {
  readonly world = new World({ seed: 7 });
  readonly client: SimHost;
  readonly servers: CoreServer[] = [];
  readonly resolver: DnsResolver;
  readonly hosts: HostsTable | null;

  constructor(options: RigOptions = {}) {
    const { servers = 1, zone = [], config = {}, hosts, delayUs = 1000 } = options;
    this.client = this.world.host('client', { addresses: ['10.0.0.1/32'] });
    for (let i = 0; i < servers; i++) {
      const address = `10.0.0.${10 + i}`;
      const host = this.world.host(`server${i}`, { addresses: [`${address}/32`] });
      const addresses = [i === 0 ? this.client.addresses : [], [`${address}/32`]];
      this.world.link(
        this.client,
        host,
        { delayUs },
        {
          addresses: addresses as unknown as readonly [string[], string[]],
        },
      );
      host.stack.addRoute('0.0.0.0', 0, { link: 1 });
      this.servers.push(new CoreServer(host, address, zone));
    }
    if (servers > 0) this.client.stack.addRoute('0.0.0.0', 0, { link: 1 });
    this.hosts = hosts === undefined ? null : new HostsTable(hosts);
    this.resolver = new DnsResolver({
      stack: this.client.stack,
      timers: this.world.clock,
      servers: this.servers.map((s) => ({ address: ip(s.address), port: PORT })),
      config: { ...DNS_DEFAULTS, ...config },
    });
  }

  get first(): CoreServer {
    return this.servers[0] as CoreServer;
  }

  /** Virtual ms since the start of the world. */
  get ms(): number {
    return (this.world.clock.nowUs() - 1_000_000_000) / 1000;
  }

  /** Asks, and lets the world run until there is an answer. */
  ask(name: string, type: number): DnsReply {
    return this.#until<DnsReply>((done) => this.resolver.resolve(name, type, done));
  }

  lookup(name: string, families: readonly (4 | 6)[] = [4, 6]): LookupReply {
    const { resolver, hosts } = this;
    const ground = { stack: this.client.stack, timers: this.world.clock, resolver, hosts };
    return this.#until<LookupReply>((done) => lookup(ground, { name, families }, done));
  }

  #until<T>(start: (done: (value: T) => void) => void): T {
    const found: T[] = [];
    start((value) => found.push(value));
    for (let i = 0; found.length === 0 && i < MOST_STEPS; i++) if (!this.world.step()) break;
    if (found.length !== 1) throw new Error(`${found.length} answers`);
    return found[0] as T;
  }

  /** Lets everything happen that still will, and time pass. */
  pass(ms: number): void {
    this.world.clock.after(ms * 1000, () => {});
    const end = this.world.clock.nowUs() + ms * 1000;
    for (let i = 0; i < MOST_STEPS && this.world.nextUs() <= end; i++) this.world.step();
  }

  /** UDP sockets and connections of the client that are still open. */
  get open(): number {
    return this.client.stack.sockets().filter((s) => s.state !== 'TIME-WAIT').length;
  }
}
