// `portside up --tap`, `--packet` and `--mac`: what the words ask for, and which make no sense.

import { expect, test } from 'vitest';
import { plan } from '../../src/cli/up.ts';

const ADDR = '10.77.0.2/24';

test('without either it is a TUN', () => {
  expect(plan(ADDR, undefined, {})).toMatchObject({
    kind: 'tun',
    name: 'portside0',
    peer: '10.77.0.1',
  });
});

test('--tap is a device like a TUN, --packet an interface with nobody behind it', () => {
  expect(plan(ADDR, undefined, { tap: true, mac: '02:00:5e:10:00:01' })).toMatchObject({
    kind: 'tap',
    name: 'portside0',
    peer: '10.77.0.1',
    mac: '02:00:5e:10:00:01',
  });
  expect(plan(ADDR, undefined, { packet: 'veth0' })).toMatchObject({
    kind: 'packet',
    name: 'veth0',
    peer: null,
  });
  expect(plan(ADDR, undefined, { packet: 'veth0', peer: '10.77.0.254' }).peer).toBe('10.77.0.254');
});

test.each([
  [{ tap: true, packet: 'veth0' }, 'one device'],
  [{ mac: '02:00:5e:10:00:01' }, '--mac goes with'],
  [{ tap: true, mac: 'ff:ff:ff:ff:ff:ff' }, '--mac'],
  [{ tap: true, mac: 'nonsense' }, '--mac'],
])('%o is refused', (options, words) => {
  expect(() => plan(ADDR, undefined, options)).toThrow(words);
});
