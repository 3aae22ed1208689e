// What a port scanner sees is what `portside up` says that it serves.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab, US } from './netns.ts';

/** A scanned host that is not let run in time is no filter. */
const PATIENCE = ['--max-rtt-timeout', '10s', '--max-retries', '20'];

describe('nmap', () => {
  const lab = new Lab();
  afterAll(() => lab.close());
  beforeAll(async () => {
    await lab.up(`${US}/24`, '--echo', '--discard', '--chargen', '--http', '--iperf3');
  });

  test('agrees with the list of services, TCP and UDP', async () => {
    const nmap = await lab.run([
      'nmap',
      '-n',
      '-Pn',
      '-T4',
      ...PATIENCE,
      '-sS',
      '-sU',
      '-p1-1024',
      '--send-ip',
      '-oG',
      '-',
      US,
    ]);
    const ports = /Ports: (.*?)(?:\t|$)/m.exec(nmap.out)?.[1] ?? '';
    const seen = ports.split(', ').map((entry) => {
      const [port, state, protocol] = entry.split('/');
      return `${port}/${protocol} ${state}`;
    });
    const tcp = seen.filter((entry) => entry.includes('/tcp'));
    expect(tcp).toEqual(['7/tcp open', '9/tcp open', '19/tcp open', '80/tcp open']);
    // A UDP service that does not answer cannot be told from a filter.
    const udp = seen.filter((entry) => entry.includes('/udp'));
    expect(udp).toEqual(['7/udp open', '9/udp open|filtered']);
    expect(nmap.out).toMatch(/Ignored State: closed \(2042\)/);
  });

  test('finds no way to predict us: sequence numbers of the hardest class, no IP ID to count (RFC 6528, RFC 6864)', {
    timeout: 120_000,
  }, async () => {
    const nmap = await lab.run(
      ['nmap', '-n', '-Pn', '-T4', '-O', '-v', '-p80,81', '--send-ip', '--osscan-guess', US],
      { timeoutMs: 110_000 },
    );
    expect(nmap.out).toMatch(/TCP Sequence Prediction: Difficulty=\d+ \(Good luck!\)/);
    expect(nmap.out).toMatch(/IP ID Sequence Generation: All zeros/);
  });
});
