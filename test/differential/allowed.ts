// Divergences from the kernel that have been looked at, each with its reason. A script is compared
// up to its first divergence; one that no entry here describes fails the run.

import type { Divergence } from './compare.ts';
import type { Outcome } from './ours.ts';
import type { CallStep, PacketStep, Step } from './steps.ts';

interface Seen {
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

const sameAnswer = (d: Seen): boolean => d.kernel.answer === d.ours.answer;

const ALLOWED: readonly Allowed[] = [
  {
    reason:
      'the FIN is acknowledged at once: Linux waits up to 40 ms for the program to close (RFC 9293 ' +
      '§3.8.6.3 allows both)',
    fits: (d) =>
      d.packet !== null &&
      d.kernel.packets.length === 0 &&
      pureAcks(d.ours.packets) &&
      [...d.before, d.packet].some((s) => 'flags' in s && (s.flags & FIN) !== 0),
  },
  {
    reason: 'SYNs that cross: the SYN-ACK repeats only what the SYN offered (RFC 7323 §2.2, §3.2)',
    fits: (d) =>
      d.packet !== null &&
      (d.packet.flags & SYN) !== 0 &&
      d.kernel.packets[0]?.startsWith('> S. 0:0') === true &&
      d.ours.packets[0]?.startsWith('> S. 0:0') === true,
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
      'Linux holds the end of a burst back for a larger super-segment (tcp_tso_should_defer); all ' +
      'that cwnd and window allow goes at once here',
    fits: (d) =>
      sameAnswer(d) &&
      octets(d.ours.packets) > octets(d.kernel.packets) &&
      startsWith(dataOf(d.ours.packets), dataOf(d.kernel.packets)),
  },
  {
    reason:
      'an acknowledgment at least for every second full segment (RFC 9293 SHLD-19); Linux waits ' +
      'while the program does not read',
    fits: (d) =>
      d.packet !== null &&
      d.packet.len > 0 &&
      d.kernel.packets.length === 0 &&
      pureAcks(d.ours.packets),
  },
  {
    reason:
      'challenge ACKs: up to ten a second and connection, with jitter (RFC 5961 §7); Linux sends ' +
      'one in half a second',
    fits: (d) =>
      d.packet !== null &&
      d.kernel.packets.length === 0 &&
      pureAcks(d.ours.packets) &&
      d.packet.len === 0,
  },
  {
    reason: "a FIN's number is no octet: it stands in no SACK block (RFC 2018 §3)",
    fits: (d) =>
      d.packet !== null &&
      (d.packet.flags & FIN) !== 0 &&
      withoutBlocks(d.kernel.packets) === withoutBlocks(d.ours.packets),
  },
  {
    reason:
      'shutdown for reading is told to nobody and changes nothing on the wire (RFC 9293 §3.6.1); ' +
      'Linux resets a connection that is shut both ways when data comes',
    fits: (d) => shutForReading(d.before) && d.kernel.packets.some((p) => p.startsWith('> R')),
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
    step,
    packet: 'flags' in step ? step : null,
    call: 'verb' in step ? step : null,
    kernel: d.kernel,
    ours: d.ours,
    before: d.script.steps.slice(0, d.at),
  };
  return ALLOWED.find((a) => a.fits(seen))?.reason ?? null;
}
