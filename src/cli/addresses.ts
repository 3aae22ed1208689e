// Addresses as people type them on the command line: `10.77.0.2/24`, and the kernel side's address
// when none was given.

import { isIP } from 'node:net';
import { UsageError } from './report.ts';

export interface TypedPrefix {
  readonly text: string;
  readonly address: string;
  readonly length: number;
  readonly family: 4 | 6;
}

/** `10.77.0.2/24` → its parts; UsageError says what is wrong and with which option. */
export function parseTyped(text: string, what: string): TypedPrefix {
  const slash = text.indexOf('/');
  const address = slash < 0 ? text : text.slice(0, slash);
  const family = isIP(address);
  if (family !== 4 && family !== 6) {
    throw new UsageError(`${what}: '${text}' is not ADDRESS/PREFIX, such as 10.77.0.2/24`);
  }
  if (slash < 0) throw new UsageError(`${what}: '${text}' lacks its prefix length, such as /24`);
  const digits = text.slice(slash + 1);
  const most = family === 4 ? 32 : 128;
  const length = /^\d{1,3}$/.test(digits) ? Number(digits) : most + 1;
  if (length > most) {
    throw new UsageError(`${what}: '/${digits}' is not a prefix length from 0 to ${most}`);
  }
  return { text, address, length, family };
}

export function parseAddress(text: string, what: string): string {
  if (isIP(text) === 0) throw new UsageError(`${what}: '${text}' is not an IP address`);
  return text;
}

/** 1 … 65535, or UsageError. */
export function parsePort(text: string, what: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535) {
    throw new UsageError(`${what}: '${text}' is not a port from 1 to 65535`);
  }
  return port;
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

function toText(n: number): string {
  return [n / 2 ** 24, (n / 65536) % 256, (n / 256) % 256, n % 256].map(Math.floor).join('.');
}

/**
 * The first other host address of an IPv4 prefix: 10.77.0.2/24 → 10.77.0.1, 10.77.0.1/24 →
 * 10.77.0.2; both addresses of a /31 are hosts (RFC 3021). Null when there is no other.
 */
export function firstOther(prefix: TypedPrefix): string | null {
  if (prefix.family !== 4 || prefix.length === 32) return null;
  const own = toNumber(prefix.address);
  const size = 2 ** (32 - prefix.length);
  const base = Math.floor(own / size) * size;
  if (prefix.length === 31) return toText(own === base ? base + 1 : base);
  const first = base + 1;
  return toText(own === first ? first + 1 : first);
}
