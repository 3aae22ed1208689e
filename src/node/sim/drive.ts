// Runs a program on virtual time: turns of the real event loop until nothing stirs, then a jump to
// the next event of the simulated clock, until the program's promise is settled.

import type { Clock } from '../../sim/clock.ts';
import { coded } from '../errors.ts';
import type { ProgramTime } from './program-time.ts';

/** The event loop's own, also while the program's time is simulated. */
const { setImmediate, setTimeout } = globalThis;
const realNow = performance.now.bind(performance);

/** Turns without anything happening before the clock jumps. */
const QUIET_TURNS = 4;
/** Real ms that a request of Node's (a file, a name) may take before time goes on without it. */
const REQUEST_MS = 30_000;

export interface Drive {
  readonly clock: Clock;
  readonly time: ProgramTime | null;
  /** A number that changes whenever a host or the network has done something. */
  readonly activity: () => number;
  /** Virtual ms that the program may take. */
  readonly limitMs: number;
  /** Real ms without any event after which a program that still waits is given up. */
  readonly patienceMs: number;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Requests of Node's to the system that have not been answered. */
function requests(): number {
  let n = 0;
  for (const name of process.getActiveResourcesInfo()) {
    if (/^FSReq|ReqWrap$|^ProcessWrap$/.test(name)) n++;
  }
  return n;
}

/** Turns the event loop until nothing stirs any more, or `isOver`. */
async function settle(drive: Drive, base: number, isOver: () => boolean): Promise<void> {
  const deadline = realNow() + REQUEST_MS;
  for (let quiet = 0; quiet < QUIET_TURNS && !isOver(); ) {
    const before = drive.activity();
    await turn();
    const ran = drive.time?.turn() ?? false;
    quiet = ran || drive.activity() !== before ? 0 : quiet + 1;
    if (quiet < QUIET_TURNS || requests() <= base || realNow() > deadline) continue;
    quiet = 0;
    await pause(1);
  }
}

/** Nothing is scheduled: real work (a thread of Node's) may bring the program on all the same. */
async function stirs(drive: Drive, base: number, isOver: () => boolean): Promise<boolean> {
  const deadline = realNow() + drive.patienceMs;
  while (realNow() < deadline) {
    await pause(1);
    await settle(drive, base, isOver);
    if (isOver() || drive.clock.next() !== Infinity) return true;
  }
  return false;
}

function gaveUp(code: string, text: string): Error {
  return coded(Error, code, text);
}

/**
 * @returns what the program's promise gives
 * @throws what it rejects with, or what a timer's callback throws;
 *   ERR_PORTSIDE_SIM_STALLED: it waits, and nothing is left to happen;
 *   ERR_PORTSIDE_SIM_TIMEOUT: it has not ended within `limitMs`
 */
export async function runOnVirtualTime<T>(
  drive: Drive,
  program: () => T | PromiseLike<T>,
): Promise<T> {
  const { clock } = drive;
  const endUs = clock.nowUs() + drive.limitMs * 1000;
  const base = requests();
  let over = false;
  const isOver = (): boolean => over;
  const outcome = (async () => program())().finally(() => {
    over = true;
  });
  outcome.catch(() => {});
  for (;;) {
    await settle(drive, base, isOver);
    if (over) return outcome;
    const next = clock.next();
    if (next > endUs && next !== Infinity) {
      const text = `The program has not ended within ${drive.limitMs} ms of simulated time`;
      throw gaveUp('ERR_PORTSIDE_SIM_TIMEOUT', text);
    }
    if (next !== Infinity) clock.moveTo(next);
    else if (!(await stirs(drive, base, isOver))) {
      const text = 'The program still waits, and nothing is left to happen in the network';
      throw gaveUp('ERR_PORTSIDE_SIM_STALLED', text);
    }
  }
}
