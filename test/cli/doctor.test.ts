// What `portside doctor` makes of a machine.

import { expect, test } from 'vitest';
import {
  capabilities,
  doctorText,
  kernelVersion,
  nodeVersion,
  programs,
} from '../../src/cli/doctor.ts';

test.each([
  ['20.17.0', 'ok'],
  ['22.1.0', 'ok'],
  ['20.16.9', 'fail'],
  ['18.20.1', 'fail'],
])('Node.js %s is %s', (version, verdict) => {
  expect(nodeVersion(version).verdict).toBe(verdict);
});

test.each([
  ['linux', '6.18.5', 'ok'],
  ['linux', '5.10.0-28-amd64', 'warn'],
  ['linux', '3.10.0', 'fail'],
  ['darwin', '23.1.0', 'fail'],
])('%s %s is %s', (platform, version, verdict) => {
  expect(kernelVersion(platform, version).verdict).toBe(verdict);
});

test('capabilities are read from the effective set (capabilities(7))', () => {
  const verdicts = (mask: string): string[] =>
    capabilities(`Name:\tnode\nCapEff:\t${mask}\n`).map((one) => one.verdict);
  expect(verdicts('000001ffffffffff')).toEqual(['ok', 'ok']);
  expect(verdicts('0000000000001000')).toEqual(['ok', 'warn']);
  expect(verdicts('0000000000000000')).toEqual(['fail', 'warn']);
  expect(capabilities('')[0]?.fix).toContain('+net_admin');
});

test('a program that is missing is a warning with its package', () => {
  const [first] = programs('/nowhere');
  expect(first).toEqual({
    what: 'ip',
    verdict: 'warn',
    found: 'is not installed (for tests and demo only)',
    fix: 'apt-get install iproute2',
  });
});

test('a line a finding, the mending command below it, and the sum', () => {
  const ok = { what: 'kernel', verdict: 'ok', found: 'Linux 6.18', fix: '' } as const;
  const bad = { what: 'tun', verdict: 'fail', found: 'is not there', fix: 'modprobe tun' } as const;
  expect(doctorText([ok, bad])).toEqual([
    'ok    kernel  Linux 6.18',
    'fail  tun     is not there',
    '              -> modprobe tun',
    '',
    '1 missing. Without a device portside/net, portside/core and portside/sim work all the same.',
  ]);
  expect(doctorText([ok])[2]).toContain('can be brought up');
});
