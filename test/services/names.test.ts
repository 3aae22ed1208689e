import { describe, expect, test } from 'vitest';
import { SERVICES, serviceName, servicePort } from '../../src/services/names.ts';

describe('well-known names (RFC 6335)', () => {
  const rows = [
    ['echo', 7, 'udp'],
    ['discard', 9, 'tcp'],
    ['chargen', 19, 'tcp'],
    ['ftp', 21, 'tcp'],
    ['smtp', 25, 'tcp'],
    ['domain', 53, 'udp'],
    ['http', 80, 'tcp'],
    ['https', 443, 'tcp'],
    ['iperf3', 5201, 'tcp'],
  ] as const;
  test.each(rows)('%s is port %i', (name, port, protocol) => {
    expect(servicePort(name, protocol)).toBe(port);
    expect(serviceName(port, protocol)).toBe(name);
  });

  test('a name of one protocol is not one of the other', () => {
    expect(servicePort('chargen', 'udp')).toBe(-1);
    expect(servicePort('ntp', 'tcp')).toBe(-1);
    expect(serviceName(443, 'udp')).toBe('quic');
    expect(serviceName(65000)).toBeNull();
  });

  test('the table is sorted, in range, and says each port once for a protocol', () => {
    const seen = new Set<string>();
    let before = 0;
    for (const service of SERVICES) {
      expect(service.port).toBeGreaterThanOrEqual(before);
      expect(service.port).toBeLessThan(65536);
      before = service.port;
      for (const protocol of service.protocols) {
        const key = `${service.port}/${protocol}`;
        expect(seen.has(key), key).toBe(false);
        seen.add(key);
      }
    }
  });
});
