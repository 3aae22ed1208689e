// What our sockets have beyond node:net's: the option group `tcp` of `connect` and `createServer`,
// and the methods of a socket that set and show the same while it lives.

import type * as net from 'node:net';
import type { TcpInfo } from '../socket/tcp-info.ts';
import { ECN_MODES } from '../socket/tcp-options.ts';
import type { TcpOptions } from '../socket/tcp-socket.ts';
import { bbr } from '../tcp/congestion/bbr.ts';
import type { Controller } from '../tcp/congestion/controller.ts';
import { cubic } from '../tcp/congestion/cubic.ts';
import { newReno } from '../tcp/congestion/newreno.ts';
import type { Edge } from './edge.ts';
import { invalidType, invalidValue, outOfRange } from './errors.ts';

/** `tcp: { … }` in the options of `connect` and `createServer` (there: of each connection). */
export interface SocketTcpOptions {
  /** `'cubic'` (default), `'reno'`, `'bbr'`, or a controller of your own. */
  congestion?: string | Controller;
  /** ms without an acknowledgment until the connection ends with ETIMEDOUT; 0 = by retries. */
  userTimeout?: number;
  /** ms between keep-alive probes, and how many without an answer end the connection. */
  keepAliveInterval?: number;
  keepAliveProbes?: number;
  /** DSCP << 2 of every packet, 0 to 252; the two ECN bits are TCP's. */
  tos?: number;
  /** TTL or hop limit, 1 to 255. */
  ttl?: number;
  /** Octets; without them the buffers grow by themselves. */
  sendBuffer?: number;
  receiveBuffer?: number;
  /** Largest payload of a segment, both ways, 88 to 65,495 octets. */
  maxSegment?: number;
  /** Octets per second that are sent at most; 0 = no limit. */
  maxPacingRate?: number;
  /** RFC 3168: `'off'`, `'ask'` (on our SYNs too) or `'accept'` (when the peer asks). */
  ecn?: 'off' | 'ask' | 'accept';
  /** Bound to this link of the host alone (SO_BINDTODEVICE): `'portside1'`; unknown: ENODEV. */
  link?: string;
  /** RFC 7413 (clients): what is written before 'connect' may ride on the SYN. */
  fastOpen?: boolean;
}

/** A socket of ours: node:net's, and these. Setters answer the socket. */
export interface PortsideSocket extends net.Socket {
  /** `struct tcp_info`, Linux's names without `tcpi_`, times in µs; null without a connection. */
  tcpInfo(): TcpInfo | null;
  /** Acknowledge at once, or let acknowledgments wait for data (Linux's TCP_QUICKACK). */
  setQuickAck(on?: boolean): this;
  /** Hold back segments that are not full until `setCork(false)`, or 200 ms (Linux's TCP_CORK). */
  setCork(on?: boolean): this;
  /** RFC 5482, in ms; 0 = by retries. */
  setUserTimeout(ms: number): this;
  /** node:net's, and ms between probes and their number. */
  setKeepAlive(on?: boolean, initialDelay?: number, interval?: number, probes?: number): this;
  /** Changes the congestion controller of a running connection. */
  setCongestion(congestion: string | Controller): this;
  setTos(tos: number): this;
  setTtl(ttl: number): this;
  /** Octets per second, 0 = no limit. */
  setMaxPacingRate(octetsPerSecond: number): this;
}

const CONTROLLERS = new Map<string, Controller>([
  ['cubic', cubic],
  ['reno', newReno],
  ['bbr', bbr],
]);

/** ERR_INVALID_ARG_VALUE for an unknown name, ERR_INVALID_ARG_TYPE for what is no controller. */
export function controllerOf(value: unknown, name = 'congestion'): Controller {
  if (typeof value === 'string') {
    const known = CONTROLLERS.get(value);
    if (known !== undefined) return known;
    const names = [...CONTROLLERS.keys()].join(', ');
    throw invalidValue(name, value, `must be one of ${names}, or a controller`);
  }
  const isObject = typeof value === 'object' && value !== null;
  if (isObject && typeof (value as Controller).ssthresh === 'function') return value as Controller;
  throw invalidType(name, 'of type string or a controller', value);
}

export function integer(name: string, value: unknown, low: number, high: number): number {
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < low || value > high) throw outOfRange(name, `>= ${low} && <= ${high}`, value);
  return value;
}

const MOST_MS = 0x7fffffff;
const MOST_OCTETS = 1 << 30;

/** The core's name and the legal range of each option that is a number. */
const NUMBERS: [keyof SocketTcpOptions, keyof TcpOptions, number, number][] = [
  ['userTimeout', 'userTimeoutMs', 0, MOST_MS],
  ['keepAliveInterval', 'keepAliveIntervalMs', 1, MOST_MS],
  ['keepAliveProbes', 'keepAliveProbes', 1, 127],
  ['tos', 'tos', 0, 255],
  ['ttl', 'ttl', 1, 255],
  ['sendBuffer', 'sendBuffer', 1, MOST_OCTETS],
  ['receiveBuffer', 'receiveBuffer', 1, MOST_OCTETS],
  ['maxSegment', 'maxSegment', 88, 65_495],
];
const MODES = Object.keys(ECN_MODES).join(', ');
const OTHERS = new Set(['congestion', 'maxPacingRate', 'fastOpen', 'ecn', 'link']);

/** The core's options; throws Node's errors for what is unknown or out of range. */
export function readTcpOptions(given: unknown): TcpOptions {
  if (given === undefined || given === null) return {};
  if (typeof given !== 'object') throw invalidType('options.tcp', 'of type object', given);
  const o = given as SocketTcpOptions;
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(o)) {
    if (!OTHERS.has(key) && !NUMBERS.some(([name]) => name === key)) {
      throw invalidValue(`options.tcp.${key}`, o[key as keyof SocketTcpOptions], 'is unknown');
    }
  }
  for (const [name, core, low, high] of NUMBERS) {
    if (o[name] !== undefined) out[core] = integer(`options.tcp.${name}`, o[name], low, high);
  }
  if (o.congestion !== undefined) {
    out['controller'] = controllerOf(o.congestion, 'options.tcp.congestion');
  }
  if (o.ecn !== undefined) {
    if (!Object.hasOwn(ECN_MODES, o.ecn)) {
      throw invalidValue('options.tcp.ecn', o.ecn, `must be one of ${MODES}`);
    }
    out['ecn'] = o.ecn;
  }
  if (o.link !== undefined) {
    if (typeof o.link !== 'string') throw invalidType('options.tcp.link', 'of type string', o.link);
    out['link'] = o.link;
  }
  return out as TcpOptions;
}

/** Gives a socket without a connection the options of the group `tcp`. */
export function useTcpOptions(edge: Edge, given: unknown): void {
  if (given === undefined || given === null) return;
  edge.tcp = { ...edge.tcp, ...readTcpOptions(given) };
  const { maxPacingRate, fastOpen } = given as SocketTcpOptions;
  if (maxPacingRate !== undefined) edge.pacingRate = pacingRate(maxPacingRate);
  if (fastOpen !== undefined) edge.fastOpen = fastOpen === true;
}

export function pacingRate(value: unknown): number {
  return integer('maxPacingRate', value, 0, Number.MAX_SAFE_INTEGER);
}
