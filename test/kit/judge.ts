// Judges a capture of TCP by its rows, whatever the machine was busy with. A link without loss may
// show one kind of repetition only: one that came too early, because the other end was not let run
// in time (a loss probe, RFC 8985 §7; a spurious timeout, RFC 5682). Its receiver says so: D-SACK
// (RFC 2883) names octets that had already come. Everything else is a fault.

/** What tshark is asked for, in this order. */
export const FIELDS = [
  'frame.number',
  'ip.src',
  'ip.proto',
  'tcp.stream',
  'tcp.seq',
  'tcp.len',
  'tcp.ack',
  'tcp.flags',
  'tcp.window_size',
  'tcp.hdr_len',
  'tcp.options.mss_val',
  'tcp.options.sack_le',
  'tcp.options.sack_re',
  'ip.checksum.status',
  'tcp.checksum.status',
  'udp.checksum.status',
  'icmp.checksum.status',
  'tcp.checksum',
  '_ws.malformed',
  'tcp.analysis.retransmission',
  'tcp.analysis.fast_retransmission',
  'tcp.analysis.spurious_retransmission',
  'tcp.analysis.out_of_order',
  'tcp.analysis.lost_segment',
  'tcp.analysis.ack_lost_segment',
  'tcp.analysis.duplicate_ack',
  'tcp.analysis.zero_window_probe',
  'tcp.analysis.keep_alive',
] as const;

const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;
/** Repetitions of one side of one connection that are kept; more are a fault by themselves. */
const MOST_REPEATS = 100;

export interface Row {
  readonly frame: number;
  readonly src: string;
  /** tcp.stream; -1 when the packet is not TCP. */
  readonly stream: number;
  readonly seq: number;
  readonly len: number;
  readonly ack: number;
  readonly flags: number;
  /** Scaled. */
  readonly window: number;
  readonly headerLen: number;
  /** MSS option; 0 without. */
  readonly mss: number;
  readonly sacks: readonly (readonly [number, number])[];
  /** Layers with a bad checksum, `malformed`. */
  readonly bad: readonly string[];
  /** tcp.analysis.* without that prefix. */
  readonly says: readonly string[];
}

/** Octets that were sent again. */
interface Repeat {
  readonly frame: number;
  readonly from: number;
  readonly to: number;
  readonly flags: number;
  /** A D-SACK, a reset, or what a handshake and a FIN get instead. */
  answered: boolean;
  /** Acknowledgments of all of it, and those of them without anything else. */
  acks: number;
  pure: number;
  /** It had been acknowledged already when it was sent again. */
  readonly crossed: boolean;
}

/** One sender of one connection. */
class Side {
  readonly src: string;
  isOpen = false;
  /** Behind the highest octet sent. */
  next = 0;
  /** The highest acknowledgment by the other side. */
  una = 0;
  /** How far the other side's windows ever reached. */
  edge = 0;
  hasEdge = false;
  /** Behind the FIN; null before it is sent. */
  fin: number | null = null;
  /** It closed second: after the last acknowledgment nobody is there (RFC 9293 §3.6, LAST-ACK). */
  isPassive = false;
  /** What the other side's SYN allowed. */
  mss = 536;
  repeats: Repeat[] = [];

  constructor(src: string) {
    this.src = src;
  }
}

export interface Tally {
  /** Wire segments with data. */
  segments: number;
  /** Wire segments sent again. */
  repeated: number;
}

export class Judge {
  /** One line a fault, at most a few. */
  readonly faults: string[] = [];
  /** By address. */
  readonly tallies = new Map<string, Tally>();
  /** Connections that both sides have ended. */
  closed = 0;
  readonly #streams = new Map<number, [Side, Side | null]>();

  see(row: Row): void {
    for (const what of row.bad) this.#fault(row, `${what} is wrong`);
    if (row.stream < 0) return;
    const [me, peer] = this.#sides(row);
    if (row.mss > 0) peer.mss = row.mss;
    const carried = this.#takeAck(row, peer);
    const allowed = new Set(['zero_window_probe', 'keep_alive']);
    if ((row.flags & RST) !== 0) {
      for (const r of peer.repeats) r.answered = true;
      return;
    }
    const to = end(row);
    if (to === row.seq) {
      if (carried) allowed.add('duplicate_ack');
    } else if (!me.isOpen || diff(row.seq, me.next) >= 0) this.#takeNew(row, me, to);
    else if (this.#takeRepeat(row, me, to)) for (const word of AGAIN) allowed.add(word);
    if (me.hasEdge && !row.says.includes('zero_window_probe') && diff(to, me.edge) > 1) {
      this.#fault(row, `ends ${diff(to, me.edge)} octets beyond the window`);
    }
    for (const word of row.says) if (!allowed.has(word)) this.#fault(row, word);
  }

  /** To be called once, after the last row. */
  end(): void {
    for (const [stream, sides] of this.#streams) {
      for (const side of sides) {
        for (const r of side?.repeats ?? []) {
          if (r.answered) continue;
          this.faults.push(
            `stream ${stream} frame ${r.frame} from ${side?.src}: ${diff(r.to, r.from)} octets ` +
              'sent again and not answered with a D-SACK of them',
          );
        }
      }
    }
  }

  /** Lines about senders that sent again more than any busy machine explains. */
  excess(): string[] {
    const lines: string[] = [];
    for (const [src, { segments, repeated }] of this.tallies) {
      if (repeated > MOST_FREE + segments / SEGMENTS_A_REPEAT) {
        lines.push(`${src} sent ${repeated} of ${segments} segments again`);
      }
    }
    return lines;
  }

  #sides(row: Row): [Side, Side] {
    let pair = this.#streams.get(row.stream);
    if (pair === undefined) {
      pair = [new Side(row.src), null];
      this.#streams.set(row.stream, pair);
    }
    if (pair[0].src === row.src) {
      pair[1] ??= new Side('?');
      return [pair[0], pair[1]];
    }
    if (pair[1] === null || pair[1].src === '?') {
      const seen = pair[1];
      pair[1] = new Side(row.src);
      if (seen !== null) Object.assign(pair[1], { ...seen, src: row.src });
    }
    return [pair[1], pair[0]];
  }

  /** Answers whether the row is the answer to something that the peer sent again. */
  #takeAck(row: Row, peer: Side): boolean {
    if ((row.flags & ACK) === 0) return false;
    if (peer.isOpen && diff(row.ack, peer.next) > 0) this.#fault(row, 'acknowledges unsent octets');
    if (!peer.hasEdge || diff(row.ack, peer.una) > 0) peer.una = row.ack;
    const edge = (row.ack + row.window) | 0;
    if (!peer.hasEdge || diff(edge, peer.edge) > 0) peer.edge = edge;
    peer.hasEdge = true;
    const bare = answersBare(row, peer);
    this.#takeLast(row, peer);
    const block = dsack(row);
    if (block === null) return bare;
    let found = false;
    for (const r of peer.repeats) {
      const last = (r.flags & FIN) !== 0 ? (r.to - 1) | 0 : r.to;
      if (diff(block[0], r.from) > 0 || diff(block[1], last) < 0) continue;
      r.answered = true;
      found = true;
    }
    if (!found) this.#fault(row, 'a D-SACK of what was sent once');
    return true;
  }

  /** The ACK of a FIN in LAST-ACK: who is gone owes no D-SACK of what it has acknowledged before. */
  #takeLast(row: Row, peer: Side): void {
    if (!peer.isPassive || peer.fin === null || diff(row.ack, peer.fin) < 0) return;
    const me = this.#sides(row)[0];
    for (const r of me.repeats) if (r.crossed) r.answered = true;
  }

  #takeNew(row: Row, me: Side, to: number): void {
    if (me.isOpen && diff(row.seq, me.next) > 0) this.#fault(row, 'a hole before it');
    if (!me.isOpen) me.una = row.seq;
    me.isOpen = true;
    me.next = to;
    this.#tally(me.src).segments += segments(row, me);
    if ((row.flags & FIN) === 0) return;
    this.closed += 0.5;
    me.fin = to;
    const other = this.#sides(row)[1];
    me.isPassive = other.fin !== null && diff(row.ack, other.fin) >= 0;
  }

  #takeRepeat(row: Row, me: Side, to: number): boolean {
    const last = me.repeats.at(-1);
    const isTail = to === me.next && row.len <= segmentSize(row, me);
    const isHead = diff(row.seq, me.una) <= 0;
    const isNext = last !== undefined && last.to === row.seq;
    if (diff(to, me.next) > 0 || !(isTail || isHead || isNext)) {
      this.#fault(row, 'sends again what is neither the head nor the tail of what is in flight');
      return false;
    }
    if (me.repeats.length >= MOST_REPEATS) {
      this.#fault(row, 'one repetition more');
      return false;
    }
    const { frame, flags } = row;
    const crossed = diff(me.una, to) >= 0;
    const acks = crossed ? 1 : 0;
    me.repeats.push({ frame, from: row.seq, to, flags, answered: false, acks, pure: 0, crossed });
    this.#tally(me.src).repeated += Math.max(1, segments(row, me));
    return true;
  }

  #tally(src: string): Tally {
    let tally = this.tallies.get(src);
    if (tally === undefined) {
      tally = { segments: 0, repeated: 0 };
      this.tallies.set(src, tally);
    }
    return tally;
  }

  #fault(row: Row, what: string): void {
    if (this.faults.length < 20) this.faults.push(`frame ${row.frame} from ${row.src}: ${what}`);
  }
}

const AGAIN = ['retransmission', 'fast_retransmission', 'spurious_retransmission', 'out_of_order'];
/** More than one segment in so many sent again is a storm, not a busy machine. */
const SEGMENTS_A_REPEAT = 100;
const MOST_FREE = 10;

function diff(a: number, b: number): number {
  return (a - b) | 0;
}

function end(row: Row): number {
  const marks = ((row.flags & SYN) !== 0 ? 1 : 0) + ((row.flags & FIN) !== 0 ? 1 : 0);
  return (row.seq + row.len + marks) | 0;
}

function segmentSize(row: Row, me: Side): number {
  return me.mss - (row.headerLen - 20);
}

function segments(row: Row, me: Side): number {
  return Math.ceil(row.len / segmentSize(row, me));
}

/** RFC 2883 §4: the first block lies below the acknowledgment or inside the second block. */
function dsack(row: Row): readonly [number, number] | null {
  const [first, second] = row.sacks;
  if (first === undefined) return null;
  if (diff(first[1], row.ack) <= 0) return first;
  if (second === undefined) return null;
  const isInside = diff(first[0], second[0]) >= 0 && diff(first[1], second[1]) <= 0;
  return isInside ? first : null;
}

/**
 * A SYN or a FIN that comes again gets an acknowledgment; TIME-WAIT and SYN-SENT know no D-SACK. What
 * was not lost gets one for each time that it came.
 */
function answersBare(row: Row, peer: Side): boolean {
  const again = peer.repeats.filter(
    (r) => (r.flags & (SYN | FIN)) !== 0 && diff(row.ack, r.to) >= 0,
  );
  for (const r of again) {
    r.acks++;
    if (end(row) === row.seq) r.pure++;
    if (r.acks >= ((r.flags & FIN) !== 0 ? 2 : 1)) r.answered = true;
  }
  return again.length > 0 && Math.max(...again.map((r) => r.pure)) <= again.length + 1;
}

/** One line of `tshark -T fields -E occurrence=a` with FIELDS. */
export function rowOf(line: string, kernel: string): Row {
  const columns = line.split('\t');
  const field = (name: (typeof FIELDS)[number]): string => columns[FIELDS.indexOf(name)] ?? '';
  // An ICMP error quotes a packet: the first value is the packet's own.
  const number = (name: (typeof FIELDS)[number]): number => Number(field(name).split(',')[0] || 0);
  const isTcp = field('ip.proto').split(',')[0] === '6' && field('tcp.seq') !== '';
  const bad: string[] = [];
  for (const layer of ['ip', 'tcp', 'udp', 'icmp'] as const) {
    if (!field(`${layer}.checksum.status`).split(',').includes('0')) continue;
    // The kernel's sums may come out as 0xffff (RFC 1624), one in 65,536: tshark warns of them.
    if (layer === 'tcp' && field('ip.src') === kernel && field('tcp.checksum') === '0xffff')
      continue;
    bad.push(`the ${layer} checksum`);
  }
  if (field('_ws.malformed') !== '') bad.push('the format');
  const rights = field('tcp.options.sack_re').split(',');
  const lefts = field('tcp.options.sack_le').split(',').filter(Boolean);
  return {
    frame: number('frame.number'),
    src: field('ip.src').split(',')[0] ?? '',
    stream: isTcp ? number('tcp.stream') : -1,
    seq: number('tcp.seq') | 0,
    len: number('tcp.len'),
    ack: number('tcp.ack') | 0,
    flags: number('tcp.flags'),
    window: number('tcp.window_size'),
    headerLen: number('tcp.hdr_len'),
    mss: number('tcp.options.mss_val'),
    sacks: lefts.map((left, i) => [Number(left) | 0, Number(rights[i]) | 0]),
    bad,
    says: FIELDS.filter((name) => name.startsWith('tcp.analysis.') && field(name) !== '').map(
      (name) => name.slice('tcp.analysis.'.length),
    ),
  };
}
