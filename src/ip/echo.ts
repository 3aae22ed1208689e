// Echo requests of our own and what comes back (RFC 792, RFC 4443 §4): one endpoint an identifier,
// as Linux's ping sockets. Replies and errors wait, bounded, for the next drain.

import { Code } from '../base/code.ts';
import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import { Held } from '../base/memory.ts';
import type { Rx } from '../base/rx.ts';
import { TxFlag } from '../base/tx.ts';
import { Address, isMulticast } from '../wire/address.ts';
import * as checksum from '../wire/checksum.ts';
import * as icmp4 from '../wire/icmp4.ts';
import * as icmp6 from '../wire/icmp6.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { acceptPmtu } from './icmp-error.ts';
import { type IcmpReport, reportOf } from './icmp-report.ts';
import { count, drop, type IpLayer, Verdict } from './ip.ts';
import { aim, begin, selectPath, send } from './output.ts';
import { Path } from './path.ts';

/** What one endpoint may have waiting: replies and errors, and octets of them. */
const MOST_WAITING = 256;
const MOST_OCTETS = 1 << 20;
/** Endpoints of one stack. */
const MOST_ENDPOINTS = 1024;
/** What something that waits costs besides its octets. */
const COST = 256;

export interface EchoReply {
  readonly from: Address;
  readonly seq: number;
  readonly ttl: number;
  readonly tos: number;
  /** A copy of its own. */
  readonly data: Uint8Array;
  /** When it came: µs of the stack's clock. */
  readonly atUs: number;
}

export interface EchoSink {
  reply(reply: EchoReply): void;
  error(report: IcmpReport): void;
}

type Event = { readonly reply: EchoReply } | { readonly error: IcmpReport };

export class EchoEndpoint {
  readonly id: number;
  readonly family: 4 | 6;
  readonly sink: EchoSink;
  readonly path = new Path();
  readonly waiting: Event[] = [];
  octets = 0;
  /** Lost because nobody took what waited. */
  lost = 0;
  closed = false;

  constructor(id: number, family: 4 | 6, sink: EchoSink) {
    this.id = id;
    this.family = family;
    this.sink = sink;
  }
}

export class Echoes {
  readonly #byId = new Map<number, EchoEndpoint>();
  readonly ready = new Set<EchoEndpoint>();
  onWork: () => void = () => {};

  get size(): number {
    return this.#byId.size;
  }

  /** An endpoint with an identifier that nobody has; null when there are too many. */
  open(ip: IpLayer, family: 4 | 6, sink: EchoSink): EchoEndpoint | null {
    if (this.#byId.size >= MOST_ENDPOINTS) return null;
    let id = ip.random.next() & 0xffff;
    while (this.#byId.has(keyOf(family, id))) id = (id + 1) & 0xffff;
    const endpoint = new EchoEndpoint(id, family, sink);
    this.#byId.set(keyOf(family, id), endpoint);
    return endpoint;
  }

  find(family: number, id: number): EchoEndpoint | undefined {
    return this.#byId.get(keyOf(family, id));
  }

  close(ip: IpLayer, endpoint: EchoEndpoint): void {
    if (endpoint.closed) return;
    endpoint.closed = true;
    this.#byId.delete(keyOf(endpoint.family, endpoint.id));
    this.ready.delete(endpoint);
    ip.memory.give(Held.DATAGRAMS, endpoint.octets);
    endpoint.octets = 0;
    endpoint.waiting.length = 0;
  }
}

function keyOf(family: number, id: number): number {
  return (family << 16) | id;
}

export interface EchoRequest {
  readonly to: Address;
  readonly seq: number;
  readonly data: Uint8Array;
  /** 0: the stack's default. */
  readonly ttl: number;
  readonly tos: number;
  readonly dontFragment: boolean;
  readonly source: Address | null;
}

/**
 * Sends one echo request. 0, EINVAL (the other family), EMSGSIZE (does not fit the path and is not
 * to be cut, or is larger than any packet), ENETUNREACH, EADDRNOTAVAIL, ENOBUFS.
 */
export function sendEcho(ip: IpLayer, endpoint: EchoEndpoint, request: EchoRequest): Code {
  const { to, data, source } = request;
  const path = endpoint.path;
  if (to.family !== endpoint.family) return Code.EINVAL;
  const header = to.family === 6 ? ipv6.HEADER : ipv4.MIN_HEADER;
  const l4Len = icmp4.HEADER + data.length;
  if (header + l4Len > ipv4.MAX_PACKET) return Code.EMSGSIZE;
  path.dst0 = to.a;
  path.dst1 = to.b;
  path.dst2 = to.c;
  path.dst3 = to.d;
  path.anySource = source === null;
  if (source !== null) {
    path.src0 = source.a;
    path.src1 = source.b;
    path.src2 = source.c;
    path.src3 = source.d;
  }
  const code = selectPath(ip, path);
  if (code !== Code.NONE) return code;
  const l4 = begin(ip, to.family, l4Len);
  const tx = ip.tx;
  tx.reset();
  tx.protocol = to.family === 6 ? ipv6.Next.ICMP : ipv4.Proto.ICMP;
  tx.tos = request.tos;
  tx.ttl = request.ttl;
  if (tx.ttl === 0 && isMulticast(to.a, to.b, to.c, to.d)) tx.ttl = 1;
  tx.flags = request.dontFragment ? TxFlag.DF : 0;
  aim(ip, path);
  writeRequest(ip, endpoint, request, l4);
  const sent = send(ip, path, l4Len);
  if (sent !== Code.NONE) return sent;
  count(ip, to.family === 6 ? Ctr.Icmp6OutMsgs : Ctr.IcmpOutMsgs);
  count(ip, to.family === 6 ? Ctr.Icmp6OutEchos : Ctr.IcmpOutEchos);
  ip.echoes.onWork();
  return Code.NONE;
}

function writeRequest(ip: IpLayer, e: EchoEndpoint, request: EchoRequest, l4: number): void {
  const { u8, view } = ip.slab;
  const six = e.family === 6;
  const len = icmp4.HEADER + request.data.length;
  view.setUint32(l4, (six ? icmp6.Type.ECHO : icmp4.Type.ECHO) << 24);
  view.setUint16(l4 + icmp4.Offset.ID, e.id);
  view.setUint16(l4 + icmp4.Offset.SEQ, request.seq & 0xffff);
  u8.set(request.data, l4 + icmp4.HEADER);
  const pseudo = six ? checksum.pseudo6(ip.tx, ipv6.Next.ICMP, len) : 0;
  view.setUint16(l4 + icmp4.Offset.CHECKSUM, checksum.finish(checksum.sum(u8, l4, len, pseudo)));
}

/** An echo reply has come: its endpoint's, or nobody's. */
export function takeReply(ip: IpLayer, rx: Rx): Verdict {
  const endpoint = ip.echoes.find(rx.family, icmp4.echoId(rx.u8, rx.l4Off));
  if (endpoint === undefined) return drop(ip, rx, Drop.NO_SOCKET);
  const from = rx.l4Off + icmp4.HEADER;
  const to = rx.l4Off + rx.l4Len;
  const octets = to - from + COST;
  const { memory } = ip;
  const isFull =
    endpoint.waiting.length >= MOST_WAITING ||
    endpoint.octets + octets > MOST_OCTETS ||
    memory.used + memory.reserved + octets > memory.cap;
  if (isFull) {
    endpoint.lost++;
    return drop(ip, rx, Drop.SOCKET_RCVBUFF);
  }
  endpoint.octets += octets;
  memory.take(Held.DATAGRAMS, octets);
  const reply = {
    from: addressOf(rx),
    seq: icmp4.echoSeq(rx.u8, rx.l4Off),
    ttl: rx.ttl,
    tos: rx.tos,
    data: rx.u8.slice(from, to),
    atUs: ip.nowUs,
  };
  return keep(ip, endpoint, { reply });
}

/** The error in `ip.icmpError` quotes an ICMP message: a request of ours, or none. */
export function takeEchoError(ip: IpLayer, rx: Rx): Verdict {
  const error = ip.icmpError;
  const type = error.srcPort >>> 8;
  const asked = error.family === 6 ? icmp6.Type.ECHO : icmp4.Type.ECHO;
  const endpoint = type === asked ? ip.echoes.find(error.family, error.seq >>> 16) : undefined;
  if (endpoint === undefined) return drop(ip, rx, Drop.NO_SOCKET);
  const { path } = endpoint;
  const isAbout =
    path.dst3 === error.dst3 &&
    path.dst2 === error.dst2 &&
    path.dst1 === error.dst1 &&
    path.dst0 === error.dst0;
  // RFC 5927 §4: what was sent elsewhere changes nothing.
  if (!isAbout) return drop(ip, rx, Drop.NO_SOCKET);
  if (error.isTooBig) acceptPmtu(ip, error);
  if (endpoint.waiting.length >= MOST_WAITING) {
    endpoint.lost++;
    return drop(ip, rx, Drop.SOCKET_RCVBUFF);
  }
  return keep(ip, endpoint, { error: reportOf(ip, error.seq & 0xffff) });
}

function keep(ip: IpLayer, endpoint: EchoEndpoint, event: Event): Verdict {
  endpoint.waiting.push(event);
  ip.echoes.ready.add(endpoint);
  return Verdict.DONE;
}

/** Tells the endpoints what waits for them. True when there was something. */
export function drainEchoes(ip: IpLayer): boolean {
  const { ready } = ip.echoes;
  if (ready.size === 0) return false;
  for (const endpoint of [...ready]) {
    ready.delete(endpoint);
    const events = endpoint.waiting.splice(0);
    ip.memory.give(Held.DATAGRAMS, endpoint.octets);
    endpoint.octets = 0;
    for (const event of events) {
      if (endpoint.closed) break;
      if ('reply' in event) endpoint.sink.reply(event.reply);
      else endpoint.sink.error(event.error);
    }
  }
  return true;
}

function addressOf(rx: Rx): Address {
  return new Address(rx.src0, rx.src1, rx.src2, rx.src3);
}
