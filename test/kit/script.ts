// Runs packet scripts against one Stack, under a virtual clock, with raw packets: what stands on a
// line with `<` is put into the stack, what stands on a line with `>` must come out of it at that
// time and look like that. The notation is packetdrill's; test/kit/README.md describes it.
//
//   runScript(`
//     0 listen 80
//     +0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
//     +0 > S. 0:0(0) ack 1 <...>
//     +.1 < . 1:1(0) ack 1 win 257
//     +0 < P. 1:1001(1000) ack 1 win 257
//     +0~.3 > . 1:1(0) ack 1001
//     +0 expect data 1000
//   `);

import { ScriptBench, type ScriptOptions } from './script-bench.ts';
import { type Action, parseScript, ScriptError, type Statement } from './script-parse.ts';

export type { ScriptOptions } from './script-bench.ts';
export { ScriptError } from './script-parse.ts';

/** Most events between two lines of a script. */
const MAX_EVENTS = 100_000;

/** Throws ScriptError, with line and reason, when the stack does not do what the script says. */
export function runScript(source: string, options: ScriptOptions = {}): ScriptBench {
  return continueScript(new ScriptBench(options), source, options);
}

/** Goes on with a bench where an earlier script, or the test itself, has left it. */
export function continueScript(
  bench: ScriptBench,
  source: string,
  options: ScriptOptions = {},
): ScriptBench {
  let lastUs = bench.elapsedUs;
  for (const statement of parseScript(source)) {
    try {
      lastUs = perform(bench, statement, lastUs);
    } catch (cause) {
      if (cause instanceof ScriptError) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      const late = bench.outbox.map((o) => `\n    then came ${bench.describe(o)}`).join('');
      const error = new ScriptError(statement.line, statement.text, reason + late);
      error.cause = cause;
      throw error;
    }
  }
  const left = bench.outbox[0];
  if (left !== undefined && options.allowLeftover !== true) {
    throw new ScriptError(0, bench.describe(left), 'came out and no line expected it');
  }
  bench.finish();
  return bench;
}

/** Answers the time of this statement, the base of the next one's `+`. */
function perform(bench: ScriptBench, s: Statement, lastUs: number): number {
  const at = s.when.relative ? lastUs + s.when.us : s.when.us;
  const action = s.action;
  if (action.kind === 'out') return expectPacket(bench, s, action, lastUs);
  runUntil(bench, at);
  if (action.kind === 'in') bench.inject(action.packet);
  else if (action.kind === 'call') bench.call(action.name, action.args);
  else {
    const first = bench.outbox[0];
    if (first !== undefined) throw new Error(`nothing expected, but ${bench.describe(first)}`);
  }
  return at;
}

function expectPacket(
  bench: ScriptBench,
  s: Statement,
  action: Action & { kind: 'out' },
  lastUs: number,
): number {
  const from = s.when.relative ? lastUs + s.when.us : s.when.us;
  const until = s.when.relative ? lastUs + s.when.untilUs : s.when.untilUs;
  const limit = s.when.any ? bench.elapsedUs + 600e6 : until + bench.toleranceUs;
  for (let i = 0; i < MAX_EVENTS && bench.outbox.length === 0; i++) {
    const next = bench.nextEventUs();
    if (next > limit) break;
    bench.runTo(next);
  }
  const got = bench.outbox.shift();
  if (got === undefined) throw new Error(`no packet came out by ${limit / 1e6} s`);
  bench.match(got, action.packet);
  if (!s.when.any && (got.atUs < from - bench.toleranceUs || got.atUs > limit)) {
    throw new Error(`came at ${got.atUs / 1e6} s, wanted at ${from / 1e6} to ${until / 1e6} s`);
  }
  return s.when.any || s.when.untilUs !== s.when.us ? got.atUs : from;
}

function runUntil(bench: ScriptBench, at: number): void {
  for (let i = 0; i < MAX_EVENTS; i++) {
    const next = bench.nextEventUs();
    if (next > at) break;
    bench.runTo(next);
  }
  bench.runTo(at);
}
