// `lookupService`: the name of an address and of a port, as getnameinfo with NI_NAMEREQD.

import { AsyncResource } from 'node:async_hooks';
import { reverseName } from '../services/dns/reverse.ts';
import { serviceName } from '../services/names.ts';
import { type Address, parse } from '../wire/address.ts';
import { DnsType } from '../wire/dns.ts';
import type { Names } from './dns-names.ts';
import { nameError, type SystemError } from './errors.ts';

type ServiceCallback = (error: SystemError | null, hostname?: string, service?: string) => void;

export function lookupServiceOn(
  names: Names,
  text: string,
  port: number,
  callback: ServiceCallback,
): void {
  const resource = new AsyncResource('PORTSIDE_GETNAMEINFO');
  const tell = (...args: Parameters<ServiceCallback>): void => {
    process.nextTick(() => resource.runInAsyncScope(callback, undefined, ...args));
  };
  const service = serviceName(port) ?? String(port);
  const address = parse(text) as Address;
  const [known] = names.knownNames(address);
  if (known !== undefined) return tell(null, known, service);
  const { resolver } = names;
  resolver.resolve(reverseName(address), DnsType.PTR, (reply) => {
    const found = reply.records.find((r) => r.kind === 'PTR');
    if (found?.kind === 'PTR') return tell(null, found.target, service);
    const isNo = reply.code === 'ENOTFOUND' || reply.code === 'ENODATA';
    const isNobody = resolver.servers.length === 0;
    tell(nameError(isNo || isNobody ? 'ENOTFOUND' : 'EAI_AGAIN', 'getnameinfo', text));
  });
}
