// Incoming data: order, gaps, duplicates, SACK and D-SACK blocks, acknowledgments and when they go.

import { describe, expect, test } from 'vitest';
import { Drop } from '../../src/base/drop.ts';
import { tcp4 } from '../kit/packet.ts';
import { continueScript, runScript } from '../kit/script.ts';
import { LOCAL, REMOTE, type ScriptBench } from '../kit/script-bench.ts';
import { PLAIN, packet, SACK, STAMPED } from './openings.ts';

const acksIn = (bench: ScriptBench): number =>
  bench.outbox.filter((o) => ((o.octets[33] as number) & 7) === 0).length;

/** Out of quick-ACK mode: 40 segments of data have come in order. */
function settled(opening: string): string {
  let script = opening;
  for (let i = 0; i < 40; i++)
    script += `+.05 < P. ${1 + i * 1000}:${1001 + i * 1000}(1000) ack 1 win 65535\n`;
  return `${script} +.1 forget\n`;
}

describe('acknowledgments', () => {
  test('of a lone segment come within half a second (RFC 9293 MUST-40)', () => {
    runScript(`${settled(PLAIN)}
      +0 < P. 40001:41001(1000) ack 1 win 65535
      +0~+.49 > . 1:1(0) ack 41001
    `);
  });

  test('of a lone segment are delayed when data flows one way (RFC 9293 SHLD-18)', () => {
    const bench = runScript(`${settled(PLAIN)}
      +0 < P. 40001:41001(1000) ack 1 win 65535
      +.02 > nothing
    `);
    expect(bench.stack.counters.get('TcpExtDelayedACKs')).toBeGreaterThan(0);
  });

  test('come at least for every second full segment (RFC 9293 SHLD-19, RFC 2525 §2.13)', () => {
    runScript(`${settled(PLAIN)}
      +0 < . 40001:41001(1000) ack 1 win 65535
      +0 < . 41001:42001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 42001
      +.001 < . 42001:43001(1000) ack 1 win 65535
      +.001 < . 43001:44001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 44001
    `);
  });

  test('ride on data that goes out anyway (RFC 9293 §3.8.6.3)', () => {
    runScript(`${settled(PLAIN)}
      +0 < P. 40001:41001(1000) ack 1 win 65535
      +.01 write(10)
      +0 > P. 1:11(10) ack 41001
      +.1 > nothing
    `);
  });

  test('of a batch are put together: processed before the ACK goes (RFC 9293 MUST-58, MUST-59)', () => {
    const bench = runScript(`${PLAIN}`);
    // three segments handed over in one turn of the driver, one drain at its end
    for (let i = 0; i < 3; i++) {
      bench.inject({
        kind: 'tcp',
        flags: 16,
        pshOptional: false,
        seq: 1 + i * 1000,
        len: 1000,
        ack: 1,
        win: 9000,
        urg: 0,
        options: [],
      });
    }
    bench.call('expect', ['data', '3000']);
    const last = packet(bench, -1);
    expect(acksIn(bench)).toBeLessThanOrEqual(3);
    expect(new DataView(last.buffer).getUint32(28)).toBeGreaterThanOrEqual(2001);
  });

  test('of a segment out of order are immediate duplicates (RFC 5681 §4.2)', () => {
    runScript(`${settled(PLAIN)}
      +0 < . 41001:42001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 40001
      +.001 < . 42001:43001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 40001
    `);
  });

  test('are immediate when a gap is filled, wholly or in part (RFC 5681 §4.2)', () => {
    runScript(`${settled(PLAIN)}
      +0 < . 42001:43001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 40001
      +.01 < . 40001:41001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 41001
      +.01 < . 41001:42001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 43001
    `);
  });

  test('of old data are immediate (RFC 9293 §3.10.7.4)', () => {
    runScript(`${settled(PLAIN)}
      +0 < . 39001:40001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 40001
      +0 expect data 40000
    `);
  });

  test('never name what has not come (RFC 9293 §3.4)', () => {
    const bench = runScript(
      `${settled(PLAIN)}
      +0 < . 45001:46001(1000) ack 1 win 65535
      +0 < . 50001:51001(1000) ack 1 win 65535
      +1 expect open
    `,
      { allowLeftover: true },
    );
    for (const { octets } of bench.outbox)
      expect(new DataView(octets.buffer).getUint32(28)).toBe(40_001);
  });
});

describe('segments out of order', () => {
  test('are kept and delivered in order (RFC 9293 SHLD-31, RFC 2525 §2.5)', () => {
    runScript(`${PLAIN}
      +0 < . 2001:3001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 1
      +0 < . 1001:2001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 1
      +0 expect data 0
      +0 < . 1:1001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 3001
      +0 expect data 3000
    `);
  });

  // biome-ignore format: a table
  const overlaps = [
    { name: 'the same again', second: '1001:2001(1000)' },
    { name: 'inside', second: '1201:1301(100)' },
    { name: 'over the left edge', second: '501:1501(1000)' },
    { name: 'over the right edge', second: '1501:2501(1000)' },
    { name: 'around', second: '901:2101(1200)' },
  ];
  test.each(overlaps)(
    'that overlap $name give the same stream (RFC 9293 §3.10.7.4)',
    ({ second }) => {
      // the kit compares every delivered octet with the stream
      runScript(
        `${PLAIN}
      +0 < . 1001:2001(1000) ack 1 win 65535
      +0 < . ${second} ack 1 win 65535
      +0 < . 1:1201(1200) ack 1 win 65535
      +0 < . 1201:3001(1800) ack 1 win 65535
      +0 expect data 3000
    `,
        { allowLeftover: true },
      );
    },
  );

  test('across the wrap of sequence numbers are put right (RFC 9293 §3.4)', () => {
    for (const isn of [-1, -2, -500, -1500, -2500, 2 ** 31 - 500, 2 ** 31 - 1]) {
      runScript(`
        0 isn ${isn}
        0 listen 80
        0 < S 0:0(0) win 65535 <mss 1000,sackOK>
        +0 > S. 0:0(0) ack 1 <...>
        +.1 < . 1:1(0) ack 1 win 65535
        +0 < . 1001:2001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <nop,nop,sack 1001:2001>
        +0 < . 1:1001(1000) ack 1 win 65535
        +0 > . 1:1(0) ack 2001
        +0 expect data 2000
        +0 < F. 2001:2001(0) ack 1 win 65535
        +0~+.2 > . 1:1(0) ack 2002
        +0 expect ended
      `);
    }
  });

  test('our own numbers wrap as well (RFC 9293 §3.4)', () => {
    for (const testIss of [-1, -2, -500, -1500, 2 ** 31 - 500, 2 ** 31 - 1]) {
      runScript(
        `${SACK}
        +0 write(3000)
        +0 > . 1:1001(1000) ack 1
        +0 > . 1001:2001(1000) ack 1
        +0 > P. 2001:3001(1000) ack 1
        +.1 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 1001:3001>
        +0~+.06 > . 1:1001(1000) ack 1
        +.1 < . 1:1(0) ack 3001 win 65535
        +0 expect written 1
        +0 shutdown
        +0 > F. 3001:3001(0) ack 1
        +.1 < . 1:1(0) ack 3002 win 65535
        +0 expect state FIN-WAIT-2
      `,
        { config: { tcp: { testIss: testIss >>> 0 } } },
      );
    }
  });
});

describe('SACK blocks', () => {
  test('the first names the segment that has just come, then the others (RFC 2018 §4)', () => {
    runScript(`${SACK}
      +0 < . 1001:2001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 1 <nop,nop,sack 1001:2001>
      +0 < . 5001:6001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 1 <nop,nop,sack 5001:6001 1001:2001>
      +0 < . 3001:4001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 1 <nop,nop,sack 3001:4001 5001:6001 1001:2001>
      +0 < . 2001:3001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 1 <nop,nop,sack 1001:4001 5001:6001>
    `);
  });

  test('are as many as fit: four without timestamps (RFC 2018 §3)', () => {
    runScript(`${SACK}
      +0 < . 1001:2001(1000) ack 1 win 65535
      +0 < . 3001:4001(1000) ack 1 win 65535
      +0 < . 5001:6001(1000) ack 1 win 65535
      +0 < . 7001:8001(1000) ack 1 win 65535
      +0 forget
      +0 < . 9001:10001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 1 <nop,nop,sack 9001:10001 7001:8001 5001:6001 3001:4001>
    `);
  });

  test('are three beside timestamps (RFC 2018 §3)', () => {
    runScript(`${STAMPED}
      +0 < . 1001:2001(1000) ack 1 win 65535 <nop,nop,TS val 200 ecr 700>
      +0 < . 3001:4001(1000) ack 1 win 65535 <nop,nop,TS val 200 ecr 700>
      +0 < . 5001:6001(1000) ack 1 win 65535 <nop,nop,TS val 200 ecr 700>
      +0 forget
      +0 < . 7001:8001(1000) ack 1 win 65535 <nop,nop,TS val 200 ecr 700>
      +0 > . 1:1(0) ack 1 <nop,nop,TS val . ecr 200,nop,nop,sack 7001:8001 5001:6001 3001:4001>
    `);
  });

  test('are not sent without SACK-permitted (RFC 2018 §4)', () => {
    runScript(`${PLAIN}
      +0 < . 1001:2001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 1
    `);
  });

  test('are gone when the gap is filled (RFC 2018 §4)', () => {
    runScript(`${SACK}
      +0 < . 1001:2001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 1 <nop,nop,sack 1001:2001>
      +0 < . 1:1001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 2001
      +0 < P. 2001:3001(1000) ack 1 win 65535
      +0~+.2 > . 1:1(0) ack 3001
    `);
  });

  test('cover every hole as long as it is there, in all ACKs (RFC 2018 §4)', () => {
    runScript(`${SACK}
      +0 < . 2001:3001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 1 <nop,nop,sack 2001:3001>
      +0 < . 1:1001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 1001 <nop,nop,sack 2001:3001>
    `);
  });
});

describe('D-SACK', () => {
  test('a duplicate below the ACK is told once, in the first block (RFC 2883 §4)', () => {
    runScript(`${SACK}
      +0 < P. 1:1001(1000) ack 1 win 65535
      +0~+.2 > . 1:1(0) ack 1001
      +0 < P. 1:1001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 1001 <nop,nop,sack 1:1001>
      +.1 < . 2001:3001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 1001 <nop,nop,sack 2001:3001>
    `);
  });

  test('a duplicate above the ACK is told beside the block that holds it (RFC 2883 §4)', () => {
    runScript(`${SACK}
      +0 < . 1001:3001(2000) ack 1 win 65535
      +0 > . 1:1(0) ack 1 <nop,nop,sack 1001:3001>
      +0 < . 1001:2001(1000) ack 1 win 65535
      +0 > . 1:1(0) ack 1 <nop,nop,sack 1001:2001 1001:3001>
    `);
  });

  test('a duplicate in part names the part (RFC 2883 §4.2)', () => {
    runScript(`${SACK}
      +0 < P. 1:1001(1000) ack 1 win 65535
      +0~+.2 > . 1:1(0) ack 1001
      +0 < P. 501:1501(1000) ack 1 win 65535
      +0~+.2 > . 1:1(0) ack 1501 <nop,nop,sack 501:1001>
      +0 expect data 1500
    `);
  });

  test('two apart in one batch get an acknowledgment each (RFC 2883 §4)', () => {
    const bench = runScript(
      `${SACK}
      +0 < P. 1:3001(3000) ack 1 win 65535
      +.3 forget
    `,
      { config: { tcp: { testIss: 0 } } },
    );
    // a loss probe for the tail, then the timeout's head, both waiting when the driver looks
    for (const seq of [2001, 1]) {
      const payload = new Uint8Array(1000);
      const fields = { srcPort: 54_321, dstPort: 80, flags: 16, seq, ack: 1, payload };
      const octets = tcp4({ src: REMOTE, dst: LOCAL }, fields);
      const at = bench.slab.reserve(octets.length);
      bench.slab.u8.set(octets, at);
      bench.stack.receive(bench.linkId, at, octets.length, 0, 0);
    }
    bench.stack.drain();
    continueScript(
      bench,
      `
      +0 > . 1:1(0) ack 3001 <nop,nop,sack 2001:3001>
      +0 > . 1:1(0) ack 3001 <nop,nop,sack 1:1001>
      +.5 > nothing
    `,
    );
  });

  test('a pure old ACK is no duplicate of data (RFC 2883 §4)', () => {
    runScript(`${SACK}
      +0 < P. 1:1001(1000) ack 1 win 65535
      +0~+.2 > . 1:1(0) ack 1001
      +.1 < . 501:501(0) ack 1 win 65535
      +0 > . 1:1(0) ack 1001
    `);
  });
});

describe('overlapping octets that differ', () => {
  test('first come wins, in order and out of order (negative list: inconsistent retransmission)', () => {
    // the kit's stream is right; the forged copies that follow carry other octets
    const bench = runScript(
      `${PLAIN}
      +0 < . 1001:2001(1000) ack 1 win 65535
      +0 forget
    `,
      { config: { tcp: { testIss: 0 } } },
    );
    const forged = (seq: number, len: number): void => {
      const payload = new Uint8Array(len).fill(0x58);
      const fields = { srcPort: 54_321, dstPort: 80, flags: 16, seq, ack: 1, payload };
      bench.inject({ kind: 'raw', octets: tcp4({ src: REMOTE, dst: LOCAL }, fields) });
    };
    forged(1001, 1000);
    forged(1501, 500);
    bench.inject({
      kind: 'tcp',
      flags: 16,
      pshOptional: false,
      seq: 1,
      len: 1000,
      ack: 1,
      win: 9000,
      urg: 0,
      options: [],
    });
    forged(1, 500); // old by now
    // the kit throws in `data` if one octet is not the stream's
    bench.call('expect', ['data', '2000']);
  });
});

test('octets that came out of order behind what turns out to be the end are no part of the stream', () => {
  runScript(`${PLAIN}
    +0 < . 1001:2001(1000) ack 1 win 65535
    +0 > . 1:1(0) ack 1
    +.1 < F. 1:501(500) ack 1 win 65535
    +0 > . 1:1(0) ack 502
    +0 expect data 500
    +0 expect state CLOSE-WAIT
  `);
});

test('a segment ahead for which there is no place is answered by a duplicate ACK (RFC 5681 §4.2)', () => {
  const bench = runScript(
    `${PLAIN}
    +0 < P. 2001:3001(1000) ack 1 win 65535
    +0 > . 1:1(0) ack 1
    +0 < P. 5001:6001(1000) ack 1 win 65535
    +0 > . 1:1(0) ack 1
    +0 < P. 8001:9001(1000) ack 1 win 65535
    +0 > . 1:1(0) ack 1
  `,
    { config: { tcp: { ofoMaxRanges: 1 } } },
  );
  expect(bench.stack.counters.drops[Drop.TCP_OFO_DROP]).toBe(2);
});
