// An endpoint with an ear: what it heard, for comparison.

import type { EndpointSink } from '../../src/udp/endpoint.ts';
import { Endpoint } from '../../src/udp/endpoint.ts';
import type { UdpMeta } from '../../src/udp/meta.ts';
import { closeEndpoint, connectEndpoint, openEndpoint } from '../../src/udp/udp.ts';
import { type Address, parse } from '../../src/wire/address.ts';
import type { Bench } from '../ip/fixture.ts';

export { closeEndpoint, connectEndpoint, Endpoint, openEndpoint };

export function to(text: string): Address {
  const address = parse(text);
  if (address === null) throw new Error(`not an address: ${text}`);
  return address;
}

export class Ear implements EndpointSink {
  readonly got: { data: Uint8Array; from: string; local: string; kind: number; ttl: number }[] = [];
  readonly errors: number[] = [];
  writables = 0;
  endpoint!: Endpoint;
  onDatagram: (n: number) => void = () => {};

  datagram(u8: Uint8Array, off: number, len: number, from: UdpMeta): void {
    this.got.push({
      data: u8.slice(off, off + len),
      from: `${from.remote()}:${from.port}`,
      local: from.local().toString(),
      kind: from.dstKind,
      ttl: from.ttl,
    });
    this.onDatagram(this.got.length);
  }

  error(code: number): void {
    this.errors.push(code);
  }

  writable(): void {
    this.writables++;
  }
}

export function bound(b: Bench, address: string, port: number, share = false): Ear {
  const ear = new Ear();
  const got = openEndpoint(b.udp, { address: to(address), port, v6Only: false, share, sink: ear });
  if (typeof got === 'number') throw new Error(`bind: ${got}`);
  ear.endpoint = got;
  return ear;
}
