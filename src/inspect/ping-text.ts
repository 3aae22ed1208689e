// What ping prints (iputils): a line a reply, a line an error, and the summary with its statistics.

/** Of round trips so far, in µs; sums as iputils keeps them for the standard deviation. */
export class PingStatistics {
  sent = 0;
  received = 0;
  duplicates = 0;
  errors = 0;
  minUs = Infinity;
  maxUs = 0;
  sumUs = 0;
  #squares = 0;

  add(us: number): void {
    this.minUs = Math.min(this.minUs, us);
    this.maxUs = Math.max(this.maxUs, us);
    this.sumUs += us;
    this.#squares += us * us;
  }

  get averageUs(): number {
    const n = this.received + this.duplicates;
    return n === 0 ? 0 : this.sumUs / n;
  }

  get deviationUs(): number {
    const n = this.received + this.duplicates;
    if (n === 0) return 0;
    return Math.sqrt(Math.max(0, this.#squares / n - this.averageUs ** 2));
  }
}

export interface PingWords {
  /** As typed. */
  readonly name: string;
  readonly address: string;
  /** Octets of payload. */
  readonly size: number;
}

export function pingHead({ name, address, size }: PingWords): string {
  const six = address.includes(':');
  const whole = size + (six ? 48 : 28);
  return six
    ? `PING ${name}(${address}) ${size} data bytes`
    : `PING ${name} (${address}) ${size}(${whole}) bytes of data.`;
}

/** Three significant digits, as iputils: 0.045, 1.23, 12.3, 123. */
export function msText(us: number): string {
  const ms = us / 1000;
  if (ms >= 99.95) return ms.toFixed(0);
  if (ms >= 9.995) return ms.toFixed(1);
  return ms >= 0.9995 ? ms.toFixed(2) : ms.toFixed(3);
}

export interface PingReply {
  readonly from: string;
  readonly seq: number;
  readonly ttl: number;
  readonly rttUs: number;
  readonly octets: number;
  readonly duplicate: boolean;
}

export function replyText(r: PingReply): string {
  const time = r.octets >= 24 ? ` time=${msText(r.rttUs)} ms` : '';
  const duplicate = r.duplicate ? ' (DUP!)' : '';
  return `${r.octets} bytes from ${r.from}: icmp_seq=${r.seq} ttl=${r.ttl}${time}${duplicate}`;
}

const UNREACHABLE4 = [
  'Destination Net Unreachable',
  'Destination Host Unreachable',
  'Destination Protocol Unreachable',
  'Destination Port Unreachable',
  'Frag needed and DF set',
  'Source Route Failed',
  'Destination Net Unknown',
  'Destination Host Unknown',
  'Source Host Isolated',
  'Destination Net Prohibited',
  'Destination Host Prohibited',
  'Destination Net Unreachable for Type of Service',
  'Destination Host Unreachable for Type of Service',
  'Packet filtered',
  'Precedence Violation',
  'Precedence Cutoff',
];
const UNREACHABLE6 = [
  'Destination unreachable: No route',
  'Destination unreachable: Administratively prohibited',
  'Destination unreachable: Beyond scope of source address',
  'Destination unreachable: Address unreachable',
  'Destination unreachable: Port unreachable',
];

export interface IcmpError {
  readonly family: 4 | 6;
  readonly type: number;
  readonly code: number;
  readonly mtu: number;
}

/** What an ICMP error says, in iputils' words. */
export function errorWords(e: IcmpError): string {
  if (e.family === 6) {
    if (e.type === 1)
      return UNREACHABLE6[e.code] ?? `Destination unreachable: Unknown code ${e.code}`;
    if (e.type === 2) return `Packet too big: mtu=${e.mtu}`;
    if (e.type === 3) {
      return e.code === 0 ? 'Time exceeded: Hop limit' : 'Time exceeded: Defragmentation failure';
    }
    return `Parameter problem: code ${e.code}`;
  }
  if (e.type === 3) {
    const mtu = e.code === 4 ? ` (mtu = ${e.mtu})` : '';
    return `${UNREACHABLE4[e.code] ?? `Dest Unreachable, Bad Code: ${e.code}`}${mtu}`;
  }
  if (e.type === 11) {
    return e.code === 0 ? 'Time to live exceeded' : 'Frag reassembly time exceeded';
  }
  return e.type === 12 ? 'Parameter problem' : `Bad ICMP type: ${e.type}`;
}

/** The two or three lines behind the last reply. */
export function pingSummary(name: string, s: PingStatistics, elapsedMs: number): string[] {
  const lost = s.sent === 0 ? 0 : Math.max(0, ((s.sent - s.received) * 100) / s.sent);
  // six significant digits, as iputils prints its percentage
  const parts = [`${s.sent} packets transmitted`, `${s.received} received`];
  if (s.duplicates > 0) parts.push(`+${s.duplicates} duplicates`);
  if (s.errors > 0) parts.push(`+${s.errors} errors`);
  parts.push(`${Number(lost.toPrecision(6))}% packet loss`, `time ${Math.round(elapsedMs)}ms`);
  const lines = ['', `--- ${name} ping statistics ---`, parts.join(', ')];
  if (s.received > 0) {
    const times = [s.minUs, s.averageUs, s.maxUs, s.deviationUs];
    const text = times.map((us) => (us / 1000).toFixed(3)).join('/');
    lines.push(`rtt min/avg/max/mdev = ${text} ms`);
  }
  return lines;
}
