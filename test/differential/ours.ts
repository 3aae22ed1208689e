// Our side of a differential run: the stack under profile `linux` with a clock that stands (but for
// some microseconds a step, as on the kernel's side), driven by Berkeley-like calls.

import { SeededRandom } from '../../src/base/random.ts';
import { Slab } from '../../src/base/slab.ts';
import type { Tx } from '../../src/base/tx.ts';
import type { Link } from '../../src/link/link.ts';
import { copyPacket, packetLen } from '../../src/link/packet.ts';
import { onesSum, pseudoSum } from '../../src/sim/decode.ts';
import type { StreamSocket } from '../../src/socket/stream-socket.ts';
import { profile } from '../../src/stack/profiles.ts';
import { Stack } from '../../src/stack/stack.ts';
import { type CallStep, described, octetsOf, type Script, type Step } from './steps.ts';

const LOCAL = '10.88.0.1';
const EBADF = -9;
const EINPROGRESS = -115;
const STEP_US = 20;
const RX_ROOM = 1 << 17;

/** What a step led to: the call's answer, and the packets. */
export interface Outcome {
  readonly answer: number | null;
  readonly packets: readonly string[];
}

class Ours implements Link {
  readonly name = 'ours0';
  readonly caps = 0;
  readonly loopback = false;
  mtu = 1500;
  readonly slab = new Slab(1 << 23, true);
  readonly stack: Stack;
  readonly sockets: (StreamSocket | null)[] = [];
  #out: Uint8Array[] = [];
  readonly #rx: number;
  readonly #id: number;
  #now = 1e9;
  isn = 0;
  #stamp = 0;

  constructor(seed: number) {
    this.#rx = this.slab.reserve(RX_ROOM);
    this.stack = new Stack({
      slab: this.slab,
      random: new SeededRandom(seed),
      nowUs: this.#now,
      config: profile('linux'),
    });
    this.#id = this.stack.addLink(this);
    this.stack.addAddress(this.#id, LOCAL, 16);
  }

  transmit(tx: Tx): boolean {
    const b = new Uint8Array(packetLen(tx));
    copyPacket(tx, this.slab.u8, b, 0);
    this.#out.push(b);
    const v = new DataView(b.buffer);
    if (b[9] === 6 && ((b[33] as number) & 2) !== 0) this.isn = v.getInt32(24);
    eachOption(b, (at, kind) => {
      if (kind === 8) this.#stamp = v.getInt32(at + 2);
    });
    return true;
  }
  flush(): void {}

  settle(): void {
    this.#now += STEP_US;
    this.stack.advance(this.#now);
    for (let i = 0; i < 20; i++) this.stack.drain();
  }

  receive(octets: Uint8Array): void {
    const v = new DataView(octets.buffer);
    if (((octets[33] as number) & 16) !== 0) v.setInt32(28, v.getInt32(28) + this.isn);
    eachOption(octets, (at, kind, len) => {
      if (kind === 8) v.setInt32(at + 6, v.getInt32(at + 6) + this.#stamp);
      if (kind !== 5) return;
      for (let i = 2; i + 4 <= len; i += 4) v.setInt32(at + i, v.getInt32(at + i) + this.isn);
    });
    v.setUint16(36, 0);
    const n = octets.length;
    v.setUint16(36, ~onesSum(octets, 20, n, pseudoSum(octets, 0, 6, n - 20)) & 0xffff);
    this.slab.u8.set(octets, this.#rx);
    this.stack.receive(this.#id, this.#rx, n, 0, 0);
  }

  call({ verb, socket: i, arg, host }: CallStep): number {
    if (verb === 'socket') {
      this.sockets[i] = this.stack.stream();
      return 0;
    }
    const s = this.sockets[i];
    if (s === null || s === undefined) return EBADF;
    if (verb === 'accept') {
      const child = s.accept();
      if (typeof child === 'number') return child;
      this.sockets[arg] = child;
      return 0;
    }
    if (verb === 'close' || verb === 'abort') {
      if (verb === 'abort') s.set({ lingerMs: 0 });
      s.close();
      this.sockets[i] = null;
      return 0;
    }
    return this.#callOn(s, verb, arg, host);
  }

  #callOn(s: StreamSocket, verb: string, arg: number, host: string | undefined): number {
    switch (verb) {
      case 'bind':
        return s.bind(host === '0.0.0.0' ? '0.0.0.0' : (host as string), arg);
      case 'listen':
        return s.listen(arg);
      case 'connect': {
        const code = s.connect(host as string, arg);
        return code === 0 ? EINPROGRESS : code;
      }
      case 'send':
        return s.send(new Uint8Array(arg).fill(0x7a));
      case 'receive':
        return s.receive(new Uint8Array(arg));
      case 'peek':
        return s.receive(new Uint8Array(arg), { peek: true });
      case 'shutdown':
        return s.shutdown(arg);
      case 'noDelay':
        s.set({ noDelay: arg !== 0 });
        return 0;
      case 'cork':
        s.set({ cork: arg !== 0 });
        return 0;
      case 'error':
        return s.takeError();
      default:
        throw new Error(`no call ${verb}`);
    }
  }

  take(): string[] {
    const out = this.#out.map((b) => described(b, this.isn));
    this.#out = [];
    return out;
  }
}

function eachOption(b: Uint8Array, use: (at: number, kind: number, len: number) => void): void {
  if (b[9] !== 6 || b.length < 40) return;
  const end = 20 + ((b[32] as number) >> 4) * 4;
  for (let at = 40; at < end && b[at] !== 0; ) {
    const len = b[at] === 1 ? 1 : (b[at + 1] as number);
    if (len < 1 || at + len > end) return;
    if (b[at] !== 1) use(at, b[at] as number, len);
    at += len;
  }
}

/** Runs the script on our stack. */
export function runOurs(script: Script, seed: number): Outcome[] {
  const ours = new Ours(seed);
  return script.steps.map((step: Step) => {
    let answer: number | null = null;
    if ('verb' in step) answer = ours.call(step);
    else ours.receive(octetsOf(script, step, LOCAL));
    ours.settle();
    return { answer, packets: ours.take() };
  });
}
