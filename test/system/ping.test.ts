// The real ping (iputils) against `portside up`.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectEchoed, FULL, Lab, US } from './netns.ts';

describe('ping of a portside host', () => {
  const lab = new Lab();
  afterAll(() => lab.close());
  beforeAll(async () => {
    await lab.up(`${US}/24`);
  });

  test('100 echo requests 10 ms apart lose nothing (RFC 1122 §3.2.2.6)', async () => {
    const ping = await lab.run(['ping', '-n', '-c', '100', '-i', '0.01', US]);
    await expectEchoed(lab, ping, 100);
    expect(ping.code).toBe(0);
  });

  const sizes = [
    ['no data', 0],
    ['the usual 56 octets', 56],
    ['exactly one packet of MTU 1500', 1472],
    ['one octet more: two fragments', 1473],
    ['three fragments', 4000],
    ['the largest echo that IPv4 can carry', 65507],
  ] as const;
  test.each(sizes)('answers with the same octets: %s (RFC 791 §3.2)', async (_name, size) => {
    const count = FULL ? '50' : '3';
    const ping = await lab.run([
      'ping',
      '-n',
      '-c',
      count,
      '-i',
      '0.05',
      '-p',
      'a55a0f',
      '-s',
      String(size),
      US,
    ]);
    await expectEchoed(lab, ping, Number(count));
    // ping compares what comes back with what it sent
    expect(ping.out).not.toContain('wrong data byte');
    expect(ping.code).toBe(0);
  });

  test('a burst without waiting loses nothing', async () => {
    const count = FULL ? 20_000 : 2000;
    const ping = await lab.run(['ping', '-n', '-q', '-f', '-c', String(count), US]);
    await expectEchoed(lab, ping, count);
  });

  test('a host that is not there does not answer', async () => {
    const ping = await lab.run(['ping', '-n', '-c', '1', '-W', '1', '10.77.0.3']);
    expect(ping.out).toContain('0 received');
    expect(ping.code).toBe(1);
  });
});
