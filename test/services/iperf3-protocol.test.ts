import { describe, expect, test } from 'vitest';
import {
  amountText,
  parseObject,
  parseParams,
  rateText,
  streamId,
} from '../../src/services/iperf3-protocol.ts';

// As iperf3 3.12 sends them.
const PLAIN =
  '{"tcp":true,"omit":0,"time":10,"num":0,"blockcount":0,"parallel":1,"len":131072,' +
  '"pacing_timer":1000,"client_version":"3.12"}';
const UDP =
  '{"udp":true,"omit":1,"time":2,"num":0,"blockcount":0,"parallel":2,"reverse":true,"len":1448,' +
  '"bandwidth":1048576,"udp_counters_64bit":1,"get_server_output":1,"pacing_timer":1000}';

describe('the parameters of a client', () => {
  test('plain TCP', () => {
    expect(parseParams(PLAIN)).toEqual({
      udp: false,
      streams: 1,
      reverse: false,
      bidirectional: false,
      block: 131072,
      bitrate: 0,
      omitUs: 0,
      timeUs: 10e6,
      limit: 0,
      noDelay: false,
      counters64: false,
      wantsOutput: false,
      tos: 0,
      pacingUs: 1000,
    });
  });

  test('UDP, reversed, two streams', () => {
    expect(parseParams(UDP)).toMatchObject({
      udp: true,
      streams: 2,
      reverse: true,
      block: 1448,
      bitrate: 1048576,
      omitUs: 1e6,
      counters64: true,
      wantsOutput: true,
    });
  });

  const refused = [
    ['not JSON', '{"tcp":', 114],
    ['not an object', '[1]', 114],
    ['SCTP', '{"sctp":true}', 18],
    ['no stream', '{"tcp":true,"parallel":0}', 6],
    ['129 streams', '{"tcp":true,"parallel":129}', 6],
    ['more than a datagram', '{"udp":true,"len":65508}', 7],
    ['less than its header', '{"udp":true,"len":15,"udp_counters_64bit":1}', 7],
    ['a block of 2 MB', '{"tcp":true,"len":2097152}', 7],
  ] as const;
  test.each(refused)('refused: %s', (_name, text, trouble) => {
    expect(parseParams(text)).toBe(trouble);
  });

  test('nonsense numbers fall back, and none is unbounded', () => {
    const params = parseParams(
      '{"tcp":true,"time":-5,"omit":"x","bandwidth":1e300,"pacing_timer":0,"TOS":999}',
    );
    expect(params).toMatchObject({ timeUs: 0, omitUs: 0, bitrate: 1e12, pacingUs: 1000, tos: 255 });
  });
});

test('stream ids leave out 2, as iperf3 counts', () => {
  expect([0, 1, 2, 3].map(streamId)).toEqual([1, 3, 4, 5]);
});

test('amounts and rates read as iperf3 prints them', () => {
  expect(amountText(1_170_000_000)).toBe('1.09 GBytes');
  expect(amountText(100 * 1024 * 1024)).toBe('100 MBytes');
  expect(rateText(4_684_000_000)).toBe('4.68 Gbits/sec');
  expect(rateText(999)).toBe('999 bits/sec');
});

test('only objects are objects', () => {
  expect(parseObject('null')).toBeNull();
  expect(parseObject('{"a":1}')).toEqual({ a: 1 });
});
