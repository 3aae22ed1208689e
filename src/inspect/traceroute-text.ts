// What traceroute prints: a line a hop, the answer of each probe, `*` for silence, and the marks
// for what is no ordinary hop (traceroute(8)).

import type { IcmpError } from './ping-text.ts';

export interface ProbeAnswer {
  readonly from: string;
  readonly rttUs: number;
  /** `!H`, `!N`, `!P`, `!X`, `!F-1400`; '' for a hop on the way and for the destination. */
  readonly mark: string;
  readonly isLast: boolean;
}

/** The mark of an ICMP error; '' for a hop count's end, and for the closed port that is meant. */
export function markOf(e: IcmpError): string {
  if (e.family === 6) {
    if (e.type === 2) return `!F-${e.mtu}`;
    if (e.type !== 1) return '';
    return ['!N', '!X', '!S', '!H', ''][e.code] ?? `!<${e.code}>`;
  }
  if (e.type !== 3) return '';
  if (e.code === 4) return `!F-${e.mtu}`;
  return ['!N', '!H', '!P', ''][e.code] ?? (e.code === 13 ? '!X' : `!<${e.code}>`);
}

/** Whether an error ends the way: whoever says so will not pass anything on. */
export function isLastError(e: IcmpError): boolean {
  return e.family === 6 ? e.type === 1 : e.type === 3;
}

/** ` 1  10.0.0.1  0.123 ms  0.101 ms *`. An address stands where it differs from the last one. */
export function hopText(ttl: number, answers: readonly (ProbeAnswer | null)[]): string {
  let line = String(ttl).padStart(2);
  let before = '';
  for (const answer of answers) {
    if (answer === null) {
      line += ' *';
      continue;
    }
    if (answer.from !== before) line += `${before === '' ? ' ' : ''} ${answer.from}`;
    before = answer.from;
    const mark = answer.mark === '' ? '' : ` ${answer.mark}`;
    line += `  ${(answer.rttUs / 1000).toFixed(3)} ms${mark}`;
  }
  return line;
}

/** A line of tracepath: ` 1:  10.0.0.1  0.123ms reached`, `pmtu 1400` where it changes. */
export function pathText(ttl: number, answer: ProbeAnswer | null, more: string): string {
  const at = `${String(ttl).padStart(2)}: `;
  if (answer === null) return `${at} no reply`;
  const time = `${(answer.rttUs / 1000).toFixed(3)}ms`;
  return `${at} ${answer.from.padEnd(40)} ${time} ${more}`.trimEnd();
}
