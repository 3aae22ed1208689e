// The stack under the sequence fuzzer: one link, listeners, a peer that knows what the stack has
// sent, and the oracles: no exception, every packet out valid under the simulator's own decoder, no
// RST in answer to RST, counts of the scoreboard sound, memory accounted, everything given back.

import { SeededRandom } from '../../src/base/random.ts';
import { Slab } from '../../src/base/slab.ts';
import type { Tx } from '../../src/base/tx.ts';
import type { Link } from '../../src/link/link.ts';
import { copyPacket, packetLen } from '../../src/link/packet.ts';
import { Bit, decode, Proto, Wire } from '../../src/sim/decode.ts';
import { Stack } from '../../src/stack/stack.ts';
import type { Tcb } from '../../src/tcp/tcb.ts';
import { parse } from '../../src/wire/address.ts';
import { FuzzEther } from './frames.ts';
import { PacketWriter } from './packets.ts';
import { asIpv4, read, wordsOf } from './six.ts';

export const LOCAL = '192.0.2.1';
/** 192.0.2.1, and who sends: a neighbour, hosts behind the gateway. */
export const LOCAL_WORD = 0xc0000201 | 0;
export const PEERS = [0xc0000209 | 0, 0xc6336409 | 0, 0xc633640a | 0, 0xcb007105 | 0] as const;

const RX_ROOM = 1 << 18;
const START_US = 1_000_000_000;
const FLOWS = 8;
const MAX_ROUNDS = 64;
/** Packets that one input may draw at most: a window of tiny segments. */
const MAX_OUT = 20_000;
const DAY_US = 86_400_000_000;

/** A connection as the peer sees it. */
export class Flow {
  used = false;
  peer = 0;
  /** Of an IPv6 connection: the peer's address. */
  six = false;
  words: readonly number[] | null = null;
  /** The stack's port in the upper half, the peer's in the lower. */
  local = 0;
  remote = 0;
  /** The peer's next number, and the next of the stack. */
  seq = 0;
  ack = 0;
  una = 0;
  hasTs = false;
  ts = 0;
  scale = 0;
}

class FuzzLink implements Link {
  readonly name = 'fuzz0';
  readonly loopback = false;
  caps = 0;
  mtu = 1500;
  readonly #rig: Rig;
  constructor(rig: Rig) {
    this.#rig = rig;
  }
  transmit(tx: Tx): boolean {
    return this.#rig.sent(tx);
  }
  flush(): void {}
}

export class Rig {
  readonly slab = new Slab(1 << 21, true);
  readonly stack: Stack;
  readonly link: FuzzLink;
  readonly linkId: number;
  /** A second link, an Ethernet: see frames.ts. */
  readonly ether: FuzzEther;
  readonly etherId: number;
  readonly packet = new PacketWriter();
  readonly flows = Array.from({ length: FLOWS }, () => new Flow());
  readonly #rx: number;
  #rxUsed = 0;
  now = START_US;
  work = false;
  /** The last packets that came out, newest last: what ICMP quotes. */
  readonly out: Uint8Array[] = [];
  packetsOut = 0;
  /** The link refuses so many of the next packets. */
  refusing = 0;
  #answering = false;
  #gotReset = false;
  #wrong = '';
  #outNow = 0;
  readonly #octets = new Uint8Array(1 << 17);
  readonly #wire = new Wire();
  #next = 0;
  /** What a handler that throws throws. */
  readonly thrown = new Error('a handler threw');

  constructor(seed: number) {
    this.#rx = this.slab.reserve(RX_ROOM);
    this.stack = new Stack({
      slab: this.slab,
      random: new SeededRandom(seed),
      nowUs: START_US,
      config: {
        ip: { txArenaOctets: 1 << 17, pmtuMaxEntries: 64, reassemblyMaxDatagrams: 8 },
        stack: { loopbackOctets: 1 << 17, loopbackPackets: 64 },
      },
      onWork: () => {
        this.work = true;
      },
    });
    this.link = new FuzzLink(this);
    this.linkId = this.stack.addLink(this.link);
    this.stack.addAddress(this.linkId, LOCAL, 24);
    this.stack.addAddress(this.linkId, '2001:db8::1', 64);
    this.stack.addAddress(this.linkId, 'fe80::1', 64);
    this.stack.addRoute('::', 0, { link: this.linkId });
    this.ether = new FuzzEther(this.slab.view);
    this.etherId = this.stack.addLink(this.ether);
    this.stack.ip.config.dadTransmits = 0;
    this.stack.addAddress(this.etherId, '198.18.0.1', 24);
    this.stack.addAddress(this.etherId, '2001:db8:e::e1', 64);
    this.stack.addRoute('0.0.0.0', 0, { link: this.linkId, gateway: '192.0.2.254' });
  }

  // --- out ------------------------------------------------------------------------------------

  sent(tx: Tx): boolean {
    if (this.refusing > 0) {
      this.refusing--;
      return false;
    }
    const len = packetLen(tx);
    const octets = this.#octets;
    copyPacket(tx, this.slab.u8, octets, 0);
    this.packetsOut++;
    if (++this.#outNow > MAX_OUT) this.#wrong = 'one input draws packets without end';
    if (len > this.link.mtu) this.#wrong = 'the stack sent a packet over the MTU';
    if (this.out.length >= 8) this.out.shift();
    this.out.push(octets.slice(0, Math.min(len, 120)));
    const w = this.#wire;
    const six = tx.family === 6 ? asIpv4(octets, len) : null;
    if (typeof six === 'string') this.#wrong = `the stack sent an invalid packet: ${six}`;
    if (tx.family === 6 && !(six instanceof Uint8Array)) return true; // no transport to look at
    const wrong = six instanceof Uint8Array ? read(six, w) : decode(octets, 0, len, w, false);
    if (wrong !== '') this.#wrong = `the stack sent an invalid packet: ${wrong}`;
    if (w.protocol === Proto.TCP && !w.mf && w.fragOff === 0) {
      this.#learn(w, tx.family === 6 ? octets.subarray(24, 40) : null);
    }
    return true;
  }

  /** What the peer learns of its connection. */
  #learn(w: Wire, six: Uint8Array | null): void {
    if (this.#answering && this.#gotReset && (w.flags & Bit.RST) !== 0) {
      this.#wrong = 'RST in answer to RST';
    }
    let f = this.flows.find((x) => x.used && x.local === w.srcPort && x.remote === w.dstPort);
    if (f === undefined) {
      if ((w.flags & Bit.SYN) === 0) return;
      f = this.flows[this.#next] as Flow;
      this.#next = (this.#next + 1) % FLOWS;
      f.used = true;
      f.peer = w.dst | 0;
      f.six = six !== null;
      f.words = six === null ? null : wordsOf(six);
      f.local = w.srcPort;
      f.remote = w.dstPort;
      f.una = w.seq;
      f.ack = w.seq;
      f.seq = 0x7fff_ff00;
    }
    if ((w.flags & Bit.SYN) !== 0) {
      f.una = w.seq;
      f.ack = w.seq;
      f.hasTs = w.hasTs;
      f.scale = Math.max(0, w.wscale);
    }
    if (w.hasTs) f.ts = w.tsVal | 0;
    if ((w.flags & Bit.ACK) !== 0) f.seq = w.ack;
    const end = w.seq + w.dataLen + ((w.flags & Bit.SYN) >> 1) + (w.flags & Bit.FIN);
    if (((end - f.ack) | 0) > 0) f.ack = end | 0;
  }

  // --- in -------------------------------------------------------------------------------------

  /** The writer's packet arrives. It is delivered at once unless the batch goes on. */
  receive(flags: number, gso: number, goesOn: boolean): void {
    const { u8, len } = this.packet;
    const need = (len + 63) & ~63;
    if (need > RX_ROOM) return;
    if (this.#rxUsed + need > RX_ROOM) this.settle();
    const at = this.#rx + this.#rxUsed;
    this.#rxUsed += need;
    this.slab.u8.set(u8.subarray(0, len), at);
    const six = (u8[0] as number) >> 4 === 6;
    const l4 = six ? 40 : ((u8[0] as number) & 15) * 4;
    const part = !six && (((u8[6] as number) & 0x3f) !== 0 || u8[7] !== 0);
    const isTcp = !part && u8[six ? 6 : 9] === 6;
    this.#gotReset = isTcp && ((u8[l4 + 13] as number) & Bit.RST) !== 0;
    this.#answering = true;
    this.stack.receive(this.linkId, at, len, flags, gso);
    this.#answering = false;
    if (!goesOn) this.settle();
  }

  /** A frame arrives on the Ethernet. */
  frame(octets: Uint8Array, goesOn: boolean): void {
    const at = this.#rx + this.#rxUsed;
    if (this.#rxUsed + 2048 > RX_ROOM) this.settle();
    this.#rxUsed += (octets.length + 63) & ~63;
    this.slab.u8.set(octets, at);
    this.stack.receive(this.etherId, at, octets.length);
    if (!goesOn) this.settle();
  }

  /** A datagram of ours to a neighbour on the Ethernet. */
  sendTo(text: string, octets: number): void {
    const none = (): void => {};
    const handler = { datagram: none, error: none, writable: none };
    const s = this.stack.udp({ handler });
    s.send(new Uint8Array(octets), 0, Math.floor(octets), parse(text) ?? undefined, 7);
    s.close();
  }

  settle(): void {
    for (let i = 0; ; i++) {
      this.work = false;
      try {
        this.stack.drain();
      } catch (error) {
        if (error !== this.thrown) throw error;
      }
      if (!this.work) break;
      if (i > MAX_ROUNDS) throw new Error('drain makes work without end');
    }
    this.slab.recycle(this.#rx, this.#rxUsed);
    this.#rxUsed = 0;
    this.#outNow = 0;
    this.check();
  }

  pass(us: number): void {
    this.now += us;
    this.stack.advance(this.now);
    this.settle();
  }

  // --- oracles ----------------------------------------------------------------------------------

  check(): void {
    if (this.#wrong !== '') {
      const what = this.#wrong;
      this.#wrong = '';
      throw new Error(what);
    }
    if (this.ether.wrong !== '') throw new Error(this.ether.wrong);
    const { tcp, counters } = this.stack;
    const exceptions = counters.get('PortsideExceptions');
    if (exceptions !== 0) throw new Error('an exception inside the stack');
    let rings = 0;
    for (let i = 0; i < tcp.connections.length; i++) {
      const t = tcp.connections[i];
      if (t === null || t === undefined) continue;
      rings += t.ring.capacity;
      sound(t);
    }
    if (rings !== tcp.rcvMemory) {
      throw new Error(`${tcp.rcvMemory} octets of receive memory accounted, ${rings} held`);
    }
    for (const listener of tcp.listeners) {
      if (listener === null) continue;
      if (listener.embryonic < 0) throw new Error('embryonic connections below zero');
      if (listener.fastOpenPending < 0) throw new Error('pending Fast Opens below zero');
    }
  }

  /** Lets every timeout pass; then nothing may be left. Sockets are the caller's to close. */
  end(): void {
    this.refusing = 0;
    this.settle();
    for (let i = 0; i < 400 && this.stack.nextDeadline() !== Infinity; i++) {
      this.pass(Math.max(1, this.stack.nextDeadline() - this.now));
    }
    this.pass(DAY_US);
    const { tcp, ip, udpLayer, loopback } = this.stack;
    const left = {
      connections: tcp.live,
      flows: tcp.flows.size,
      'TIME-WAIT records': tcp.timeWait.size,
      ports: tcp.ports.size,
      timers: tcp.deadlines.armed,
      'receive memory': tcp.rcvMemory,
      'send blocks': tcp.blocks.inUse,
      records: tcp.segs.used,
      'UDP sockets': udpLayer.live,
      reassembly: ip.reassembly.octets,
      loopback: loopback.pending,
      neighbours: ip.ethers[this.etherId]?.neighbors.size ?? 0,
      'waiting octets': ip.ethers[this.etherId]?.waitingOctets ?? 0,
      established: this.stack.counters.get('TcpCurrEstab'),
      deadline: this.stack.nextDeadline() === Infinity ? 0 : 1,
    };
    for (const [what, n] of Object.entries(left)) {
      if (n !== 0) throw new Error(`left behind: ${what} ${n}`);
    }
    for (const f of this.flows) f.used = false;
    this.#next = 0;
    this.out.length = 0;
  }
}

/** The counts of a connection's scoreboard add up. */
function sound(t: Tcb): void {
  const { packetsOut, sackedOut, lostOut, retransOut } = t;
  if (sackedOut < 0 || lostOut < 0 || retransOut < 0 || packetsOut < 0) {
    throw new Error(`counts ${packetsOut} ${sackedOut} ${lostOut} ${retransOut}`);
  }
  if (sackedOut + lostOut > packetsOut || retransOut > packetsOut) {
    throw new Error(`counts ${packetsOut} ${sackedOut} ${lostOut} ${retransOut}`);
  }
  if (!(t.cwnd >= 1) || !(t.rtoUs > 0)) throw new Error(`cwnd ${t.cwnd}, rto ${t.rtoUs}`);
  const p = t.layer.segs;
  let n = 0;
  let at = t.sndUna;
  for (let i = t.board.head; i !== -1; i = p.next[i] as number) {
    n += p.segs[i] as number;
    if (p.start[i] !== at) throw new Error('a gap between records');
    at = p.end[i] as number;
  }
  if (n !== packetsOut) throw new Error(`${packetsOut} packets out, records say ${n}`);
  if (packetsOut > 0 && at !== t.sndNxt) throw new Error('records end before SND.NXT');
}
