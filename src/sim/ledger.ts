// The books of a host, balanced after every turn (reliability.md §4.2, 10 and 12): what the layer
// says it holds is what its connections hold, and the wheel has no timer of a dead connection.

import type { Stack } from '../stack/stack.ts';
import { NIL, Seg } from '../tcp/scoreboard.ts';
import type { Tcb } from '../tcp/tcb.ts';
import { type TcpLayer, Timer, timerArmed } from '../tcp/tcp.ts';

const KINDS = [Timer.REXMIT, Timer.DELACK, Timer.KEEP, Timer.LINGER, Timer.PACE];
const MAX_RECORDS = 1 << 20;

/** What does not balance, one line each; empty is right. */
export function ledger(host: { readonly stack: Stack }): string[] {
  const wrong: string[] = [];
  const tcp: TcpLayer = host.stack.tcp;
  let live = 0;
  let memory = 0;
  let records = 0;
  let fingered = 0;
  let timers = 0;
  let flows = tcp.timeWait.size;
  let chunks = 0;
  for (const t of tcp.connections) {
    if (t === null || t === undefined) continue;
    live++;
    memory += t.ring.capacity;
    records += t.board.records;
    if (t.board.fingers !== null) fingered++;
    chunks += t.queue.chunks;
    if (t.inFlows) flows++;
    for (const kind of KINDS) if (timerArmed(t, kind)) timers++;
    const text = scoreboard(tcp, t);
    if (text !== '') wrong.push(text);
  }
  const equal = (what: string, said: number, held: number): void => {
    if (said !== held) wrong.push(`${what}: ${said} in the books, ${held} held`);
  };
  equal('connections', tcp.live, live);
  equal('receive memory', tcp.rcvMemory, memory);
  equal('send records', tcp.segs.used, records);
  equal('boards with fingers', tcp.segs.fingered, fingered);
  equal('timers', tcp.deadlines.armed, timers);
  equal('flows', tcp.flows.size, flows);
  equal('TIME-WAIT timers', tcp.timeWait.deadlines.armed, tcp.timeWait.size);
  if (chunks === 0) equal('send blocks', tcp.blocks.inUse, 0);
  return wrong;
}

/** The counts of a connection are those of its records. */
function scoreboard(tcp: TcpLayer, t: Tcb): string {
  const p = tcp.segs;
  let n = 0;
  let out = 0;
  let sacked = 0;
  let lost = 0;
  for (let i = t.board.head; i !== NIL && n < MAX_RECORDS; i = p.next[i] as number) {
    const flags = p.flags[i] as number;
    const segs = p.segs[i] as number;
    n++;
    out += segs;
    if ((flags & Seg.SACKED) !== 0) sacked += segs;
    if ((flags & Seg.LOST) !== 0) lost += segs;
  }
  // Without SACK `sackedOut` counts duplicate acknowledgments.
  if (!t.sackOk) sacked = t.sackedOut;
  const said = [t.board.records, t.packetsOut, t.sackedOut, t.lostOut];
  const held = [n, out, sacked, lost];
  if (said.every((value, i) => value === held[i])) return '';
  const both = `${said.join()}, held ${held.join()}`;
  return `scoreboard of ${t.localPort}: records, out, sacked, lost ${both}`;
}
