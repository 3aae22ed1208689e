// Which options our segments carry, in Linux's order: MSS, SACK-permitted with timestamps, window
// scale on SYN; timestamps elsewhere; SACK blocks on pure acknowledgments (RFC 2018, 2883).
// @hot

import type { RangeList } from '../base/range-list.ts';
import {
  putBlock,
  putMss,
  putSackHead,
  putSackOk,
  putTimestamps,
  putWscale,
} from '../wire/tcp-options.ts';
import { optionLen, putOption } from './fast-open.ts';
import { timestampNow } from './isn.ts';
import type { Tcb } from './tcb.ts';
import { offeredScale } from './window.ts';

/** 02 kind SACK-permitted, length 2, in place of the two NOPs before timestamps. */
export const SACK_OK_TS = 0x0402_080a;

/** Octets of options on our SYN (`reply` false) or SYN-ACK. */
export function synOptionLen(t: Tcb, reply: boolean): number {
  let n = 4;
  if (offersTs(t, reply)) n += 12;
  else if (offersSack(t, reply)) n += 4;
  if (offersScale(t, reply)) n += 4;
  return n + optionLen(t, reply);
}

export function putSynOptions(t: Tcb, view: DataView, off: number, reply: boolean): void {
  let at = off + putMss(view, off, t.advMss);
  if (offersTs(t, reply)) {
    putTimestamps(view, at, timestampNow(t), reply ? t.tsRecent : 0);
    if (offersSack(t, reply)) view.setInt32(at, SACK_OK_TS);
    at += 12;
  } else if (offersSack(t, reply)) at += putSackOk(view, at);
  if (offersScale(t, reply)) at += putWscale(view, at, t.wsOk ? t.rcvScale : offeredScale(t));
  if (optionLen(t, reply) > 0) putOption(t, view, at, reply);
}

/** A SYN-ACK repeats only what the SYN offered (RFC 7323 §2.2, §3.2; RFC 2018 §2). */
function offersTs(t: Tcb, reply: boolean): boolean {
  return answers(t, reply) ? t.tsOk : t.layer.config.timestamps;
}
function offersSack(t: Tcb, reply: boolean): boolean {
  return answers(t, reply) ? t.sackOk : t.layer.config.sack;
}
function offersScale(t: Tcb, reply: boolean): boolean {
  return answers(t, reply) ? t.wsOk : t.layer.config.windowScale;
}
function answers(t: Tcb, reply: boolean): boolean {
  const crossed = t.listener < 0 && !t.fastOpened;
  return reply && !(crossed && t.layer.config.crossedOffers);
}

/** Octets that SACK blocks need behind `used` octets of other options; 0 = nothing to tell. */
export function sackOptionLen(t: Tcb, used: number): number {
  if (!t.sackOk) return 0;
  let n = t.hasDsack ? 1 : 0;
  if (t.ofo !== null) n += t.ofo.size;
  if (finStandsAlone(t)) n++;
  if (n === 0) return 0;
  const fit = Math.floor((40 - used - 4) / 8);
  return 4 + 8 * Math.min(n, fit);
}

/** Writes a SACK option of `len` octets: a D-SACK block, then the newest range, then the others. */
export function putSackBlocks(t: Tcb, view: DataView, off: number, len: number): void {
  const blocks = (len - 4) >> 3;
  let at = off + putSackHead(view, off, blocks);
  let left = blocks;
  if (t.hasDsack) {
    at += putBlock(view, at, t.dsackStart, t.dsackEnd);
    left--;
  }
  const alone = finStandsAlone(t);
  if (alone && left > 0 && (t.finNewest || t.ofo === null || t.ofo.size === 0)) {
    at += putBlock(view, at, t.finSeq, (t.finSeq + 1) | 0);
    left--;
  }
  const ofo = t.ofo;
  if (ofo === null || ofo.size === 0 || left === 0) return;
  // RFC 2018 §4: first the segment that triggered this acknowledgment, then what was told last
  let told = 0;
  for (let k = 0; k < 4 && left > 0; k++) {
    const i = ofo.recent(k);
    if (i >= ofo.size) continue;
    at += putBlock(view, at, ofo.start(i), blockEnd(t, ofo.end(i)));
    left--;
    told++;
  }
  if (alone && !t.finNewest && left > 0) {
    at += putBlock(view, at, t.finSeq, (t.finSeq + 1) | 0);
    left--;
  }
  if (told === ofo.size) return;
  for (let i = ofo.size - 1; i >= 0 && left > 0; i--) {
    if (recentlyTold(ofo, i)) continue;
    at += putBlock(view, at, ofo.start(i), blockEnd(t, ofo.end(i)));
    left--;
  }
}

/** A FIN that waits for what is missing before it, and no text that is here ends at it. */
function finStandsAlone(t: Tcb): boolean {
  if (!t.finKnown || t.finReceived || t.finSeq === t.rcvNxt) return false;
  return t.ofo === null || t.ofo.size === 0 || t.ofo.end(t.ofo.size - 1) !== t.finSeq;
}

/** A FIN that waits behind its text takes a number of the block. */
function blockEnd(t: Tcb, end: number): number {
  return t.finKnown && end === t.finSeq ? (end + 1) | 0 : end;
}

function recentlyTold(ofo: RangeList, i: number): boolean {
  for (let k = 0; k < 4; k++) if (ofo.recent(k) === i) return true;
  return false;
}
