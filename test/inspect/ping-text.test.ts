// ping's words (iputils 20221126).

import { expect, test } from 'vitest';
import {
  errorWords,
  msText,
  PingStatistics,
  pingHead,
  pingSummary,
  replyText,
} from '../../src/inspect/ping-text.ts';

test('the first line names destination, address and sizes (ping(8))', () => {
  expect(pingHead({ name: 'b', address: '10.0.0.2', size: 56 })).toBe(
    'PING b (10.0.0.2) 56(84) bytes of data.',
  );
  expect(pingHead({ name: 'b', address: 'fd00::2', size: 56 })).toBe(
    'PING b(fd00::2) 56 data bytes',
  );
});

test('a reply tells octets, sequence, hop limit and time (ping(8))', () => {
  const reply = { from: '10.0.0.2', seq: 3, ttl: 64, rttUs: 1234, octets: 64, duplicate: false };
  expect(replyText(reply)).toBe('64 bytes from 10.0.0.2: icmp_seq=3 ttl=64 time=1.23 ms');
  expect(replyText({ ...reply, duplicate: true })).toMatch(/ time=1\.23 ms \(DUP!\)$/);
  expect(replyText({ ...reply, octets: 16 })).toBe('16 bytes from 10.0.0.2: icmp_seq=3 ttl=64');
});

test.each([
  [45, '0.045'],
  [1234, '1.23'],
  [12_345, '12.3'],
  [123_456, '123'],
])('%i µs are %s ms', (us, text) => {
  expect(msText(us)).toBe(text);
});

test('the summary has loss, time, and minimum, mean, maximum and deviation (ping(8))', () => {
  const s = new PingStatistics();
  s.sent = 3;
  s.received = 2;
  s.add(1000);
  s.add(3000);
  expect(pingSummary('b', s, 2003.4)).toEqual([
    '',
    '--- b ping statistics ---',
    '3 packets transmitted, 2 received, 33.3333% packet loss, time 2003ms',
    'rtt min/avg/max/mdev = 1.000/2.000/3.000/1.000 ms',
  ]);
  const none = new PingStatistics();
  none.sent = 1;
  none.errors = 1;
  expect(pingSummary('b', none, 0)).toEqual([
    '',
    '--- b ping statistics ---',
    '1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms',
  ]);
});

test.each([
  [4, 3, 1, 0, 'Destination Host Unreachable'],
  [4, 3, 4, 1400, 'Frag needed and DF set (mtu = 1400)'],
  [4, 11, 0, 0, 'Time to live exceeded'],
  [6, 1, 0, 0, 'Destination unreachable: No route'],
  [6, 2, 0, 1280, 'Packet too big: mtu=1280'],
  [6, 3, 0, 0, 'Time exceeded: Hop limit'],
] as const)('IPv%i type %i code %i is told in words', (family, type, code, mtu, words) => {
  expect(errorWords({ family, type, code, mtu })).toBe(words);
});
