// Divergences from the kernel that have been looked at, each with its reason. A script is compared
// up to its first divergence; one that no entry here describes fails the run.

import type { Divergence } from './compare.ts';
import type { Outcome } from './ours.ts';
import type { CallStep, PacketStep, Script, Step } from './steps.ts';

interface Seen {
  readonly script: Script;
  readonly step: Step;
  readonly packet: PacketStep | null;
  readonly call: CallStep | null;
  readonly kernel: Outcome;
  readonly ours: Outcome;
  /** The steps before. */
  readonly before: readonly Step[];
}

interface Allowed {
  readonly reason: string;
  readonly fits: (d: Seen) => boolean;
}

const FIN = 1;
const SYN = 2;
const RST = 4;
const URG = 32;
const PURE_ACK = /^> \. -?\d+:-?\d+\(0\) ack -?\d+( shut)?( TS)?( sack -?\d+:-?\d+)*$/;
const DATA = /^> F?\.U? -?\d+:-?\d+\([1-9]\d*\)/;

function pureAcks(packets: readonly string[]): boolean {
  return packets.length > 0 && packets.every((p) => PURE_ACK.test(p));
}

function startsWith(all: readonly string[], some: readonly string[]): boolean {
  return some.every((p, i) => p === all[i]);
}

/** The same but for SACK blocks. */
function withoutBlocks(packets: readonly string[]): string {
  return packets.map((p) => p.replace(/ sack -?\d+:-?\d+/g, '')).join('\n');
}

function shutForReading(before: readonly Step[]): boolean {
  return before.some((s) => 'verb' in s && s.verb === 'shutdown' && s.arg !== 1);
}

function dataOf(packets: readonly string[]): string[] {
  return packets.filter((p) => DATA.test(p));
}

/** Payload octets in all. */
function octets(packets: readonly string[]): number {
  return packets.reduce((n, p) => n + Number(/\((\d+)\)/.exec(p)?.[1] ?? 0), 0);
}

/** The same but for each packet's first SACK block. */
function withoutFirstBlock(packets: readonly string[]): string {
  return packets.map((p) => p.replace(/ sack -?\d+:-?\d+/, '')).join('\n');
}

/** Empty segments without their own number. */
function withoutSeq(packets: readonly string[]): string {
  return packets.map((p) => p.replace(/ (-?\d+):\1\(0\)/, '')).join('\n');
}

/** Blocks behind the first in any order. */
function sortedBlocks(packets: readonly string[]): string {
  return packets
    .map((p) => {
      const [head, first, ...others] = p.split(' sack ');
      return [head, first, ...others.sort()].join(' sack ');
    })
    .join('\n');
}

/** Has a packet with these flags come by now? */
function came(d: Seen, flags: number): boolean {
  const packets = [...d.before, d.step].filter((s) => 'flags' in s);
  return packets.some((s) => (s.flags & flags) !== 0 && (flags !== SYN || s.flags === SYN));
}

/** Does the peer say two things about where its stream ends? */
function contradictsItself(d: Seen): boolean {
  const packets = [...d.before, d.step].filter((s) => 'flags' in s);
  const ends = packets.filter((s) => (s.flags & FIN) !== 0).map((s) => s.seq + s.len);
  const first = Math.min(...ends);
  return ends.some((e) => e !== first) || packets.some((s) => s.len > 0 && s.seq + s.len > first);
}

function withoutData(packets: readonly string[]): boolean {
  return !packets.some((p) => DATA.test(p));
}

/** Number and length of the first segment with data. */
function firstData(packets: readonly string[]): [number, number] {
  const at = /^> \S+ (-?\d+):-?\d+\((\d+)\)/.exec(dataOf(packets)[0] ?? '');
  return at === null ? [Number.NaN, 0] : [Number(at[1]), Number(at[2])];
}

function onlyWeAcknowledge(d: Seen): boolean {
  return d.kernel.packets.length === 0 && pureAcks(d.ours.packets);
}

const sameAnswer = (d: Seen): boolean => d.kernel.answer === d.ours.answer;

const ALLOWED: readonly Allowed[] = [
  {
    reason:
      'the FIN is acknowledged at once: no text came before it, so that Linux’s timer for it is set ' +
      'to no time at all and fires a tick later; or it is the second segment (RFC 9293 SHLD-19)',
    fits: (d) => d.packet !== null && (d.packet.flags & FIN) !== 0 && onlyWeAcknowledge(d),
  },
  {
    reason:
      'SYNs that cross: the SYN-ACK repeats only what the SYN offered (RFC 7323 §2.2, §3.2), and ' +
      "the peer's completes the handshake (RFC 9293 figure 8) without another ACK",
    fits: (d) =>
      d.packet !== null &&
      came(d, SYN) &&
      d.script.client &&
      (d.kernel.packets[0] ?? '').match(/^> S\. 0:0| sack 0:1$/) !== null,
  },
  {
    reason:
      'SACK blocks go in an acknowledgment of their own beside data; Linux makes the data shorter ' +
      'for them (RFC 2018 §3 allows both)',
    fits: (d) =>
      sameAnswer(d) && d.kernel.packets.some((p) => DATA.test(p) && p.includes(' sack ')),
  },
  {
    reason:
      'Linux holds back what its device has no room for yet, or joins it with what follows ' +
      '(tcp_small_queue_check, tcp_should_autocork); all that cwnd and window allow goes at once here',
    fits: (d) =>
      sameAnswer(d) &&
      octets(d.ours.packets) > octets(d.kernel.packets) &&
      startsWith(dataOf(d.ours.packets), dataOf(d.kernel.packets)),
  },
  {
    reason:
      'an acknowledgment at least for every second full segment (RFC 9293 SHLD-19); Linux waits ' +
      'while the program does not read',
    fits: (d) => d.packet !== null && d.packet.len > 0 && onlyWeAcknowledge(d),
  },
  {
    reason:
      'a small segment behind a full one waits for the delayed acknowledgment: fewer than two full ' +
      'segments have come (RFC 9293 SHLD-18, SHLD-19)',
    fits: (d) =>
      d.packet !== null &&
      d.packet.len > 0 &&
      (d.packet.flags & (SYN | RST)) === 0 &&
      d.ours.packets.length === 0 &&
      pureAcks(d.kernel.packets),
  },
  {
    reason:
      'an empty segment before RCV.NXT is old and answered (RFC 9293 §3.10.7.4); the left edge of ' +
      'Linux is what it has acknowledged (rcv_wup): nothing is old while an acknowledgment waits',
    fits: (d) => d.packet !== null && d.packet.len === 0 && onlyWeAcknowledge(d),
  },
  {
    reason:
      'an ACK up to a window behind SND.UNA is merely old (RFC 5961 §5.2); Linux takes none from ' +
      'before the connection',
    fits: (d) =>
      d.packet !== null && d.packet.ack < 1 && pureAcks(d.kernel.packets) && sameAnswer(d),
  },
  {
    reason: "a FIN's number is no octet: it stands in no D-SACK (RFC 2883 §4)",
    fits: (d) =>
      d.packet !== null &&
      (d.packet.flags & FIN) !== 0 &&
      withoutFirstBlock(d.kernel.packets) === withoutFirstBlock(d.ours.packets),
  },
  {
    reason: 'a socket that was closed sends no SACK blocks: what came out of order was let go',
    fits: (d) =>
      [...d.before, d.step].some((s) => 'verb' in s && /^(close|shutdown)$/.test(s.verb)) &&
      sameAnswer(d) &&
      withoutBlocks(d.kernel.packets) === withoutBlocks(d.ours.packets),
  },
  {
    reason:
      'D-SACK: of two pieces that one segment repeats the later is reported, Linux reports the ' +
      'earlier (RFC 2883 §4.2 has one block); in SYN-RECEIVED Linux reports none',
    fits: (d) =>
      d.packet !== null &&
      d.packet.len > 0 &&
      withoutFirstBlock(d.kernel.packets) === withoutFirstBlock(d.ours.packets),
  },
  {
    reason:
      'SACK blocks behind the first stand in the order of their numbers, not of their arrival ' +
      '(RFC 2018 §4 says SHOULD; all of them are told while there are no more than three or four)',
    fits: (d) =>
      d.packet !== null && sortedBlocks(d.kernel.packets) === sortedBlocks(d.ours.packets),
  },
  {
    reason: 'how many octets a send buffer takes is each side’s own affair',
    fits: (d) =>
      d.call?.verb === 'send' &&
      [d.kernel, d.ours].every((o) => (o.answer ?? 0) > 0 || o.answer === -11),
  },
  {
    reason:
      'what is left of the window is less than a segment and less than half of the largest: held ' +
      '(sender SWS avoidance, RFC 9293 §3.8.6.2.1); Linux fills the window',
    fits: (d) =>
      sameAnswer(d) &&
      octets(d.kernel.packets) > octets(d.ours.packets) &&
      startsWith(dataOf(d.kernel.packets), dataOf(d.ours.packets)),
  },
  {
    reason:
      'a RST outside of every connection has the number that was acknowledged (RFC 9293 §3.10.7.1); ' +
      'there is no ISN that it could be told from',
    fits: (d) =>
      d.packet !== null &&
      !d.before.some((b) => 'flags' in b && (b.flags & SYN) !== 0) &&
      [d.kernel, d.ours].every((o) => o.packets.length === 1) &&
      [d.kernel, d.ours].every((o) => /^> R (-?\d+):\1\(0\)$/.test(o.packets[0] as string)),
  },
  {
    reason:
      'empty segments that are not acceptable are answered at most twice a second (RFC 9293 ' +
      '§3.8.6.1 of loops); a challenge ACK counts here, too',
    fits: (d) =>
      d.packet !== null &&
      d.packet.len === 0 &&
      !contradictsItself(d) &&
      d.ours.packets.length === 0 &&
      pureAcks(d.kernel.packets),
  },
  {
    reason:
      'a segment that ends at RCV.NXT is old (RFC 9293 table 6); Linux takes it (tcp_sequence), so ' +
      'that a RST there is challenged',
    fits: (d) => {
      const ack = d.packet === null ? '' : ` ack ${d.packet.seq + d.packet.len}`;
      const reset = d.packet !== null && (d.packet.flags & RST) !== 0 && d.packet.len > 0;
      return (
        reset &&
        d.ours.packets.length === 0 &&
        PURE_ACK.test(d.kernel.packets[0] ?? '') &&
        (d.kernel.packets[0] as string).includes(ack)
      );
    },
  },
  {
    reason:
      'the FIN that goes with it says what the duplicate ACK of a segment ahead would say; Linux ' +
      'sends one behind it',
    fits: (d) =>
      d.packet !== null &&
      d.packet.len > 0 &&
      /^> F\./.test(d.ours.packets[0] ?? '') &&
      d.kernel.packets.length === 2 &&
      startsWith(d.kernel.packets, d.ours.packets) &&
      pureAcks(d.kernel.packets.slice(1)),
  },
  {
    reason:
      'a window taken back by less than the unit of the own scale does not move the number of an ' +
      'ACK (tcp_acceptable_seq); the scales differ with the buffers',
    fits: (d) => sameAnswer(d) && withoutSeq(d.kernel.packets) === withoutSeq(d.ours.packets),
  },
  {
    reason:
      'shutdown for reading alone is told to nobody and changes nothing on the wire (RFC 9293 ' +
      '§3.6.1)',
    fits: (d) => shutForReading(d.before) && d.kernel.packets.some((p) => p.startsWith('> R')),
  },
  {
    reason:
      'reading does not hurry an acknowledgment that may wait (RFC 9293 SHLD-18); in Linux it does ' +
      'when more than a segment waits for it',
    fits: (d) =>
      /^(receive|peek)$/.test(d.call?.verb ?? '') &&
      sameAnswer(d) &&
      d.ours.packets.length === 0 &&
      pureAcks(d.kernel.packets),
  },
  {
    reason:
      'a peer that contradicts itself about the end of its stream: the FIN that came first counts, ' +
      'and octets behind it are ignored; Linux takes what is in order first, or resets',
    fits: (d) =>
      d.packet !== null &&
      contradictsItself(d) &&
      withoutData(d.kernel.packets) &&
      withoutData(d.ours.packets),
  },
  {
    reason:
      'beside data an acknowledgment of its own tells of holes and duplicates: with data it is no ' +
      'duplicate ACK (RFC 5681 §2)',
    fits: (d) =>
      d.packet !== null &&
      d.packet.len > 0 &&
      startsWith(d.ours.packets, d.kernel.packets) &&
      d.kernel.packets.length > 0 &&
      pureAcks(d.ours.packets.slice(d.kernel.packets.length)),
  },
  {
    reason:
      'urgent octets are part of the stream, and reading does not stop at them (RFC 6093 §4, ' +
      'SO_OOBINLINE); Linux takes the octet out and stops in front of it',
    fits: (d) =>
      /^(receive|peek)$/.test(d.call?.verb ?? '') &&
      came(d, URG) &&
      (d.ours.answer ?? 0) > (d.kernel.answer ?? 0),
  },
  {
    reason:
      'a small segment is sent again as it was; Linux joins it with the next (RFC 9293 §3.7.4)',
    fits: (d) => {
      const [theirs, n] = firstData(d.kernel.packets);
      const [own, m] = firstData(d.ours.packets);
      const joined = n > m || /^> F/.test(dataOf(d.kernel.packets)[0] ?? '');
      return theirs === own && own === d.packet?.ack && d.packet.len === 0 && joined;
    },
  },
  {
    reason:
      'SACK in the middle of segments: Linux keeps the cuts it has made, here segments are cut ' +
      'anew, so that other numbers of them are lost and resent (RFC 6675 §4 counts octets)',
    fits: (d) =>
      d.packet?.options.some((o) => o.kind === 'sack') === true &&
      dataOf(d.kernel.packets)[0] === dataOf(d.ours.packets)[0] &&
      withoutBlocks(d.kernel.packets) !== withoutBlocks(d.ours.packets),
  },
  {
    reason:
      'the same window with a newer number is a duplicate ACK (RFC 5681 §2) and lets a new segment ' +
      'go (RFC 3042); Linux takes it for a window update',
    fits: (d) =>
      d.packet !== null &&
      d.packet.len === 0 &&
      d.kernel.packets.length === 0 &&
      d.ours.packets.length === 1 &&
      !d.before.some((s) => 'flags' in s && s.seq >= (d.packet?.seq ?? 0)),
  },
  {
    reason: 'send() on a socket that is still connecting queues the octets; Linux answers EAGAIN',
    fits: (d) => d.call?.verb === 'send' && d.kernel.answer === -11 && (d.ours.answer ?? 0) > 0,
  },
];

/** Why the divergence is known and accepted; null when it is not. */
export function reasonFor(d: Divergence): string | null {
  const step = d.script.steps[d.at] as Step;
  const seen: Seen = {
    script: d.script,
    step,
    packet: 'flags' in step ? step : null,
    call: 'verb' in step ? step : null,
    kernel: d.kernel,
    ours: d.ours,
    before: d.script.steps.slice(0, d.at),
  };
  return ALLOWED.find((a) => a.fits(seen))?.reason ?? null;
}
