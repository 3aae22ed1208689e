// Reads the packet-script notation (test/kit/README.md) into statements.

import { Bit } from '../../src/sim/decode.ts';
import type { TcpOption } from './packet.ts';

/** When a statement happens, µs. `any`: whenever it comes. */
export interface When {
  readonly relative: boolean;
  readonly us: number;
  /** Later bound of a range `+.1~+.3`; equal to `us` otherwise. */
  readonly untilUs: number;
  readonly any: boolean;
}

export interface Segment {
  readonly kind: 'tcp';
  readonly flags: number;
  /** PSH may be there or not: written `[P]`. */
  readonly pshOptional: boolean;
  readonly seq: number;
  readonly len: number;
  readonly ack: number | null;
  readonly win: number | null;
  readonly urg: number | null;
  /** null: `<...>`, whatever stands there. */
  readonly options: readonly TcpOption[] | null;
}

export interface IcmpPacket {
  readonly kind: 'icmp';
  readonly type: number;
  readonly code: number;
  readonly mtu: number;
  /** Sequence number and payload octets of the quoted segment. */
  readonly seq: number;
  readonly len: number;
}

export interface RawPacket {
  readonly kind: 'raw';
  readonly octets: Uint8Array;
}

export interface UdpPacket {
  readonly kind: 'udp';
  readonly len: number;
}

export type ScriptPacket = Segment | IcmpPacket | RawPacket | UdpPacket;

export type Action =
  | { readonly kind: 'in'; readonly packet: ScriptPacket }
  | { readonly kind: 'out'; readonly packet: ScriptPacket }
  | { readonly kind: 'silence' }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly string[] };

export interface Statement {
  readonly line: number;
  readonly text: string;
  readonly when: When;
  readonly action: Action;
}

export class ScriptError extends Error {
  override readonly name = 'ScriptError';
  constructor(line: number, text: string, what: string) {
    super(`line ${line}: ${what}\n    ${text}`);
  }
}

const ICMP: Readonly<Record<string, readonly [number, number]>> = {
  net_unreachable: [3, 0],
  host_unreachable: [3, 1],
  protocol_unreachable: [3, 2],
  port_unreachable: [3, 3],
  frag_needed: [3, 4],
  source_route_failed: [3, 5],
  admin_prohibited: [3, 13],
  source_quench: [4, 0],
  ttl_exceeded: [11, 0],
  reassembly_exceeded: [11, 1],
  parameter_problem: [12, 0],
};

export function parseScript(source: string): Statement[] {
  const statements: Statement[] = [];
  let inComment = false;
  source.split('\n').forEach((raw, i) => {
    let text = raw;
    if (inComment) {
      const end = text.indexOf('*/');
      if (end < 0) return;
      text = text.slice(end + 2);
      inComment = false;
    }
    const open = text.indexOf('/*');
    if (open >= 0) {
      inComment = !text.includes('*/', open);
      text = text.slice(0, open);
    }
    text = text.replace(/(^|\s)(\/\/|#).*$/, '').trim();
    if (text !== '') statements.push(parseLine(i + 1, text));
  });
  return statements;
}

function parseLine(line: number, text: string): Statement {
  const bad = (what: string): never => {
    throw new ScriptError(line, text, what);
  };
  const m = /^(\*|[+]?[\d.]+(?:~[+]?[\d.]+)?)\s+(.*)$/.exec(text);
  // A line without a time happens at once, after the one before it.
  const [time, rest] = m === null ? ['+0', text] : [m[1] as string, m[2] as string];
  const when = parseWhen(time);
  if (rest.startsWith('<')) {
    return { line, text, when, action: { kind: 'in', packet: parsePacket(rest.slice(1), bad) } };
  }
  if (/^>\s*nothing$/.test(rest)) return { line, text, when, action: { kind: 'silence' } };
  if (rest.startsWith('>')) {
    return { line, text, when, action: { kind: 'out', packet: parsePacket(rest.slice(1), bad) } };
  }
  const call = /^([a-z_]+)\s*(?:\((.*)\)|(.*))$/.exec(rest);
  if (call === null) return bad('neither a packet nor a call');
  const args = (call[2] ?? call[3] ?? '').split(/[\s,]+/).filter((a) => a !== '');
  return { line, text, when, action: { kind: 'call', name: call[1] as string, args } };
}

function parseWhen(time: string): When {
  if (time === '*') return { relative: true, us: 0, untilUs: Infinity, any: true };
  const relative = time.startsWith('+');
  const [from, until] = time.split('~').map((t) => Math.round(Number(t.replace('+', '')) * 1e6));
  const us = from as number;
  return { relative, us, untilUs: until ?? us, any: false };
}

type Bad = (what: string) => never;

function parsePacket(source: string, bad: Bad): ScriptPacket {
  const text = source.trim();
  if (text.startsWith('raw ')) return parseRaw(text.slice(4), bad);
  if (text.startsWith('icmp ')) return parseIcmp(text.slice(5), bad);
  const udp = /^udp \((\d+)\)$/.exec(text);
  if (udp !== null) return { kind: 'udp', len: Number(udp[1]) };
  return parseSegment(text, bad);
}

function parseRaw(text: string, bad: Bad): RawPacket {
  const hex = text.replace(/\s+/g, '');
  if (!/^([0-9a-f]{2})*$/i.test(hex)) return bad('raw wants pairs of hex digits');
  const octets = Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  return { kind: 'raw', octets };
}

/** `unreachable frag_needed mtu 1200 [1:1001(1000)]` */
function parseIcmp(text: string, bad: Bad): IcmpPacket {
  const words = text.split(/\s+/).filter((w) => w !== 'unreachable');
  const known = ICMP[words[0] as string];
  const type = known === undefined ? /^(\d+)\/(\d+)$/.exec(words[0] as string) : null;
  if (known === undefined && type === null) return bad(`ICMP ${words[0]}`);
  const mtu = /\bmtu (\d+)/.exec(text);
  const quoted = /\[(-?\d+)(?::-?\d+\((\d+)\))?/.exec(text);
  return {
    kind: 'icmp',
    type: known === undefined ? Number(type?.[1]) : known[0],
    code: known === undefined ? Number(type?.[2]) : known[1],
    mtu: mtu === null ? 0 : Number(mtu[1]),
    seq: quoted === null ? 1 : Number(quoted[1]),
    len: quoted === null ? 0 : Number(quoted[2] ?? 0),
  };
}

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
};

function parseSegment(text: string, bad: Bad): Segment {
  const m =
    /^([FSRPUEWC.[\]-]+)\s+(-?\d+)(?::(-?\d+)\((\d+)\))?((?:\s+(?:ack|win|urg)\s+-?\d+)*)\s*(?:<(.*)>)?$/.exec(
      text,
    );
  if (m === null)
    return bad('not a segment: FLAGS SEQ:END(LEN) [ack N] [win N] [urg N] [<options>]');
  const letters = (m[1] as string).replace('[P]', '');
  let flags = 0;
  for (const letter of letters) if (letter !== '-') flags |= FLAG[letter] ?? 0;
  const seq = Number(m[2]);
  const len = m[4] === undefined ? 0 : Number(m[4]);
  if (m[3] !== undefined && (Number(m[3]) - seq - len) % 2 ** 32 !== 0) {
    return bad(`${seq}:${m[3]} is not ${len} octets`);
  }
  const number = (name: string): number | null => {
    const found = new RegExp(`${name}\\s+(-?\\d+)`).exec(m[5] as string);
    return found === null ? null : Number(found[1]);
  };
  const ack = number('ack');
  return {
    kind: 'tcp',
    flags,
    pshOptional: (m[1] as string).includes('[P]'),
    seq,
    len,
    ack,
    win: number('win'),
    urg: number('urg'),
    options: m[6] === '...' ? null : parseOptions(m[6] ?? '', bad),
  };
}

function parseOptions(text: string, bad: Bad): TcpOption[] {
  const options: TcpOption[] = [];
  for (const part of text.split(',').map((p) => p.trim())) {
    if (part === '') continue;
    const words = part.split(/\s+/);
    const n = Number(words[1]);
    if (words[0] === 'mss') options.push({ kind: 'mss', value: n });
    else if (words[0] === 'wscale') options.push({ kind: 'wscale', value: n });
    else if (words[0] === 'nop') options.push({ kind: 'nop' });
    else if (words[0] === 'eol') options.push({ kind: 'eol' });
    else if (words[0] === 'sackOK') options.push({ kind: 'sackOK' });
    else if (words[0] === 'TS') {
      const val = words[2] === '.' ? Number.NaN : Number(words[2]);
      const ecr = words[4] === '.' ? Number.NaN : Number(words[4]);
      options.push({ kind: 'TS', val, ecr });
    } else if (words[0] === 'sack') {
      const blocks = words.slice(1).map((w): [number, number] => {
        const [start, end] = w.split(':').map(Number);
        return [start as number, end as number];
      });
      options.push({ kind: 'sack', blocks });
    } else if (words[0] === 'raw') {
      options.push({ kind: 'raw', octets: words.slice(1).map((w) => Number.parseInt(w, 16)) });
    } else bad(`TCP option ${part}`);
  }
  return options;
}
