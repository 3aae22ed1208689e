// DNS messages from octets (RFC 1035 §4, RFC 6891). Nothing here throws and nothing reads outside
// of the message: what is malformed has a name. RFC 9267 lists the ways to be so. Work is bounded
// by the message's length and, for names that are made of pointers, by MOST_STEPS.

import { format, V4_MAPPED } from './address.ts';
import {
  DnsClass,
  type DnsMessage,
  type DnsQuestion,
  type DnsRecord,
  DnsType,
  dnsMessage,
  type Edns,
} from './dns.ts';
import { type NameFault, NameReader, readName } from './dns-name.ts';

const HEADER = 12;
/** Labels and pointers of one message: 64 KB of ordinary records have a fifth of it. */
const MOST_STEPS = 131_072;

/** Why a message is refused. COUNT: it ends before the records that its header counts. */
export type DnsFault =
  | NameFault
  | 'HEADER_SHORT'
  | 'COUNT'
  | 'RDATA_OVERRUN'
  | 'RDATA_SHORT'
  | 'RDATA_EXTRA'
  | 'OPT_TWICE'
  | 'STEPS';

/** The message that is being read, and how far. */
class Reader {
  readonly u8: Uint8Array;
  readonly bounds: readonly [number, number];
  readonly name = new NameReader();
  at: number;
  /** What is read next must end before. */
  limit: number;
  fault: DnsFault | null = null;

  constructor(u8: Uint8Array, base: number, end: number) {
    this.u8 = u8;
    this.bounds = [base, end];
    this.at = base;
    this.limit = end;
  }

  /** Of two or more faults the first one counts. */
  fail(fault: DnsFault): void {
    this.fault ??= fault;
  }

  has(octets: number, fault: DnsFault): boolean {
    if (this.fault !== null) return false;
    if (this.at + octets <= this.limit) return true;
    this.fail(fault);
    return false;
  }

  /** 0 when there is no octet: the fault is set, and the value is not looked at. */
  octet(): number {
    return this.has(1, 'RDATA_SHORT') ? (this.u8[this.at++] as number) : 0;
  }

  word(): number {
    const high = this.octet();
    return (high << 8) | this.octet();
  }

  long(): number {
    const high = this.word();
    return high * 65_536 + this.word();
  }

  nameText(): string {
    if (this.fault !== null) return '';
    const reader = this.name;
    const isRead = readName(reader, this.u8, this.bounds, this.at, this.limit);
    if (reader.steps > MOST_STEPS) this.fail('STEPS');
    if (!isRead) this.fail(reader.fault);
    this.at = reader.end;
    return reader.text ?? '';
  }

  /** A length and that many octets as characters (RFC 1035 §3.3). */
  characters(): string {
    const length = this.octet();
    return this.has(length, 'RDATA_SHORT') ? this.latin(length) : '';
  }

  latin(length: number): string {
    let text = '';
    for (let i = 0; i < length; i++) text += String.fromCharCode(this.u8[this.at + i] as number);
    this.at += length;
    return text;
  }

  octets(length: number): Uint8Array {
    const run = this.u8.slice(this.at, this.at + length);
    this.at += length;
    return run;
  }
}

/** What a header says, also of a message that is malformed behind it. */
export interface DnsHeader {
  readonly id: number;
  readonly isResponse: boolean;
}

/** Null when there is not even a header. */
export function readHeader(u8: Uint8Array, off: number, len: number): DnsHeader | null {
  if (len < HEADER) return null;
  const id = ((u8[off] as number) << 8) | (u8[off + 1] as number);
  return { id, isResponse: ((u8[off + 2] as number) & 0x80) !== 0 };
}

/** The first question, if it can be read: an answer that is malformed behind it may be ours. */
export function readQuestion(u8: Uint8Array, off: number, len: number): DnsQuestion | null {
  if (len < HEADER || (((u8[off + 4] as number) << 8) | (u8[off + 5] as number)) !== 1) return null;
  const r = new Reader(u8, off, off + len);
  r.at += HEADER;
  const question = { name: r.nameText(), type: r.word(), class: r.word() };
  return r.fault === null ? question : null;
}

/** The message in `u8[off … off+len)`, or why it is none. Octets behind it are not looked at. */
export function decodeDns(
  u8: Uint8Array,
  off = 0,
  len: number = u8.length - off,
): DnsMessage | DnsFault {
  if (len < HEADER) return 'HEADER_SHORT';
  const r = new Reader(u8, off, off + len);
  const id = r.word();
  const flags = r.word();
  const counts = [r.word(), r.word(), r.word(), r.word()] as const;
  const questions: DnsQuestion[] = [];
  for (let i = 0; i < counts[0] && r.fault === null; i++) {
    if (!r.has(1, 'COUNT')) break;
    questions.push({ name: r.nameText(), type: r.word(), class: r.word() });
  }
  const opt: Opt = { edns: null, rcode: 0 };
  const answers = readRecords(r, counts[1], opt);
  const authorities = readRecords(r, counts[2], opt);
  const additionals = readRecords(r, counts[3], opt);
  if (r.fault !== null) return r.fault;
  return dnsMessage({
    id,
    isResponse: (flags & 0x8000) !== 0,
    opcode: (flags >> 11) & 15,
    authoritative: (flags & 0x400) !== 0,
    truncated: (flags & 0x200) !== 0,
    recursionDesired: (flags & 0x100) !== 0,
    recursionAvailable: (flags & 0x80) !== 0,
    authenticData: (flags & 0x20) !== 0,
    checkingDisabled: (flags & 0x10) !== 0,
    rcode: (flags & 15) | opt.rcode,
    questions,
    answers,
    authorities,
    additionals,
    edns: opt.edns,
  });
}

interface Opt {
  edns: Edns | null;
  /** The upper eight bits of the return code, in their place. */
  rcode: number;
}

/** A lying count costs nothing: reading ends with the message, at eleven octets a record. */
function readRecords(r: Reader, count: number, opt: Opt): DnsRecord[] {
  const records: DnsRecord[] = [];
  for (let i = 0; i < count && r.fault === null; i++) {
    if (!r.has(1, 'COUNT')) break;
    const name = r.nameText();
    if (!r.has(10, 'COUNT')) break;
    const type = r.word();
    const klass = r.word();
    const ttl = r.long();
    const length = r.word();
    if (!r.has(length, 'RDATA_OVERRUN')) break;
    const outer = r.limit;
    r.limit = r.at + length;
    if (type === DnsType.OPT) readOpt(r, opt, klass, ttl);
    else {
      // RFC 2181 §8: the top bit of a TTL means zero.
      const owner = { name, class: klass, ttl: ttl > 0x7fffffff ? 0 : ttl };
      records.push(readData(r, owner, type));
    }
    if (r.fault === null && r.at !== r.limit) r.fail('RDATA_EXTRA');
    r.limit = outer;
  }
  return records;
}

/** RFC 6891 §6.1.1: not more than one. */
function readOpt(r: Reader, opt: Opt, udpSize: number, ttl: number): void {
  if (opt.edns !== null) return r.fail('OPT_TWICE');
  const options: { code: number; octets: Uint8Array }[] = [];
  while (r.at < r.limit && r.fault === null) {
    const code = r.word();
    const length = r.word();
    if (r.has(length, 'RDATA_SHORT')) options.push({ code, octets: r.octets(length) });
  }
  opt.rcode = Math.floor(ttl / 0x100_0000) << 4;
  const version = Math.floor(ttl / 0x1_0000) & 0xff;
  opt.edns = { udpSize, version, dnssecOk: (ttl & 0x8000) !== 0, options };
}

type Owner = { name: string; class: number; ttl: number };

/** Types whose data RFCs define for the class IN only. */
const INTERNET_ONLY: readonly number[] = [DnsType.A, DnsType.AAAA, DnsType.SRV, DnsType.NAPTR];

function readData(r: Reader, owner: Owner, type: number): DnsRecord {
  if (owner.class !== DnsClass.IN && INTERNET_ONLY.includes(type)) return readOther(r, owner, type);
  switch (type) {
    case DnsType.A:
      return { kind: 'A', ...owner, address: format(0, 0, V4_MAPPED, r.long() | 0) };
    case DnsType.AAAA:
      return { kind: 'AAAA', ...owner, address: readAaaa(r) };
    case DnsType.NS:
      return { kind: 'NS', ...owner, target: r.nameText() };
    case DnsType.CNAME:
      return { kind: 'CNAME', ...owner, target: r.nameText() };
    case DnsType.PTR:
      return { kind: 'PTR', ...owner, target: r.nameText() };
    case DnsType.MX:
      return { kind: 'MX', ...owner, preference: r.word(), exchange: r.nameText() };
    case DnsType.TXT:
      return { kind: 'TXT', ...owner, strings: readStrings(r) };
    case DnsType.CAA:
      return { kind: 'CAA', ...owner, ...readCaa(r) };
    case DnsType.SOA:
    case DnsType.SRV:
    case DnsType.NAPTR:
      return readLong(r, owner, type);
    default:
      return readOther(r, owner, type);
  }
}

function readOther(r: Reader, owner: Owner, type: number): DnsRecord {
  return { kind: 'OTHER', ...owner, type, octets: r.octets(r.limit - r.at) };
}

/** The records with many fields; properties are read in the order in which they stand here. */
function readLong(r: Reader, owner: Owner, type: number): DnsRecord {
  if (type === DnsType.SOA) {
    return {
      kind: 'SOA',
      ...owner,
      nsname: r.nameText(),
      hostmaster: r.nameText(),
      serial: r.long(),
      refresh: r.long(),
      retry: r.long(),
      expire: r.long(),
      minimum: r.long(),
    };
  }
  if (type === DnsType.SRV) {
    return {
      kind: 'SRV',
      ...owner,
      priority: r.word(),
      weight: r.word(),
      port: r.word(),
      target: r.nameText(),
    };
  }
  return {
    kind: 'NAPTR',
    ...owner,
    order: r.word(),
    preference: r.word(),
    flags: r.characters(),
    services: r.characters(),
    regexp: r.characters(),
    replacement: r.nameText(),
  };
}

function readAaaa(r: Reader): string {
  const words = [r.long() | 0, r.long() | 0, r.long() | 0, r.long() | 0] as const;
  const text = format(...words);
  return text.includes(':') ? text : `::ffff:${text}`;
}

/** RFC 1035 §3.3.14: one string or more. */
function readStrings(r: Reader): string[] {
  const strings: string[] = [];
  if (r.at === r.limit) r.fail('RDATA_SHORT');
  while (r.at < r.limit && r.fault === null) strings.push(r.characters());
  return strings;
}

/** RFC 8659 §4.1: the tag has a length of 1 at least, the value is what is left. */
function readCaa(r: Reader): { flags: number; tag: string; value: string } {
  const flags = r.octet();
  const tag = r.characters();
  if (tag === '') r.fail('RDATA_SHORT');
  return { flags, tag, value: r.fault === null ? r.latin(r.limit - r.at) : '' };
}
