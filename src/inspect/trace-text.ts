// The time line of one connection as text: one event a line, times from the first, sequence numbers
// counted from the first that was seen on each side.

import type { EventRow } from './event-rows.ts';

/** Counts sequence numbers from the first, over their end at 2^32. */
export class Unwrapped {
  #last: number | null = null;
  #at = 0;

  of(seq: number): number {
    if (this.#last === null) this.#last = seq;
    this.#at += (seq - this.#last) | 0;
    this.#last = seq;
    return this.#at;
  }
}

const SACKS = { new: 'sack', duplicate: 'D-SACK', refused: 'sack refused:' };
const ms = (us: number): string => `${(us / 1000).toFixed(us < 100_000 ? 1 : 0)} ms`;

export class TraceText {
  #from: number | null = null;
  readonly #ours = new Unwrapped();
  readonly #theirs = new Unwrapped();

  /** `+0.020134  < S. seq 0 ack 1 win 64240`; null: an event that a time line leaves out. */
  line(row: EventRow): string | null {
    const what = this.#what(row);
    if (what === null) return null;
    this.#from ??= row.at;
    return `+${((row.at - this.#from) / 1e6).toFixed(6)}  ${what}`;
  }

  #what(row: EventRow): string | null {
    const ours = (seq: number): number => this.#ours.of(seq);
    switch (row.kind) {
      case 'state':
        return `= ${row.from} -> ${row.to} (${row.cause})`;
      case 'sent': {
        const marks = `${row.again ? ' RETRANSMISSION' : ''}${row.probe ? ' probe' : ''}`;
        return `> ${this.#segment(row, this.#ours, this.#theirs)}${marks}`;
      }
      case 'received':
        return `< ${this.#segment(row, this.#theirs, this.#ours)}, win ${row.window}`;
      case 'sacked':
        return `  ${SACKS[row.what]} ${ours(row.start)}..${ours(row.end)}`;
      case 'rtt':
        return `  rtt ${ms(row.sampleUs)}, srtt ${ms(row.srttUs)}, rto ${ms(row.rtoUs)}`;
      case 'cwnd':
        return `  cwnd ${row.cwnd}, in flight ${row.inFlight}${cwndMore(row)}`;
      case 'lost':
        return `! lost by ${row.cause}: ${ours(row.start)}..${ours(row.end)}`;
      case 'undone':
        return `! undone (${row.cause}): cwnd ${row.cwnd} again`;
      case 'fired':
        return `! timer: ${row.timer}`;
      case 'delivered':
        return `  ${row.octets} octets to the program`;
      default:
        return null;
    }
  }

  #segment(
    row: Extract<EventRow, { kind: 'sent' | 'received' }>,
    side: Unwrapped,
    other: Unwrapped,
  ): string {
    const start = side.of(row.seq);
    const seq = row.octets > 0 ? `${start}:${start + row.octets}` : `${start}`;
    const ack = row.flags.includes('.') ? ` ack ${other.of(row.ack)}` : '';
    const wire = row.segments === undefined ? '' : ` in ${row.segments} segments`;
    return `${row.flags} seq ${seq}${ack}, ${row.octets} octets${wire}`;
  }
}

const NEVER_SSTHRESH = 0x7fffffff;

function cwndMore(row: Extract<EventRow, { kind: 'cwnd' }>): string {
  const threshold = row.ssthresh < NEVER_SSTHRESH ? `, ssthresh ${row.ssthresh}` : '';
  return `${threshold}${row.ca === 'open' ? '' : `, ${row.ca}`}`;
}
