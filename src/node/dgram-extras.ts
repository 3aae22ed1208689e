// What our dgram sockets have beyond node:dgram's: many datagrams in one call both ways, TOS and
// source of each, where a datagram was sent to. Types, and the reading of a batch's arguments.

import { Buffer } from 'node:buffer';
import type * as dgram from 'node:dgram';
import { isIP } from 'node:net';
import type { SendOptions } from '../socket/udp-socket.ts';
import { type Address, parse } from '../wire/address.ts';
import type { DatagramBatch } from './dgram-batch.ts';
import { badPort, invalidType, invalidValue } from './errors.ts';

/** `createSocket` takes these, too. */
export interface DatagramSocketOptions extends dgram.SocketOptions {
  /** `rinfo` says where the datagram was sent to, its TTL, TOS and ECN (`PacketInfo`). */
  packetInfo?: boolean;
  /** Shares the port with sockets that say the same; each flow stays with one of them. */
  reusePort?: boolean;
  /** Bound to this link of the host alone (SO_BINDTODEVICE); an unknown one is ENODEV at `bind`. */
  link?: string;
}

/** Beside node:dgram's fields in `rinfo`, with `packetInfo`. */
export interface PacketInfo {
  /** The address of ours, or the group, that was addressed. */
  localAddress: string;
  ttl: number;
  /** DSCP and ECN in one octet. */
  tos: number;
  /** RFC 3168: 3 = congestion experienced. */
  ecn: number;
}

/** One datagram of `sendBatch`. */
export interface Datagram {
  data: string | ArrayBufferView;
  /** Default: the batch's. */
  port?: number;
  address?: string;
  /** DSCP and ECN, 0 to 255; default: the socket's. */
  tos?: number;
  /** TTL or hop limit, 1 to 255. */
  ttl?: number;
  /** Which of our addresses it comes from. */
  localAddress?: string;
}

/** `error`: the first one; `sent`: how many are gone. */
export type BatchCallback = (error: Error | null, sent: number) => void;

/** A socket of ours: node:dgram's, and these. */
export interface PortsideDgramSocket extends dgram.Socket {
  /**
   * Sends many datagrams in one call, in order; an unbound socket is bound first. Addresses are
   * literals (default: this host, as with `send`). Octets are copied. Without a callback an error
   * is an 'error' event.
   */
  sendBatch(
    list: readonly (string | ArrayBufferView | Datagram)[],
    port?: number | BatchCallback,
    address?: string | BatchCallback,
    callback?: BatchCallback,
  ): void;
  /** DSCP and ECN in one octet of every datagram. */
  setTOS(tos: number): number;
  /** With `on` a datagram that does not fit the path is EMSGSIZE instead of fragments. */
  setDontFragment(on: boolean): void;
  /** The datagrams of a turn at once; while somebody listens there is no 'message'. */
  on(event: 'batch', listener: (batch: DatagramBatch) => void): this;
  // biome-ignore lint/suspicious/noExplicitAny: node:dgram's own overload
  on(event: string, listener: (...args: any[]) => void): this;
}

/** What a handle is made with. */
export interface Extras {
  readonly family: 4 | 6;
  readonly packetInfo: boolean;
  readonly reusePort: boolean;
  readonly link: string | undefined;
}

export function readExtras(type: unknown, family: 4 | 6): Extras {
  const o = (typeof type === 'object' && type !== null ? type : {}) as DatagramSocketOptions;
  const { packetInfo, reusePort, link } = o;
  if (link !== undefined && typeof link !== 'string') {
    throw invalidType('options.link', 'of type string', link);
  }
  return { family, packetInfo: packetInfo === true, reusePort: reusePort === true, link };
}

/** A datagram of a batch, its arguments checked. */
export interface BatchItem {
  readonly octets: Uint8Array;
  readonly how: SendOptions;
}

/**
 * Checks a whole batch before the first datagram goes.
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_SOCKET_BAD_PORT
 */
export function readBatch(
  list: unknown,
  port: number | undefined,
  address: string | undefined,
  family: 4 | 6,
  connected: boolean,
): BatchItem[] {
  if (!Array.isArray(list)) throw invalidType('list', 'an instance of Array', list);
  const reader = new BatchReader(port, address, family, connected);
  return list.map((item) => reader.read(item));
}

class BatchReader {
  readonly #port: number | undefined;
  readonly #address: string | undefined;
  readonly #fallback: string;
  readonly #connected: boolean;
  /** Where datagrams go that say nothing of their own. */
  #usual: SendOptions | null = null;
  /** The last address that was read: most of a batch goes to one. */
  #text = '';
  #parsed: Address | null = null;

  constructor(
    port: number | undefined,
    address: string | undefined,
    family: 4 | 6,
    connected: boolean,
  ) {
    this.#port = port;
    this.#address = address;
    this.#fallback = family === 6 ? '::1' : '127.0.0.1';
    this.#connected = connected;
  }

  read(item: unknown): BatchItem {
    if (typeof item === 'string' || ArrayBuffer.isView(item)) {
      this.#usual ??= this.#target(undefined, undefined);
      return { octets: octetsOf(item), how: this.#usual };
    }
    if (typeof item !== 'object' || item === null) {
      throw invalidType('list', 'a list of strings, views and objects', item);
    }
    const d = item as Datagram;
    const how = this.#target(d.port, d.address);
    return { octets: octetsOf(d.data), how: { ...how, ...own(d) } };
  }

  #target(port: number | undefined, address: string | undefined): SendOptions {
    const p = port ?? this.#port;
    const a = address ?? this.#address;
    if (this.#connected && p === undefined && a === undefined) return {};
    if (typeof p !== 'number' || !Number.isInteger(p) || p < 1 || p > 65_535) {
      throw badPort('Port', p);
    }
    return { address: this.#parse(a ?? this.#fallback), port: p };
  }

  #parse(text: string): Address {
    if (this.#parsed === null || text !== this.#text) {
      this.#parsed = literal('address', text);
      this.#text = text;
    }
    return this.#parsed;
  }
}

function own(d: Datagram): SendOptions {
  const source = d.localAddress === undefined ? undefined : literal('localAddress', d.localAddress);
  return {
    tos: octet('tos', d.tos, 0),
    ttl: octet('ttl', d.ttl, 1),
    source,
  };
}

function octet(name: string, value: number | undefined, least: number): number | undefined {
  if (value === undefined) return undefined;
  if (Number.isInteger(value) && value >= least && value <= 255) return value;
  throw invalidValue(name, value, `must be an integer from ${least} to 255`);
}

function literal(name: string, text: unknown): Address {
  if (typeof text !== 'string') throw invalidType(name, 'of type string', text);
  const address = isIP(text) === 0 ? null : parse(text);
  if (address === null) throw invalidValue(name, text, 'must be an IP address');
  return address;
}

function octetsOf(data: unknown): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data);
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  throw invalidType('list', 'a list of strings, views and objects with data', data);
}
