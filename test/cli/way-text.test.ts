// The words of traceroute and dig.

import { expect, test } from 'vitest';
import { questionOf } from '../../src/cli/dig.ts';
import { dataText, digText } from '../../src/inspect/dig-text.ts';
import { hopText, isLastError, markOf } from '../../src/inspect/traceroute-text.ts';
import { dnsAnswer, dnsQuery } from '../../src/wire/dns.ts';

const hop = { from: '10.0.0.1', rttUs: 1234, mark: '', isLast: false };

test('a hop is a line; an address stands where it changes, silence is a star (traceroute(8))', () => {
  expect(hopText(1, [hop, { ...hop, rttUs: 99 }, null])).toBe(' 1  10.0.0.1  1.234 ms  0.099 ms *');
  expect(hopText(12, [hop, { ...hop, from: '10.0.0.9', mark: '!H' }])).toBe(
    '12  10.0.0.1  1.234 ms 10.0.0.9  1.234 ms !H',
  );
  expect(hopText(3, [null, null])).toBe(' 3 * *');
});

test.each([
  [4, 11, 0, '', false],
  [4, 3, 3, '', true],
  [4, 3, 1, '!H', true],
  [4, 3, 4, '!F-1400', true],
  [4, 3, 13, '!X', true],
  [6, 3, 0, '', false],
  [6, 1, 4, '', true],
  [6, 1, 0, '!N', true],
  [6, 2, 0, '!F-1400', false],
] as const)(
  'IPv%i type %i code %i is marked %j (traceroute(8))',
  (family, type, code, mark, last) => {
    const error = { family, type, code, mtu: 1400 };
    expect(markOf(error)).toBe(mark);
    expect(isLastError(error)).toBe(last);
  },
);

test('words of dig: server, name, type, class and flags in any order (dig(1))', () => {
  expect(questionOf(['@10.0.0.1', 'b.example.', 'mx', 'ch', '+short', '+tcp'])).toMatchObject({
    server: '10.0.0.1',
    name: 'b.example',
    type: 15,
    class: 3,
    short: true,
    tcp: true,
    recurse: true,
  });
  expect(questionOf(['b', 'TYPE65', '+time=2', '+tries=1'])).toMatchObject({
    type: 65,
    ms: 2000,
    tries: 1,
  });
  expect(questionOf([], '10.0.0.1')).toMatchObject({ name: '1.0.0.10.in-addr.arpa', type: 12 });
  expect(questionOf([])).toMatchObject({ name: '', type: 2 });
  expect(() => questionOf(['b', 'A', '+magic'])).toThrow('+magic is none of');
});

test('an answer has its sections and statistics (dig(1))', () => {
  const answer = dnsAnswer(dnsQuery(7, 'b.example', 1, 0), {
    recursionAvailable: true,
    answers: [{ kind: 'A', name: 'b.example', ttl: 60, address: '10.1.2.3' }],
  });
  const shown = { asked: '@10.0.0.1 b.example', server: '10.0.0.1', port: 53, tcp: false, ms: 1.4 };
  expect(digText(answer, { ...shown, octets: 43, when: 'now' })).toEqual([
    '',
    '; <<>> portside dig <<>> @10.0.0.1 b.example',
    ';; Got answer:',
    ';; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 7',
    ';; flags: qr rd ra; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 0',
    ';; QUESTION SECTION:',
    ';b.example.\t\t\tIN\tA',
    '',
    ';; ANSWER SECTION:',
    'b.example.\t\t60\tIN\tA\t10.1.2.3',
    '',
    ';; Query time: 1 msec',
    ';; SERVER: 10.0.0.1#53(10.0.0.1) (UDP)',
    ';; WHEN: now',
    ';; MSG SIZE  rcvd: 43',
    '',
  ]);
});

test('a record that is not known is octets (RFC 3597 §5)', () => {
  const octets = Uint8Array.of(0, 255);
  expect(dataText({ kind: 'OTHER', name: 'x', ttl: 1, type: 99, octets })).toBe('\\# 2 00FF');
});
