// Fast Open on a path that swallows it: nobody asks for a while (RFC 7413 §4.1.3).

import { expect, test } from 'vitest';
import { REMOTE, ScriptBench } from '../kit/script-bench.ts';
import { only, taken, wait } from './segments.ts';

const FAST_OPEN = 34;
const QUIET = { opened() {}, data() {}, ended() {}, writable() {}, written() {}, closed() {} };

test('after three timeouts in a row nobody asks for a while, then for twice as long (RFC 7413 §4.1.3, Linux tcp_fastopen_blackhole_timeout_sec)', () => {
  const bench = new ScriptBench({ config: { tcp: { fastOpenBlackholeMs: 60_000 } } });
  const suspected = (): number => bench.stack.counters.get('TcpExtTCPFastOpenBlackhole');
  /** Connects; whether its SYN asks. Nobody answers for so long, then it is given up. */
  const asks = (silentMs: number): boolean => {
    const s = bench.stack.connect({ address: REMOTE, port: 80, fastOpen: true, handler: QUIET });
    wait(bench, 1);
    const isAsked = only(bench).options.has(FAST_OPEN);
    wait(bench, silentMs);
    s.abort();
    wait(bench, 1);
    taken(bench);
    return isAsked;
  };
  // timeouts after 1 s and 3 s: two are no reason
  expect([asks(6900), suspected()]).toEqual([true, 0]);
  expect([asks(7100), suspected()]).toEqual([true, 1]);
  expect(asks(61_000)).toBe(false);
  expect([asks(7100), suspected()]).toEqual([true, 2]);
  expect(asks(70_000)).toBe(false);
  expect(asks(60_000)).toBe(false);
  expect(asks(1)).toBe(true);
});
