// What is true or false of a control block and is rarely asked: bits of one word instead of a field
// of 8 octets each. What every packet asks is a field of its own in tcb.ts: quicker.
// @hot

import { TcbNumbers } from './tcb-numbers.ts';

export class TcbFlags extends TcbNumbers {
  flags = 0;

  get closedTold(): boolean {
    return (this.flags & 0x1) !== 0;
  }
  set closedTold(on: boolean) {
    this.flags = on ? this.flags | 0x1 : this.flags & ~0x1;
  }

  get endTold(): boolean {
    return (this.flags & 0x2) !== 0;
  }
  set endTold(on: boolean) {
    this.flags = on ? this.flags | 0x2 : this.flags & ~0x2;
  }

  get opened(): boolean {
    return (this.flags & 0x4) !== 0;
  }
  set opened(on: boolean) {
    this.flags = on ? this.flags | 0x4 : this.flags & ~0x4;
  }

  get inFlows(): boolean {
    return (this.flags & 0x8) !== 0;
  }
  set inFlows(on: boolean) {
    this.flags = on ? this.flags | 0x8 : this.flags & ~0x8;
  }

  get finSent(): boolean {
    return (this.flags & 0x10) !== 0;
  }
  set finSent(on: boolean) {
    this.flags = on ? this.flags | 0x10 : this.flags & ~0x10;
  }

  get finReceived(): boolean {
    return (this.flags & 0x20) !== 0;
  }
  set finReceived(on: boolean) {
    this.flags = on ? this.flags | 0x20 : this.flags & ~0x20;
  }

  get finKnown(): boolean {
    return (this.flags & 0x40) !== 0;
  }
  set finKnown(on: boolean) {
    this.flags = on ? this.flags | 0x40 : this.flags & ~0x40;
  }

  get urgentIn(): boolean {
    return (this.flags & 0x80) !== 0;
  }
  set urgentIn(on: boolean) {
    this.flags = on ? this.flags | 0x80 : this.flags & ~0x80;
  }

  /** cwnd was reduced: the next new data says CWR. */
  get ecnReduced(): boolean {
    return (this.flags & 0x100) !== 0;
  }
  set ecnReduced(on: boolean) {
    this.flags = on ? this.flags | 0x100 : this.flags & ~0x100;
  }

  get searching(): boolean {
    return (this.flags & 0x200) !== 0;
  }
  set searching(on: boolean) {
    this.flags = on ? this.flags | 0x200 : this.flags & ~0x200;
  }

  /** The program asked for it on this active open. */
  get fastOpen(): boolean {
    return (this.flags & 0x400) !== 0;
  }
  set fastOpen(on: boolean) {
    this.flags = on ? this.flags | 0x400 : this.flags & ~0x400;
  }

  /** The SYN waits for the drain, so that data can ride on it. */
  get synPending(): boolean {
    return (this.flags & 0x800) !== 0;
  }
  set synPending(on: boolean) {
    this.flags = on ? this.flags | 0x800 : this.flags & ~0x800;
  }

  /** All of the octets on our SYN were taken. */
  get synDataTaken(): boolean {
    return (this.flags & 0x1000) !== 0;
  }
  set synDataTaken(on: boolean) {
    this.flags = on ? this.flags | 0x1000 : this.flags & ~0x1000;
  }

  /** Our SYN-ACK carries a cookie; data was taken from the SYN. */
  get fastOpenReply(): boolean {
    return (this.flags & 0x2000) !== 0;
  }
  set fastOpenReply(on: boolean) {
    this.flags = on ? this.flags | 0x2000 : this.flags & ~0x2000;
  }

  get fastOpened(): boolean {
    return (this.flags & 0x4000) !== 0;
  }
  set fastOpened(on: boolean) {
    this.flags = on ? this.flags | 0x4000 : this.flags & ~0x4000;
  }

  /** The program reads no more (shutdown): text that comes in FIN-WAIT is refused. */
  get readShut(): boolean {
    return (this.flags & 0x8000) !== 0;
  }
  set readShut(on: boolean) {
    this.flags = on ? this.flags | 0x8000 : this.flags & ~0x8000;
  }

  get wsOk(): boolean {
    return (this.flags & 0x10000) !== 0;
  }
  set wsOk(on: boolean) {
    this.flags = on ? this.flags | 0x10000 : this.flags & ~0x10000;
  }

  get canUndo(): boolean {
    return (this.flags & 0x20000) !== 0;
  }
  set canUndo(on: boolean) {
    this.flags = on ? this.flags | 0x20000 : this.flags & ~0x20000;
  }

  /** F-RTO's step 2b: the next output sends new data before what is marked lost. */
  get newFirst(): boolean {
    return (this.flags & 0x40000) !== 0;
  }
  set newFirst(on: boolean) {
    this.flags = on ? this.flags | 0x40000 : this.flags & ~0x40000;
  }

  /** The next output sends no lost data: it is not lost after all, it seems (undo.ts). */
  get holdLost(): boolean {
    return (this.flags & 0x80000) !== 0;
  }
  set holdLost(on: boolean) {
    this.flags = on ? this.flags | 0x80000 : this.flags & ~0x80000;
  }

  /** F-RTO (RFC 5682): a timeout that may have been spurious. */
  get frto(): boolean {
    return (this.flags & 0x100000) !== 0;
  }
  set frto(on: boolean) {
    this.flags = on ? this.flags | 0x100000 : this.flags & ~0x100000;
  }

  get dsackSeen(): boolean {
    return (this.flags & 0x200000) !== 0;
  }
  set dsackSeen(on: boolean) {
    this.flags = on ? this.flags | 0x200000 : this.flags & ~0x200000;
  }

  get tlpRetrans(): boolean {
    return (this.flags & 0x400000) !== 0;
  }
  set tlpRetrans(on: boolean) {
    this.flags = on ? this.flags | 0x400000 : this.flags & ~0x400000;
  }

  /** Pacing alone held the last segment back: its timer may come late. */
  get paceHeld(): boolean {
    return (this.flags & 0x800000) !== 0;
  }
  set paceHeld(on: boolean) {
    this.flags = on ? this.flags | 0x800000 : this.flags & ~0x800000;
  }

  get keepAlive(): boolean {
    return (this.flags & 0x1000000) !== 0;
  }
  set keepAlive(on: boolean) {
    this.flags = on ? this.flags | 0x1000000 : this.flags & ~0x1000000;
  }

  get urgentOut(): boolean {
    return (this.flags & 0x2000000) !== 0;
  }
  set urgentOut(on: boolean) {
    this.flags = on ? this.flags | 0x2000000 : this.flags & ~0x2000000;
  }

  get noDelay(): boolean {
    return (this.flags & 0x4000000) !== 0;
  }
  set noDelay(on: boolean) {
    this.flags = on ? this.flags | 0x4000000 : this.flags & ~0x4000000;
  }

  /** A mark has come: ECE goes on every acknowledgment until the peer's CWR. */
  get ecnEcho(): boolean {
    return (this.flags & 0x8000000) !== 0;
  }
  set ecnEcho(on: boolean) {
    this.flags = on ? this.flags | 0x8000000 : this.flags & ~0x8000000;
  }

  /** A record in the table of TIME-WAIT stands for it: its end is not the connection's. */
  get retired(): boolean {
    return (this.flags & 0x20000000) !== 0;
  }
  set retired(on: boolean) {
    this.flags = on ? this.flags | 0x20000000 : this.flags & ~0x20000000;
  }

  /** What came last ahead of its turn was a FIN without text. */
  get finNewest(): boolean {
    return (this.flags & 0x80000000) !== 0;
  }
  set finNewest(on: boolean) {
    this.flags = on ? this.flags | 0x80000000 : this.flags & ~0x80000000;
  }

  /** The program reads when it likes: what it has not read outlives a reset. */
  get pulled(): boolean {
    return (this.flags & 0x40000000) !== 0;
  }
  set pulled(on: boolean) {
    this.flags = on ? this.flags | 0x40000000 : this.flags & ~0x40000000;
  }

  /** A probe is being laid out: one packet, whatever its size. */
  get probing(): boolean {
    return (this.flags & 0x10000000) !== 0;
  }
  set probing(on: boolean) {
    this.flags = on ? this.flags | 0x10000000 : this.flags & ~0x10000000;
  }
}
