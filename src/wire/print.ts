// One line for a packet, in tcpdump's words. COLD: for people and logs.

import * as icmp4 from './icmp4.ts';
import * as ipv4 from './ipv4.ts';
import { decode, type IcmpRepr, type OptionRepr, type PacketRepr, type TcpRepr } from './repr.ts';
import { Flag } from './tcp.ts';

const PROTOCOLS: Readonly<Record<number, string>> = { 1: 'icmp', 2: 'igmp', 6: 'tcp', 17: 'udp' };

/** `IP 10.0.0.1.4000 > 10.0.0.2.80: Flags [S], seq 1, win 64240, options [mss 1460], length 0`. */
export function print(u8: Uint8Array, off: number, len: number): string {
  const { packet, problems } = decode(u8, off, len);
  const wrong = problems.length === 0 ? '' : ` [${problems.join(' ')}]`;
  if (packet === null) return `not an IP packet, length ${len}${wrong}`;
  return `${line(packet)}${wrong}`;
}

function line(packet: PacketRepr): string {
  const { ip, l4 } = packet;
  const name = ip.version === 4 ? 'IP' : 'IP6';
  if (l4.kind === 'tcp' || l4.kind === 'udp') {
    const what = l4.kind === 'udp' ? `UDP, length ${l4.payload.length}` : tcpText(l4);
    return `${name} ${ip.src}.${l4.srcPort} > ${ip.dst}.${l4.dstPort}: ${what}`;
  }
  const head = `${name} ${ip.src} > ${ip.dst}:`;
  if (l4.kind === 'icmp') return `${head} ${icmpText(l4)}`;
  const protocol = PROTOCOLS[ip.protocol] ?? `ip-proto-${ip.protocol}`;
  if (ip.version === 4 && (ip.mf || ip.offset > 0)) {
    const more = ip.mf ? '+' : '';
    return `${head} ${protocol} (frag ${ip.id}:${l4.payload.length}@${ip.offset}${more})`;
  }
  return `${head} ${protocol} ${l4.payload.length}`;
}

// prettier-ignore
const LETTERS: readonly [number, string][] = [
  [Flag.FIN, 'F'],
  [Flag.SYN, 'S'],
  [Flag.RST, 'R'],
  [Flag.PSH, 'P'],
  [Flag.ACK, '.'],
  [Flag.URG, 'U'],
  [Flag.ECE, 'E'],
  [Flag.CWR, 'W'],
];

/** Flags in tcpdump's letters; `none` without any. */
export function flagText(flags: number): string {
  const letters = LETTERS.filter(([bit]) => (flags & bit) !== 0).map(([, letter]) => letter);
  return letters.length === 0 ? 'none' : letters.join('');
}

function tcpText(t: TcpRepr): string {
  const parts = [`Flags [${flagText(t.flags)}]`];
  const n = t.payload.length;
  if (n > 0) parts.push(`seq ${t.seq}:${(t.seq + n) >>> 0}`);
  else if ((t.flags & (Flag.SYN | Flag.FIN | Flag.RST)) !== 0) parts.push(`seq ${t.seq}`);
  if ((t.flags & Flag.ACK) !== 0) parts.push(`ack ${t.ack}`);
  parts.push(`win ${t.window}`);
  if ((t.flags & Flag.URG) !== 0) parts.push(`urg ${t.urgent}`);
  if (t.options.length > 0) parts.push(`options [${t.options.map(optionText).join(',')}]`);
  parts.push(`length ${n}`);
  return parts.join(', ');
}

function optionText({ kind, data }: OptionRepr): string {
  const word = (at: number): number =>
    ((data[at] ?? 0) * 0x1000000 + ((data[at + 1] ?? 0) << 16) + ((data[at + 2] ?? 0) << 8)) |
    (data[at + 3] ?? 0);
  const u32 = (at: number): number => word(at) >>> 0;
  switch (kind) {
    case 0:
      return 'eol';
    case 1:
      return 'nop';
    case 2:
      return data.length === 2 ? `mss ${word(0) >>> 16}` : 'mss?';
    case 3:
      return `wscale ${data[0] ?? '?'}`;
    case 4:
      return 'sackOK';
    case 5: {
      const blocks = [];
      for (let at = 0; at + 8 <= data.length; at += 8) blocks.push(`{${u32(at)}:${u32(at + 4)}}`);
      return `sack ${blocks.length} ${blocks.join('')}`;
    }
    case 8:
      return data.length === 8 ? `TS val ${u32(0)} ecr ${u32(4)}` : 'TS?';
    default:
      return `unknown-${kind}`;
  }
}

function icmpText(m: IcmpRepr): string {
  const length = m.payload.length + icmp4.HEADER;
  return `ICMP ${icmpWhat(m)}, length ${length}`;
}

function icmpWhat(m: IcmpRepr): string {
  const [id, seq] = [Math.floor(m.rest / 0x10000), m.rest % 0x10000];
  switch (m.type) {
    case icmp4.Type.ECHO:
      return `echo request, id ${id}, seq ${seq}`;
    case icmp4.Type.ECHO_REPLY:
      return `echo reply, id ${id}, seq ${seq}`;
    case icmp4.Type.DEST_UNREACH:
      return unreachable(m, seq);
    case icmp4.Type.TIME_EXCEEDED:
      return m.code === 0 ? 'time exceeded in-transit' : 'ip reassembly time exceeded';
    case icmp4.Type.PARAM_PROBLEM:
      return `parameter problem - octet ${id >>> 8}`;
    default:
      return `type-#${m.type}, code ${m.code}`;
  }
}

/** What could not be reached, from the packet that is quoted. */
function unreachable(m: IcmpRepr, mtu: number): string {
  const q = m.payload;
  if (q.length < ipv4.MIN_HEADER) return `unreachable - code ${m.code}`;
  const dst = [...q.subarray(16, 20)].join('.');
  const protocol = PROTOCOLS[q[9] as number] ?? `protocol ${q[9]}`;
  const at = ((q[0] as number) & 15) * 4 + 2;
  const port = ((q[at] ?? 0) << 8) | (q[at + 1] ?? 0);
  switch (m.code) {
    case icmp4.Unreach.NET:
      return `net ${dst} unreachable`;
    case icmp4.Unreach.HOST:
      return `host ${dst} unreachable`;
    case icmp4.Unreach.PROTOCOL:
      return `${dst} ${protocol} unreachable`;
    case icmp4.Unreach.PORT:
      return `${dst} ${protocol} port ${port} unreachable`;
    case icmp4.Unreach.FRAG_NEEDED:
      return `${dst} unreachable - need to frag (mtu ${mtu})`;
    default:
      return `${dst} unreachable - code ${m.code}`;
  }
}
