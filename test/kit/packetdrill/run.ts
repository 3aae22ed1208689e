// Runs packetdrill scripts against one Stack and its StreamSockets under a virtual clock; nothing
// sleeps. test/kit/README.md describes what is read.

import { codeName } from '../../../src/base/code.ts';
import { runCode } from './assertions.ts';
import { PdBench, type Sent } from './bench.ts';
import { PdCalls } from './calls.ts';
import { ERRNO } from './constants.ts';
import { NotHere, PdError } from './cursor.ts';
import { infoNames } from './info-names.ts';
import type { PdPacket, PdTcp } from './packet-notation.ts';
import { type PdCall, type PdEvent, type PdScript, parsePd } from './script-file.ts';
import { runCommand } from './sysctl.ts';

const MAX_EVENTS = 100_000;
/** How long a script waits for `*`. */
const PATIENCE_US = 600e6;

interface Blocked {
  readonly call: PdCall;
  readonly event: PdEvent;
  readonly attempt: () => number | null;
  readonly endUs: number;
  doneUs: number | null;
}

class Run {
  readonly script: PdScript;
  readonly bench: PdBench;
  readonly calls: PdCalls;
  readonly printed: string[] = [];
  readonly #assigned = new Map<string, number>();
  readonly #rig: PdRig;
  #baseUs = 0;
  #blocked: Blocked | null = null;
  #line = 0;

  constructor(script: PdScript, rig: PdRig) {
    this.script = script;
    this.#rig = rig;
    this.bench = new PdBench(new Map([...(rig.options ?? []), ...script.options]));
    this.calls = new PdCalls(this.bench);
  }

  play(): void {
    try {
      for (const event of this.script.events) {
        this.#line = event.line;
        this.#perform(event);
      }
      this.#awaitBlocked();
      const left = this.bench.outbox[0];
      if (left !== undefined && this.#rig.leftovers !== true)
        throw new Error(`no line expects ${this.bench.describe(left)}`);
      if (this.bench.stack.counters.get('PortsideExceptions') !== 0) {
        throw new Error('an exception inside the stack');
      }
    } catch (cause) {
      if (cause instanceof PdError) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      const late = this.bench.outbox
        .map((o) => `\n    then came ${this.bench.describe(o)}`)
        .join('');
      const text = this.script.cursor.lineText(this.#line);
      const notHere = cause instanceof NotHere ? reason : '';
      const error = new PdError(this.#line, text, reason + late, notHere);
      error.cause = cause;
      throw error;
    }
  }

  #at(event: PdEvent): number {
    const { when } = event;
    if (when.kind === 'any') return this.bench.elapsedUs;
    return when.kind === 'after' ? this.#baseUs + when.us : when.us;
  }

  #perform(event: PdEvent): void {
    const { action } = event;
    if (action.kind === 'out') {
      this.#baseUs = this.#expectPacket(event, action.packet);
      return;
    }
    let at = this.#at(event);
    if (at + this.bench.toleranceUs < this.bench.elapsedUs) {
      throw new Error(`${at / 1e6} s has passed`);
    }
    at = Math.max(at, this.bench.elapsedUs);
    this.#runUntil(at);
    this.#baseUs = at;
    if (action.kind === 'in') this.bench.inject(action.packet);
    else if (action.kind === 'command') this.#command(action.text);
    else if (action.kind === 'code') {
      const names = infoNames(this.calls.last?.socket ?? null);
      this.printed.push(...runCode(action.text, names, this.#assigned));
    } else this.#call(event, action);
    this.#retry();
  }

  #command(text: string): void {
    const told = runCommand(this.bench.stack.config, text, this.#rig.beside);
    if (told.mtu > 0) this.bench.link.mtu = told.mtu;
  }

  // --- calls ----------------------------------------------------------------------------------

  #call(event: PdEvent, call: PdCall): void {
    this.#awaitBlocked();
    const attempt = this.calls.begin(call);
    const outcome = attempt();
    const { endUs } = event.when;
    if (endUs === null) {
      if (outcome === null) throw new Error(`${call.name} blocks`);
      check(call, outcome);
      return;
    }
    const end = event.when.kind === 'after' ? this.bench.elapsedUs + endUs - event.when.us : endUs;
    const blocked = { call, event, attempt, endUs: end, doneUs: null };
    this.#blocked = blocked;
    if (outcome !== null) this.#finish(blocked, outcome);
  }

  #retry(): void {
    this.calls.observe();
    const blocked = this.#blocked;
    if (blocked === null) return;
    const outcome = blocked.attempt();
    if (outcome !== null) this.#finish(blocked, outcome);
  }

  #finish(blocked: Blocked, outcome: number): void {
    this.#blocked = null;
    this.#line = blocked.event.line;
    const late = this.bench.elapsedUs - blocked.endUs;
    if (Math.abs(late) > this.bench.toleranceUs) {
      throw new Error(`${blocked.call.name} has returned at ${this.bench.elapsedUs / 1e6} s`);
    }
    check(blocked.call, outcome);
  }

  #awaitBlocked(): void {
    const blocked = this.#blocked;
    if (blocked === null) return;
    this.#runUntil(blocked.endUs + this.bench.toleranceUs);
    if (this.#blocked !== null) throw new Error(`${blocked.call.name} has not returned`);
  }

  // --- packets that come out ------------------------------------------------------------------

  #expectPacket(event: PdEvent, want: PdPacket): number {
    const { when } = event;
    const base = when.kind === 'after' ? this.#baseUs : 0;
    const from = base + when.us;
    const tolerance = this.bench.toleranceUs;
    const limit =
      when.kind === 'any' ? this.bench.elapsedUs + PATIENCE_US : base + when.untilUs + tolerance;
    let got = this.#next(limit);
    if (got === undefined) throw new Error(`no packet came out by ${limit / 1e6} s`);
    if (want.kind === 'tcp') got = this.#gather(got, want, limit);
    this.bench.match(got, want);
    if (when.kind !== 'any' && (got.atUs < from - tolerance || got.atUs > limit)) {
      throw new Error(`came at ${got.atUs / 1e6} s, wanted at ${from / 1e6} s`);
    }
    return Math.max(this.#baseUs, got.atUs);
  }

  #next(limit: number): Sent | undefined {
    for (let i = 0; i < MAX_EVENTS && this.bench.outbox.length === 0; i++) {
      const next = this.bench.nextEventUs();
      if (next > limit) break;
      this.#step(next);
    }
    return this.bench.outbox.shift();
  }

  /** A line of more than one segment: as many packets as it takes, Linux's TSO being off here. */
  #gather(first: Sent, want: PdTcp, limit: number): Sent {
    let got = first;
    for (let i = 0; i < 64; i++) {
      const len = payloadLen(got);
      if (len === 0 || len >= want.len) break;
      const next = this.#next(limit);
      if (next === undefined) break;
      const both = this.bench.joined(got, next);
      if (both === null) {
        this.bench.outbox.unshift(next);
        break;
      }
      got = both;
    }
    return got;
  }

  // --- time -----------------------------------------------------------------------------------

  #step(us: number): void {
    this.bench.runTo(us);
    this.#retry();
  }

  #runUntil(at: number): void {
    for (let i = 0; i < MAX_EVENTS; i++) {
      const next = this.bench.nextEventUs();
      if (next > at) break;
      this.#step(next);
    }
    this.#step(at);
  }
}

function payloadLen(sent: Sent): number {
  const b = sent.octets;
  const ip = ((b[0] as number) & 15) * 4;
  if (b[9] !== 6) return 0;
  return b.length - ip - ((b[ip + 12] as number) >> 4) * 4;
}

function check(call: PdCall, outcome: number): void {
  if (call.result === null) return;
  const got = outcome < 0 ? `-1 ${codeName(outcome)}` : String(outcome);
  const wanted = call.errno === null ? String(call.result) : `-1 ${call.errno}`;
  const errno = call.errno === null ? 0 : (ERRNO[call.errno] as number);
  const same = call.errno === null ? outcome === call.result : -outcome === errno;
  if (!same) throw new Error(`${call.name} answers ${got}, not ${wanted}`);
}

/** How a script is run that is not one of ours. */
export interface PdRig {
  /** Head options that the script's own win over. */
  readonly options?: ReadonlyMap<string, string>;
  /** Text of a shell script that a command names (`./defaults.sh`); null: there is none. */
  readonly beside?: (name: string) => string | null;
  /** As packetdrill does: what comes out behind the last line is nobody's business. */
  readonly leftovers?: boolean;
}

/** Throws PdError with the line and the reason; answers what the script printed. */
export function runPd(source: string, rig: PdRig = {}): string[] {
  const run = new Run(parsePd(source), rig);
  run.play();
  return run.printed;
}
