// What the script notation cannot say: segments with an IP header of their own (the ECN field),
// segments looked at with all their options, connections from many ports. The stack's ISS is fixed
// by `testIss`, so numbers are relative to ISS here as in scripts. Nothing of src/wire is used.

import { tcp4 } from '../kit/packet.ts';
import { LOCAL, REMOTE, type ScriptBench, type Sent } from '../kit/script-bench.ts';
import { pattern } from '../kit/script-peer.ts';

export const ISS = 5000;
const LETTERS = 'FSRP.UEW';

export interface Seen {
  readonly atUs: number;
  /** The last two bits of the second octet of IP: 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE. */
  readonly ecn: number;
  readonly dscp: number;
  /** In the order FSRP.UEW. */
  readonly flags: string;
  readonly seq: number;
  readonly ack: number;
  readonly len: number;
  readonly window: number;
  readonly srcPort: number;
  readonly dstPort: number;
  /** Option kind → its octets behind kind and length. */
  readonly options: ReadonlyMap<number, readonly number[]>;
  readonly payload: Uint8Array;
}

export function look(sent: Sent): Seen {
  const b = sent.octets;
  const view = new DataView(b.buffer, b.byteOffset, b.length);
  const l4 = ((b[0] as number) & 15) * 4;
  const data = l4 + ((b[l4 + 12] as number) >> 4) * 4;
  const bits = b[l4 + 13] as number;
  const options = new Map<number, readonly number[]>();
  for (let at = l4 + 20; at < data && b[at] !== 0; ) {
    const kind = b[at] as number;
    const len = kind === 1 ? 1 : (b[at + 1] as number);
    if (kind !== 1) options.set(kind, [...b.subarray(at + 2, at + len)]);
    at += len;
  }
  return {
    atUs: sent.atUs,
    ecn: (b[1] as number) & 3,
    dscp: (b[1] as number) >> 2,
    flags: [...LETTERS].filter((_, i) => (bits & (1 << i)) !== 0).join(''),
    seq: (view.getUint32(l4 + 4) - ISS) | 0,
    ack: view.getUint32(l4 + 8),
    len: b.length - data,
    window: view.getUint16(l4 + 14),
    srcPort: view.getUint16(l4),
    dstPort: view.getUint16(l4 + 2),
    options,
    payload: b.slice(data),
  };
}

/** What has come out since the last look. */
export function taken(bench: ScriptBench): Seen[] {
  return bench.outbox.splice(0).map(look);
}

/** The one segment that must have come out. */
export function only(bench: ScriptBench): Seen {
  const all = taken(bench);
  if (all.length !== 1) {
    throw new Error(`wanted one segment, came ${all.map((s) => `${s.flags} ${s.seq}`).join(', ')}`);
  }
  return all[0] as Seen;
}

export interface Arriving {
  flags: string;
  seq: number;
  /** Relative to ISS; `rawAck` is not. */
  ack?: number;
  rawAck?: number;
  len?: number;
  win?: number;
  ecn?: number;
  src?: string;
  from?: number;
  to?: number;
  options?: readonly number[];
}

/** A segment of the peer's arrives, by default from port 54321 to port 80. */
export function arrive(bench: ScriptBench, s: Arriving): void {
  let flags = 0;
  for (const letter of s.flags) flags |= 1 << LETTERS.indexOf(letter);
  const octets = tcp4(
    { src: s.src ?? REMOTE, dst: LOCAL, df: true, tos: s.ecn ?? 0 },
    {
      srcPort: s.from ?? 54_321,
      dstPort: s.to ?? 80,
      seq: s.seq,
      ack: s.rawAck ?? (s.ack ?? 1) + ISS,
      flags,
      window: s.win ?? 65_535,
      options: Uint8Array.from(s.options ?? []),
      payload: pattern(s.seq - 1, s.len ?? 0),
    },
  );
  bench.inject({ kind: 'raw', octets });
}

/** The virtual clock goes on by so many ms. */
export function wait(bench: ScriptBench, ms: number): void {
  const until = bench.elapsedUs + ms * 1000;
  for (let i = 0; i < 100_000 && bench.nextEventUs() <= until; i++) {
    bench.runTo(bench.nextEventUs());
  }
  bench.runTo(until);
}
