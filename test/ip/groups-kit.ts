// Queries and reports of IGMP and MLD, made and read by code of the test's own.

import { changeGroup, countSource } from '../../src/ip/group-changes.ts';
import { type Bench, concat, ip4, quad, referenceSum } from './fixture.ts';
import { icmp6Message, ip6, octets6 } from './fixture6.ts';
import { at } from './groups-names.ts';

export const ROUTER = '10.0.0.1';
export const ROUTER6 = 'fe80::1';
const ALERT = [0x94, 4, 0, 0];

export function igmpMessage(octets: number[]): Uint8Array {
  const bytes = Uint8Array.from(octets);
  const check = referenceSum(bytes);
  bytes[2] = check >>> 8;
  bytes[3] = check & 255;
  return bytes;
}

export interface Ask {
  group?: string;
  sources?: string[];
  /** The octet or word as it stands in the message. */
  code?: number;
  qrv?: number;
  qqic?: number;
  options?: number[];
  ttl?: number;
  src?: string;
  dst?: string;
}

function packet4(a: Ask, message: Uint8Array): Uint8Array {
  const dst = a.dst ?? (a.group === undefined ? '224.0.0.1' : a.group);
  const options = a.options ?? ALERT;
  return ip4({ src: a.src ?? ROUTER, dst, proto: 2, ttl: a.ttl ?? 1, options, payload: message });
}

/** A query of version 3. */
export function query3(a: Ask = {}): Uint8Array {
  const sources = (a.sources ?? []).flatMap(quad);
  const n = (a.sources ?? []).length;
  const group = quad(a.group ?? '0.0.0.0');
  const tail = [a.qrv ?? 2, a.qqic ?? 125, n >>> 8, n & 255, ...sources];
  return packet4(a, igmpMessage([0x11, a.code ?? 100, 0, 0, ...group, ...tail]));
}

/** Eight octets: a query of version 2, or of version 1 with code 0; a report; a leave. */
export function old4(type: number, a: Ask = {}): Uint8Array {
  const group = quad(a.group ?? '0.0.0.0');
  return packet4(a, igmpMessage([type, a.code ?? 0, 0, 0, ...group]));
}

/** A query or report of MLD, version 1 when `qrv` is left out. */
export function mldPacket(type: number, a: Ask & { v2?: boolean } = {}): Uint8Array {
  const group = a.group ?? '::';
  const dst = a.dst ?? (a.group === undefined ? 'ff02::1' : a.group);
  const src = a.src ?? ROUTER6;
  const code = a.code ?? 10_000;
  const n = (a.sources ?? []).length;
  const tail = a.v2 === false ? [] : [a.qrv ?? 2, a.qqic ?? 125, n >>> 8, n & 255];
  const body = [...octets6(group), ...tail, ...(a.sources ?? []).flatMap(octets6)];
  const rest = [code >>> 8, code & 255, 0, 0];
  const message = icmp6Message({ src, dst }, type, 0, rest, Uint8Array.from(body));
  const hop = a.options ?? [58, 0, 5, 2, 0, 0, 1, 0];
  const next = hop.length === 0 ? 58 : 0;
  const payload = concat([Uint8Array.from(hop), message]);
  return ip6({ src, dst, next, hops: a.ttl ?? 1, payload });
}

const NAMES = ['', 'IS_IN', 'IS_EX', 'TO_IN', 'TO_EX', 'ALLOW', 'BLOCK'];

/** A packet of ours as one line: `10.0.0.2 > 224.0.0.22 TO_EX 239.1.1.1 {}`. */
export function told(packet: Uint8Array): string {
  return (packet[0] as number) >>> 4 === 6 ? told6(packet) : told4(packet);
}

function told4(p: Uint8Array): string {
  const dotted = (at: number): string => [...p.subarray(at, at + 4)].join('.');
  const header = ((p[0] as number) & 15) * 4;
  const m = p.subarray(header);
  if (p[9] !== 2) return `protocol ${p[9]}`;
  if (referenceSum(p.subarray(0, header)) !== 0 || referenceSum(m) !== 0) return 'checksum';
  const isRight = p[8] === 1 && p[1] === 0xc0 && header === 24 && dotted(20) === '148.4.0.0';
  const head = `${dotted(12)} > ${dotted(16)}${isRight ? '' : ' HEADER'}`;
  if (m[0] === 0x22) return `${head}${records(m, 4, (i) => [...m.subarray(i, i + 4)].join('.'))}`;
  const names: Record<number, string> = { 18: 'report1', 22: 'report2', 23: 'leave' };
  return `${head} ${names[m[0] as number]} ${[...m.subarray(4, 8)].join('.')}`;
}

function told6(p: Uint8Array): string {
  const src = at([...p.subarray(8, 24)]);
  const dst = at([...p.subarray(24, 40)]);
  const m = p.subarray(48);
  const pseudo = [...p.subarray(8, 40), 0, 0, m.length >>> 8, m.length & 255, 0, 0, 0, 58];
  const check = referenceSum(concat([Uint8Array.from(pseudo), m]));
  const isRight = p[6] === 0 && p[7] === 1 && [...p.subarray(40, 48)].join() === '58,0,5,2,0,0,1,0';
  const head = `${src} > ${dst}${isRight ? '' : ' HEADER'}${check === 0 ? '' : ' CHECKSUM'}`;
  const text = (i: number): string => at([...m.subarray(i, i + 16)]);
  if (m[0] === 143) return `${head}${records(m, 16, text)}`;
  return `${head} ${m[0] === 131 ? 'report1' : 'done'} ${text(8)}`;
}

function records(m: Uint8Array, size: number, text: (i: number) => string): string {
  let i = 8;
  let out = '';
  for (let n = ((m[6] as number) << 8) | (m[7] as number); n > 0; n--) {
    const sources = ((m[i + 2] as number) << 8) | (m[i + 3] as number);
    const list = Array.from({ length: sources }, (_, k) => text(i + 4 + size * (k + 1)));
    out += ` ${NAMES[m[i] as number]} ${text(i + 4)} {${list.join(' ')}}`;
    i += 4 + size * (sources + 1);
  }
  return i === m.length ? out : `${out} LENGTH`;
}

/** What one socket wants changes by itself: everything of a group, or one source more or less. */
export function everything(b: Bench, group: string, step: 1 | -1, linkId = 1): number {
  return changeGroup(b.ip, linkId, at(group), (g) => {
    g.excluders += step;
    return 0;
  });
}

export function source(
  b: Bench,
  group: string,
  from: string,
  role: 'wanted' | 'unwanted',
  step: 1 | -1,
): number {
  return changeGroup(b.ip, 1, at(group), (g) => countSource(b.ip, g, at(from), role, step));
}

/** What was sent since the last call. */
export function lines(b: Bench): string[] {
  return b.sent().map(told);
}

/** Lets time pass in small steps; what was sent, with the step's time in ms. */
export function overTime(b: Bench, ms: number, stepMs = 100): [number, string][] {
  const out: [number, string][] = [];
  for (let t = stepMs; t <= ms; t += stepMs) {
    b.advance(stepMs * 1000);
    for (const line of lines(b)) out.push([t, line]);
  }
  return out;
}
