// TCP options between a script and the wire, in order and with every NOP: what Linux's scripts check
// is the layout, octet by octet.

import type { Conversation } from './conversation.ts';
import type { PdOption } from './packet-notation.ts';

const NONE: readonly number[] = [];
const KINDS: Readonly<Record<number, string>> = {
  0: 'eol',
  1: 'nop',
  2: 'mss',
  3: 'wscale',
  4: 'sackOK',
  5: 'sack',
  8: 'TS',
  34: 'FO',
};

/** The options of a header, as they lie there. */
export function readOptions(b: Uint8Array, from: number, end: number): PdOption[] {
  const view = new DataView(b.buffer, b.byteOffset);
  const found: PdOption[] = [];
  let at = from;
  while (at < end) {
    const number = b[at] as number;
    const kind = KINDS[number] ?? 'raw';
    if (number < 2) {
      found.push({ kind, numbers: NONE, octets: NONE });
      at++;
      continue;
    }
    const len = Math.max(2, b[at + 1] as number);
    const octets = [...b.subarray(at + 2, at + len)];
    if (kind === 'mss') found.push({ kind, numbers: [view.getUint16(at + 2)], octets: NONE });
    else if (kind === 'wscale') found.push({ kind, numbers: octets, octets: NONE });
    else if (kind === 'TS' || kind === 'sack') {
      const numbers: number[] = [];
      for (let i = at + 2; i < at + len; i += 4) numbers.push(view.getUint32(i));
      found.push({ kind, numbers, octets: NONE });
    } else if (kind === 'raw') found.push({ kind, numbers: [number], octets });
    else found.push({ kind, numbers: NONE, octets });
    at += len;
  }
  return found;
}

function word(n: number): number[] {
  return [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
}

/** The octets of a script's options; padded with zeros to words. */
export function optionsToWire(options: readonly PdOption[], peer: Conversation): Uint8Array {
  const out: number[] = [];
  for (const o of options) {
    const [a, b] = o.numbers as [number, number];
    if (o.kind === 'eol') out.push(0);
    else if (o.kind === 'nop') out.push(1);
    else if (o.kind === 'mss') out.push(2, 4, a >> 8, a & 255);
    else if (o.kind === 'wscale') out.push(3, 3, a);
    else if (o.kind === 'sackOK') out.push(4, 2);
    else if (o.kind === 'TS') out.push(8, 10, ...word(a), ...word(peer.echo(b)));
    else if (o.kind === 'raw') out.push(a, 2 + o.octets.length, ...o.octets);
    else if (o.kind === 'FO') out.push(34, 2 + o.octets.length, ...peer.cookie(o));
    else if (o.kind === 'FOEXP') out.push(254, 4 + o.octets.length, 0xf9, 0x89, ...o.octets);
    else {
      out.push(5, 2 + 4 * o.numbers.length);
      for (const n of o.numbers) out.push(...word(peer.toWire(n)));
    }
  }
  while (out.length % 4 !== 0) out.push(0);
  return Uint8Array.from(out);
}

export function optionText(o: PdOption): string {
  if (o.kind === 'TS') return `TS val ${o.numbers[0]} ecr ${o.numbers[1]}`;
  if (o.kind === 'sack') {
    const pairs = o.numbers.map((n, i) => (i % 2 === 0 ? ` ${n}` : `:${n}`));
    return `sack${pairs.join('')}`;
  }
  const octets = o.octets.map((n) => n.toString(16).padStart(2, '0')).join('');
  return [o.kind, ...o.numbers, ...(octets === '' ? [] : [octets])].join(' ');
}

/** '' or the first difference. Learns what the script calls timestamps and cookies. */
export function differOptions(
  got: readonly PdOption[],
  want: readonly PdOption[],
  peer: Conversation,
  tickUs: number,
): string {
  const text = (list: readonly PdOption[]): string => `<${list.map(optionText).join(',')}>`;
  if (got.map((o) => o.kind).join() !== want.map((o) => o.kind).join()) {
    return `options ${text(got)} instead of ${text(want)}`;
  }
  for (let i = 0; i < want.length; i++) {
    const difference = differ(got[i] as PdOption, want[i] as PdOption, peer, tickUs);
    if (difference !== '') return `${difference} in ${text(got)}`;
  }
  return '';
}

const OWN_CHOICE = new Set(['mss', 'wscale', 'sackOK', 'nop', 'eol']);

/** As differOptions, for a script of another stack: its own order, sizes and offers do not count. */
export function differLoosely(
  got: readonly PdOption[],
  want: readonly PdOption[],
  peer: Conversation,
  tickUs: number,
): string {
  const told = (list: readonly PdOption[]): PdOption[] => {
    const found = list.filter((o) => !OWN_CHOICE.has(o.kind));
    return found.sort((a, b) => (a.kind < b.kind ? -1 : Number(a.kind > b.kind)));
  };
  return differOptions(told(got), told(want), peer, tickUs);
}

function differ(got: PdOption, want: PdOption, peer: Conversation, tickUs: number): string {
  if (want.kind === 'FO') {
    if (got.octets.length === want.octets.length) peer.learnCookie(want.octets, got.octets);
    return got.octets.length === want.octets.length ? '' : 'another length of the cookie';
  }
  if (want.kind === 'TS') {
    const [val, ecr] = want.numbers as [number, number];
    const off = Number.isNaN(val) ? 0 : peer.stamp(val, got.numbers[0] as number);
    if (tickUs > 0 && Math.abs(off) > 1) return `TSval is ${off} ticks off`;
    return Number.isNaN(ecr) || got.numbers[1] === ecr >>> 0
      ? ''
      : `TSecr ${got.numbers[1]}, not ${ecr}`;
  }
  if (want.kind === 'sack') {
    const same = want.numbers.every(
      (n, i) => peer.ownFromWire(got.numbers[i] as number, false) === n,
    );
    return same && want.numbers.length === got.numbers.length
      ? ''
      : `blocks are not ${want.numbers}`;
  }
  const same =
    want.numbers.join() === got.numbers.join() && want.octets.join() === got.octets.join();
  return same ? '' : `not ${optionText(want)}`;
}
