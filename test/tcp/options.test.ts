// TCP options on the wire: which are offered, which are obeyed, and what malformed ones do.

import { describe, expect, test } from 'vitest';
import { runScript } from '../kit/script.ts';
import { PLAIN, STAMPED } from './openings.ts';

const open = (options: string, answer: string): string => `
  0 listen 80
  0 < S 0:0(0) win 65535 <${options}>
  +0 > S. 0:0(0) ack 1 <${answer}>
`;

describe('options of a SYN', () => {
  // biome-ignore format: a table
  const offers = [
    { name: 'nothing', offer: '', answer: 'mss 1460' },
    { name: 'MSS', offer: 'mss 1000', answer: 'mss 1460' },
    { name: 'SACK', offer: 'mss 1000,sackOK', answer: 'mss 1460,sackOK' },
    { name: 'timestamps', offer: 'mss 1000,TS val 5 ecr 0', answer: 'mss 1460,TS val 1 ecr 5' },
    { name: 'window scale', offer: 'mss 1000,nop,wscale 3', answer: 'mss 1460,nop,wscale 7' },
    { name: 'everything', offer: 'mss 1000,sackOK,TS val 5 ecr 0,nop,wscale 3', answer: 'mss 1460,sackOK,TS val 1 ecr 5,nop,wscale 7' },
    { name: 'everything, in another order, not aligned', offer: 'wscale 3,TS val 5 ecr 0,sackOK,mss 1000', answer: 'mss 1460,sackOK,TS val 1 ecr 5,nop,wscale 7' },
    { name: 'an end of the list before others', offer: 'mss 1000,eol,wscale 3,sackOK', answer: 'mss 1460' },
    { name: 'an unknown kind in front', offer: 'raw fe 06 01 02 03 04,mss 1000,sackOK', answer: 'mss 1460,sackOK' },
    { name: 'kind 255 without data', offer: 'raw ff 02,mss 1000,sackOK', answer: 'mss 1460,sackOK' },
    { name: 'MSS of a wrong length', offer: 'raw 02 03 05,sackOK', answer: 'mss 1460,sackOK' },
    { name: 'SACK-permitted of a wrong length', offer: 'mss 1000,raw 04 03 00', answer: 'mss 1460' },
    { name: 'window scale of a wrong length', offer: 'mss 1000,raw 03 04 07 00', answer: 'mss 1460' },
    { name: 'timestamps of a wrong length', offer: 'mss 1000,raw 08 06 00 00 00 05', answer: 'mss 1460' },
  ];
  test.each(offers)(
    '$name: the answer offers what was offered and nothing else (RFC 9293 MUST-4, MUST-6)',
    ({ offer, answer }) => {
      runScript(open(offer, answer));
    },
  );

  // biome-ignore format: a table
  const malformed = [
    { name: 'length 0', octets: '02 00 05 b4' },
    { name: 'length 1', octets: '02 01 05 b4' },
    { name: 'an unknown kind of length 0', octets: 'fe 00 01 01' },
    { name: 'an unknown kind of length 1', octets: 'fe 01 01 01' },
    { name: 'a length over the header\u2019s end', octets: '01 01 02 05' },
    { name: 'a length far over the end', octets: '08 ff 00 00' },
    { name: 'a kind as the last octet', octets: '01 01 01 02' },
  ];
  test.each(malformed)(
    '$name neither hangs nor throws: dropped or ignored, and the next SYN works (RFC 9293 MUST-7)',
    ({ octets }) => {
      const bench = runScript(
        `
      0 listen 80
      0 < S 0:0(0) win 65535 <raw ${octets}>
      +1 forget
    `,
        { allowLeftover: true },
      );
      expect(bench.stack.counters.get('PortsideExceptions')).toBe(0);
      runScript(PLAIN);
    },
  );

  test('every kind with every length up to 40 is survived (RFC 9293 MUST-7)', () => {
    const bench = runScript('0 listen 80');
    for (let kind = 0; kind < 256; kind++) {
      for (let len = 0; len <= 40; len++) {
        const octets = [kind, len, ...Array.from({ length: 10 }, (_, i) => (kind * 7 + i) & 255)];
        bench.inject({
          kind: 'tcp',
          flags: 2,
          pshOptional: false,
          seq: kind * 64 + len,
          len: 0,
          ack: null,
          win: 9,
          urg: 0,
          options: [{ kind: 'raw', octets }],
        });
      }
      bench.outbox.length = 0;
    }
    expect(bench.stack.counters.get('PortsideExceptions')).toBe(0);
    expect(bench.stack.counters.get('TcpInSegs')).toBe(256 * 41);
  });
});

describe('options of other segments', () => {
  // biome-ignore format: a table
  const segments = [
    { name: 'data', line: '< P. 1:101(100) ack 1 win 65535 <raw fe 04 01 02>', then: 'expect data 100' },
    { name: 'FIN', line: '< F. 1:1(0) ack 1 win 65535 <nop,nop,nop,nop>', then: 'expect ended' },
    { name: 'RST', line: '< R. 1:1(0) ack 1 win 0 <mss 500,eol>', then: 'expect closed ECONNRESET' },
  ];
  test.each(segments)('$name may carry any option (RFC 9293 MUST-5)', ({ line, then }) => {
    runScript(
      `${PLAIN}
      +0 ${line}
      +0 ${then}
    `,
      { allowLeftover: true },
    );
  });

  test('unknown options change nothing: data, ACK and FIN as without them (RFC 9293 MUST-6)', () => {
    runScript(`${PLAIN}
      +0 write(500)
      +0 > P. 1:501(500) ack 1
      +.1 < P. 1:101(100) ack 501 win 65535 <raw fd 08 f9 89 00 00 00 00>
      +0~+.2 > . 501:501(0) ack 101
      +0 expect data 100
      +0 expect written 1
    `);
  });

  test('options need not stand on word boundaries (RFC 9293 MUST-64)', () => {
    runScript(`${STAMPED}
      +0 < P. 1:101(100) ack 1 win 65535 <nop,TS val 250 ecr 700>
      +0~+.2 > . 1:1(0) ack 101 <nop,nop,TS val . ecr 250>
      +0 expect data 100
    `);
  });

  test('MSS on a segment that is no SYN is ignored (RFC 9293 MUST-65)', () => {
    runScript(`${PLAIN}
      +0 < P. 1:101(100) ack 1 win 65535 <mss 100>
      +0~+.2 > . 1:1(0) ack 101
      +0 expect data 100
      +0 write(900)
      +0 > P. 1:901(900) ack 101
    `);
  });

  test('window scale on a segment that is no SYN is ignored (RFC 7323 §2.2)', () => {
    const bench = runScript(`${PLAIN}
      +0 < P. 1:11(10) ack 1 win 65535 <nop,wscale 14>
      +0~+.2 > . 1:1(0) ack 11
      +0 < P. 11:21(10) ack 1 win 1000 <nop,wscale 14>
      +0~+.2 > . 1:1(0) ack 21
    `);
    expect(bench.socket.info().snd_wnd).toBe(1000);
  });

  test('SACK blocks without SACK-permitted are ignored (RFC 2018 §2)', () => {
    runScript(`${PLAIN}
      +0 write(4000)
      +0 > . 1:1001(1000) ack 1
      +0 > . 1001:2001(1000) ack 1
      +0 > . 2001:3001(1000) ack 1
      +0 > P. 3001:4001(1000) ack 1
      +.1 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 1001:4001>
      +.05 > nothing
      +0 < . 1:1(0) ack 4001 win 65535
    `);
  });

  test('data segments and ACKs carry no MSS, scale or SACK-permitted (RFC 9293 MUST-65)', () => {
    runScript(`${STAMPED}
      +0 write(100)
      +0 > P. 1:101(100) ack 1 <nop,nop,TS val . ecr 200>
      +.1 < F. 1:1(0) ack 101 win 65535 <nop,nop,TS val 300 ecr 800>
      +0~+.2 > . 101:101(0) ack 2 <nop,nop,TS val . ecr 300>
    `);
  });
});

describe('window scale', () => {
  test('the window of SYN and SYN+ACK is not scaled (RFC 7323 §2.2)', () => {
    runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 1000 <mss 1000,nop,wscale 7>
      +0 > S. 0:0(0) ack 1 win 64240 <mss 1460,nop,wscale 7>
      +.1 < . 1:1(0) ack 1 win 8
      +0 write(2000)
      +0 > . 1:1001(1000) ack 1
    `,
      { allowLeftover: true },
    );
  });

  test('later windows are shifted by what the peer said (RFC 7323 §2.3)', () => {
    const bench = runScript(`
      0 listen 80
      0 < S 0:0(0) win 1000 <mss 1000,nop,wscale 4>
      +0 > S. 0:0(0) ack 1 <mss 1460,nop,wscale 7>
      +.1 < . 1:1(0) ack 1 win 200
    `);
    expect(bench.socket.info().snd_wnd).toBe(3200);
  });

  test('a shift over 14 is used as 14 (RFC 7323 §2.3)', () => {
    const bench = runScript(`
      0 listen 80
      0 < S 0:0(0) win 1000 <mss 1000,nop,wscale 200>
      +0 > S. 0:0(0) ack 1 <mss 1460,nop,wscale 7>
      +.1 < . 1:1(0) ack 1 win 3
    `);
    expect(bench.socket.info().snd_wnd).toBe(49_152);
    expect(bench.socket.info().snd_wscale).toBe(14);
  });

  test('without the peer\u2019s offer nothing is scaled, either way (RFC 7323 §1.3)', () => {
    const bench = runScript(`${PLAIN}
      +0 < P. 1:101(100) ack 1 win 65535
      +0~+.2 > . 1:1(0) ack 101
      +0 < P. 101:201(100) ack 1 win 3000
      +0~+.2 > . 1:1(0) ack 201
    `);
    const info = bench.socket.info();
    expect([info.snd_wnd, info.snd_wscale, info.rcv_wscale]).toEqual([3000, 0, 0]);
  });

  test('windows from 0x8000 to 0xffff are large, not negative (RFC 9293 MUST-1)', () => {
    for (const win of [0x8000, 0x8001, 0xc000, 0xffff]) {
      const bench = runScript(`${PLAIN.replace('ack 1 win 65535\n', `ack 1 win ${win}\n`)}`);
      expect(bench.socket.info().snd_wnd).toBe(win);
    }
  });

  test('windows of more than 2^16 are kept whole (RFC 9293 REC-1)', () => {
    const bench = runScript(`
      0 listen 80
      0 < S 0:0(0) win 1000 <mss 1000,nop,wscale 14>
      +0 > S. 0:0(0) ack 1 <mss 1460,nop,wscale 7>
      +.1 < . 1:1(0) ack 1 win 65535
    `);
    expect(bench.socket.info().snd_wnd).toBe(1_073_725_440);
  });
});
