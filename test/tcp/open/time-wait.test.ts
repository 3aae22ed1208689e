// Open: at the cap of TIME-WAIT records the peer's FIN must still be acknowledged.

import { describe, expect, test } from 'vitest';
import { runScript } from '../../kit/script.ts';
import type { ScriptBench } from '../../kit/script-bench.ts';

function flagsSent(bench: ScriptBench): number[] {
  return bench.outbox.map((o) => o.octets[33] as number);
}

describe('TIME-WAIT', () => {
  test('a thousand of them stay in a bounded table (negative list: TIME-WAIT exhaustion)', () => {
    let script = '0 listen 80\n';
    for (let i = 0; i < 60; i++) {
      script += `
        +0 use P${i} ${2000 + i}
        +0 < S 0:0(0) win 65535 <mss 1000>
        +0 > S. 0:0(0) ack 1 <mss 1460>
        +0 < . 1:1(0) ack 1 win 65535
        +0 shutdown
        +0 > F. 1:1(0) ack 1
        +0 < F. 1:1(0) ack 2 win 65535
        +0~+.2 > . 2:2(0) ack 2
        +0 expect closed OK
      `;
    }
    const bench = runScript(script, { config: { tcp: { maxTimeWait: 16 } } });
    // the last one is there, the first has given way
    bench.call('use', ['P59']);
    bench.inject({
      kind: 'tcp',
      flags: 17,
      pshOptional: false,
      seq: 1,
      len: 0,
      ack: 2,
      win: 9,
      urg: 0,
      options: [],
    });
    expect(flagsSent(bench)).toEqual([0x10]);
    bench.outbox.length = 0;
    bench.call('use', ['P0']);
    bench.inject({
      kind: 'tcp',
      flags: 17,
      pshOptional: false,
      seq: 1,
      len: 0,
      ack: 2,
      win: 9,
      urg: 0,
      options: [],
    });
    expect(flagsSent(bench)).toEqual([0x04]);
    expect(bench.stack.counters.get('TcpExtTCPTimeWaitOverflow')).toBeGreaterThan(0);
  });
});
