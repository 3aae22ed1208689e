// What a Resolver of node:dns calls its handle, over a resolver of the stack. Node's own code
// checks arguments, makes errors and promises; the verbs below answer as its binding to c-ares
// does: 0 or a negative errno at once, the name of an error or the records later.

import { AsyncResource } from 'node:async_hooks';
import { Code } from '../base/code.ts';
import { type DnsCode, type DnsReply, failed } from '../services/dns/config.ts';
import type { DnsResolver } from '../services/dns/resolver.ts';
import { reverseName } from '../services/dns/reverse.ts';
import { type Address, parse } from '../wire/address.ts';
import { DnsType } from '../wire/dns.ts';
import { type Names, toAscii } from './dns-names.ts';
import * as records from './dns-records.ts';
import { coded } from './errors.ts';
import type { Ground } from './ground.ts';

/** The binding's own: "There are pending queries." */
const SET_SERVERS_PENDING = -1000;
const TLSA = 52;

/** Node's QueryReqWrap. */
interface QueryRequest {
  readonly bindingName: string;
  oncomplete(error: string | null, result?: unknown, ttls?: number[]): void;
}

type Shape = (reply: DnsReply) => { result: unknown[]; ttls?: number[] };

export class DnsHandle {
  readonly #ground: Ground;
  readonly #names: Names;
  readonly resolver: DnsResolver;

  constructor(ground: Ground, names: Names, resolver: DnsResolver) {
    this.#ground = ground;
    this.#names = names;
    this.resolver = resolver;
  }

  queryA(request: QueryRequest, name: string): number {
    return this.#ask(request, name, DnsType.A, records.addresses);
  }

  queryAaaa(request: QueryRequest, name: string): number {
    return this.#ask(request, name, DnsType.AAAA, records.addresses);
  }

  queryAny(request: QueryRequest, name: string): number {
    return this.#ask(request, name, DnsType.ANY, records.everything);
  }

  queryCaa(request: QueryRequest, name: string): number {
    return this.#ask(request, name, DnsType.CAA, records.each('CAA'));
  }

  queryCname(request: QueryRequest, name: string): number {
    return this.#ask(request, name, DnsType.CNAME, records.each('CNAME'));
  }

  queryMx(request: QueryRequest, name: string): number {
    return this.#ask(request, name, DnsType.MX, records.each('MX'));
  }

  queryNaptr(request: QueryRequest, name: string): number {
    return this.#ask(request, name, DnsType.NAPTR, records.each('NAPTR'));
  }

  queryNs(request: QueryRequest, name: string): number {
    return this.#ask(request, name, DnsType.NS, records.each('NS'));
  }

  queryPtr(request: QueryRequest, name: string): number {
    return this.#ask(request, name, DnsType.PTR, records.each('PTR'));
  }

  /** One object and no list: there is one start of a zone. */
  querySoa(request: QueryRequest, name: string): number {
    return this.#ask(request, name, DnsType.SOA, records.each('SOA'), true);
  }

  querySrv(request: QueryRequest, name: string): number {
    return this.#ask(request, name, DnsType.SRV, records.each('SRV'));
  }

  queryTlsa(request: QueryRequest, name: string): number {
    return this.#ask(request, name, TLSA, records.tlsa);
  }

  queryTxt(request: QueryRequest, name: string): number {
    return this.#ask(request, name, DnsType.TXT, records.each('TXT'));
  }

  getHostByAddr(request: QueryRequest, text: string): number {
    const address = parse(text);
    if (address === null) return Code.EINVAL;
    const known = this.#names.knownNames(address);
    if (known.length > 0) {
      const resource = new AsyncResource('PORTSIDE_QUERY');
      process.nextTick(() => resource.runInAsyncScope(request.oncomplete, request, null, known));
      return 0;
    }
    return this.#ask(request, reverseName(address), DnsType.PTR, records.each('PTR'));
  }

  getServers(): [string, number][] {
    return this.resolver.servers.map(({ address, port }) => [address.toString(), port]);
  }

  setServers(servers: readonly [number, string, number][]): number {
    if (this.resolver.isBusy) return SET_SERVERS_PENDING;
    this.resolver.servers = servers.flatMap(([, text, port]) => {
      const address = parse(text);
      return address === null ? [] : [{ address, port }];
    });
    return 0;
  }

  setLocalAddress(first: string, second?: string): void {
    const one = localAddress(first);
    const two = second === undefined ? null : localAddress(second);
    if (one.family === two?.family) {
      throw invalidAddress(`Cannot specify two IPv${one.family} addresses.`);
    }
    const four = [one, two].find((address) => address?.family === 4) ?? null;
    const six = [one, two].find((address) => address?.family === 6) ?? null;
    this.resolver.setLocal(specified(four), specified(six));
  }

  cancel(): void {
    this.resolver.cancel();
  }

  #ask(request: QueryRequest, name: string, type: number, shape: Shape, isSingle = false): number {
    const resource = new AsyncResource('PORTSIDE_QUERY');
    const told = (reply: DnsReply): void => {
      const { result, ttls } = reply.code === null ? shape(reply) : { result: [], ttls: [] };
      const code = codeIn(request, reply, result.length);
      const value = isSingle ? result[0] : result;
      // Never inside the call that asked, nor inside a turn of the stack.
      process.nextTick(() => {
        if (code !== null) resource.runInAsyncScope(request.oncomplete, request, code);
        else resource.runInAsyncScope(request.oncomplete, request, null, value, ttls);
      });
    };
    if (this.#ground.closed) told(failed('ECANCELLED'));
    else this.resolver.resolve(toAscii(name), type, told);
    return 0;
  }
}

/** For an address c-ares has one failure only, beside that of being cancelled. */
function codeIn(request: QueryRequest, reply: DnsReply, found: number): DnsCode | null {
  if (reply.code === null && found > 0) return null;
  const code = reply.code ?? 'ENODATA';
  return request.bindingName !== 'getHostByAddr' || code === 'ECANCELLED' ? code : 'ENOTFOUND';
}

function localAddress(text: string): Address {
  const address = parse(text);
  if (address === null) throw invalidAddress('Invalid IP address.');
  return address;
}

function invalidAddress(message: string): Error {
  return coded(TypeError, 'ERR_INVALID_ARG_VALUE', message);
}

/** `0.0.0.0` and `::` leave the choice to the routes. */
function specified(address: Address | null): Address | null {
  if (address === null) return null;
  const isAny = address.family === 4 ? address.d === 0 : address.toString() === '::';
  return isAny ? null : address;
}
