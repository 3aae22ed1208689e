// What a socket is bound to beside an address: one link, as with Linux's SO_BINDTODEVICE. It hears
// what comes by that link alone, and sends by it whatever the routes of others say.

import { Code, CodeError } from '../base/code.ts';
import type { IpLayer } from '../ip/ip.ts';
import { linkNumbered, zoneLink } from './udp-names.ts';

/** A link by its name or its id. */
export type LinkName = string | number;

/** Its id; undefined: no link is wanted. @throws CodeError ENODEV */
export function boundLink(
  ip: IpLayer,
  link: LinkName | undefined,
  syscall: string,
): number | undefined {
  if (link === undefined) return undefined;
  const id = typeof link === 'number' ? linkNumbered(ip, link) : zoneLink(ip, link);
  if (id < 0) throw new CodeError(Code.ENODEV, syscall, String(link));
  return id;
}
