// Instructions of the sequence fuzzer about a second link, an Ethernet: ARP and neighbour discovery
// from eight neighbours, frames of every kind with an octet changed, datagrams of ours to them, and
// addresses that come and go.

import { SeededRandom } from '../../src/base/random.ts';
import type { Tx } from '../../src/base/tx.ts';
import type { Link } from '../../src/link/link.ts';
import { frameLen } from '../../src/link/packet.ts';
import { Mac } from '../../src/wire/ethernet.ts';
import { finish, onesSum } from './frame-sum.ts';
import type { Machine } from './program.ts';

const OWN = [2, 0, 0, 0, 0, 1] as const;
const EVERYBODY = [255, 255, 255, 255, 255, 255] as const;
const OWN4 = [198, 18, 0, 1] as const;
const OWN6 = [0x20, 1, 0x0d, 0xb8, 0, 14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xe1] as const;
const NOBODY6 = new Array<number>(16).fill(0);
const TYPES = [135, 135, 136, 136, 133, 134, 137, 135] as const;

/** The wire of the Ethernet: takes everything, and looks at how it is framed. */
export class FuzzEther implements Link {
  readonly name = 'fuzz1';
  readonly loopback = false;
  readonly caps = 15;
  readonly mac = new Mac(0x02000000, 1);
  mtu = 1500;
  wrong = '';
  readonly #view: DataView;

  constructor(view: DataView) {
    this.#view = view;
  }

  transmit(tx: Tx): boolean {
    if (tx.lead !== 14) this.wrong = `a frame with a header of ${tx.lead} octets`;
    if (tx.gsoSize === 0 && frameLen(tx) > this.mtu + 14) this.wrong = 'a frame over the MTU';
    const type = this.#view.getUint16(tx.headerOff - 2);
    const isSound = type === 0x0806 || type === (tx.family === 6 ? 0x86dd : 0x0800);
    if (!isSound) this.wrong = `a frame of type ${type} for IPv${tx.family}`;
    return true;
  }

  flush(): void {}
}

const macOf = (i: number): number[] => [2, 0, 0, 0, 1, i & 7];
const ip4Of = (i: number): number[] => [198, 18, 0, 2 + (i & 7)];
const ip6Of = (i: number): number[] => [...OWN6.slice(0, 15), 2 + (i & 7)];

/** Makes the frame, changes one octet of it in half of all cases, and lets it arrive. */
export function frame(m: Machine, more: boolean): void {
  const { r } = m;
  const kind = r.arg(0) & 15;
  if (kind === 13) return datagram(m);
  if (kind === 14) return address(m);
  const octets = kind < 5 ? arp(m) : kind < 11 ? discovery(m) : other(m);
  if ((r.arg(0) & 0x80) !== 0) {
    const at = r.arg(5) % octets.length;
    octets[at] = r.arg(6);
  }
  const cut = (r.arg(0) & 0x40) !== 0 ? r.arg(4) % octets.length : octets.length;
  m.rig.frame(Uint8Array.from(octets.slice(0, cut)), more);
}

function head(dst: readonly number[], src: readonly number[], type: number): number[] {
  return [...dst, ...src, type >>> 8, type & 255];
}

function arp(m: Machine): number[] {
  const { r } = m;
  const from = r.arg(1);
  const mac = (from & 0x80) === 0 ? macOf(from) : macOf(from + 1);
  const own = (r.arg(3) & 4) !== 0;
  const sender = (r.arg(3) & 8) !== 0 ? [0, 0, 0, 0] : own ? [...OWN4] : ip4Of(from);
  const target = (r.arg(2) & 0x80) === 0 ? OWN4 : ip4Of(r.arg(2));
  const dst = (r.arg(3) & 16) === 0 ? EVERYBODY : OWN;
  const op = 1 + (r.arg(3) & 1);
  return [
    ...head(dst, mac, 0x0806),
    ...[0, 1, 8, 0, 6, 4, 0, op],
    ...[...mac, ...sender, ...OWN, ...target],
  ];
}

function discovery(m: Machine): number[] {
  const { r } = m;
  const from = r.arg(1);
  const type = TYPES[r.arg(2) & 7] as number;
  const target = (r.arg(2) & 0x80) === 0 ? (type === 136 ? ip6Of(from) : OWN6) : ip6Of(r.arg(2));
  const src = (r.arg(3) & 1) === 0 ? ip6Of(from) : NOBODY6;
  const group = [0xff, 2, ...new Array<number>(9).fill(0), 1, 0xff, 0, 0, target[15] as number];
  const dst = (r.arg(3) & 2) === 0 ? OWN6 : group;
  const kind = type === 136 ? 2 : 1;
  const options = (r.arg(3) & 4) === 0 ? [kind, 1, ...macOf(from)] : [];
  const message = [type, 0, 0, 0, r.arg(4) & 0xe0, 0, 0, 0, ...target, ...options];
  const pseudo = [...src, ...dst, 0, 0, 0, message.length, 0, 0, 0, 58];
  finish(message, 2, onesSum(pseudo, 0));
  const hops = (r.arg(3) & 0x80) === 0 ? 255 : 64;
  const to = (r.arg(3) & 2) === 0 ? OWN : [0x33, 0x33, ...dst.slice(12)];
  const ip = [0x60, 0, 0, 0, 0, message.length, 58, hops, ...src, ...dst];
  return [...head(to, macOf(from), 0x86dd), ...ip, ...message];
}

/** A datagram for nobody, with and without a tag, or of a type that nobody knows. */
function other(m: Machine): number[] {
  const { r } = m;
  const ip = [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, ...ip4Of(r.arg(1)), ...OWN4];
  finish(ip, 10, 0);
  const body = [...ip, 0, 7, 0, 9, 0, 8, 0, 0];
  if ((r.arg(0) & 15) === 11) return [...head(OWN, macOf(r.arg(1)), 0x0800), ...body];
  const type = r.arg(3) < 128 ? 0x8100 : r.word(3);
  const tag = [0, r.arg(2) & 3, 8, 0];
  return [...head(OWN, macOf(r.arg(1)), type), ...tag, ...body];
}

function datagram(m: Machine): void {
  const { r } = m;
  const text = r.arg(2) < 128 ? ip4Of(r.arg(1)).join('.') : `2001:db8:e::${2 + (r.arg(1) & 7)}`;
  m.guard(() => m.rig.sendTo(text, 1 + r.word(3) / 16));
  m.rig.settle();
}

/** An address more on the Ethernet: it is asked for first, and given up in the end. */
function address(m: Machine): void {
  const { r } = m;
  const { stack, etherId } = m.rig;
  const text = r.arg(2) < 128 ? `2001:db8:e::${2 + (r.arg(1) & 7)}` : ip4Of(r.arg(1)).join('.');
  const length = r.arg(2) < 128 ? 64 : 24;
  const random = new SeededRandom(r.arg(3));
  stack.ip.config.dadTransmits = random.next() & 1;
  stack.ip.config.arpProbes = random.next() & 1;
  m.guard(() => {
    stack.addAddress(etherId, text, length);
    m.undo.push(() => stack.removeAddress(etherId, text, length));
  });
  m.rig.settle();
}
