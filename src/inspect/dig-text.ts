// A DNS message as dig prints it, and its records as +short does.

import { type DnsMessage, type DnsRecord, DnsType, Rcode, typeOf } from '../wire/dns.ts';

const RCODES = new Map<number, string>(Object.entries(Rcode).map(([name, n]) => [n, name]));
const TYPES = new Map<number, string>(Object.entries(DnsType).map(([name, n]) => [n, name]));
const CLASSES = new Map([
  [1, 'IN'],
  [3, 'CH'],
  [254, 'NONE'],
  [255, 'ANY'],
]);

export function typeText(type: number): string {
  return TYPES.get(type) ?? `TYPE${type}`;
}

function classText(value: number | undefined): string {
  return CLASSES.get(value ?? 1) ?? `CLASS${value}`;
}

function dotted(name: string): string {
  return name === '' ? '.' : `${name}.`;
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** What stands behind the type: an address, a target, numbers and a target … */
export function dataText(r: DnsRecord): string {
  switch (r.kind) {
    case 'A':
    case 'AAAA':
      return r.address;
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return dotted(r.target);
    case 'MX':
      return `${r.preference} ${dotted(r.exchange)}`;
    case 'TXT':
      return r.strings.map(quoted).join(' ');
    case 'SRV':
      return `${r.priority} ${r.weight} ${r.port} ${dotted(r.target)}`;
    case 'SOA': {
      const { serial, refresh, retry, expire, minimum } = r;
      const numbers = [serial, refresh, retry, expire, minimum].join(' ');
      return `${dotted(r.nsname)} ${dotted(r.hostmaster)} ${numbers}`;
    }
    case 'NAPTR': {
      const texts = [r.flags, r.services, r.regexp].map(quoted).join(' ');
      return `${r.order} ${r.preference} ${texts} ${dotted(r.replacement)}`;
    }
    case 'CAA':
      return `${r.flags} ${r.tag} ${quoted(r.value)}`;
    case 'OTHER':
      // RFC 3597 §5
      return `\\# ${r.octets.length} ${hex(r.octets)}`.trimEnd();
  }
}

function hex(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, '0').toUpperCase()).join('');
}

function recordText(r: DnsRecord): string {
  const type = typeText(typeOf(r));
  return `${dotted(r.name)}\t\t${r.ttl}\t${classText(r.class)}\t${type}\t${dataText(r)}`;
}

export interface DigShown {
  /** As typed behind `dig`. */
  readonly asked: string;
  readonly server: string;
  readonly port: number;
  readonly tcp: boolean;
  readonly ms: number;
  readonly octets: number;
  readonly when: string;
}

/** The message and its statistics. */
export function digText(m: DnsMessage, o: DigShown): string[] {
  const status = RCODES.get(m.rcode) ?? `RESERVED${m.rcode}`;
  const flags = [
    m.isResponse ? 'qr' : '',
    m.authoritative ? 'aa' : '',
    m.truncated ? 'tc' : '',
    m.recursionDesired ? 'rd' : '',
    m.recursionAvailable ? 'ra' : '',
  ].filter((flag) => flag !== '');
  const counts = [
    `QUERY: ${m.questions.length}`,
    `ANSWER: ${m.answers.length}`,
    `AUTHORITY: ${m.authorities.length}`,
    `ADDITIONAL: ${m.additionals.length + (m.edns === null ? 0 : 1)}`,
  ];
  const lines = [
    '',
    `; <<>> portside dig <<>> ${o.asked}`,
    ';; Got answer:',
    `;; ->>HEADER<<- opcode: QUERY, status: ${status}, id: ${m.id}`,
    `;; flags: ${flags.join(' ')}; ${counts.join(', ')}`,
  ];
  if (m.edns !== null) {
    lines.push('', ';; OPT PSEUDOSECTION:', `; EDNS: version: 0, flags:; udp: ${m.edns.udpSize}`);
  }
  lines.push(';; QUESTION SECTION:');
  for (const q of m.questions) {
    lines.push(`;${dotted(q.name)}\t\t\t${classText(q.class)}\t${typeText(q.type)}`);
  }
  const sections = [
    ['ANSWER', m.answers],
    ['AUTHORITY', m.authorities],
    ['ADDITIONAL', m.additionals],
  ] as const;
  for (const [name, records] of sections) {
    if (records.length > 0) lines.push('', `;; ${name} SECTION:`, ...records.map(recordText));
  }
  const way = o.tcp ? 'TCP' : 'UDP';
  lines.push('', `;; Query time: ${Math.round(o.ms)} msec`);
  lines.push(`;; SERVER: ${o.server}#${o.port}(${o.server}) (${way})`);
  lines.push(`;; WHEN: ${o.when}`, `;; MSG SIZE  rcvd: ${o.octets}`, '');
  return lines;
}
