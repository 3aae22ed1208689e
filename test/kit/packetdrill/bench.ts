// The bench of a packetdrill script: one stack with one link under a virtual clock; packets are
// translated between the script's numbers and the wire's.

import { SeededRandom } from '../../../src/base/random.ts';
import { GsoType } from '../../../src/base/rx.ts';
import { Slab } from '../../../src/base/slab.ts';
import type { Tx } from '../../../src/base/tx.ts';
import type { Link } from '../../../src/link/link.ts';
import { copyPacket, packetLen } from '../../../src/link/packet.ts';
import { Bit, decode, line, Proto, Wire } from '../../../src/sim/decode.ts';
import { firstWrong } from '../../../src/sim/stream.ts';
import { type ProfileName, profile, profiles } from '../../../src/stack/profiles.ts';
import { Stack } from '../../../src/stack/stack.ts';
import { icmp4, tcp4 } from '../packet.ts';
import { pattern, STREAM_KEY } from '../script-peer.ts';
import { Conversation } from './conversation.ts';
import { NotHere } from './cursor.ts';
import type { PdIcmp, PdPacket, PdTcp } from './packet-notation.ts';
import { icmp6, inSix, LOCAL6, outOfSix, REMOTE6 } from './six.ts';
import { setKnob } from './sysctl.ts';
import {
  differLoosely,
  differOptions,
  optionsToWire,
  optionText,
  readOptions,
} from './wire-options.ts';

export const LOCAL = '192.0.2.1';
export const REMOTE = '198.51.100.9';
const START_US = 1_000_000_000;
const RX_REGION = 1 << 17;

export interface Sent {
  readonly atUs: number;
  readonly octets: Uint8Array;
  /** Several packets that a script writes as one: who pushes is the segmenter's business. */
  readonly joined?: boolean;
}

export class PdBench {
  readonly slab = new Slab(1 << 23, true);
  readonly stack: Stack;
  readonly link: Link & { mtu: number };
  readonly linkId: number;
  readonly outbox: Sent[] = [];
  readonly toleranceUs: number;
  readonly tickUs: number;
  readonly bindPort: number;
  readonly connectPort: number;
  readonly six: boolean;
  /** The script was written for another stack: its choices of options and windows are not ours. */
  readonly loose: boolean;
  readonly conversations: Conversation[] = [];
  /** The conversation that packets without ports belong to. */
  peer: Conversation;
  elapsedUs = 0;
  #work = false;
  /** `--mss`: a longer segment that comes in has been joined from segments of this size. */
  readonly #mss: number;
  readonly #rx: number;
  readonly #wire = new Wire();

  /** Addresses for calls. */
  get any(): string {
    return this.six ? '::' : '0.0.0.0';
  }
  get remote(): string {
    return this.six ? REMOTE6 : REMOTE;
  }

  /** @param o head options of the script; `config` wins over them */
  constructor(o: ReadonlyMap<string, string>) {
    const known = (name: string, otherwise: number): number => Number(o.get(name) ?? otherwise);
    const name = (o.get('profile') ?? 'linux') as ProfileName;
    if (profiles[name] === undefined) throw new Error(`no profile ${name}`);
    this.six = o.get('ip_version') === 'ipv6';
    this.loose = o.get('loose') === 'true';
    if (o.has('udp_encapsulation')) throw new NotHere('UDP encapsulation');
    this.toleranceUs = known('tolerance_usecs', 4000);
    this.tickUs = known('tcp_ts_tick_usecs', 0);
    this.bindPort = known('bind_port', 8080);
    this.connectPort = known('connect_port', 8080);
    this.#mss = known('mss', 0);
    this.#rx = this.slab.reserve(RX_REGION);
    this.stack = new Stack({
      slab: this.slab,
      random: new SeededRandom(known('seed', 1)),
      nowUs: START_US,
      config: profile(name),
      onWork: () => {
        this.#work = true;
      },
    });
    for (const knob of (o.get('knob') ?? '').split(' ')) {
      if (knob !== '') setKnob(this.stack.config, knob);
    }
    this.link = this.#makeLink(known('mtu', 1500));
    this.linkId = this.stack.addLink(this.link);
    this.stack.addAddress(this.linkId, this.six ? LOCAL6 : LOCAL, this.six ? 64 : 24);
    this.stack.addRoute(this.six ? '::' : '0.0.0.0', 0, { link: this.linkId });
    this.peer = new Conversation(this.bindPort, known('remote_port', 54_321));
    this.peer.isn = known('isn', 0) | 0;
    this.conversations.push(this.peer);
  }

  #makeLink(mtu: number): Link & { mtu: number } {
    return {
      name: 'script0',
      caps: 0,
      loopback: false,
      mtu,
      transmit: (tx: Tx) => {
        const octets = new Uint8Array(packetLen(tx));
        copyPacket(tx, this.slab.u8, octets, 0);
        const read = this.six ? outOfSix(octets, REMOTE, LOCAL) : octets;
        if (typeof read === 'string') throw new Error(`an invalid IPv6 packet: ${read}`);
        this.outbox.push({ atUs: this.elapsedUs, octets: read });
        return true;
      },
      flush() {},
    };
  }

  // --- time -----------------------------------------------------------------------------------

  nextEventUs(): number {
    return this.#work ? this.elapsedUs : this.stack.nextDeadline() - START_US;
  }

  /** Moves the clock and lets the stack act. */
  runTo(us: number): void {
    this.elapsedUs = Math.max(this.elapsedUs, us);
    this.#work = false;
    this.stack.advance(START_US + this.elapsedUs);
    this.drain();
  }

  drain(): void {
    for (let i = 0; i < 1000; i++) {
      this.#work = false;
      this.stack.drain();
      if (!this.#work) return;
    }
    throw new Error('drain makes work without end');
  }

  // --- conversations --------------------------------------------------------------------------

  /** The program connects: the next SYN that comes out begins this conversation. */
  beginConnect(remotePort: number): void {
    this.peer = new Conversation(0, remotePort);
    this.conversations.push(this.peer);
  }

  #select(remotePort: number, localPort: number): void {
    if (remotePort === 0) return;
    const found = this.conversations.find((p) => p.remotePort === remotePort);
    if (found === undefined) {
      this.peer = new Conversation(localPort, remotePort);
      this.conversations.push(this.peer);
    } else this.peer = found;
  }

  // --- packets in -----------------------------------------------------------------------------

  inject(packet: PdPacket): void {
    const octets = packet.kind === 'icmp' ? this.#icmp(packet) : this.#wired(packet);
    this.slab.u8.set(octets, this.#rx);
    this.stack.advance(START_US + this.elapsedUs);
    const cut = this.#mss > 0 && packet.kind === 'tcp' && packet.len > this.#mss;
    const gso = cut ? (this.six ? GsoType.TCPV6 : GsoType.TCPV4) | (this.#mss << 8) : 0;
    this.stack.receive(this.linkId, this.#rx, octets.length, 0, gso);
    this.drain();
    this.slab.u8.fill(0xdb, this.#rx, this.#rx + octets.length);
  }

  #icmp(packet: PdIcmp): Uint8Array {
    const p = this.peer;
    const quoted = tcp4(
      { src: LOCAL, dst: REMOTE, df: true, totalLen: 40 + packet.len },
      { srcPort: p.localPort, dstPort: p.remotePort, seq: p.toWire(packet.seq), flags: Bit.ACK },
    );
    if (packet.six !== this.six) throw new NotHere('ICMP of the other family');
    if (packet.six) return icmp6(packet.type, packet.code, packet.mtu, quoted);
    const ip = { src: REMOTE, dst: LOCAL };
    return icmp4(ip, packet.type, packet.code, packet.mtu, quoted.subarray(0, 28));
  }

  #wired(s: PdTcp): Uint8Array {
    return this.six ? inSix(this.#segment(s)) : this.#segment(s);
  }

  #segment(s: PdTcp): Uint8Array {
    this.#select(s.srcPort, s.dstPort);
    const p = this.peer;
    if ((s.flags & (Bit.SYN | Bit.ACK)) === Bit.SYN) p.mayBeginAnew = true;
    const syn = (s.flags & Bit.SYN) !== 0;
    if (syn && !p.settled) p.synSeq = s.seq;
    if (!syn) p.settled = true;
    const data = syn ? 0 : s.seq - 1;
    const ecn = s.ip.ecn === null ? 0 : Math.abs(s.ip.ecn);
    return tcp4(
      { src: REMOTE, dst: LOCAL, df: true, tos: (s.ip.tos ?? 0) | ecn, ttl: s.ip.ttl ?? 64 },
      {
        srcPort: p.remotePort,
        dstPort: p.localPort,
        seq: p.ownToWire(s.seq, syn),
        ack: s.ack === null ? 0 : p.toWire(s.ack),
        flags: s.flags,
        window: s.win ?? 0,
        urgent: s.urg ?? 0,
        options: optionsToWire(s.options ?? [], p),
        payload: pattern(data, s.len),
      },
    );
  }

  // --- packets out ----------------------------------------------------------------------------

  /** Compares what came out with the script; throws with the first difference. */
  match(got: Sent, want: PdPacket): void {
    const w = this.#wire;
    const invalid = decode(got.octets, 0, got.octets.length, w, false);
    if (invalid !== '') throw new Error(`the stack sent an invalid packet: ${invalid}`);
    if (want.kind === 'icmp') {
      this.#same(
        'ICMP',
        w.protocol === Proto.ICMP ? `${w.icmpType}/${w.icmpCode}` : 'no ICMP',
        `${want.type}/${want.code}`,
      );
    } else if (w.protocol !== Proto.TCP) throw new Error('came no TCP segment');
    else this.#matchSegment(got, want);
  }

  #matchSegment(got: Sent, want: PdTcp): void {
    const w = this.#wire;
    this.#select(want.dstPort, want.srcPort);
    const p = this.peer;
    this.#same('destination port', w.dstPort, p.remotePort);
    const syn = (w.flags & Bit.SYN) !== 0;
    if (syn && (p.iss === null || (p.mayBeginAnew && (w.flags & Bit.ACK) !== 0))) {
      p.iss = w.seq;
      p.localPort = w.srcPort;
      p.mayBeginAnew = false;
    }
    this.#same('source port', w.srcPort, p.localPort);
    const pushed = got.joined === true ? Bit.PSH : 0;
    this.#same('flags', w.flags | pushed, want.flags | pushed);
    const seq = p.fromWire(w.seq);
    this.#same('seq', seq, want.seq >>> 0);
    this.#same('octets', w.dataLen, want.len);
    const plain = syn || (!p.settled && (w.flags & Bit.RST) !== 0);
    if (!plain) p.settled = true;
    if (want.ack !== null) this.#same('ack', p.ownFromWire(w.ack, plain), want.ack);
    const sameWindow = !this.loose || want.win === 0;
    if (want.win !== null && sameWindow) this.#same('win', w.window, want.win);
    if (want.urg !== null) this.#same('urg', w.urgent, want.urg);
    if (want.ip.ttl !== null) this.#same('ttl', w.ttl, want.ip.ttl);
    if (want.ip.tos !== null) this.#same('tos', w.tos, want.ip.tos);
    if (want.ip.ecn === -1)
      this.#same('ECT', (w.tos & 3) === 1 || (w.tos & 3) === 2 ? 'ect' : 'no ect', 'ect');
    else if (want.ip.ecn !== null) this.#same('ECN field', w.tos & 3, want.ip.ecn);
    if (w.dataLen > 0) {
      const wrong = firstWrong(STREAM_KEY, seq - (syn ? 0 : 1), got.octets, w.data, w.dataLen);
      if (wrong >= 0) throw new Error(`octet ${wrong} of the payload is wrong`);
    }
    if (want.options === null) return;
    const options = readOptions(got.octets, w.l4 + 20, w.data);
    const differs = this.loose ? differLoosely : differOptions;
    const difference = differs(options, want.options, p, this.tickUs);
    if (difference !== '') throw new Error(difference);
  }

  #same(what: string, got: number | string, want: number | string): void {
    if (got !== want) throw new Error(`${what} is ${got}, not ${want}`);
  }

  /** One line; numbers as the script has them. */
  describe(sent: Sent): string {
    const w = new Wire();
    const invalid = decode(sent.octets, 0, sent.octets.length, w, false);
    const at = `${(sent.atUs / 1e6).toFixed(6)} s`;
    if (w.protocol !== Proto.TCP || invalid !== '') return `${at}: ${line(w)} ${invalid}`;
    const p = this.peer;
    w.seq = p.fromWire(w.seq);
    w.ack = p.ownFromWire(w.ack, (w.flags & Bit.SYN) !== 0) | 0;
    const options = readOptions(sent.octets, w.l4 + 20, w.data)
      .map((o) => {
        if (o.kind !== 'sack') return o;
        return { ...o, numbers: o.numbers.map((n) => p.ownFromWire(n, false)) };
      })
      .map(optionText)
      .join();
    w.mss = -1;
    w.wscale = -1;
    w.sackPermitted = false;
    w.hasTs = false;
    w.sackBlocks = 0;
    return `${at}: ${line(w).replace(/^\S+ > \S+ /, '')} <${options}>`;
  }

  /** The next packet of a run that a script writes as one segment, TSO's way. */
  joined(first: Sent, second: Sent): Sent | null {
    const a = new Wire();
    const b = new Wire();
    decode(first.octets, 0, first.octets.length, a, false);
    decode(second.octets, 0, second.octets.length, b, false);
    const follows = a.srcPort === b.srcPort && a.dstPort === b.dstPort && a.ack === b.ack;
    if (!follows || b.seq !== ((a.seq + a.dataLen) | 0) || b.dataLen === 0) return null;
    const head = first.octets.subarray(0, a.data);
    const ip = { src: LOCAL, dst: REMOTE, df: a.df, tos: a.tos, ttl: a.ttl, id: a.id };
    const payload = new Uint8Array(a.dataLen + b.dataLen);
    payload.set(first.octets.subarray(a.data, a.data + a.dataLen));
    payload.set(second.octets.subarray(b.data, b.data + b.dataLen), a.dataLen);
    const octets = tcp4(ip, {
      srcPort: a.srcPort,
      dstPort: a.dstPort,
      seq: a.seq,
      ack: a.ack,
      flags: a.flags | b.flags,
      window: a.window,
      urgent: a.urgent,
      options: head.slice(a.l4 + 20),
      payload,
    });
    return { atUs: first.atUs, octets, joined: true };
  }
}
