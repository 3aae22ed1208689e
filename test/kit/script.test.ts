import { describe, expect, test } from 'vitest';
import { runScript } from './script.ts';
import { parseScript } from './script-parse.ts';

describe('the notation', () => {
  test('times, packets, options and calls are read', () => {
    const [listen, syn, synAck, write, quiet] = parseScript(`
      // a comment
      0 listen 80 5
      +0 < SEW 0:0(0) win 32792 <mss 1000,sackOK,TS val 100 ecr 0,nop,wscale 7>
      +.1~+.3 > [P]. 1:1001(1000) ack 1 <...>   # and another
      write(1000, 7)
      /* one
         more */
      * > nothing
    `);
    expect(listen?.action).toEqual({ kind: 'call', name: 'listen', args: ['80', '5'] });
    expect(syn?.action).toMatchObject({
      kind: 'in',
      packet: { kind: 'tcp', flags: 0xc2, seq: 0, len: 0, ack: null, win: 32_792 },
    });
    expect(syn?.action).toMatchObject({
      packet: {
        options: [
          { kind: 'mss', value: 1000 },
          { kind: 'sackOK' },
          { kind: 'TS', val: 100, ecr: 0 },
          { kind: 'nop' },
          { kind: 'wscale', value: 7 },
        ],
      },
    });
    expect(synAck?.when).toEqual({ relative: true, us: 100_000, untilUs: 300_000, any: false });
    expect(synAck?.action).toMatchObject({
      kind: 'out',
      packet: { flags: 0x10, pshOptional: true, seq: 1, len: 1000, ack: 1, options: null },
    });
    expect(write?.action).toEqual({ kind: 'call', name: 'write', args: ['1000', '7'] });
    expect(quiet?.action).toEqual({ kind: 'silence' });
    expect(quiet?.line).toBe(9);
  });

  test.each([
    { name: 'a range that is no range', line: '+0 < . 1:9(1000) ack 1', wrong: /1:9 is not 1000/ },
    { name: 'an unknown option', line: '+0 < S 0:0(0) <foo 1>', wrong: /TCP option foo/ },
    { name: 'no segment', line: '+0 < hello', wrong: /not a segment/ },
    { name: 'an unknown ICMP name', line: '+0 < icmp nonsense', wrong: /ICMP nonsense/ },
  ])('$name is refused with its line', ({ line, wrong }) => {
    expect(() => parseScript(`\n\n${line}`)).toThrow(wrong);
    expect(() => parseScript(`\n\n${line}`)).toThrow(/line 3/);
  });
});

const HANDSHAKE = `
  0 listen 80
  +0 < S 0:0(0) win 65535 <mss 1000>
  +0 > S. 0:0(0) ack 1 <...>
  +.1 < . 1:1(0) ack 1 win 65535
`;

describe('the interpreter', () => {
  test('plays a handshake, data both ways and a close', () => {
    runScript(`
      ${HANDSHAKE}
      +0 < P. 1:1001(1000) ack 1 win 65535
      +0~+.2 > . 1:1(0) ack 1001
      +0 expect data 1000
      +0 write(500)
      +0 > P. 1:501(500) ack 1001
      +.1 < F. 1001:1001(0) ack 501 win 65535
      * > . 501:501(0) ack 1002
      +0 expect ended
      +0 close
      +0 > F. 501:501(0) ack 1002
      +.1 < . 1002:1002(0) ack 502 win 65535
      +0 expect closed OK
    `);
  });

  test('plays an active open', () => {
    runScript(`
      0 connect 80
      +0 > S 0:0(0) <...>
      +.1 < S. 0:0(0) ack 1 win 65535 <mss 1000>
      +0 > . 1:1(0) ack 1
      +0 expect opened
      +0 < R. 1:1(0) ack 1
      +0 expect closed ECONNRESET
    `);
  });

  test.each([
    {
      name: 'a wrong number',
      tail: '+0 write(10)\n+0 > P. 2:12(10) ack 1',
      wrong: /wanted 2, got 1: seq/,
    },
    {
      name: 'a packet that does not come',
      tail: '+.1 > . 1:1(0) ack 1',
      wrong: /no packet came out/,
    },
    {
      name: 'a packet that nobody expects',
      tail: '+0 write(10)\n+0 expect open',
      wrong: /no line expected/,
    },
    { name: 'missing data', tail: '+0 expect data 5', wrong: /wanted 5, got 0: octets delivered/ },
    { name: 'a wrong state', tail: '+0 expect state TIME-WAIT', wrong: /state is ESTAB/ },
  ])('reports $name', ({ tail, wrong }) => {
    expect(() => runScript(`${HANDSHAKE}${tail}`)).toThrow(wrong);
  });

  test('knows the time at which a packet came', () => {
    const late = `${HANDSHAKE}
      +0 write(10)
      +0 > P. 1:11(10) ack 1
      +30 > P. 1:11(10) ack 1
    `;
    expect(() => runScript(late)).toThrow(/came at 0\.\d+ s, wanted at 30\.1/);
  });
});
