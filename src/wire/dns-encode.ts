// DNS messages to octets (RFC 1035 §4, RFC 6891). Names are compressed where every reader must
// follow pointers (RFC 3597 §4). What does not fit is left out in whole RRsets, with TC where it
// mattered (RFC 2181 §9).

import { Code, CodeError } from '../base/code.ts';
import { parse } from './address.ts';
import { DnsClass, type DnsMessage, type DnsRecord, DnsType, typeOf } from './dns.ts';
import { nameToWire } from './dns-name.ts';

const HEADER = 12;
const LARGEST = 65_535;
/** Pointers have 14 bits. */
const FARTHEST = 0x3fff;
const OPT_OCTETS = 11;

function refuse(what: string): never {
  throw new CodeError(Code.EINVAL, `dns ${what}`);
}

class Writer {
  u8 = new Uint8Array(512);
  at = HEADER;
  /** Name on the wire, as a string of octets → where it stands. */
  readonly #seen = new Map<string, number>();

  #room(octets: number): void {
    if (this.at + octets <= this.u8.length) return;
    const grown = new Uint8Array(Math.max(this.u8.length * 2, this.at + octets));
    grown.set(this.u8);
    this.u8 = grown;
  }

  octet(value: number): void {
    this.#room(1);
    this.u8[this.at++] = value;
  }

  word(value: number): void {
    this.octet((value >>> 8) & 0xff);
    this.octet(value & 0xff);
  }

  long(value: number): void {
    this.word(Math.floor(value / 65_536) & 0xffff);
    this.word(value & 0xffff);
  }

  run(octets: Uint8Array): void {
    this.#room(octets.length);
    this.u8.set(octets, this.at);
    this.at += octets.length;
  }

  latin(text: string): void {
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i);
      if (c > 255) refuse(`text: ${JSON.stringify(text)}`);
      this.octet(c);
    }
  }

  /** RFC 1035 §3.3. */
  characters(text: string): void {
    if (text.length > 255) refuse('text of more than 255 octets');
    this.octet(text.length);
    this.latin(text);
  }

  name(text: string, compress: boolean): void {
    const wire = nameToWire(text);
    if (wire === null) return refuse(`name: ${JSON.stringify(text)}`);
    for (let i = 0; (wire[i] as number) !== 0; i += 1 + (wire[i] as number)) {
      const rest = String.fromCharCode(...wire.subarray(i));
      const where = this.#seen.get(rest);
      if (compress && where !== undefined) {
        this.word(0xc000 | where);
        return;
      }
      if (where === undefined && this.at <= FARTHEST) this.#seen.set(rest, this.at);
      this.run(wire.subarray(i, i + 1 + (wire[i] as number)));
    }
    this.octet(0);
  }

  /** Back to an earlier place: names that stood behind it are there no more. */
  rewind(at: number): void {
    this.at = at;
    for (const [name, where] of this.#seen) if (where >= at) this.#seen.delete(name);
  }
}

/**
 * The octets of a message, at most `max` of them (65,535): records that do not fit are left out.
 * @throws CodeError EINVAL: a name, an address or a text that no record can hold
 */
export function encodeDns(message: DnsMessage, max: number = LARGEST): Uint8Array {
  const w = new Writer();
  const { edns, questions } = message;
  const most = Math.min(max, LARGEST) - (edns === null ? 0 : ednsLength(message));
  for (const { name, type, class: klass } of questions) {
    w.name(name, true);
    w.word(type);
    w.word(klass);
  }
  const counts = [questions.length, 0, 0, 0];
  let truncated = message.truncated;
  let isFull = false;
  const sections = [message.answers, message.authorities, message.additionals];
  for (const [i, records] of sections.entries()) {
    if (isFull) break;
    counts[i + 1] = writeRecords(w, records, most);
    isFull = (counts[i + 1] as number) < records.length;
    // What is additional is not missed (RFC 2181 §9).
    if (isFull && i < 2) truncated = true;
  }
  if (edns !== null) {
    writeOpt(w, message);
    counts[3] = (counts[3] as number) + 1;
  }
  const end = w.at;
  w.at = 0;
  w.word(message.id);
  w.word(flagsOf(message, truncated));
  for (const count of counts) w.word(count);
  return w.u8.slice(0, end);
}

function flagsOf(m: DnsMessage, truncated: boolean): number {
  let flags = ((m.opcode & 15) << 11) | (m.rcode & 15);
  if (m.isResponse) flags |= 0x8000;
  if (m.authoritative) flags |= 0x400;
  if (truncated) flags |= 0x200;
  if (m.recursionDesired) flags |= 0x100;
  if (m.recursionAvailable) flags |= 0x80;
  if (m.authenticData) flags |= 0x20;
  if (m.checkingDisabled) flags |= 0x10;
  return flags;
}

/** Writes as many whole RRsets as fit; answers how many records that are. */
function writeRecords(w: Writer, records: readonly DnsRecord[], most: number): number {
  let whole = 0;
  let wholeAt = w.at;
  for (const [i, record] of records.entries()) {
    const before = records[i - 1];
    const isNewSet =
      before === undefined ||
      typeOf(before) !== typeOf(record) ||
      before.name.toLowerCase() !== record.name.toLowerCase();
    if (isNewSet) {
      whole = i;
      wholeAt = w.at;
    }
    writeRecord(w, record);
    if (w.at > most) {
      w.rewind(wholeAt);
      return whole;
    }
  }
  return records.length;
}

function writeRecord(w: Writer, record: DnsRecord): void {
  w.name(record.name, true);
  w.word(typeOf(record));
  w.word(record.class ?? DnsClass.IN);
  w.long(record.ttl);
  const lengthAt = w.at;
  w.word(0);
  writeData(w, record);
  const end = w.at;
  if (end - lengthAt - 2 > LARGEST) refuse('record of more than 65,535 octets');
  w.at = lengthAt;
  w.word(end - lengthAt - 2);
  w.at = end;
}

function writeData(w: Writer, record: DnsRecord): void {
  switch (record.kind) {
    case 'A':
    case 'AAAA':
      return writeAddress(w, record.address, record.kind === 'A' ? 4 : 6);
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return w.name(record.target, true);
    case 'SOA':
      w.name(record.nsname, true);
      w.name(record.hostmaster, true);
      for (const n of [record.serial, record.refresh, record.retry, record.expire]) w.long(n);
      return w.long(record.minimum);
    case 'MX':
      w.word(record.preference);
      return w.name(record.exchange, true);
    case 'TXT':
      if (record.strings.length === 0) refuse('TXT record without a string');
      for (const text of record.strings) w.characters(text);
      return;
    case 'SRV':
      for (const n of [record.priority, record.weight, record.port]) w.word(n);
      return w.name(record.target, false);
    case 'NAPTR':
      w.word(record.order);
      w.word(record.preference);
      for (const text of [record.flags, record.services, record.regexp]) w.characters(text);
      return w.name(record.replacement, false);
    case 'CAA':
      w.octet(record.flags);
      if (record.tag === '') refuse('CAA record without a tag');
      w.characters(record.tag);
      return w.latin(record.value);
    case 'OTHER':
      return w.run(record.octets);
  }
}

function writeAddress(w: Writer, text: string, family: 4 | 6): void {
  const address = parse(text);
  if (address === null || (family === 4) !== !text.includes(':') || address.zone !== '') {
    return refuse(`address: ${JSON.stringify(text)}`);
  }
  if (family === 4) return w.long(address.d >>> 0);
  for (const word of [address.a, address.b, address.c, address.d]) w.long(word >>> 0);
}

function ednsLength(message: DnsMessage): number {
  const options = message.edns?.options ?? [];
  return OPT_OCTETS + options.reduce((sum, { octets }) => sum + 4 + octets.length, 0);
}

/** RFC 6891 §6.1.2: the root's name, the size as class, the rest of the code as TTL. */
function writeOpt(w: Writer, message: DnsMessage): void {
  const { edns, rcode } = message;
  if (edns === null) return;
  w.octet(0);
  w.word(DnsType.OPT);
  w.word(edns.udpSize);
  w.octet(rcode >> 4);
  w.octet(edns.version);
  w.word(edns.dnssecOk ? 0x8000 : 0);
  w.word(ednsLength(message) - OPT_OCTETS);
  for (const { code, octets } of edns.options) {
    w.word(code);
    w.word(octets.length);
    w.run(octets);
  }
}
