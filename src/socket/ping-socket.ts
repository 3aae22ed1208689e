// The handle for echo requests of our own (Linux: a ping socket, IPPROTO_ICMP). Its identifier is
// the stack's choice; replies and ICMP errors come to the handler, inside a drain.

import { Code, CodeError } from '../base/code.ts';
import { type EchoEndpoint, type EchoReply, sendEcho } from '../ip/echo.ts';
import type { IcmpReport } from '../ip/icmp-report.ts';
import type { IpLayer } from '../ip/ip.ts';
import type { Address } from '../wire/address.ts';

export type { EchoReply } from '../ip/echo.ts';
export type { IcmpReport } from '../ip/icmp-report.ts';

export interface PingHandler {
  reply(s: PingSocket, reply: EchoReply): void;
  /** An ICMP error about a request of this socket's. */
  error(s: PingSocket, report: IcmpReport): void;
}

export interface PingOptions {
  readonly family?: 4 | 6;
  readonly handler: PingHandler;
}

export interface PingRequest {
  /** 0 to 65,535. */
  readonly seq: number;
  readonly data: Uint8Array;
  readonly ttl?: number;
  readonly tos?: number;
  /** Too large for the path is EMSGSIZE instead of fragments. */
  readonly dontFragment?: boolean;
  readonly source?: Address;
}

export class PingSocket {
  readonly #ip: IpLayer;
  readonly #endpoint: EchoEndpoint;
  readonly family: 4 | 6;

  /** @throws CodeError ENOBUFS: too many such sockets are open */
  constructor(ip: IpLayer, o: PingOptions) {
    this.#ip = ip;
    this.family = o.family ?? 4;
    const { handler } = o;
    const endpoint = ip.echoes.open(ip, this.family, {
      reply: (reply) => handler.reply(this, reply),
      error: (report) => handler.error(this, report),
    });
    if (endpoint === null) throw new CodeError(Code.ENOBUFS, 'socket');
    this.#endpoint = endpoint;
  }

  /** The identifier that its requests bear. */
  get id(): number {
    return this.#endpoint.id;
  }

  /** Largest packet of the path that was used last, octets; 0 before the first. */
  get pathMtu(): number {
    return this.#endpoint.path.mtu;
  }

  /**
   * Sends one request; the octets are copied.
   * @returns 0, or a negative errno: EINVAL (the other family), EMSGSIZE, ENETUNREACH,
   *   EADDRNOTAVAIL, ENOBUFS, EBADFD (closed)
   */
  send(to: Address, request: PingRequest): number {
    if (this.#endpoint.closed) return Code.EBADFD;
    return sendEcho(this.#ip, this.#endpoint, {
      to,
      seq: request.seq,
      data: request.data,
      ttl: request.ttl ?? 0,
      tos: request.tos ?? 0,
      dontFragment: request.dontFragment === true,
      source: request.source ?? null,
    });
  }

  /** No handler is called any more. Idempotent. */
  close(): void {
    this.#ip.echoes.close(this.#ip, this.#endpoint);
  }
}
