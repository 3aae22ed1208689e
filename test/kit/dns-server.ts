// A small authoritative name server on any net and dgram: the kernel's or a host's.

import type * as dgram from 'node:dgram';
import { once } from 'node:events';
import type * as net from 'node:net';
import type { DnsRecord } from '../../src/wire/dns.ts';
import { Responder } from './dns-zone.ts';

export interface ServerGround {
  net: typeof net;
  dgram: { createSocket(type: dgram.SocketType): dgram.Socket };
}

const MOST_PORTS = 20;

export class NameServer extends Responder {
  port = 0;
  readonly #ground: ServerGround;
  #udp: dgram.Socket | null = null;
  #tcp: net.Server | null = null;

  constructor(ground: ServerGround, zone: readonly DnsRecord[]) {
    super(zone);
    this.#ground = ground;
  }

  /** Listens on both transports at one port; 0: any that is free for both. */
  async listen(port = 0, address = '127.0.0.1'): Promise<this> {
    for (let i = 0; ; i++) {
      try {
        await this.#open(port, address);
        return this;
      } catch (error) {
        await this.close();
        if (port !== 0 || i === MOST_PORTS) throw error;
      }
    }
  }

  async #open(port: number, address: string): Promise<void> {
    const { net, dgram } = this.#ground;
    const tcp = net.createServer((socket) => this.#serve(socket));
    this.#tcp = tcp;
    tcp.listen(port, address);
    await once(tcp, 'listening');
    this.port = (tcp.address() as net.AddressInfo).port;
    const udp = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
    this.#udp = udp;
    udp.on('message', (octets, from) => {
      const answer = this.respond(octets, 'udp', from);
      if (answer !== null && this.#udp !== null) udp.send(answer, from.port, from.address);
    });
    udp.bind(this.port, address);
    await once(udp, 'listening');
  }

  #serve(socket: net.Socket): void {
    let kept = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      kept = Buffer.concat([kept, chunk]);
      while (kept.length >= 2 && kept.length >= 2 + kept.readUInt16BE(0)) {
        const end = 2 + kept.readUInt16BE(0);
        const address = socket.remoteAddress ?? '';
        const from = { address, port: socket.remotePort ?? 0 };
        const answer = this.respond(kept.subarray(2, end), 'tcp', from);
        kept = kept.subarray(end);
        if (answer === null) continue;
        socket.write(Buffer.from([answer.length >> 8, answer.length & 255]));
        socket.write(answer);
      }
    });
  }

  async close(): Promise<void> {
    const [udp, tcp] = [this.#udp, this.#tcp];
    this.#udp = null;
    this.#tcp = null;
    if (udp !== null) await new Promise<void>((resolve) => udp.close(() => resolve()));
    if (tcp?.listening) await new Promise<void>((resolve) => tcp.close(() => resolve()));
  }
}
