// Moving a timer, as each ACK does with the retransmission timer: a deadline in the wheel against
// clearTimeout and setTimeout.

import { Deadlines } from '../../src/base/deadlines.ts';
import { kept, type Suite } from '../suite.ts';

const TIMERS = 1024;
/** The clock moves on between two rounds; nothing comes due. */
const ROUND_US = 100;
const RTO_US = 204_000;

function rearm(): () => void {
  const wheel = new Deadlines(TIMERS);
  let now = 0;
  return () => {
    now += ROUND_US;
    wheel.expire(now);
    for (let id = 0; id < TIMERS; id++) wheel.after(id, RTO_US);
  };
}

function clearAndArm(): () => void {
  const wheel = new Deadlines(TIMERS);
  let now = 0;
  return () => {
    now += ROUND_US;
    wheel.expire(now);
    for (let id = 0; id < TIMERS; id++) {
      wheel.clear(id);
      wheel.after(id, RTO_US);
    }
  };
}

/** Every timer comes due in its turn. */
function expireAll(): () => void {
  const wheel = new Deadlines(TIMERS);
  let now = 0;
  return () => {
    for (let id = 0; id < TIMERS; id++) wheel.set(id, now + 1 + id * 200);
    now += TIMERS * 200 + 1;
    kept[0] = wheel.expire(now);
  };
}

function nextOf(armed: number): () => void {
  const wheel = new Deadlines(TIMERS);
  for (let id = 0; id < armed; id++) wheel.set(id, RTO_US + id * 500);
  return () => {
    let s = 0;
    for (let i = 0; i < TIMERS; i++) s += wheel.next();
    kept[0] = s;
  };
}

function nodeTimers(): () => void {
  const timers: NodeJS.Timeout[] = [];
  const nothing = (): void => {};
  for (let id = 0; id < TIMERS; id++) timers.push(setTimeout(nothing, 204).unref());
  return () => {
    for (let id = 0; id < TIMERS; id++) {
      clearTimeout(timers[id]);
      timers[id] = setTimeout(nothing, 204).unref();
    }
  };
}

export const timers: Suite = {
  name: 'timers',
  question: 'what does it cost to move a timer that does not fire?',
  cases: [
    { name: 'Deadlines.after on an armed timer', ops: TIMERS, prepare: rearm },
    { name: 'Deadlines.clear, then after', ops: TIMERS, prepare: clearAndArm },
    { name: 'Deadlines.set and its expiry', ops: TIMERS, prepare: expireAll },
    { name: 'Deadlines.next, one armed', ops: TIMERS, prepare: () => nextOf(1) },
    { name: 'Deadlines.next, 1024 armed', ops: TIMERS, prepare: () => nextOf(TIMERS) },
    { name: 'clearTimeout, setTimeout', ops: TIMERS, prepare: nodeTimers, rejected: true },
  ],
};
