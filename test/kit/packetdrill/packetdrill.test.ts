import { describe, expect, test } from 'vitest';
import { runCode } from './assertions.ts';
import { runPd } from './run.ts';
import { parsePd } from './script-file.ts';

describe('the notation', () => {
  test('head options, times, packets, calls, commands and blocks are read', () => {
    const script = parsePd(`--tolerance_usecs=10000
--mtu=1200
\`sysctl -q net.ipv4.tcp_sack=0\`
/* a comment
   of two lines */
 0.100...0.200 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress) // and one more
+.1~+.3 > [ect0] 50001 > 80 SEW. 0:0(0) ack 1 win 7 <mss 1460,sackOK,TS val 1 ecr 2,nop,wscale 7>
* < [1:1001(1000)] icmp unreachable frag_needed mtu 1200
+0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=2}, 8) = 0
+0 %{ assert tcpi_rto > 1 }%
+0 writev(3, [{..., 10}, {..., 20}], 2) = ?
`);
    expect([...script.options]).toEqual([
      ['tolerance_usecs', '10000'],
      ['mtu', '1200'],
    ]);
    const [command, connect, synAck, icmp, linger, code, writev] = script.events;
    expect(command?.action).toEqual({ kind: 'command', text: 'sysctl -q net.ipv4.tcp_sack=0' });
    expect(connect?.when).toEqual({ kind: 'at', us: 100_000, untilUs: 100_000, endUs: 200_000 });
    expect(connect?.action).toMatchObject({ name: 'connect', result: -1, errno: 'EINPROGRESS' });
    expect(synAck?.when).toEqual({ kind: 'after', us: 100_000, untilUs: 300_000, endUs: null });
    expect(synAck?.action).toMatchObject({
      kind: 'out',
      packet: { flags: 0xd2, ip: { ecn: 2 }, srcPort: 50_001, dstPort: 80, win: 7, ack: 1 },
    });
    expect(icmp?.when.kind).toBe('any');
    expect(icmp?.action).toMatchObject({
      packet: { type: 3, code: 4, mtu: 1200, seq: 1, len: 1000 },
    });
    expect(linger?.action).toMatchObject({ name: 'setsockopt', result: 0 });
    expect(code?.action).toEqual({ kind: 'code', text: ' assert tcpi_rto > 1 ' });
    expect(writev?.action).toMatchObject({ result: null });
    expect(writev?.line).toBe(11);
  });

  test.each([
    {
      name: 'an unknown constant',
      line: '0 socket(..., SOCK_FOO, 0) = 3',
      wrong: /no constant SOCK_/,
    },
    { name: 'an unknown option', line: '0 < S 0:0(0) win 1 <foo 1>', wrong: /TCP option expected/ },
    { name: 'a range that is none', line: '0 < . 1:9(1000) win 1', wrong: /1:9 is not 1000/ },
    { name: 'an errno that is none', line: '0 close(3) = -1 ENOSUCH', wrong: /no errno ENOSUCH/ },
    { name: 'a time that is none', line: 'tomorrow < S 0:0(0) win 1', wrong: /a time expected/ },
    { name: 'a packet in without a window', line: '0 < S 0:0(0)', wrong: /needs win/ },
    { name: 'an unknown ICMP name', line: '0 < icmp nonsense', wrong: /ICMP nonsense/ },
    { name: 'an unknown sysctl', line: '`sysctl net.ipv4.tcp_foo=1`', wrong: /sysctl tcp_foo/ },
    { name: 'an unknown call', line: '0 fork() = 0', wrong: /no call fork/ },
  ])('$name is refused with its line', ({ line, wrong }) => {
    expect(() => runPd(`\n\n${line}`)).toThrow(wrong);
    expect(() => runPd(`\n\n${line}`)).toThrow(/line 3/);
  });
});

describe('blocks of assertions', () => {
  const names = (name: string): number => ({ a: 3, b: 10 })[name] ?? Number.NaN;

  test.each([
    'assert a == 3',
    'assert 1 < a <= 3 < b, a',
    'assert a + 2 * b == 23 and not b < a',
    'assert (a & 1) == 1 or False; assert b >> 1 == 5',
    'c = a * 2\nassert c == 6\nassert abs(a - b) == 7',
    'assert (a ==\n  3)',
  ])('%s holds', (text) => {
    expect(runCode(text, names)).toEqual([]);
  });

  test.each([
    { text: 'assert a == 4, a', wrong: /not so: assert a == 4, a \(3\)/ },
    { text: 'assert 1 < a < 3', wrong: /not so/ },
    { text: 'while a', wrong: /cannot read/ },
  ])('$text is refused', ({ text, wrong }) => {
    expect(() => runCode(text, names)).toThrow(wrong);
  });

  test('print gives its values', () => {
    expect(runCode('print("a is", a)', names)).toEqual(['a is 3']);
  });
});

const OPEN = `
0  socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 7>
+0 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4
`;

describe('the interpreter', () => {
  test('a line of many segments is met by as many packets', () => {
    runPd(`${OPEN}
      +0 write(4, ..., 5000) = 5000
      +0 > P. 1:5001(5000) ack 1`);
  });

  test.each([
    {
      name: 'another number',
      tail: '+0 write(4, ..., 9) = 9\n+0 > P. 2:11(9) ack 1',
      wrong: /seq is 1, not 2/,
    },
    {
      name: 'another order of options',
      tail: '+0 < P. 1:2(1) ack 1 win 9\n+0 > . 1:1(0) ack 2 <nop>',
      wrong: /options <> instead of <nop>/,
    },
    { name: 'silence', tail: '+.1 > . 1:1(0) ack 1', wrong: /no packet came out/ },
    {
      name: 'a packet that nobody expects',
      tail: '+0 write(4, ..., 9) = 9',
      wrong: /no line expects/,
    },
    { name: 'another answer of a call', tail: '+0 read(4, ..., 9) = 9', wrong: /read blocks/ },
    {
      name: 'another errno',
      tail: '+0 recv(4, ..., 9, MSG_DONTWAIT) = -1 EPIPE',
      wrong: /-1 EAGAIN, not -1 EPIPE/,
    },
    {
      name: 'an early end of a blocking call',
      tail: '+0...0.2 read(4, ..., 9) = 1\n+.1 < P. 1:2(1) ack 1 win 9',
      wrong: /has returned at/,
    },
    {
      name: 'an assertion',
      tail: '+0 %{ assert tcpi_snd_cwnd == 11, tcpi_snd_cwnd }%',
      wrong: /not so: .*\(10\)/,
    },
  ])('$name is found, with its line', ({ tail, wrong }) => {
    expect(() => runPd(OPEN + tail)).toThrow(wrong);
    expect(() => runPd(OPEN + tail)).toThrow(/^line \d+/);
  });
});
