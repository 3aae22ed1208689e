// Reads the packets of a packetdrill script: `[ect0] SEW 0:0(0) win 1000 <mss 1460,sackOK>`,
// `[1:1001(1000)] icmp unreachable frag_needed mtu 1200`.

import { Bit } from '../../../src/sim/decode.ts';
import type { Cursor } from './cursor.ts';

/** An option as it is written: compared piece by piece, in order. */
export interface PdOption {
  readonly kind: string;
  /** Numbers of the option: MSS; scale; TSval, TSecr; starts and ends of SACK blocks. */
  readonly numbers: readonly number[];
  /** Octets behind kind and length, for Fast Open cookies and raw options. */
  readonly octets: readonly number[];
}

export interface PdIpInfo {
  /** 0 to 3, null: not compared (out), 0 (in). -1: either ECT. */
  readonly ecn: number | null;
  readonly tos: number | null;
  readonly ttl: number | null;
}

export interface PdTcp {
  readonly kind: 'tcp';
  readonly ip: PdIpInfo;
  /** `50001 > 8080`: 0 where not written. */
  readonly srcPort: number;
  readonly dstPort: number;
  readonly flags: number;
  readonly seq: number;
  readonly len: number;
  readonly ack: number | null;
  readonly win: number | null;
  readonly urg: number | null;
  /** null: `<...>`. */
  readonly options: readonly PdOption[] | null;
}

export interface PdIcmp {
  readonly kind: 'icmp';
  readonly six: boolean;
  readonly type: number;
  readonly code: number;
  readonly mtu: number;
  readonly seq: number;
  readonly len: number;
}

export type PdPacket = PdTcp | PdIcmp;

/** `[flowlabel 0x0]` and the like are read and not compared. */
const FLAG: Readonly<Record<string, number>> = {
  F: Bit.FIN,
  S: Bit.SYN,
  R: Bit.RST,
  P: Bit.PSH,
  '.': Bit.ACK,
  U: Bit.URG,
  E: Bit.ECE,
  W: Bit.CWR,
  C: Bit.CWR,
  '-': 0,
};
const ECN: Readonly<Record<string, number>> = { noecn: 0, ect1: 1, ect0: 2, ce: 3, ect01: -1 };
/** Inbound 1, codes by name. */
const UNREACHABLE: Readonly<Record<string, number>> = {
  net_unreachable: 0,
  host_unreachable: 1,
  protocol_unreachable: 2,
  port_unreachable: 3,
  frag_needed: 4,
  source_route_failed: 5,
  net_unknown: 6,
  host_unknown: 7,
  source_host_isolated: 8,
  net_prohibited: 9,
  host_prohibited: 10,
  net_unreachable_for_tos: 11,
  host_unreachable_for_tos: 12,
  packet_filtered: 13,
  admin_prohibited: 13,
  precedence_violation: 14,
  precedence_cutoff: 15,
};
const ICMP: Readonly<Record<string, number>> = {
  echo_reply: 0,
  unreachable: 3,
  source_quench: 4,
  redirect: 5,
  echo_request: 8,
  time_exceeded: 11,
  ttl_exceeded: 11,
  parameter_problem: 12,
  timestamp_request: 13,
  timestamp_reply: 14,
  information_request: 15,
  information_reply: 16,
  address_mask_request: 17,
  address_mask_reply: 18,
};
const TIME_EXCEEDED: Readonly<Record<string, number>> = {
  ttl_exceeded_in_transit: 0,
  exceed_hop_limit: 0,
  reassembly: 1,
  frag_reass_exceeded: 1,
};
const SEQUENCE = /(\d+)(?::(\d+))?\s*\((\d+)\)/y;

/** The segment that an ICMP error quotes: in front of it, or behind. */
const QUOTED = /\[\s*(\d+)(?::(\d+))?\((\d+)\)\s*\]/y;

export function parsePacket(c: Cursor, inbound: boolean): PdPacket {
  const quoted = c.take(QUOTED);
  const icmp = c.take(/icmp(v6)?\b/y);
  if (icmp !== null) return parseIcmp(c, icmp[1] !== undefined, quoted);
  if (quoted !== null) c.fail('icmp expected');
  const ip = parseIpInfo(c);
  const ports = c.take(/(\d+)\s*>\s*(\d+)/y);
  const flags = c.must(/[FSRP.UEWC]+(?=\s)|-/y, 'TCP flags')[0];
  const range = c.must(SEQUENCE, 'SEQ:END(LEN)');
  const seq = Number(range[1]);
  const len = Number(range[3]);
  if (range[2] !== undefined && (Number(range[2]) - seq - len) % 2 ** 32 !== 0) {
    c.fail(`${seq}:${range[2]} is not ${len} octets`);
  }
  const number = (pattern: RegExp): number | null => {
    const m = c.take(pattern);
    return m === null ? null : Number(m[1]);
  };
  const ack = number(/ack\s+(\d+)/y);
  const win = number(/win\s+(\d+)/y);
  const urg = number(/urg\s+(\d+)/y);
  if (inbound && win === null && !flags.includes('R')) c.fail('a packet that comes in needs win');
  return {
    kind: 'tcp',
    ip,
    srcPort: Number(ports?.[1] ?? 0),
    dstPort: Number(ports?.[2] ?? 0),
    flags: [...flags].reduce((bits, letter) => bits | (FLAG[letter] as number), 0),
    seq,
    len,
    ack,
    win,
    urg,
    options: c.accept('<') ? parseOptions(c) : [],
  };
}

function parseIpInfo(c: Cursor): PdIpInfo {
  let ecn: number | null = null;
  let tos: number | null = null;
  let ttl: number | null = null;
  const open = c.accept('[') ? ']' : c.accept('(') ? ')' : null;
  if (open !== null) {
    for (const part of c.until(open).split(',')) {
      const [name, value] = part.trim().split(/\s+/) as [string, string?];
      if (ECN[name] !== undefined) ecn = ECN[name];
      else if (name === 'tos' && value !== undefined) tos = Number(value);
      else if (name === 'ttl' && value !== undefined) ttl = Number(value);
      else if (name !== 'flowlabel') c.fail(`'${part.trim()}' in the IP header`);
    }
  }
  return { ecn, tos, ttl };
}

function parseIcmp(c: Cursor, six: boolean, before: RegExpExecArray | null): PdIcmp {
  const type = c.must(/[a-z_]\w*/y, 'the type of an ICMP packet')[0];
  const code = c.take(/(?!mtu\b)[a-z_]\w*/y)?.[0] ?? null;
  const mtu = c.take(/mtu\s+(\d+)/y);
  const quoted = before ?? c.take(QUOTED);
  const numbers = six ? icmp6Numbers(type, code) : icmpNumbers(type, code);
  if (numbers === null) return c.fail(`ICMP ${type} ${code ?? ''}`);
  return {
    kind: 'icmp',
    six,
    type: numbers[0],
    code: numbers[1],
    mtu: Number(mtu?.[1] ?? 0),
    seq: Number(quoted?.[1] ?? 1),
    len: Number(quoted?.[3] ?? 0),
  };
}

const UNREACHABLE6: Readonly<Record<string, number>> = {
  no_route: 0,
  admin_prohibited: 1,
  beyond_scope: 2,
  addr_unreachable: 3,
  address_unreachable: 3,
  port_unreachable: 4,
};

function icmp6Numbers(type: string, code: string | null): readonly [number, number] | null {
  if (type === 'packet_too_big') return [2, 0];
  if (type === 'time_exceeded') return [3, TIME_EXCEEDED[code ?? ''] ?? 0];
  if (type === 'parameter_problem') return [4, 0];
  const n = type === 'unreachable' ? UNREACHABLE6[code ?? ''] : undefined;
  return n === undefined ? null : [1, n];
}

/** `type_13`, `code_7`. */
function numbered(word: string | null, prefix: string): number | undefined {
  const m = word === null ? null : new RegExp(`^${prefix}_(\\d+)$`).exec(word);
  return m === null ? undefined : Number(m[1]);
}

function icmpNumbers(type: string, code: string | null): readonly [number, number] | null {
  const t = numbered(type, 'type') ?? ICMP[type];
  if (t === undefined) return null;
  const own = numbered(code, 'code');
  if (own !== undefined || code === null) return [t, own ?? 0];
  const names = t === 3 ? UNREACHABLE : t === 11 ? TIME_EXCEEDED : {};
  const n = names[code];
  return n === undefined ? null : [t, n];
}

function parseOptions(c: Cursor): PdOption[] | null {
  if (c.accept('...')) {
    c.expect('>');
    return null;
  }
  const options: PdOption[] = [];
  while (!c.accept('>')) {
    options.push(parseOption(c));
    c.accept(',');
  }
  return options;
}

const NONE: readonly number[] = [];

function parseOption(c: Cursor): PdOption {
  const simple = c.take(/(nop|eol|sackOK)\b/y);
  if (simple !== null) return { kind: simple[1] as string, numbers: NONE, octets: NONE };
  const one = c.take(/(mss|wscale)\s+(\d+)/y);
  if (one !== null) return { kind: one[1] as string, numbers: [Number(one[2])], octets: NONE };
  const ts = c.take(/TS\s+val\s+(\d+|\.+)\s+ecr\s+(\d+|\.+)/y);
  if (ts !== null) {
    return { kind: 'TS', numbers: [dotted(ts[1]), dotted(ts[2])], octets: NONE };
  }
  const sack = c.take(/sack((?:\s+\d+:\d+)+)/y);
  if (sack !== null) {
    return {
      kind: 'sack',
      numbers: (sack[1] as string)
        .trim()
        .split(/[\s:]+/)
        .map(Number),
      octets: NONE,
    };
  }
  const cookie = c.take(/(FO|FOEXP)\b(?:\s+([0-9a-f]+|nop))?/y);
  if (cookie !== null) return { kind: cookie[1] as string, numbers: NONE, octets: hex(cookie[2]) };
  const raw = c.take(/(?:raw|unknown)\s+(\d+)((?:\s+[0-9a-f]{2})*)/y);
  if (raw !== null) {
    const octets = hex((raw[2] as string).replace(/\s/g, ''));
    return { kind: 'raw', numbers: [Number(raw[1])], octets };
  }
  return c.fail('a TCP option expected');
}

function dotted(text: string | undefined): number {
  return text?.startsWith('.') === true ? Number.NaN : Number(text);
}

function hex(text: string | undefined): number[] {
  return (text?.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16));
}
