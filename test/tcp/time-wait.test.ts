// TIME-WAIT: 2 MSL (60 s, docs/departures.md), what restarts it, what is ignored, and which SYN may
// take the place of the old connection.

import { describe, expect, test } from 'vitest';
import { runScript } from '../kit/script.ts';
import type { ScriptBench } from '../kit/script-bench.ts';
import { packet, TIME_WAIT } from './openings.ts';

/** The same with timestamps: the peer's last TSval is 400. */
const STAMPED_TIME_WAIT = `
  0 listen 80
  0 < S 0:0(0) win 65535 <mss 1000,sackOK,TS val 100 ecr 0,nop,wscale 7>
  +0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 700 ecr 100,nop,wscale 7>
  +.1 < . 1:1(0) ack 1 win 65535 <nop,nop,TS val 200 ecr 700>
  +0 shutdown
  +0 > F. 1:1(0) ack 1 <...>
  +.1 < . 1:1(0) ack 2 win 65535 <nop,nop,TS val 300 ecr 800>
  +.1 < F. 1:1(0) ack 2 win 65535 <nop,nop,TS val 400 ecr 800>
  +0~+.2 > . 2:2(0) ack 2 <...>
`;

function flagsSent(bench: ScriptBench): number[] {
  return bench.outbox.map((o) => o.octets[33] as number);
}

describe('TIME-WAIT', () => {
  test('lasts for 2 MSL and answers the FIN again meanwhile (RFC 9293 MUST-13)', () => {
    runScript(`${TIME_WAIT}
      +58 < F. 1:1(0) ack 2 win 65535
      +0 > . 2:2(0) ack 2
    `);
  });

  test('is over after 2 MSL: nobody is there any more (RFC 9293 §3.10.8)', () => {
    runScript(`${TIME_WAIT}
      +62 < F. 1:1(0) ack 2 win 65535
      +0 > R 2:2(0)
    `);
  });

  test('a FIN that comes again restarts it (RFC 9293 §3.10.7.4)', () => {
    runScript(`${TIME_WAIT}
      +50 < F. 1:1(0) ack 2 win 65535
      +0 > . 2:2(0) ack 2
      +50 < F. 1:1(0) ack 2 win 65535
      +0 > . 2:2(0) ack 2
      +62 < F. 1:1(0) ack 2 win 65535
      +0 > R 2:2(0)
    `);
  });

  // biome-ignore format: a table
  const resets = [
    { name: 'at RCV.NXT', segment: 'R. 2:2(0) ack 2 win 0' },
    { name: 'inside the window', segment: 'R 1000:1000(0) win 0' },
    { name: 'in front of the window', segment: 'R 0:0(0) win 0' },
  ];
  test.each(resets)('RST $name is ignored (RFC 1337 §3)', ({ segment }) => {
    const bench = runScript(`${TIME_WAIT}
      +1 < ${segment}
      +0 forget
      +1 < F. 1:1(0) ack 2 win 65535
      +0 > . 2:2(0) ack 2
    `);
    expect(flagsSent(bench)).toEqual([]);
  });

  test('an old duplicate with data is acknowledged and changes nothing (RFC 1337 §2)', () => {
    runScript(
      `${TIME_WAIT}
      +1 < P. 1:101(100) ack 2 win 65535
      +0 > . 2:2(0) ack 2
      +1 < P. 2:102(100) ack 2 win 65535
      +0~+1 expect data 0
    `,
      { allowLeftover: true },
    );
  });

  // biome-ignore format: a table
  const stamped = [
    { name: 'a newer timestamp', syn: 'S -5000:-5000(0) win 9 <mss 1000,sackOK,TS val 401 ecr 0>', ack: -4999, accepted: true },
    { name: 'the same timestamp and a newer number', syn: 'S 5000:5000(0) win 9 <mss 1000,sackOK,TS val 400 ecr 0>', ack: 5001, accepted: true },
    { name: 'the same timestamp and an old number', syn: 'S -5000:-5000(0) win 9 <mss 1000,sackOK,TS val 400 ecr 0>', ack: 0, accepted: false },
    { name: 'an older timestamp', syn: 'S 5000:5000(0) win 9 <mss 1000,sackOK,TS val 399 ecr 0>', ack: 0, accepted: false },
    { name: 'no timestamp and a newer number', syn: 'S 5000:5000(0) win 9 <mss 1000,sackOK>', ack: 5001, accepted: true },
    { name: 'no timestamp and an old number', syn: 'S -5000:-5000(0) win 9 <mss 1000,sackOK>', ack: 0, accepted: false },
  ];
  test.each(stamped)(
    'after timestamps: a SYN with $name is taken = $accepted (RFC 6191 §2, RFC 9293 SHLD-4)',
    ({ syn, ack, accepted }) => {
      const bench = runScript(`${STAMPED_TIME_WAIT}\n +1 < ${syn}`, { allowLeftover: true });
      const synAcks = bench.outbox.filter((o) => o.octets[33] === 0x12);
      expect(synAcks.length).toBe(accepted ? 1 : 0);
      const acks = synAcks.map((o) => new DataView(o.octets.buffer).getInt32(28));
      expect(acks).toEqual(accepted ? [ack] : []);
    },
  );

  // biome-ignore format: a table
  const plain = [
    { name: 'a newer number', syn: 'S 5000:5000(0) win 9 <mss 1000>', accepted: true },
    { name: 'an old number', syn: 'S -5000:-5000(0) win 9 <mss 1000>', accepted: false },
    { name: 'timestamps and an old number', syn: 'S -5000:-5000(0) win 9 <mss 1000,TS val 1 ecr 0>', accepted: true },
  ];
  test.each(plain)(
    'without timestamps: a SYN with $name is taken = $accepted (RFC 6191 §2)',
    ({ syn, accepted }) => {
      const bench = runScript(`${TIME_WAIT}\n +1 < ${syn}`, { allowLeftover: true });
      expect(bench.outbox.filter((o) => o.octets[33] === 0x12).length).toBe(accepted ? 1 : 0);
    },
  );

  test('the new connection begins behind the numbers of the old one (RFC 9293 §3.4.2, RFC 1122 §4.2.2.13)', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const bench = runScript(
        `${STAMPED_TIME_WAIT}\n +1 < S 5000:5000(0) win 9 <mss 1000,sackOK,TS val 500 ecr 0>`,
        { allowLeftover: true, seed },
      );
      const oldEnd = bench.socket.tcb.sndNxt;
      const iss = new DataView(packet(bench, 0).buffer).getInt32(24);
      expect((iss - oldEnd) | 0).toBeGreaterThan(0);
    }
  });

  test('more of them than the table holds: the new one gives way, its FIN is acknowledged (negative list: TIME-WAIT exhaustion)', () => {
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
    // the first one is there, the last had no room
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
    expect(flagsSent(bench)).toEqual([0x10]);
    bench.outbox.length = 0;
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
    expect(flagsSent(bench)).toEqual([0x04]);
    expect(bench.stack.counters.get('TcpExtTCPTimeWaitOverflow')).toBeGreaterThan(0);
  });
});
