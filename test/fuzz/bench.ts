// A stack under fuzz: listeners, a UDP socket, connections that stand, and octets around each input
// that nobody may write to. Two benches fed alike, with different octets around their inputs, must
// give the same output: then nothing was read from outside the packet either.

import { SeededRandom } from '../../src/base/random.ts';
import { Slab } from '../../src/base/slab.ts';
import type { Tx } from '../../src/base/tx.ts';
import type { Link } from '../../src/link/link.ts';
import { copyPacket, packetLen } from '../../src/link/packet.ts';
import { Bit, decode, Proto, Wire } from '../../src/sim/decode.ts';
import { Trace } from '../../src/sim/trace.ts';
import type { TcpServer } from '../../src/socket/tcp-server.ts';
import type { TcpHandler, TcpSocket } from '../../src/socket/tcp-socket.ts';
import { Stack } from '../../src/stack/stack.ts';
import { tcp4, tcpOptions } from '../kit/packet.ts';
import { Generator, type Input, type Known, PEER, STACK } from './inputs.ts';

const ROOM = 1 << 17;
const GUARD = 64;
const START_US = 1_000_000_000;
const CONNECTIONS = 8;
/** Most rounds of drain that one input may cause. */
const MAX_ROUNDS = 64;

class Echo implements TcpHandler {
  opened(): void {}
  data(s: TcpSocket, u8: Uint8Array, off: number, len: number): void {
    if (s.queued < 100_000) s.send(u8, off, len);
  }
  ended(s: TcpSocket): void {
    s.close();
  }
  writable(): void {}
  written(): void {}
  closed(): void {}
}

export class FuzzBench implements Link {
  readonly name = 'fuzz0';
  readonly caps = 0;
  readonly loopback = false;
  mtu = 1500;
  readonly slab = new Slab(1 << 22, true);
  readonly stack: Stack;
  /** Everything that came out, and every counter. */
  readonly trace = new Trace();
  readonly connections: Known[] = [];
  readonly #rx: number;
  readonly #linkId: number;
  readonly #fill: number;
  readonly #wire = new Wire();
  #now = START_US;
  #server: TcpServer;
  #work = false;
  #lastSyn: Known | null = null;
  packetsOut = 0;
  #wrong = '';

  /** @param fill what lies around every input */
  constructor(seed: number, fill: number) {
    this.#rx = this.slab.reserve(ROOM);
    this.#fill = fill;
    this.stack = new Stack({
      slab: this.slab,
      random: new SeededRandom(seed),
      nowUs: START_US,
      onWork: () => {
        this.#work = true;
      },
    });
    this.#linkId = this.stack.addLink(this);
    this.stack.addAddress(this.#linkId, STACK, 24);
    this.stack.addRoute('0.0.0.0', 0, { link: this.#linkId });
    this.#server = this.stack.listen({ port: 80, handler: { accept: () => new Echo() } });
    this.stack.udp({
      port: 53,
      handler: {
        datagram: (s, u8, off, len, from) => {
          s.send(u8, off, len, from.remote(), from.port);
        },
        error: () => {},
        writable: () => {},
      },
    });
    this.slab.u8.fill(fill, this.#rx, this.#rx + ROOM);
  }

  transmit(tx: Tx): boolean {
    const octets = new Uint8Array(packetLen(tx));
    copyPacket(tx, this.slab.u8, octets, 0);
    this.packetsOut++;
    this.trace.octets(octets);
    const w = this.#wire;
    const wrong = decode(octets, 0, octets.length, w, false);
    // Not thrown from here: the stack would count it as an exception of its own.
    if (wrong !== '') this.#wrong = `the stack sent an invalid packet: ${wrong}`;
    if (octets.length > this.mtu) this.#wrong = 'the stack sent a packet over the MTU';
    if (w.protocol === Proto.TCP && (w.flags & (Bit.SYN | Bit.ACK)) === 18) {
      this.#lastSyn = { remotePort: w.dstPort, localPort: w.srcPort, seq: w.ack, ack: w.seq + 1 };
    }
    return true;
  }

  flush(): void {}

  /** Opens connections from outside until there are enough. */
  connect(from: number): void {
    this.connections.length = 0;
    for (let i = 0; i < CONNECTIONS; i++) {
      const srcPort = 1024 + ((from + i) % 60_000);
      const ip = { src: PEER, dst: STACK, df: true };
      const options = tcpOptions([
        { kind: 'mss', value: 1000 },
        { kind: 'sackOK' },
        { kind: 'wscale', value: i },
      ]);
      const seq = (from * 7_919_111 + i * 0x1f00_0000) | 0;
      this.#lastSyn = null;
      this.feed({
        octets: tcp4(ip, { srcPort, dstPort: 80, seq, flags: Bit.SYN, options }),
        flags: 0,
        gso: 0,
      });
      const known = this.#lastSyn as Known | null;
      if (known === null) continue;
      const { seq: next, ack } = known;
      this.feed({
        octets: tcp4(ip, { srcPort, dstPort: 80, seq: next, ack, flags: Bit.ACK }),
        flags: 0,
        gso: 0,
      });
      this.connections.push(known);
    }
  }

  generator(seed: number): Generator {
    return new Generator(new SeededRandom(seed), this.connections);
  }

  /** One packet into the stack, with guards around it. */
  feed(input: Input): void {
    const u8 = this.slab.u8;
    const at = this.#rx + GUARD;
    const len = input.octets.length;
    u8.set(input.octets, at);
    this.stack.receive(this.#linkId, at, len, input.flags, input.gso);
    this.#drain();
    for (let i = 1; i <= GUARD; i++) {
      if (u8[at - i] !== this.#fill || u8[at + len + i - 1] !== this.#fill) {
        throw new Error('the stack wrote outside of the packet');
      }
    }
    u8.fill(this.#fill, at, at + len);
    this.check();
  }

  /** Lets time pass. */
  pass(us: number): void {
    this.#now += us;
    this.stack.advance(this.#now);
    this.#drain();
  }

  #drain(): void {
    for (let i = 0; i < MAX_ROUNDS; i++) {
      this.#work = false;
      this.stack.drain();
      if (!this.#work) return;
    }
    throw new Error('drain makes work without end');
  }

  /** Throws when an exception was swallowed inside or something wrong came out. */
  check(): void {
    if (this.#wrong !== '') throw new Error(this.#wrong);
    const exceptions = this.stack.counters.get('PortsideExceptions');
    if (exceptions !== 0) throw new Error(`${exceptions} exceptions inside the stack`);
  }

  /** Everything that is visible from outside as one string. */
  state(): string {
    return `${this.trace.hash} ${JSON.stringify(this.stack.counters.snapshot())}`;
  }

  /** Stops serving and lets every timeout pass. */
  end(): void {
    this.#server.close();
    for (let i = 0; i < 4000; i++) this.pass(1_000_000);
  }
}
