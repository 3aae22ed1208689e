// `portside trace` and `portside ss -E` follow one connection of a host whose device loses packets.

import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Slab } from '../../src/base/slab.ts';
import { createHost } from '../../src/node/host.ts';
import { LossyTun } from './captured.ts';
import { KERNEL, Lab, type Outcome, PORTSIDE, US, until } from './netns.ts';

const OCTETS = 600_000;
const lab = new Lab();
afterAll(() => lab.close());

/** A command that follows: what it has said so far, and its end. */
function following(...args: string[]) {
  const child = lab.spawnOutside([...PORTSIDE, ...args, '--host', join(lab.dir, 'c.sock')]);
  const said = { out: '', err: '', child, code: -1, ended: Promise.resolve() };
  child.stdout?.on('data', (chunk: Buffer) => {
    said.out += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    said.err += chunk.toString();
  });
  said.ended = new Promise((resolve) => {
    child.once('close', (code) => {
      said.code = code ?? -1;
      resolve();
    });
  });
  return said;
}

test('the time line tells of every retransmission, the plot is drawn, ss -E sees all states', async () => {
  const host = await createHost({
    link: (slab: Slab) => new LossyTun(slab, join(lab.dir, 'wire.pcapng'), lab.name, KERNEL),
    addresses: [`${US}/24`],
    // one wire segment a line
    config: { tcp: { gsoMaxOctets: 1 } },
  });
  try {
    await host.serveControl(join(lab.dir, 'c.sock'));
    const open: Socket[] = [];
    const server = host.net.createServer((s) => {
      open.push(s as Socket);
      s.once('data', () => s.end(Buffer.alloc(OCTETS, 'x')));
    });
    await new Promise<void>((resolve) => server.listen(80, US, resolve));
    const states = following('ss', '-tnE', 'sport', '=', ':80');
    await until('the head', () => states.out.includes('Cause'));

    const script = `exec 3<>/dev/tcp/${US}/80; read word; echo "$word" >&3; wc -c <&3`;
    const client = lab.spawn(['bash', '-c', script]);
    const counted = new Promise<string>((resolve) => {
      client.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()));
    });
    await until('the connection', () => open.length === 1);
    const text = following('trace', 'sport', '=', ':80', 'and', 'dport', '!=', ':0');
    const plot = following('trace', 'sport = :80', '--svg', join(lab.dir, 'plot.svg'));
    await until('traces', () => [text, plot].every((t) => t.err.includes('tracing')));
    client.stdin?.write('go\n');
    expect(await counted).toBe(String(OCTETS));
    await Promise.all([text.ended, plot.ended]);
    expect([text.code, plot.code], text.err + plot.err).toEqual([0, 0]);

    const lines = text.out.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^\+0\.000000 {2}< P\. seq 0:3 ack 0, 3 octets, win \d+$/);
    // the acknowledgment of the peer's FIN may stand behind it
    expect(text.out).toMatch(/ = .* -> (TIME-WAIT|UNCONN) \(.*\)\n/);
    const again = lines.filter((line) => line.endsWith('RETRANSMISSION'));
    expect(again.length).toBeGreaterThan(5);
    expect(again).toHaveLength(host.stack.counters.get('TcpRetransSegs'));
    // every octet and the FIN
    expect(text.out).toContain(` ack ${OCTETS + 1}, `);
    expect(text.out).toMatch(/! lost by rack: \d+\.\.\d+\n/);
    expect(text.out).toMatch(/cwnd \d+, in flight \d+, ssthresh \d+, recovery\n/);

    const svg = readFileSync(join(lab.dir, 'plot.svg'), 'utf8');
    expect(svg).toContain(`<title>${US}:80 to ${KERNEL}:`);
    const red = svg.match(/<path class="again" d="([^"]*)"\/>\n/)?.[1] ?? '';
    expect(red.match(/M/g)).toHaveLength(again.length);

    await until('the end', () => /^(TIME-WAIT|UNCONN) /m.test(states.out));
    states.child.kill('SIGINT');
    await states.ended;
    const [head, ...rows] = states.out.trimEnd().split('\n');
    expect(head).toBe('State      Local Address:Port     Peer Address:Port      Cause');
    expect(rows[0]).toMatch(/^SYN-RECV {3}10\.77\.0\.2:80 +10\.77\.0\.1:\d+ +SYN received$/);
    expect(rows[1]).toMatch(/^ESTAB .* handshake complete$/);
    expect(rows.some((row) => /^FIN-WAIT-1 .* closed by the program$/.test(row))).toBe(true);
    server.close();
  } finally {
    await host.close();
  }
});

test('no connection, or several: one sentence', async () => {
  await lab.up(`${US}/24`, '--echo');
  const ours = (...args: string[]): Promise<Outcome> => lab.runOutside([...PORTSIDE, ...args]);
  expect(await ours('trace', '99')).toMatchObject({
    code: 1,
    out: '',
    err: "portside: no connection is '99'\n",
  });
  const child = lab.spawn(['bash', '-c', `exec 3<>/dev/tcp/${US}/7 4<>/dev/tcp/${US}/7; cat`]);
  const rows = async (): Promise<string[]> => {
    return (await ours('ss', '-tneH', 'sport', '=', ':7')).out.match(/sk:\d+/g) ?? [];
  };
  let found: string[] = [];
  for (let tries = 0; found.length < 2 && tries < 50; tries++) found = await rows();
  const several = await ours('trace', 'sport', '=', ':7');
  const numbers = found.map((sk) => sk.slice(3)).join(', ');
  expect(several.err).toBe(`portside: 'sport = :7' fits several connections: ${numbers}\n`);
  child.kill();
});
