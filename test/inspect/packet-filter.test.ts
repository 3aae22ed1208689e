// The filter language of captures: which packets each filter takes, and what is no filter.

import { describe, expect, test } from 'vitest';
import { CaptureFilterError, parsePacketFilter } from '../../src/inspect/packet-filter.ts';
import { viewPacket } from '../../src/inspect/packet-view.ts';
import { icmp4, ipv4, tcp4, udp4 } from '../kit/packet.ts';

const A = { src: '10.0.0.1', dst: '10.0.0.2' };
const six = Uint8Array.from([
  ...[0x60, 0, 0, 0, 0, 8, 17, 64],
  ...[0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  ...[0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
  ...[0, 53, 0x10, 0, 0, 8, 0, 0],
]);
/** Named packets: octets, whether it came, why it was discarded. */
const PACKETS: Record<string, [Uint8Array, boolean, string]> = {
  syn: [tcp4(A, { srcPort: 4000, dstPort: 80, flags: 2 }), true, ''],
  data: [
    tcp4(
      { src: '10.0.0.2', dst: '10.0.0.1' },
      { srcPort: 80, dstPort: 4000, flags: 0x18, payload: new Uint8Array(500) },
    ),
    false,
    '',
  ],
  bad: [tcp4(A, { srcPort: 4001, dstPort: 443, flags: 0x10 }), true, 'TCP_CSUM'],
  dns: [udp4({ src: '192.168.1.9', dst: '10.0.0.2' }, 5353, 53, new Uint8Array(0)), true, ''],
  ping: [icmp4(A, 8, 0, 0, new Uint8Array(0)), true, ''],
  later: [ipv4({ ...A, protocol: 17, fragOff: 1480 }, new Uint8Array(100)), true, ''],
  six: [six, false, ''],
};

function taken(filter: string): string {
  const takes = parsePacketFilter(filter);
  return Object.entries(PACKETS)
    .filter(([, [octets, inbound, reason]]) => takes(viewPacket(octets, inbound, reason)))
    .map(([name]) => name)
    .join(' ');
}

// biome-ignore format: a table
const filters: [string, string][] = [
  ['', 'syn data bad dns ping later six'],
  ['tcp', 'syn data bad'],
  ['udp', 'dns later six'],
  ['ip6', 'six'],
  ['icmp', 'ping'],
  ['proto 1', 'ping'],
  ['port 80', 'syn data'],
  ['src port 80', 'data'],
  ['dst port 80', 'syn'],
  ['tcp port 53', ''],
  ['udp port 53', 'dns six'],
  ['udp src port 53', 'six'],
  ['portrange 50-100', 'syn data dns six'],
  ['host 10.0.0.1', 'syn data bad ping later'],
  ['src host 10.0.0.1', 'syn bad ping later'],
  ['dst 10.0.0.1', 'data'],
  ['net 192.168.0.0/16', 'dns'],
  ['192.168.0.0/16', 'dns'],
  ['fd00::1', 'six'],
  ['net fd00::/8', 'six'],
  ['src net fd00::2/128', ''],
  ['syn', 'syn'],
  ['tcp[syn]', 'syn'],
  ['ack and psh', 'data'],
  ['drop', 'bad'],
  ['drop TCP_CSUM', 'bad'],
  ['drop NO_SOCKET', ''],
  ['out', 'data six'],
  ['in and tcp', 'syn bad'],
  ['greater 500', 'data'],
  ['less 100 and udp', 'dns six'],
  ['tcp and not syn', 'data bad'],
  ['not tcp and not udp', 'ping'],
  ['icmp or port 443', 'bad ping'],
  ['icmp or tcp and syn', 'syn ping'],
  ['(icmp or tcp) and !port 80', 'bad ping'],
  ['icmp||syn&&tcp', 'syn ping'],
];
test.each(filters)("'%s' takes: %s (pcap-filter(7))", (filter, names) => {
  expect(taken(filter)).toBe(names);
});

describe('what is no filter', () => {
  const wrong: [string, RegExp][] = [
    ['tcp port', /ends where a port belongs/],
    ['port http', /'http' is not a number/],
    ['port 70000', /'70000' is not a number up to 65535/],
    ['host example.org', /'example.org' is no address/],
    ['nonsense', /'nonsense' is no word/],
    ['(tcp', /'\)' is missing/],
    ['tcp )', /'\)' does not belong/],
    ['tcp and', /ends where a condition belongs/],
    ['tcp udp', /'udp' does not belong/],
    ['portrange 9', /needs LOW-HIGH/],
    ['constructor', /'constructor' is no word/],
    [`${'('.repeat(40)}tcp`, /too many parentheses/],
    ['tcp and '.repeat(300), /too long/],
  ];
  test.each(wrong)('%s', (filter, message) => {
    expect(() => parsePacketFilter(filter)).toThrow(CaptureFilterError);
    expect(() => parsePacketFilter(filter)).toThrow(message);
  });
});

test('no packet is too broken to be looked at', () => {
  for (const [octets] of Object.values(PACKETS)) {
    for (let n = 0; n <= octets.length; n++) {
      const view = viewPacket(octets.subarray(0, n), true, '');
      for (const [filter] of filters) parsePacketFilter(filter)(view);
    }
  }
  expect(viewPacket(new Uint8Array(0), true, '')).toMatchObject({ version: 0, srcPort: -1 });
});
