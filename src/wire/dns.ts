// DNS messages as plain objects (RFC 1035 §4): types, classes, return codes and the records that
// dns-decode.ts reads and dns-encode.ts writes. Names are text without the last dot, '' is the
// root; octets that a name cannot show are `\.`, `\\`, `\DDD` (RFC 1035 §5.1, RFC 4343 §2.1).

export const DNS_PORT = 53;
/** RFC 1035 §4.2.1: what every requestor takes without EDNS. */
export const PLAIN_UDP_OCTETS = 512;

/** Record types by the name that their RFC gives them. */
export const DnsType = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  NAPTR: 35,
  OPT: 41,
  ANY: 255,
  CAA: 257,
} as const;

export const DnsClass = { IN: 1, CH: 3, NONE: 254, ANY: 255 } as const;

/** RFC 1035 §4.1.1 and RFC 6895 §2.3; from 16 on they need EDNS. */
export const Rcode = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const;

export interface DnsQuestion {
  readonly name: string;
  readonly type: number;
  readonly class: number;
}

interface Owned {
  readonly name: string;
  /** Seconds, 0 to 2^31 - 1. */
  readonly ttl: number;
  /** Default IN. */
  readonly class?: number;
}

export interface AddressRecord extends Owned {
  readonly kind: 'A' | 'AAAA';
  readonly address: string;
}

export interface TargetRecord extends Owned {
  readonly kind: 'NS' | 'CNAME' | 'PTR';
  readonly target: string;
}

export interface SoaRecord extends Owned {
  readonly kind: 'SOA';
  readonly nsname: string;
  readonly hostmaster: string;
  readonly serial: number;
  readonly refresh: number;
  readonly retry: number;
  readonly expire: number;
  readonly minimum: number;
}

export interface MxRecord extends Owned {
  readonly kind: 'MX';
  readonly preference: number;
  readonly exchange: string;
}

/** Strings hold one character an octet (ISO 8859-1), at most 255 each. */
export interface TxtRecord extends Owned {
  readonly kind: 'TXT';
  readonly strings: readonly string[];
}

/** RFC 2782. */
export interface SrvRecord extends Owned {
  readonly kind: 'SRV';
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

/** RFC 3403 §4. */
export interface NaptrRecord extends Owned {
  readonly kind: 'NAPTR';
  readonly order: number;
  readonly preference: number;
  readonly flags: string;
  readonly services: string;
  readonly regexp: string;
  readonly replacement: string;
}

/** RFC 8659 §4. */
export interface CaaRecord extends Owned {
  readonly kind: 'CAA';
  readonly flags: number;
  readonly tag: string;
  readonly value: string;
}

/** A type that is not known here, as octets (RFC 3597). */
export interface OtherRecord extends Owned {
  readonly kind: 'OTHER';
  readonly type: number;
  readonly octets: Uint8Array;
}

export type DnsRecord =
  | AddressRecord
  | TargetRecord
  | SoaRecord
  | MxRecord
  | TxtRecord
  | SrvRecord
  | NaptrRecord
  | CaaRecord
  | OtherRecord;

/** RFC 6891 §6.1.2. */
export interface Edns {
  /** Largest UDP payload that the sender takes. */
  readonly udpSize: number;
  readonly version: number;
  readonly dnssecOk: boolean;
  readonly options: readonly { readonly code: number; readonly octets: Uint8Array }[];
}

export interface DnsMessage {
  readonly id: number;
  readonly isResponse: boolean;
  readonly opcode: number;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
  readonly authenticData: boolean;
  readonly checkingDisabled: boolean;
  /** With the upper bits that EDNS adds. */
  readonly rcode: number;
  readonly questions: readonly DnsQuestion[];
  readonly answers: readonly DnsRecord[];
  readonly authorities: readonly DnsRecord[];
  /** Without the OPT record, which is `edns`. */
  readonly additionals: readonly DnsRecord[];
  readonly edns: Edns | null;
}

/** Type number of a record. */
export function typeOf(record: DnsRecord): number {
  return record.kind === 'OTHER' ? record.type : DnsType[record.kind];
}

const EMPTY: DnsMessage = {
  id: 0,
  isResponse: false,
  opcode: 0,
  authoritative: false,
  truncated: false,
  recursionDesired: false,
  recursionAvailable: false,
  authenticData: false,
  checkingDisabled: false,
  rcode: Rcode.NOERROR,
  questions: [],
  answers: [],
  authorities: [],
  additionals: [],
  edns: null,
};

/** A message of these fields; whatever is not named is off, empty or 0. */
export function dnsMessage(fields: Partial<DnsMessage>): DnsMessage {
  return { ...EMPTY, ...fields };
}

/** A question for a recursive server; `udpSize` 0: without EDNS. */
export function dnsQuery(id: number, name: string, type: number, udpSize: number): DnsMessage {
  const edns: Edns = { udpSize, version: 0, dnssecOk: false, options: [] };
  return dnsMessage({
    id,
    recursionDesired: true,
    questions: [{ name, type, class: DnsClass.IN }],
    edns: udpSize === 0 ? null : edns,
  });
}

/** The frame of an answer to `query`: its id, its questions, its RD bit. */
export function dnsAnswer(query: DnsMessage, fields: Partial<DnsMessage> = {}): DnsMessage {
  return dnsMessage({
    id: query.id,
    isResponse: true,
    opcode: query.opcode,
    recursionDesired: query.recursionDesired,
    questions: query.questions,
    ...fields,
  });
}
