// What our servers have beyond node:net's: options of `createServer` (`tcp`, `gate`) and of
// `listen` (`any`, `prefix`, `reusePort`, `balance`, `fastOpen`).

import type { Knock } from '../socket/tcp-server.ts';
import { invalidType } from './errors.ts';
import { integer, readTcpOptions, type SocketTcpOptions } from './tcp-options.ts';

/** Whoever wants to connect, and to what. */
export interface Peer {
  remoteAddress: string;
  remotePort: number;
  remoteFamily: 'IPv4' | 'IPv6';
  localAddress: string;
  localPort: number;
  localFamily: 'IPv4' | 'IPv6';
}

/**
 * Asked for each SYN before it is answered: `true` lets the handshake go on, `false` or `'reset'`
 * refuses it (the peer sees ECONNREFUSED), `'silent'` lets it time out. While the promise is open
 * the SYN is held, 30 s at most (`gateTimeoutMs`). What it throws refuses the peer and is raised as
 * an uncaught exception.
 */
export type Gate = (
  peer: Peer,
) => boolean | 'reset' | 'silent' | Promise<boolean | 'reset' | 'silent'>;

/** Options of `createServer` besides node:net's. */
export interface ServerExtras {
  /** Of each connection; its numbers are read when it is made. */
  tcp?: SocketTcpOptions;
  gate?: Gate;
}

/** Options of `listen` besides node:net's. */
export interface ListenExtras {
  /**
   * Every address and port that is the host's (with `prefix`: of this prefix) on which nobody else
   * listens. Each socket's localAddress and localPort are what its peer asked for.
   */
  any?: boolean;
  /** `'10.9.0.0/16'`; default every address of both families. */
  prefix?: string;
  /** Share the port with other servers that say the same. */
  reusePort?: boolean;
  /** Among those: whose the peer's connections are, 0 to members − 1. A pure function. */
  balance?: (remoteAddress: string, remotePort: number, members: number) => number;
  /** RFC 7413: take data from SYNs with a good cookie, at most so many unproven at once. */
  fastOpen?: number;
}

/** Throws ERR_INVALID_ARG_TYPE and what readTcpOptions throws. */
export function readServerExtras(options: object): ServerExtras {
  const { tcp, gate } = options as ServerExtras;
  readTcpOptions(tcp);
  if (gate !== undefined && typeof gate !== 'function') {
    throw invalidType('options.gate', 'of type function', gate);
  }
  return { ...(tcp === undefined ? {} : { tcp }), ...(gate === undefined ? {} : { gate }) };
}

/** Those that `listen` was given; others undefined, so that nothing of an earlier call stays. */
export function listenExtrasOf(options: object): ListenExtras {
  const { any, prefix, reusePort, balance, fastOpen } = options as ListenExtras;
  if (prefix !== undefined && typeof prefix !== 'string') {
    throw invalidType('options.prefix', 'of type string', prefix);
  }
  if (balance !== undefined && typeof balance !== 'function') {
    throw invalidType('options.balance', 'of type function', balance);
  }
  if (fastOpen !== undefined) integer('options.fastOpen', fastOpen, 0, 65_535);
  const extras = { any: any === true, reusePort: reusePort === true };
  return { ...extras, prefix, balance, fastOpen } as ListenExtras;
}

export function peerOf(knock: Knock): Peer {
  const family = knock.family === 6 ? 'IPv6' : 'IPv4';
  const { remoteAddress, remotePort, localAddress, localPort } = knock;
  return {
    remoteAddress,
    remotePort,
    remoteFamily: family,
    localAddress,
    localPort,
    localFamily: family,
  };
}
