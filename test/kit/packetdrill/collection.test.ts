import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { playFile, scriptFiles, tally } from './collection.ts';

const SERVER = `
0  socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
`;
const OPEN = `${SERVER}
+0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <...>
+0 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4
`;
const SCRIPTS: Readonly<Record<string, string>> = {
  'good.pkt': `${OPEN}
    +0 write(4, ..., 1000) = 1000
    +0 > P. 1:1001(1000) ack 1`,
  'deep/left-over.pkt': `${OPEN}
    +0 write(4, ..., 1000) = 1000`,
  'deep/bad.pkt': `${OPEN}
    +0 write(4, ..., 1000) = 1000
    +0 > P. 2:1002(1000) ack 1`,
  'six.pkt': `--ip_version=ipv6
${SERVER}
    +0 < [ect0] S 0:0(0) win 32792 <mss 1000>
    +0 > S. 0:0(0) ack 1 <mss 1440>
    +0 < . 1:1(0) ack 1 win 10000
    +0 accept(3, ..., ...) = 4
    +0 write(4, ..., 1000) = 1000
    +0 > P. 1:1001(1000) ack 1
    +0 < icmpv6 unreachable port_unreachable [1:1001(1000)]
    +0 < . 1:1(0) ack 1001 win 10000`,
  'settings.pkt': `\`./settings.sh\`
${SERVER}
    +0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
    +0 > S. 0:0(0) ack 1 <mss 1460,nop,wscale 8>`,
  'bsd.pkt': ` 0.00 \`sysctl -w net.inet.tcp.rfc1323=0\`
${SERVER}
    +0 < S 0:0(0) win 32792 <mss 1000,sackOK,wscale 7,TS val 7 ecr 0,eol,eol>
    +0 > S. 0:0(0) ack 1 win 65000 <mss 1400,sackOK,eol,eol>`,
  'needs/option.pkt': `${OPEN}
    +0 setsockopt(4, SOL_SOCKET, SO_ZEROCOPY, [1], 4) = 0`,
  'needs/queue.pkt': `\`tc qdisc replace dev tun0 root fq\`${OPEN}`,
  'needs/setting.pkt': `\`sysctl -q net.ipv4.tcp_of_tomorrow=1\`${OPEN}`,
};

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'portside-scripts-'));
  for (const [name, text] of Object.entries(SCRIPTS)) {
    mkdirSync(join(dir, name, '..'), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
  writeFileSync(
    join(dir, 'settings.sh'),
    'sysctl -q net.ipv4.tcp_sack=0\nsysctl -q net.ipv4.tcp_rmem="4096 540000 $((15*1024*1024))"\n',
  );
});
afterAll(() => rmSync(dir, { recursive: true }));

const LINUX = { profile: 'linux', loose: false, families: ['ipv4'] } as const;

describe('a collection of foreign scripts', () => {
  test('each script is passed, failed, or does not apply, with the reason', () => {
    const verdicts = scriptFiles(dir).flatMap((file) => playFile(file, LINUX));
    const fates = verdicts.map((v) => [v.file.slice(dir.length + 1), v.family, v.fate]);
    expect(fates).toEqual([
      ['bsd.pkt', 'ipv4', 'failed'],
      ['deep/bad.pkt', 'ipv4', 'failed'],
      ['deep/left-over.pkt', 'ipv4', 'passed'],
      ['good.pkt', 'ipv4', 'passed'],
      ['needs/option.pkt', 'ipv4', 'not applicable'],
      ['needs/queue.pkt', 'ipv4', 'not applicable'],
      ['needs/setting.pkt', 'ipv4', 'not applicable'],
      ['settings.pkt', 'ipv4', 'passed'],
      ['six.pkt', 'ipv6', 'passed'],
    ]);
    expect(verdicts[1]?.reason).toContain('seq is 1, not 2');
    expect(tally(verdicts)).toEqual({
      files: 9,
      runs: 9,
      applicable: 6,
      passed: 4,
      failed: 2,
      notHere: [
        ['no constant SO_ZEROCOPY', 1],
        ['shell: fq', 1],
        ['sysctl tcp_of_tomorrow is not known', 1],
      ],
    });
  });

  test('a script of another stack is not held to its own options and windows', () => {
    const [loose] = playFile(join(dir, 'bsd.pkt'), { ...LINUX, profile: 'rfc', loose: true });
    expect(loose).toMatchObject({ fate: 'passed', reason: '' });
  });

  test('a script without a family of its own runs under both', () => {
    const both = playFile(join(dir, 'good.pkt'), { ...LINUX, families: ['ipv4', 'ipv6'] });
    expect(both.map((v) => [v.family, v.fate])).toEqual([
      ['ipv4', 'passed'],
      ['ipv6', 'passed'],
    ]);
  });
});
