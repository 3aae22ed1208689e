// Scripts of the differential runs: steps that both sides can take (a socket call, or a packet of
// the peer's whose numbers are relative to the side's ISN), their random generation, and packets as
// both sides' observers see them.

import { below, type Random } from '../../src/base/random.ts';
import { Bit, decode, Proto, Wire } from '../../src/sim/decode.ts';
import { type TcpOption, tcp4, tcpOptions } from '../kit/packet.ts';

export const SERVER_PORT = 8080;
export const PEER_ISS = 1_000_000;
/** Sockets: 0 listens or connects, 1 is the connection that 0 accepts. */
export interface CallStep {
  readonly verb: string;
  readonly socket: number;
  readonly arg: number;
  /** Only for bind and connect. */
  readonly host?: string;
}

export interface PacketStep {
  readonly flags: number;
  /** Relative to the peer's ISN; 0 is the SYN's own. */
  readonly seq: number;
  /** Relative to the other side's ISN. */
  readonly ack: number;
  readonly len: number;
  readonly window: number;
  readonly urgent: number;
  /** Milliseconds since the script's start in the peer's clock; -1 = no timestamps. */
  readonly ts: number;
  /** What the echo is off from the last timestamp seen. */
  readonly echo: number;
  readonly options: readonly TcpOption[];
}

export type Step = CallStep | PacketStep;

export interface Script {
  readonly client: boolean;
  readonly port: number;
  readonly peer: string;
  readonly steps: readonly Step[];
}

/** The step's packet with relative numbers, as kernel.c and ours.ts take it. */
export function octetsOf(script: Script, step: PacketStep, local: string): Uint8Array {
  const options: TcpOption[] = [...step.options];
  if (step.ts >= 0) options.push({ kind: 'TS', val: 50_000 + step.ts, ecr: step.echo });
  return tcp4(
    { src: script.peer, dst: local },
    {
      srcPort: script.port,
      dstPort: script.client ? script.port : SERVER_PORT,
      seq: (PEER_ISS + step.seq) | 0,
      ack: step.ack | 0,
      flags: step.flags,
      window: step.window,
      urgent: step.urgent,
      options: tcpOptions(options),
      payload: new Uint8Array(step.len).fill(0x61),
    },
  );
}

export function shown(step: Step): string {
  if ('verb' in step) {
    return `${step.verb} ${step.socket} ${step.arg}${step.host === undefined ? '' : ` ${step.host}`}`;
  }
  const options = step.options.map((o) => JSON.stringify(o)).join(' ');
  return (
    `< ${letters(step.flags)} ${step.seq}:${step.seq + step.len}(${step.len}) ack ${step.ack} ` +
    `win ${step.window}${step.urgent > 0 ? ` urg ${step.urgent}` : ''}` +
    `${step.ts < 0 ? '' : ` TS ${step.ts} ${step.echo}`} ${options}`
  );
}

export function letters(flags: number): string {
  return [...'FSRP.UEW'].filter((_, i) => (flags & (1 << i)) !== 0).join('');
}

// --- what came out ------------------------------------------------------------------------------

/** A packet in words that do not depend on ISNs and clocks. */
export function described(octets: Uint8Array, isn: number): string {
  const w = new Wire();
  const wrong = decode(octets, 0, octets.length, w, false);
  if (wrong !== '') return `invalid: ${wrong}`;
  if (w.protocol === Proto.ICMP) return `ICMP ${w.icmpType}/${w.icmpCode}`;
  if (w.protocol !== Proto.TCP) return `protocol ${w.protocol}`;
  const syn = (w.flags & Bit.SYN) !== 0;
  // a RST about a segment without ACK has no number of the connection's
  const seq = (w.flags & Bit.RST) !== 0 && w.seq === 0 ? 0 : (w.seq - isn) | 0;
  const ack = (w.flags & Bit.ACK) !== 0 ? ` ack ${(w.ack - PEER_ISS) | 0}` : '';
  // PSH inside of a stream is everybody's own choice (RFC 9293 §3.9.1.2)
  let text = `> ${letters(w.flags & ~Bit.PSH)} ${seq}:${seq + w.dataLen}(${w.dataLen})${ack}`;
  // how large a window is, is each side's own affair (buffers); whether it is shut is not
  if ((w.flags & Bit.RST) === 0) text += w.window === 0 ? ' shut' : '';
  if ((w.flags & Bit.URG) !== 0) text += ` urg ${w.urgent}`;
  if (w.mss >= 0) text += ` mss ${w.mss}`;
  if (syn && w.wscale >= 0) text += ' wscale';
  if (w.sackPermitted) text += ' sackOK';
  if (w.hasTs) text += ' TS';
  for (let i = 0; i < w.sackBlocks; i++) {
    const start = ((w.sack[i * 2] as number) - PEER_ISS) | 0;
    const end = ((w.sack[i * 2 + 1] as number) - PEER_ISS) | 0;
    text += ` sack ${start}:${end}`;
  }
  return text;
}

// --- generation ---------------------------------------------------------------------------------

const OFFSETS = [1, -1, 2, 100, -100, 1000, -1000, 1448, 2000, 5000, 70_000, -70_000, 1 << 30];
const LENGTHS = [0, 0, 1, 10, 100, 536, 1000, 1448, 2000];
const SENDS = [1, 10, 100, 500, 1000, 1448, 1460, 2000, 3000, 5000, 10_000, 20_000];

/** The peer's idea of how far both sides are while a script is made. */
class Maker {
  readonly random: Random;
  readonly steps: Step[] = [];
  /** Next number of the peer's, and of the other side's as far as it is acknowledged. */
  seq = 1;
  acked = 1;
  sent = 1;
  ts = -1;
  sackOk = false;
  conn = 1;
  window = 65_535;

  constructor(random: Random) {
    this.random = random;
  }

  below(n: number): number {
    return below(this.random, n);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  call(verb: string, socket: number, arg = 0, host?: string): void {
    this.steps.push(host === undefined ? { verb, socket, arg } : { verb, socket, arg, host });
  }

  packet(p: Partial<PacketStep> & { flags: number }): void {
    this.steps.push({
      seq: this.seq,
      ack: this.acked,
      len: 0,
      window: this.window,
      urgent: 0,
      ts: this.ts,
      echo: 0,
      options: [],
      ...p,
    });
  }

  synOptions(): TcpOption[] {
    const options: TcpOption[] = [];
    if (this.below(4) > 0) options.push({ kind: 'mss', value: this.pick([1460, 1000, 536, 100]) });
    this.sackOk = this.below(3) > 0;
    if (this.sackOk) options.push({ kind: 'sackOK' });
    this.ts = this.below(2) === 0 ? 1 : -1;
    if (this.below(2) === 0) options.push({ kind: 'wscale', value: this.below(3) });
    return options;
  }
}

export function randomScript(random: Random, n: number): Script {
  const m = new Maker(random);
  const client = m.below(3) === 0;
  const port = 2000 + (n % 60_000);
  const peer = `10.88.${1 + (Math.floor(n / 250) % 250)}.${1 + (n % 250)}`;
  if (client) openActively(m, port, peer);
  else openPassively(m);
  const more = 1 + m.below(12);
  for (let i = 0; i < more; i++) oneMore(m);
  return { client, port, peer, steps: m.steps };
}

function openPassively(m: Maker): void {
  m.call('socket', 0);
  m.call('bind', 0, SERVER_PORT, '0.0.0.0');
  m.call('listen', 0, 8);
  if (m.below(12) === 0) m.packet({ flags: m.pick([0, 1, 4, 16, 17, 18, 20, 41]) });
  const options = m.synOptions();
  const data = m.below(10) === 0 ? 10 : 0;
  m.packet({ flags: Bit.SYN, seq: 0, ack: 0, options, len: data });
  if (m.below(8) === 0) stray(m);
  m.packet({ flags: Bit.ACK, len: m.below(5) === 0 ? m.pick(LENGTHS) : 0 });
  const last = m.steps.at(-1);
  if (last !== undefined && 'len' in last) m.seq += last.len;
  m.call('accept', 0, 1);
}

function openActively(m: Maker, port: number, peer: string): void {
  m.conn = 0;
  m.call('socket', 0);
  m.call('bind', 0, port, '10.88.0.1');
  m.call('connect', 0, port, peer);
  if (m.below(8) === 0) stray(m);
  const options = m.synOptions();
  const odd = m.below(12);
  if (odd === 0) m.packet({ flags: Bit.SYN, seq: 0, ack: 0, options });
  else if (odd === 1) m.packet({ flags: 20, seq: 0, options: [] });
  m.packet({ flags: Bit.SYN | Bit.ACK, seq: 0, ack: odd === 2 ? 2 : 1, options });
}

/** Something that is not quite right. */
function stray(m: Maker): void {
  const off = m.below(2) === 0 ? 0 : m.pick(OFFSETS);
  const ackOff = m.below(3) > 0 ? 0 : m.pick(OFFSETS);
  const flags = m.pick([4, 20, 2, 18, 16, 17, 1, 0, 24, 48, 6]);
  const p = { flags, seq: m.seq + off, ack: m.acked + ackOff, len: m.pick(LENGTHS) };
  m.packet(p);
}

function oneMore(m: Maker): void {
  const kind = m.below(20);
  const { conn } = m;
  if (kind < 4) {
    const len = m.pick(LENGTHS);
    const flags = Bit.ACK | (m.below(3) === 0 ? Bit.PSH : 0);
    m.packet({ flags, len });
    m.seq += len;
  } else if (kind < 6) aheadOrAgain(m);
  else if (kind < 9) {
    const n = m.pick(SENDS);
    m.call('send', conn, n);
    m.sent += n;
  } else if (kind < 12) acknowledge(m);
  else if (kind === 12) m.call(m.below(4) === 0 ? 'peek' : 'receive', conn, m.pick(SENDS));
  else if (kind === 13) stray(m);
  else if (kind === 14) {
    m.packet({ flags: Bit.ACK | Bit.FIN, len: m.below(3) === 0 ? 10 : 0 });
    const last = m.steps.at(-1) as PacketStep;
    m.seq += last.len + 1;
  } else if (kind === 15) m.call('shutdown', conn, m.pick([1, 1, 2, 0]));
  else if (kind === 16 && m.below(2) === 0) m.call(m.pick(['close', 'close', 'abort']), conn);
  else if (kind === 17) m.call(m.pick(['noDelay', 'cork']), conn, m.below(2));
  else if (kind === 18) m.call('error', conn);
  else {
    m.window = m.pick([65_535, 0, 1000, 100, 30_000]);
    acknowledge(m);
  }
}

function aheadOrAgain(m: Maker): void {
  const len = m.pick([1, 10, 100, 1000]);
  const off = m.pick([1000, 2000, 3000, -10, -100, 500, 100]);
  m.packet({ flags: Bit.ACK, seq: m.seq + off, len });
}

/** Of all, of a part, of nothing new; perhaps with SACK blocks. */
function acknowledge(m: Maker): void {
  const flight = Math.max(0, Math.min(m.sent - m.acked, 14_480));
  const kind = m.below(6);
  if (kind < 3) m.acked += flight;
  else if (kind < 5) m.acked += Math.floor((flight * m.below(100)) / 100);
  const options: TcpOption[] = [];
  if (m.sackOk && kind === 5 && flight > 2000) {
    const from = m.acked + 1448 * (1 + m.below(2));
    options.push({ kind: 'sack', blocks: [[from, Math.min(from + 1448, m.acked + flight)]] });
  }
  m.packet({ flags: Bit.ACK, options });
}
