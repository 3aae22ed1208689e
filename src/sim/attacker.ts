// Somebody off the path who knows the four numbers of a connection and not what is in flight
// (RFC 5961, RFC 5927): resets, SYNs, data, FINs and ICMP errors with numbers in and out of the
// window. None of it may break a transfer or change an octet. What only luck of one in 2^32 would
// hit, RST at exactly RCV.NXT, data with a good acknowledgment, is left out: no stack could tell.

import { below, fraction, type Random } from '../base/random.ts';
import { State } from '../tcp/state.ts';
import type { Tcb } from '../tcp/tcb.ts';
import type { CableEnd } from './cable.ts';
import type { Clock } from './clock.ts';
import { icmpError, segment } from './craft.ts';
import { Bit } from './decode.ts';
import { pick } from './faults.ts';

/** A connection under attack, as its victim's end sees it. */
export interface Victim {
  end: CableEnd;
  tcb: Tcb;
}

export interface Attack {
  /** Packets a second, and how many at most. */
  rate: number;
  most: number;
  fromUs: number;
}

export const ATTACKS = ['rst', 'syn', 'synAck', 'data', 'fin', 'ack', 'icmp'] as const;
export type AttackKind = (typeof ATTACKS)[number];

/** States in which a connection stands; before and after them other rules hold. */
const STANDING: readonly number[] = [
  State.ESTABLISHED,
  State.FIN_WAIT_1,
  State.FIN_WAIT_2,
  State.CLOSE_WAIT,
];
const FLAGS: Readonly<Record<Exclude<AttackKind, 'icmp'>, number>> = {
  rst: Bit.RST,
  syn: Bit.SYN,
  synAck: Bit.SYN | Bit.ACK,
  data: Bit.ACK | Bit.PSH,
  fin: Bit.ACK | Bit.FIN,
  ack: Bit.ACK,
};
/** Type and code of ICMP errors, RFC 792 and 1122. */
const ICMP_KINDS: readonly (readonly [number, number])[] = [
  [3, 0],
  [3, 1],
  [3, 2],
  [3, 3],
  [3, 4],
  [3, 5],
  [3, 13],
  [4, 0],
  [5, 1],
  [11, 0],
  [12, 0],
];
const STRANGER = (203 << 24) | (113 << 8) | 7;

export class Attacker {
  readonly sent: Record<AttackKind, number> = {
    rst: 0,
    syn: 0,
    synAck: 0,
    data: 0,
    fin: 0,
    ack: 0,
    icmp: 0,
  };
  /** Of them, with a sequence number inside of the victim's window. */
  inWindow = 0;
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #attack: Attack;
  readonly #victims: () => Victim[];
  #left: number;

  constructor(attack: Attack, random: Random, clock: Clock, victims: () => Victim[]) {
    this.#attack = attack;
    this.#random = random;
    this.#clock = clock;
    this.#victims = victims;
    this.#left = attack.most;
    clock.at(attack.fromUs, () => this.#strike());
  }

  stop(): void {
    this.#left = 0;
  }

  #strike(): void {
    if (this.#left <= 0) return;
    this.#left--;
    const victims = this.#victims();
    if (victims.length > 0) {
      const victim = pick(this.#random, victims);
      victim.end.forge(() => this.#packet(victim));
    }
    const gap = (-Math.log(1 - fraction(this.#random)) * 1e6) / this.#attack.rate;
    this.#clock.after(Math.ceil(gap), () => this.#strike());
  }

  /** Made at the moment of delivery: what is lucky then is known then. */
  #packet({ tcb: t }: Victim): Uint8Array | null {
    if (!STANDING.includes(t.state)) return null;
    const kind = pick(this.#random, ATTACKS);
    this.sent[kind]++;
    return kind === 'icmp' ? this.#icmp(t) : this.#segment(t, kind);
  }

  #segment(t: Tcb, kind: Exclude<AttackKind, 'icmp'>): Uint8Array {
    const random = this.#random;
    const data = kind === 'data' || kind === 'fin' ? below(random, 1000) : 0;
    return segment({
      src: t.path.dst3,
      dst: t.path.src3,
      srcPort: t.remotePort,
      dstPort: t.localPort,
      seq: this.#seq(t),
      ack: badAck(t, random.next()),
      flags: FLAGS[kind],
      window: random.next() & 0xffff,
      data: kind === 'data' ? data + 1 : data,
    });
  }

  /** Half of the guesses are in the window; none is the next number itself. */
  #seq(t: Tcb): number {
    const window = Math.max(t.rcvWnd, 2);
    const guess = this.#random.next();
    if (fraction(this.#random) < 0.5) {
      this.inWindow++;
      return (t.rcvNxt + 1 + below(this.#random, window - 1)) | 0;
    }
    return guess === t.rcvNxt ? (guess + 1) | 0 : guess;
  }

  #icmp(t: Tcb): Uint8Array {
    const random = this.#random;
    const flight = (t.sndNxt - t.sndUna) | 0;
    let quoted = random.next();
    // A number in flight is a guess that may be right now and then; it must not end anything.
    if (flight > 0 && fraction(random) < 0.3) quoted = (t.sndUna + below(random, flight)) | 0;
    const about = segment({
      src: t.path.src3,
      dst: t.path.dst3,
      srcPort: t.localPort,
      dstPort: t.remotePort,
      seq: quoted,
      ack: random.next(),
      flags: Bit.ACK,
      window: 100,
      data: 100,
    });
    const [type, code] = pick(random, ICMP_KINDS);
    const rest = type === 3 && code === 4 ? below(random, 2000) : 0;
    return icmpError(about, STRANGER, [type, code, rest]);
  }
}

/** An acknowledgment outside of [SND.UNA - MAX.SND.WND, SND.NXT] (RFC 5961 §5.2). */
function badAck(t: Tcb, guess: number): number {
  const low = (t.sndUna - Math.max(t.maxWnd, 1)) | 0;
  const span = (t.sndNxt - low) | 0;
  const at = (guess - low) | 0;
  return at >= 0 && at <= span ? (t.sndNxt + 1 + at) | 0 : guess;
}
