import { describe, expect, test } from 'vitest';
import { firstOther, parseAddress, parsePort, parseTyped } from '../../src/cli/addresses.ts';

describe('the kernel side’s address when none was given', () => {
  const rows = [
    ['the first host of the prefix', '10.77.0.2/24', '10.77.0.1'],
    ['the second host when the first is ours', '10.77.0.1/24', '10.77.0.2'],
    ['in the middle of an octet', '192.168.1.130/25', '192.168.1.129'],
    ['across octets', '10.9.200.7/16', '10.9.0.1'],
    ['of a /30', '10.0.0.6/30', '10.0.0.5'],
    ['the even half of a /31 (RFC 3021)', '10.0.0.5/31', '10.0.0.4'],
    ['the odd half of a /31 (RFC 3021)', '10.0.0.4/31', '10.0.0.5'],
    ['above 2^31', '223.255.255.9/24', '223.255.255.1'],
    ['none in a /32', '10.0.0.1/32', null],
    ['none for IPv6', 'fd00::2/64', null],
  ] as const;
  test.each(rows)('%s: %s → %s', (_name, text, expected) => {
    expect(firstOther(parseTyped(text, 'x'))).toBe(expected);
  });
});

describe('words that are no address', () => {
  test.each([
    ['10.77.0.2', "ADDR: '10.77.0.2' lacks its prefix length, such as /24"],
    ['10.77.0/24', "ADDR: '10.77.0/24' is not ADDRESS/PREFIX, such as 10.77.0.2/24"],
    ['010.1.1.1/8', "ADDR: '010.1.1.1/8' is not ADDRESS/PREFIX, such as 10.77.0.2/24"],
    ['10.77.0.2/33', "ADDR: '/33' is not a prefix length from 0 to 32"],
    ['10.77.0.2/', "ADDR: '/' is not a prefix length from 0 to 32"],
    ['10.77.0.2/2 4', "ADDR: '/2 4' is not a prefix length from 0 to 32"],
    ['fd00::1/129', "ADDR: '/129' is not a prefix length from 0 to 128"],
  ])('%s', (text, message) => {
    expect(() => parseTyped(text, 'ADDR')).toThrow(message);
  });

  test('an address alone and a port are checked too', () => {
    expect(parseAddress('10.0.0.1', 'x')).toBe('10.0.0.1');
    expect(() => parseAddress('host', '--peer')).toThrow("--peer: 'host' is not an IP address");
    expect(parsePort('65535', 'x')).toBe(65535);
    for (const bad of ['0', '65536', '-1', '80x', '', '1e3']) {
      expect(() => parsePort(bad, '--iperf3')).toThrow('is not a port from 1 to 65535');
    }
  });
});
