// What must hold at every packet of every run (reliability.md §4.2), judged from the wire with an
// own decoder: acknowledgments only of what came, retransmissions equal to the first transmission,
// nothing beyond the peer's right edge, a right edge that never goes back, options only as
// negotiated, no RST for a RST, a flight that slow start allows, acknowledgments within 500 ms.

import { Bit, decode, line, Proto, Wire } from './decode.ts';
import { Flow, type Way } from './flow.ts';
import { Pieces } from './pieces.ts';
import type { PacketWatch } from './world.ts';

/** RFC 6928: the initial window in full segments. Bounds stand here, the code is not asked. */
const INITIAL_WINDOW = 10;
const EXTRA_SEGMENTS = 4;
/** RFC 9293 MUST-40. */
const ACK_WITHIN_US = 500_000;
const SYN_MSS_DEFAULT = 536;
const MAX_VIOLATIONS = 20;

export class Invariants implements PacketWatch {
  /** Broken rules, one line each, with time and packet. Empty is what a run must end with. */
  readonly violations: string[] = [];
  readonly flows = new Map<string, Flow>();
  /** Packets judged. */
  judged = 0;
  /** Added to the 500 ms: how long a host may be away (stalls, coarse turns). */
  slackUs = 0;
  /** Every connection has the same ISS (`testIss`): old duplicates look like new ones. */
  fixedIss = false;
  /** Some router has asked for less than 552 octets: DF is given up (docs/departures.md). */
  mayFragment = false;
  /** A host or a box may have forgotten a connection that the other end still has. */
  forgetful = false;
  /** RFC 3042 sends two, a loss probe one, a window probe one; BBR adds room for three bursts. */
  extraSegments = EXTRA_SEGMENTS;
  /** Hosts with hardly any receive memory: they may drop what came, and answer the next copy. */
  readonly pressed = new Set<string>();
  /** Segments of congestion window of a sender that has seen no loss yet; null: not known. */
  cwndOf: ((host: string, w: Wire) => number | null) | null = null;
  readonly #now: () => number;
  readonly #wire = new Wire();
  #turn = 0;
  /** The flow of the packet before: mostly the same again. */
  #last: Flow | null = null;
  /** Hosts whose program has closed or aborted something in the present turn. */
  readonly #acted = new Set<string>();
  readonly #refused = new Set<string>();
  readonly #pieces = new Pieces();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** A turn of a host begins: what it sends now answers what it receives now. */
  turnBegins(): void {
    this.#turn++;
    this.#acted.clear();
  }

  /** A link of `host` was full: segments behind may be missing on the wire. */
  refused(host: string): void {
    this.#refused.add(host);
  }

  /** The program at `host` has called close or abort: a RST may be its doing. */
  acted(host: string): void {
    this.#acted.add(host);
  }

  sent(host: string, octets: Uint8Array, flags: number, gso: number, mtu: number): void {
    const w = this.#wire;
    this.judged++;
    const wrong = decode(octets, 0, octets.length, w, (flags & 1) !== 0);
    if (wrong !== '') return this.#broken(host, `invalid packet: ${wrong}`);
    const size = gso >>> 8;
    if (size === 0 && octets.length > mtu) return this.#broken(host, 'packet over the MTU');
    if (size > 0 && w.data + size > mtu) return this.#broken(host, 'GSO segment over the MTU');
    if (w.protocol !== Proto.TCP || w.mf || w.fragOff > 0) return;
    if (!w.df && !this.mayFragment) this.#broken(host, 'TCP without DF');
    const flow = this.#freshFlow(host);
    const out = flow.of(host);
    const back = flow.against(host);
    this.#enterTurn(out);
    if (flow.haunted) return;
    if ((w.flags & Bit.RST) !== 0) return this.#sentReset(host, out);
    if (this.#isGhost(out)) {
      flow.haunted = true;
      return;
    }
    if ((w.flags & Bit.SYN) !== 0) this.#sentSyn(host, out, back);
    else this.#sentOptions(host, out, back);
    this.#sentRange(host, out, back, octets, size);
    if ((w.flags & Bit.ACK) !== 0) this.#sentAck(host, out, back);
  }

  received(host: string, octets: Uint8Array, flags: number, gso: number): void {
    const w = this.#wire;
    const total = octets.length < 4 ? 0 : (octets[2] as number) * 256 + (octets[3] as number);
    const len = Math.min(octets.length, total);
    if (decode(octets, 0, len, w, (flags & 1) !== 0) !== '') return;
    if (w.protocol !== Proto.TCP) return;
    if (w.mf || w.fragOff > 0) {
      const whole = this.#pieces.take(octets.subarray(0, len), w.fragOff, w.mf);
      if (whole !== null) this.#receivedWhole(host, whole);
      return;
    }
    const flow = this.#flow(host);
    const out = flow.of(host);
    const back = flow.against(host);
    this.#enterTurn(out);
    out.segmentsIn += 1 + Math.floor(w.dataLen / 500);
    if ((w.flags & Bit.RST) !== 0) {
      out.resetsIn++;
      out.rstGot = true;
      return;
    }
    if (!back.synSent) return;
    out.octetsGot += w.dataLen;
    if (w.dataLen > 0)
      out.dataSegmentsGot += gso >>> 8 === 0 ? 1 : Math.ceil(w.dataLen / (gso >>> 8));
    if ((w.flags & Bit.SYN) !== 0 && ((w.seq - back.iss) | 0) !== 0) return;
    this.#gotData(out, back);
    if ((w.flags & Bit.ACK) !== 0 && out.synSent) this.#gotAck(out, back);
  }

  /** Of fragments: the stack may have found one of them damaged, so it owes no answer. */
  #receivedWhole(host: string, octets: Uint8Array): void {
    this.received(host, octets, 0, 0);
    this.#flow(host).of(host).ackDueUs = -1;
  }

  /** An attacker's packet: it may be answered, and must change nothing. */
  forged(host: string, octets: Uint8Array): void {
    const w = this.#wire;
    if (decode(octets, 0, octets.length, w, false) !== '' || w.protocol !== Proto.TCP) return;
    const out = this.#flow(host).of(host);
    this.#enterTurn(out);
    out.segmentsIn++;
    out.forgedGot++;
    if ((w.flags & Bit.RST) !== 0) out.resetsIn++;
  }

  #broken(host: string, what: string): void {
    if (this.violations.length >= MAX_VIOLATIONS) return;
    const at = (this.#now() / 1e6).toFixed(6);
    this.violations.push(`${at} ${host}: ${what}: ${line(this.#wire)}`);
  }

  #flow(host: string): Flow {
    const w = this.#wire;
    const last = this.#last;
    if (last?.isOf(w) === true) return last;
    const from = `${w.src}:${w.srcPort}`;
    const to = `${w.dst}:${w.dstPort}`;
    const name = from < to ? `${from} ${to}` : `${to} ${from}`;
    let flow = this.flows.get(name);
    if (flow === undefined) {
      flow = new Flow(name, host, '');
      flow.between(w);
      this.flows.set(name, flow);
    }
    this.#last = flow;
    return flow;
  }

  /** A SYN that opens a new connection with the same four numbers makes both ways begin anew. */
  #freshFlow(host: string): Flow {
    const w = this.#wire;
    const flow = this.#flow(host);
    const out = flow.of(host);
    const opens = (w.flags & (Bit.SYN | Bit.ACK)) === Bit.SYN && out.synSent;
    if (!opens || (out.iss === w.seq && out.una === 0)) return flow;
    this.flows.delete(flow.name);
    this.#last = null;
    return this.#flow(host);
  }

  #enterTurn(way: Way): void {
    if (way.turn === this.#turn) return;
    way.turn = this.#turn;
    way.segmentsIn = 0;
    way.resetsIn = 0;
    way.pureAcksOut = 0;
  }

  #sentReset(host: string, out: Way): void {
    out.rstSent = true;
    const onlyResets = out.resetsIn > 0 && out.segmentsIn === out.resetsIn;
    if (onlyResets && !this.#acted.has(host)) this.#broken(host, 'RST in answer to a RST');
  }

  /**
   * A SYN-ACK that answers an old duplicate of a SYN whose connection is over at this end: a ghost
   * that the other end will send away. Its numbers are nobody's. It shows by another ISS, or, where
   * a test has fixed the ISS, by a handshake that had been acknowledged before.
   */
  #isGhost(out: Way): boolean {
    const w = this.#wire;
    const synAck = Bit.SYN | Bit.ACK;
    if ((w.flags & synAck) !== synAck || !out.synSent) return false;
    return out.iss !== w.seq || (this.fixedIss && out.una > 0);
  }

  #sentSyn(host: string, out: Way, back: Way): void {
    const w = this.#wire;
    if (!out.synSent) {
      out.synSent = true;
      out.iss = w.seq;
      out.mss = w.mss;
      out.wscale = w.wscale;
      out.sackPermitted = w.sackPermitted;
      out.timestamps = w.hasTs;
    }
    const answers = (w.flags & Bit.ACK) !== 0 && back.synSent;
    if (!answers) return;
    if (w.wscale >= 0 && back.wscaleTaken < 0)
      this.#broken(host, 'window scale not offered by the peer');
    if (w.sackPermitted && !back.sackTaken) this.#broken(host, 'SACK not offered by the peer');
    if (w.hasTs && !back.timestampsTaken) this.#broken(host, 'timestamps not offered by the peer');
  }

  #sentOptions(host: string, out: Way, back: Way): void {
    const w = this.#wire;
    if (w.mss >= 0 || w.wscale >= 0 || w.sackPermitted) {
      this.#broken(host, 'SYN option on a segment without SYN');
    }
    if (!out.synSent || !back.synSent) return;
    const stamped = out.stamped(back);
    if (w.hasTs && !stamped) this.#broken(host, 'timestamps not negotiated');
    if (!w.hasTs && stamped) this.#broken(host, 'negotiated timestamps are missing');
    if (w.sackBlocks > 0 && !out.sacks(back)) {
      this.#broken(host, 'SACK not negotiated');
    }
    for (let i = 0; i < w.sackBlocks; i++) {
      const start = back.place(w.sack[i * 2] as number);
      const end = back.place(w.sack[i * 2 + 1] as number);
      const held = end <= back.got || back.islands.covers(start, end);
      if (start >= end || !held) this.#broken(host, `SACK block ${start}:${end} has not arrived`);
    }
  }

  /** Sequence space that the segment takes: equal octets, the peer's edge, slow start. */
  #sentRange(host: string, out: Way, back: Way, octets: Uint8Array, size: number): void {
    const w = this.#wire;
    if (!out.synSent && this.forgetful) {
      this.#flow(host).haunted = true;
      return;
    }
    if (!out.synSent) return this.#broken(host, 'segment without a SYN before it');
    const start = (w.flags & Bit.SYN) !== 0 ? 1 : out.place(w.seq);
    const end = start + w.dataLen;
    const isFin = (w.flags & Bit.FIN) !== 0;
    if ((w.flags & Bit.SYN) !== 0) out.nxt = Math.max(out.nxt, 1);
    if (w.dataLen > 0) {
      // A full link may have swallowed the rest of a super-segment; nothing else leaves a gap.
      const gap = start - out.dataEnd;
      if (gap > 0 && !this.#refused.has(host)) this.#broken(host, `skips ${gap} octets`);
      this.#sameOctets(host, out, octets, start);
      this.#bounds(host, out, back, end, size === 0 ? w.dataLen : size);
    }
    if (w.dataLen > 0 && out.fin >= 0 && end > out.fin) this.#broken(host, 'data behind the FIN');
    if (isFin) {
      if (out.fin >= 0 && out.fin !== end)
        this.#broken(host, `FIN moved from ${out.fin} to ${end}`);
      out.fin = end;
    }
    if (w.dataLen > 0) out.dataEnd = Math.max(out.dataEnd, end);
    out.nxt = Math.max(out.nxt, end + (isFin ? 1 : 0));
  }

  #sameOctets(host: string, out: Way, octets: Uint8Array, start: number): void {
    const w = this.#wire;
    const end = start + w.dataLen;
    if (start < out.dataEnd) out.disturbed = true;
    out.first.ensure(Math.min(start, Math.max(1, out.una)), out.dataEnd, end);
    out.first.skip(out.dataEnd, start);
    // Known: [una, dataEnd). What lies before has been acknowledged, what lies behind is new.
    const from = Math.max(start, out.una, 1);
    const known = Math.min(end, out.dataEnd);
    if (from < known) {
      const wrong = out.first.differs(from, octets, w.data + from - start, known - from);
      if (wrong >= 0) this.#broken(host, `octet ${wrong} differs from its first transmission`);
    }
    const fresh = Math.max(start, out.dataEnd);
    if (fresh < end) out.first.put(fresh, octets, w.data + fresh - start, end - fresh);
  }

  #bounds(host: string, out: Way, back: Way, end: number, segment: number): void {
    const w = this.#wire;
    // RFC 9293 §3.8.6.1: one octet beyond the edge is a window probe
    if (end > out.allowed + 1 && end > out.dataEnd) {
      this.#broken(host, `${end - out.allowed} octets beyond the peer's right edge`);
    }
    const offered = offeredMss(back);
    const options = w.data - w.l4 - 20;
    if (segment + options > offered && segment > 1) {
      this.#broken(host, `segment of ${segment} octets + ${options} of options, MSS ${offered}`);
    }
    out.largest = Math.max(out.largest, segment);
    this.#slowStart(host, out, back, [end, segment]);
    if (out.disturbed || end <= out.dataEnd || this.cwndOf === null) return;
    const cwnd = this.cwndOf(host, w);
    const flight = end - Math.max(1, out.una);
    if (cwnd !== null && flight > cwnd * out.largest + EXTRA_SEGMENTS * offered) {
      this.#broken(host, `${flight} octets in flight, cwnd is ${cwnd} segments`);
    }
  }

  /**
   * Slow start at its fastest doubles: each segment that arrived lets two more go, and one that is
   * believed lost and sent again makes room for another. Counted in segments and in octets, since a
   * sender may count either way: only what is too much by both is wrong.
   */
  #slowStart(host: string, out: Way, back: Way, [end, segment]: readonly [number, number]): void {
    const segments = Math.ceil(this.#wire.dataLen / segment);
    if (end > out.dataEnd) out.newSegments += segments;
    else out.resent += segments;
    const first = INITIAL_WINDOW + this.extraSegments + out.resent + back.forgedGot;
    const most = first + 2 * back.dataSegmentsGot;
    const offered = offeredMss(back);
    const mostOctets = first * offered + 2 * back.octetsGot;
    if (out.newSegments > most && end > mostOctets) {
      this.#broken(host, `${out.newSegments} segments to ${end}, slow start allows ${most}`);
    }
  }

  #sentAck(host: string, out: Way, back: Way): void {
    const w = this.#wire;
    if (!back.synSent) return this.#broken(host, 'acknowledges a SYN that was not sent');
    const ack = back.place(w.ack);
    if (ack > back.got) this.#broken(host, `acknowledges ${ack}, ${back.got} have arrived`);
    const scaled = (w.flags & Bit.SYN) === 0 && out.scaled(back);
    const shift = scaled ? out.wscale : 0;
    const edge = ack + w.window * 2 ** shift;
    // RFC 7323 §2.4: an edge may retreat by less than one unit of the shift; a SYN-ACK that is sent
    // again after an ACK was rounded up shows the window as it is
    if (edge <= out.edge - 2 ** (out.scaled(back) ? out.wscale : 0))
      this.#broken(host, `right edge went from ${out.edge} to ${edge}`);
    out.edge = Math.max(out.edge, edge);
    if (out.ackDueUs >= 0) {
      const late = this.#now() - out.ackDueUs;
      if (late > ACK_WITHIN_US + this.slackUs) this.#broken(host, `acknowledged after ${late} µs`);
      out.ackDueUs = -1;
    }
    const pure = w.dataLen === 0 && (w.flags & (Bit.SYN | Bit.FIN)) === 0;
    if (!pure) return;
    out.pureAcksOut++;
    // RFC 5681 §4.2: at most one per segment; two more for a window that opens and a timer
    if (out.pureAcksOut > out.segmentsIn + 2) this.#broken(host, `${out.pureAcksOut} pure ACKs`);
  }

  #gotData(out: Way, back: Way): void {
    const w = this.#wire;
    const isSyn = (w.flags & Bit.SYN) !== 0;
    if (isSyn) {
      takeSyn(back, w);
      back.arrive(0, 1);
    }
    const start = isSyn ? 1 : back.place(w.seq);
    const end = start + w.dataLen;
    const before = back.got;
    if (end > start && end <= back.dataEnd) back.arrive(Math.max(0, start), end);
    if ((w.flags & Bit.FIN) !== 0 && end === back.fin) back.arrive(end, end + 1);
    const advanced = back.got > before && !isSyn && before > 0;
    if (this.pressed.has(out.sender)) return;
    if (advanced && out.ackDueUs < 0 && out.synSent && !out.rstSent) out.ackDueUs = this.#now();
  }

  #gotAck(out: Way, back: Way): void {
    const w = this.#wire;
    const ack = out.place(w.ack);
    if (ack > out.nxt) return;
    // a SACK block; or, without SACK, a duplicate: each may stand for a segment that has left
    const again = w.dataLen === 0 && ack === out.una && !out.sacks(back);
    if (w.sackBlocks > 0 || again) out.disturbed = true;
    out.una = Math.max(out.una, ack);
    const scaled = (w.flags & Bit.SYN) === 0 && out.scaled(back);
    out.allowed = Math.max(out.allowed, ack + w.window * 2 ** (scaled ? back.wscaleTaken : 0));
  }
}

function offeredMss(back: Way): number {
  return back.mssTaken < 0 ? SYN_MSS_DEFAULT : back.mssTaken;
}

/** The options of the first SYN that has arrived are those that count. */
function takeSyn(back: Way, w: Wire): void {
  back.synGot = true;
  if (back.synTaken) return;
  back.synTaken = true;
  back.mssTaken = w.mss;
  back.wscaleTaken = w.wscale;
  back.sackTaken = w.sackPermitted;
  back.timestampsTaken = w.hasTs;
}
