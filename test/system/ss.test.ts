// `portside ss` and `portside nstat` look into a host that runs, beside the kernel's own ss, which
// sees the other end of the same connection.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab, type Outcome, PORTSIDE, US, until } from './netns.ts';

const ECHO = 'x'.repeat(5000);

/** `name:value` pairs of a line of `ss -i`. */
function fields(text: string): Map<string, string> {
  return new Map(
    text
      .split(/\s+/)
      .filter((word) => word.includes(':'))
      .map((word) => [word.slice(0, word.indexOf(':')), word.slice(word.indexOf(':') + 1)]),
  );
}

describe('portside ss', () => {
  const lab = new Lab();
  afterAll(() => lab.close());
  const ours = (...args: string[]): Promise<Outcome> => lab.runOutside([...PORTSIDE, ...args]);

  beforeAll(async () => {
    await lab.up(`${US}/24`, '--echo', '--chargen');
    // a client that sends, reads the echo, and stays
    const client = `exec 3<>/dev/tcp/${US}/7; printf %s ${ECHO} >&3; head -c ${ECHO.length} <&3; cat`;
    const child = lab.spawn(['bash', '-c', client]);
    let echoed = 0;
    child.stdout?.on('data', (chunk: Buffer) => {
      echoed += chunk.length;
    });
    await until('the echo', () => echoed === ECHO.length);
  });

  test('shows listeners and connections in columns that ss has (ss(8))', async () => {
    const listening = await ours('ss', '-tln');
    expect(listening.code).toBe(0);
    const [head, ...lines] = listening.out.trimEnd().split('\n');
    expect(head?.split(/ +/)).toEqual(
      'State Recv-Q Send-Q Local Address:Port Peer Address:Port'.split(' '),
    );
    expect(lines.map((line) => line.split(/ +/)[3]).sort()).toEqual(['[::]:19', '[::]:7']);
    const open = await ours('ss', '-tnH', 'sport', '=', ':7');
    expect(open.out).toMatch(/^ESTAB +0 +0 +10\.77\.0\.2:7 +10\.77\.0\.1:\d+\n$/);
    const none = await ours('ss', '-tnH', 'dst', '192.0.2.0/24');
    expect(none.out).toBe('');
  });

  test('agrees with the kernel at the other end (ss(8) -i)', async () => {
    // what has no acknowledgment yet counts at one end only
    let us = new Map<string, string>();
    let them = new Map<string, string>();
    const settled = async (): Promise<boolean> => {
      us = fields((await ours('ss', '-tinH', 'sport', '=', ':7')).out.split('\n')[1] ?? '');
      them = fields((await lab.run(['ss', '-tinH', 'dport', '=', ':7'])).out);
      return us.get('bytes_acked') === us.get('bytes_sent');
    };
    for (let tries = 0; !(await settled()) && tries < 20; tries++);
    const [theirShift, ourShift] = (them.get('wscale') ?? '').split(',');
    expect(us.get('wscale')).toBe(`${ourShift},${theirShift}`);
    expect(us.get('mss')).toBe(them.get('mss'));
    expect(us.get('pmtu')).toBe(them.get('pmtu'));
    expect(us.get('advmss')).toBe(them.get('advmss'));
    expect(us.get('bytes_sent')).toBe(String(ECHO.length));
    expect(us.get('bytes_sent')).toBe(them.get('bytes_received'));
    // the kernel counts the acknowledged SYN as an octet
    expect(Number(us.get('bytes_received')) + 1).toBe(Number(them.get('bytes_acked')));
    expect(us.get('retrans')).toBe(them.get('retrans'));
    expect(Number(us.get('rtt')?.split('/')[0])).toBeGreaterThan(0);
  });

  test('a filter that makes no sense, and a host that is not there, are one sentence', async () => {
    const filter = await ours('ss', 'state', 'nowhere');
    expect(filter).toMatchObject({ code: 1, out: '' });
    expect(filter.err).toMatch(/^portside: 'nowhere' is no state .*\n$/);
    const host = await ours('ss', '--host', 'nobody');
    expect(host).toMatchObject({ code: 1, out: '' });
    expect(host.err).toMatch(/^portside: connect ENOENT .*nobody\.sock\n$/);
  });

  test('nstat tells what has moved since the last look (nstat(8))', async () => {
    const first = await ours('nstat', 'TcpPassiveOpens', 'TcpActiveOpens');
    expect(first.out).toBe('#portside\nTcpPassiveOpens                 1\n');
    const second = await ours('nstat', 'TcpPassiveOpens');
    expect(second.out).toBe('#portside\n');
    const all = await ours('nstat', '-a', '--json', 'TcpPassiveOpens');
    expect(JSON.parse(all.out)).toEqual({ TcpPassiveOpens: 1 });
    // by the path of the socket, from where no host has ever run
    const env = { PORTSIDE_RUNTIME: join(lab.dir, 'elsewhere') };
    const path = join(lab.dir, 'run', 'portside0.sock');
    const command = [...PORTSIDE, 'nstat', '--host', path, 'TcpPassiveOpens'];
    const far = await lab.runOutside(command, { env });
    expect(far).toMatchObject({ code: 0, out: '#portside\nTcpPassiveOpens                 1\n' });
  });

  test('-K resets the connection, and the client hears of it (ss(8) -K)', async () => {
    const killed = await ours('ss', '-KtnH', 'sport', '=', ':7');
    expect(killed.out).toMatch(/^ESTAB .*:7 /);
    expect((await ours('ss', '-tnH', 'sport', '=', ':7')).out).toBe('');
    expect((await lab.run(['ss', '-tnH', 'dport', '=', ':7'])).out).toBe('');
  });

  test('the control socket goes with the host', async () => {
    expect(readdirSync(join(lab.dir, 'run'))).toContain('portside0.sock');
    const quiet = new Lab();
    try {
      const portside = await quiet.up(`${US}/24`, '--no-control');
      const answer = await quiet.runOutside([...PORTSIDE, 'ss']);
      expect(answer.err).toMatch(/no host is running/);
      await portside.stop();
    } finally {
      await quiet.close();
    }
  });
});
