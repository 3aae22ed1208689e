// The text of ss: columns, timers, buffers, the line of -i, the summary (ss(8)).

import { describe, expect, test } from 'vitest';
import { endText, ssText, summaryText, timerText } from '../../src/inspect/ss-text.ts';
import type { SocketRow } from '../../src/stack/snapshot.ts';
import { runScript } from '../kit/script.ts';

const PLAIN = {
  netid: false,
  timers: false,
  extended: false,
  memory: false,
  info: false,
  header: true,
  numeric: true,
  process: '',
};
const LISTEN: SocketRow = {
  sk: 7,
  netid: 'tcp',
  state: 'LISTEN',
  recvQ: 0,
  sendQ: 511,
  localAddress: '::',
  localPort: 80,
  remoteAddress: '*',
  remotePort: 0,
};
const OPEN: SocketRow = {
  ...LISTEN,
  state: 'ESTAB',
  recvQ: 7,
  sendQ: 1000,
  localAddress: '10.0.0.2',
  remoteAddress: '10.0.0.1',
  remotePort: 40_000,
  timer: { name: 'on', leftUs: 203_700, tries: 1 },
  buffers: { receive: 131_072, send: 87_040 },
  orphan: false,
};

test('ends: brackets for IPv6, a star for no port', () => {
  expect(endText('10.0.0.1', 80)).toBe('10.0.0.1:80');
  expect(endText('::1', 80)).toBe('[::1]:80');
  expect(endText('*', 0)).toBe('*:*');
});

test('columns are as wide as what stands in them (ss(8))', () => {
  expect(ssText([LISTEN, OPEN], PLAIN)).toEqual([
    'State  Recv-Q Send-Q Local Address:Port Peer Address:Port',
    'LISTEN 0      511    [::]:80            *:*',
    'ESTAB  7      1000   10.0.0.2:80        10.0.0.1:40000',
  ]);
});

test('without a header, with the kind and the process (ss(8) -H -p)', () => {
  const shown = { ...PLAIN, header: false, netid: true, process: 'users:(("node",pid=9))' };
  expect(ssText([OPEN], shown)).toEqual([
    'tcp ESTAB 7 1000 10.0.0.2:80 10.0.0.1:40000 users:(("node",pid=9))',
  ]);
});

test('timers and buffers stand behind the ends (ss(8) -o -m)', () => {
  expect(ssText([OPEN], { ...PLAIN, header: false, timers: true, memory: true })).toEqual([
    'ESTAB 7 1000 10.0.0.2:80 10.0.0.1:40000 timer:(on,203ms,1) ' +
      'skmem:(r7,rb131072,t0,tb87040,f0,w1000,o0,bl0,d0)',
  ]);
});

test.each([
  [200_000, 'timer:(keepalive,200ms,0)'],
  [1_500_000, 'timer:(keepalive,1.5sec,0)'],
  [59_999_000, 'timer:(keepalive,59sec,0)'],
  [7_200_000_000, 'timer:(keepalive,120min,0)'],
  [90_000_000, 'timer:(keepalive,1min30sec,0)'],
])('%i µs left (ss(8) -o)', (leftUs, text) => {
  expect(timerText({ name: 'keepalive', leftUs, tries: 0 })).toBe(text);
});

describe('a connection of the stack', () => {
  const bench = runScript(
    `
    0 listen 80
    0 < S 0:0(0) win 32768 <mss 1000,sackOK,wscale 7>
    +0 > S. 0:0(0) ack 1 <...>
    +.1 < . 1:1(0) ack 1 win 256
    +0 write(3000)
    +0 > . 1:1001(1000) ack 1
    +0 > . 1001:2001(1000) ack 1
    +0 > P. 2001:3001(1000) ack 1
    +.1 < . 1:1(0) ack 2001 win 256
  `,
  );
  const rows = bench.stack.sockets('ESTAB');
  const [, info] = ssText(rows, { ...PLAIN, info: true, header: false }) as [string, string];

  test('fields bear the names and units of tcp_info (ss(8) -i)', () => {
    expect(info.startsWith('\t sack cubic wscale:7,')).toBe(true);
    for (const field of [
      'mss:1000',
      'rtt:100/',
      'bytes_sent:3000',
      'bytes_acked:2000',
      'data_segs_out:3',
      'unacked:1',
      'minrtt:100',
      'snd_wnd:32768',
    ]) {
      expect(info).toContain(field);
    }
    expect(info).not.toContain('retrans:');
    // 10 segments of 1000 octets in 100 ms
    expect(info).toContain('send 800000bps');
  });

  test('the row has its timer, its buffers, and octets that are not acknowledged', () => {
    const [open] = rows;
    expect(open).toMatchObject({ recvQ: 0, sendQ: 1000, orphan: false });
    expect(open?.timer?.name).toBe('on');
    expect(open?.timer?.leftUs).toBeGreaterThan(0);
    expect(open?.buffers?.send).toBe(262_144);
  });
});

test('the summary counts states and families (ss(8) -s)', () => {
  const udp: SocketRow = { ...LISTEN, netid: 'udp', state: 'UNCONN', localAddress: '10.0.0.2' };
  const wait: SocketRow = { ...OPEN, state: 'TIME-WAIT' };
  expect(summaryText([LISTEN, OPEN, wait, udp])).toEqual([
    'Total: 4',
    'TCP:   3 (estab 1, closed 1, orphaned 0, timewait 1)',
    '',
    'Transport Total     IP        IPv6',
    'UDP       1         1         0',
    'TCP       2         1         1',
    'INET      3         2         1',
  ]);
});
