// The bench that a packet script runs on: one stack, one link, a virtual clock, one or several
// connections whose sequence numbers are translated between the script and the wire.

import { codeName } from '../../src/base/code.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { Slab } from '../../src/base/slab.ts';
import type { Tx } from '../../src/base/tx.ts';
import type { Link } from '../../src/link/link.ts';
import { copyPacket, packetLen } from '../../src/link/packet.ts';
import { Bit, decode, line, Proto, Wire } from '../../src/sim/decode.ts';
import { firstWrong } from '../../src/sim/stream.ts';
import type { TcpServer } from '../../src/socket/tcp-server.ts';
import type { TcpHandler, TcpSocket } from '../../src/socket/tcp-socket.ts';
import type { ConfigOverrides } from '../../src/stack/config.ts';
import { Stack } from '../../src/stack/stack.ts';
import { stateName } from '../../src/tcp/state.ts';
import { icmp4, type TcpOption, tcp4, tcpOptions, udp4 } from './packet.ts';
import type { ScriptPacket, Segment } from './script-parse.ts';
import { Peer, pattern, STREAM_KEY } from './script-peer.ts';

export interface ScriptOptions {
  /** Link MTU; default 1500. */
  mtu?: number;
  /** Knobs of stack/config.ts. */
  config?: ConfigOverrides;
  seed?: number;
  /** How far a packet may be from its time; default 4 ms. */
  toleranceMs?: number;
  /** Packets that no line expects are no error at the end. */
  allowLeftover?: boolean;
}

export const LOCAL = '192.0.2.1';
export const REMOTE = '198.51.100.9';
const CLIENT_PORT = 54_321;
const RX_REGION = 1 << 17;
const START_US = 1_000_000_000;

export interface Sent {
  readonly atUs: number;
  readonly octets: Uint8Array;
}

class BenchLink implements Link {
  readonly name = 'script0';
  readonly caps = 0;
  readonly loopback = false;
  mtu: number;
  readonly #bench: ScriptBench;
  constructor(bench: ScriptBench, mtu: number) {
    this.#bench = bench;
    this.mtu = mtu;
  }
  transmit(tx: Tx): boolean {
    const octets = new Uint8Array(packetLen(tx));
    copyPacket(tx, this.#bench.slab.u8, octets, 0);
    this.#bench.outbox.push({ atUs: this.#bench.elapsedUs, octets });
    return true;
  }
  flush(): void {}
}

export class ScriptBench {
  readonly slab: Slab;
  readonly stack: Stack;
  readonly link: BenchLink;
  readonly linkId: number;
  readonly outbox: Sent[] = [];
  readonly toleranceUs: number;
  elapsedUs = 0;
  readonly #rx: number;
  readonly #wire = new Wire();
  readonly #peers = new Map<string, Peer>();
  #peer: Peer;
  #server: TcpServer | null = null;
  #work = false;

  constructor(options: ScriptOptions) {
    this.slab = new Slab(1 << 23, true);
    this.#rx = this.slab.reserve(RX_REGION);
    this.toleranceUs = (options.toleranceMs ?? 4) * 1000;
    this.stack = new Stack({
      slab: this.slab,
      random: new SeededRandom(options.seed ?? 1),
      nowUs: START_US,
      config: options.config ?? {},
      onWork: () => {
        this.#work = true;
      },
    });
    this.link = new BenchLink(this, options.mtu ?? 1500);
    this.linkId = this.stack.addLink(this.link);
    this.stack.addAddress(this.linkId, LOCAL, 24);
    this.stack.addRoute('0.0.0.0', 0, { link: this.linkId });
    this.#peer = new Peer(CLIENT_PORT);
    this.#peers.set('A', this.#peer);
  }

  /** The current connection's socket, for what the notation cannot say. */
  get socket(): TcpSocket {
    const s = this.#peer.socket;
    if (s === null) throw new Error('no connection yet');
    return s;
  }

  nextEventUs(): number {
    return this.#work ? this.elapsedUs : this.stack.nextDeadline() - START_US;
  }

  /** Moves the clock and lets the stack act. */
  runTo(us: number): void {
    this.elapsedUs = Math.max(this.elapsedUs, us);
    this.#work = false;
    this.stack.advance(START_US + this.elapsedUs);
    this.#drain();
  }

  #drain(): void {
    for (let i = 0; i < 1000; i++) {
      this.#work = false;
      this.stack.drain();
      if (!this.#work) return;
    }
    throw new Error('drain makes work without end');
  }

  inject(packet: ScriptPacket): void {
    const octets = this.#build(packet);
    this.slab.u8.set(octets, this.#rx);
    this.stack.advance(START_US + this.elapsedUs);
    this.stack.receive(this.linkId, this.#rx, octets.length, 0, 0);
    this.#drain();
    this.slab.u8.fill(0xdb, this.#rx, this.#rx + octets.length);
  }

  #build(packet: ScriptPacket): Uint8Array {
    const p = this.#peer;
    const ip = { src: REMOTE, dst: LOCAL, df: true };
    if (packet.kind === 'raw') return packet.octets;
    if (packet.kind === 'udp') {
      return udp4(ip, p.remotePort, p.localPort, pattern(0, packet.len));
    }
    if (packet.kind === 'icmp') {
      const quoted = tcp4(
        { src: LOCAL, dst: REMOTE, df: true, totalLen: 40 + packet.len },
        { srcPort: p.localPort, dstPort: p.remotePort, seq: this.#out(packet.seq), flags: 16 },
      );
      return icmp4(ip, packet.type, packet.code, packet.mtu, quoted.subarray(0, 28));
    }
    const hasAck = packet.ack !== null;
    return tcp4(ip, {
      srcPort: p.remotePort,
      dstPort: p.localPort,
      seq: packet.seq + p.isn,
      ack: hasAck ? this.#out(packet.ack as number) : 0,
      flags: packet.flags,
      window: packet.win ?? 65_535,
      urgent: packet.urg ?? 0,
      options: tcpOptions((packet.options ?? []).map((o) => this.#optionToWire(o))),
      payload: pattern(packet.seq - 1, packet.len),
    });
  }

  /** The stack's own numbers: relative in the script, behind its ISS on the wire. */
  #out(n: number): number {
    return (n + (this.#peer.iss ?? 0)) | 0;
  }

  #optionToWire(o: TcpOption): TcpOption {
    if (o.kind === 'TS') return { kind: 'TS', val: o.val, ecr: o.ecr + (this.#peer.tsBase ?? 0) };
    if (o.kind !== 'sack') return o;
    return {
      kind: 'sack',
      blocks: o.blocks.map(([a, b]) => [this.#out(a), this.#out(b)] as const),
    };
  }

  /** Compares what came out with what the script wants; throws with the first difference. */
  match(got: Sent, want: ScriptPacket): void {
    const w = this.#wire;
    if (want.kind === 'raw') {
      const same = want.octets.every((o, i) => o === got.octets[i]);
      if (!same || want.octets.length !== got.octets.length) throw new Error(this.describe(got));
      return;
    }
    const invalid = decode(got.octets, 0, got.octets.length, w, false);
    if (invalid !== '') throw new Error(`the stack sent an invalid packet: ${invalid}`);
    if (got.octets.length > this.link.mtu) throw new Error('the packet is over the MTU');
    const protocol = { tcp: Proto.TCP, udp: Proto.UDP, icmp: Proto.ICMP }[want.kind];
    if (w.protocol !== protocol) throw new Error(`came ${this.describe(got)}`);
    if (want.kind === 'icmp') this.#same('ICMP type', w.icmpType, want.type);
    else if (want.kind === 'udp') this.#same('UDP octets', w.dataLen, want.len);
    else this.#matchSegment(got, want);
  }

  #matchSegment(got: Sent, want: Segment): void {
    const w = this.#wire;
    const p = this.#peer;
    if (p.iss === null && (w.flags & Bit.SYN) !== 0) {
      p.iss = w.seq;
      p.localPort = w.srcPort;
    }
    const came = `, came ${this.describe(got)}`;
    this.#same(`port${came}`, w.dstPort, p.remotePort);
    const ignored = want.pshOptional ? Bit.PSH : 0;
    this.#same(`flags${came}`, w.flags & ~ignored, want.flags & ~ignored);
    const seq = (w.flags & Bit.RST) !== 0 && p.iss === null ? w.seq : (w.seq - (p.iss ?? 0)) | 0;
    this.#same(`seq${came}`, seq, want.seq | 0);
    this.#same(`octets${came}`, w.dataLen, want.len);
    if (want.ack !== null) this.#same(`ack${came}`, (w.ack - p.isn) | 0, want.ack | 0);
    if (want.win !== null) this.#same(`win${came}`, w.window, want.win);
    if (want.urg !== null) this.#same(`urg${came}`, w.urgent, want.urg);
    if (w.dataLen > 0) {
      const wrong = firstWrong(STREAM_KEY, seq - 1, got.octets, w.data, w.dataLen);
      if (wrong >= 0) throw new Error(`octet ${wrong} of the payload is wrong${came}`);
    }
    if (want.options !== null) this.#matchOptions(want.options, came);
  }

  #matchOptions(wanted: readonly TcpOption[], came: string): void {
    const w = this.#wire;
    const p = this.#peer;
    const of = (kind: string): TcpOption | undefined => wanted.find((o) => o.kind === kind);
    const mss = of('mss');
    this.#same(`mss${came}`, w.mss, mss?.kind === 'mss' ? mss.value : -1);
    const scale = of('wscale');
    this.#same(`wscale${came}`, w.wscale, scale?.kind === 'wscale' ? scale.value : -1);
    this.#same(`sackOK${came}`, Number(w.sackPermitted), Number(of('sackOK') !== undefined));
    const ts = of('TS');
    this.#same(`TS${came}`, Number(w.hasTs), Number(ts !== undefined));
    if (ts?.kind === 'TS') {
      // packetdrill: the first TSval of the stack is whatever the script calls it
      if (p.tsBase === null && !Number.isNaN(ts.val)) p.tsBase = (w.tsVal - ts.val) >>> 0;
      const val = (w.tsVal - (p.tsBase ?? 0)) >>> 0;
      if (!Number.isNaN(ts.val)) this.#same(`TS val${came}`, val, ts.val >>> 0);
      if (!Number.isNaN(ts.ecr)) this.#same(`TS ecr${came}`, w.tsEcr, ts.ecr >>> 0);
    }
    const sack = of('sack');
    const blocks = sack?.kind === 'sack' ? sack.blocks : [];
    this.#same(`number of SACK blocks${came}`, w.sackBlocks, blocks.length);
    blocks.forEach(([start, end], i) => {
      this.#same(`SACK block ${i}${came}`, ((w.sack[i * 2] as number) - p.isn) | 0, start | 0);
      this.#same(`SACK block ${i}${came}`, ((w.sack[i * 2 + 1] as number) - p.isn) | 0, end | 0);
    });
  }

  #same(what: string, got: number, want: number): void {
    if (got !== want) throw new Error(`wanted ${want}, got ${got}: ${what}`);
  }

  /** One line; numbers relative as in the script. */
  describe(sent: Sent): string {
    const w = new Wire();
    const invalid = decode(sent.octets, 0, sent.octets.length, w, false);
    if (w.protocol === Proto.TCP) {
      w.seq = (w.seq - (this.#peer.iss ?? 0)) | 0;
      w.ack = (w.ack - this.#peer.isn) | 0;
      for (let i = 0; i < w.sackBlocks * 2; i++) {
        w.sack[i] = ((w.sack[i] as number) - this.#peer.isn) | 0;
      }
      w.tsVal = (w.tsVal - (this.#peer.tsBase ?? 0)) >>> 0;
    }
    return `${sent.atUs / 1e6} s: ${line(w)}${invalid === '' ? '' : ` INVALID ${invalid}`}`;
  }

  /** The program's side of the script. */
  call(name: string, args: readonly string[]): void {
    this.stack.advance(START_US + this.elapsedUs);
    const n = Number(args[0] ?? 0);
    if (name === 'listen') this.#listen(n, args[1] === undefined ? undefined : Number(args[1]));
    else if (name === 'connect') this.#connect(args[0] === undefined ? 80 : n);
    else if (name === 'use') this.#use(args[0] ?? 'A', args[1]);
    else if (name === 'isn') this.#peer.isn = n | 0;
    else if (name === 'iss') this.#peer.iss = n | 0;
    else if (name === 'local_port') this.#peer.localPort = n;
    else if (name === 'mtu') this.link.mtu = n;
    else if (name === 'forget') this.outbox.length = 0;
    else if (name === 'expect') this.#expect(args);
    else if (name === 'close_server') this.#server?.close();
    else this.#socketCall(name, args);
    this.#drain();
  }

  #listen(port: number, backlog: number | undefined): void {
    this.#peer.localPort = port;
    const base = { port, handler: { accept: (_: TcpServer, s: TcpSocket) => this.#accept(s) } };
    this.#server = this.stack.listen(backlog === undefined ? base : { ...base, backlog });
  }

  #accept(s: TcpSocket): TcpHandler | null {
    for (const peer of this.#peers.values()) {
      if (peer.remotePort === s.remotePort && peer.closedCode === null) {
        peer.opened(s);
        return peer;
      }
    }
    return null;
  }

  #connect(port: number): void {
    const p = new Peer(port);
    for (const [name, peer] of this.#peers) if (peer === this.#peer) this.#peers.set(name, p);
    this.#peer = p;
    p.socket = this.stack.connect({ address: REMOTE, port, handler: p });
  }

  /** `use B [port]`: the following lines are another connection's. */
  #use(name: string, port: string | undefined): void {
    let p = this.#peers.get(name);
    if (p === undefined) {
      p = new Peer(port === undefined ? CLIENT_PORT + this.#peers.size : Number(port));
      p.localPort = this.#peer.localPort;
      this.#peers.set(name, p);
    }
    this.#peer = p;
  }

  #socketCall(name: string, args: readonly string[]): void {
    const s = this.socket;
    const p = this.#peer;
    const n = Number(args[0] ?? 0);
    if (name === 'write') {
      s.write(pattern(p.sentTotal, n), 0, n);
      p.sentTotal += n;
    } else if (name === 'send') {
      const taken = s.send(pattern(p.sentTotal, n), 0, n);
      this.#same('octets taken by send', taken, Number(args[1] ?? n));
      p.sentTotal += taken;
    } else if (name === 'send_urgent') {
      this.#same('octets taken', s.sendUrgent(pattern(p.sentTotal, n), 0, n), n);
      p.sentTotal += n;
    } else if (name === 'shutdown') s.shutdown();
    else if (name === 'close') s.close();
    else if (name === 'abort') s.abort();
    else if (name === 'pause') s.pause();
    else if (name === 'resume') s.resume();
    else if (name === 'cork') s.cork();
    else if (name === 'uncork') s.uncork();
    else if (name === 'nodelay') s.setNoDelay(args[0] !== 'off');
    else if (name === 'keepalive') {
      s.setKeepAlive(args[0] !== 'off', Number(args[1]), Number(args[2]), Number(args[3]));
    } else if (name === 'user_timeout') s.setUserTimeout(n);
    else if (name === 'tos') s.setTos(n);
    else if (name === 'ttl') s.setTtl(n);
    else throw new Error(`no such call: ${name}`);
  }

  #expect(args: readonly string[]): void {
    const p = this.#peer;
    const what = args[0] as string;
    if (what === 'data') {
      p.dataExpected += Number(args[1]);
      this.#same('octets delivered in all', p.dataTotal, p.dataExpected);
    } else if (what === 'opened') this.#same('opened', Number(p.wasOpened), 1);
    else if (what === 'unopened') this.#same('opened', Number(p.wasOpened), 0);
    else if (what === 'ended') this.#same('ended', Number(p.wasEnded), 1);
    else if (what === 'urgent') {
      this.#same('urgent', Number(p.wasUrgent), 1);
      p.wasUrgent = false;
    } else if (what === 'writable') {
      this.#same('writable', Number(p.wasWritable), 1);
      p.wasWritable = false;
    } else if (what === 'written') {
      this.#same('writes given back', p.writesReturned, Number(args[1]));
    } else if (what === 'open') this.#same('closed', Number(p.closedCode !== null), 0);
    else if (what === 'closed') {
      if (p.closedCode === null) throw new Error('closed was not called');
      const code = p.closedCode === 0 ? 'OK' : codeName(p.closedCode);
      if (code !== (args[1] ?? 'OK')) throw new Error(`closed with ${code}`);
    } else if (what === 'state') this.#expectState(args[1] as string);
    else if (what === 'counter' || what === 'drop') this.#expectCount(what, args);
    else if (what === 'info') this.#expectInfo(args);
    else throw new Error(`cannot expect ${what}`);
  }

  #expectState(name: string): void {
    const got = stateName(this.socket.state);
    if (got !== name) throw new Error(`state is ${got}`);
  }

  #expectCount(table: string, args: readonly string[]): void {
    const all = this.stack.counters.snapshot();
    const got = (table === 'drop' ? all.drops : all.counters)[args[1] as string];
    if (got === undefined) throw new Error(`no ${table} ${args[1]}`);
    this.#same(String(args[1]), got, Number(args[2]));
  }

  #expectInfo(args: readonly string[]): void {
    const info = this.socket.info() as unknown as Record<string, number>;
    const got = info[args[1] as string];
    if (got === undefined) throw new Error(`no field ${args[1]} in info()`);
    this.#same(String(args[1]), got, Number(args[2]));
  }

  finish(): void {
    if (this.stack.counters.get('PortsideExceptions') !== 0) throw new Error('an exception inside');
  }
}
