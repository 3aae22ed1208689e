// `portside capture` of a running host: what tshark, capinfos and tcptrace read in it, a live pipe,
// a ring of files, and that a lossy run's retransmissions are those that our counters claim.

import { createWriteStream, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Slab } from '../../src/base/slab.ts';
import { ControlClient } from '../../src/node/control-client.ts';
import { createHost } from '../../src/node/host.ts';
import { LossyTun } from './captured.ts';
import { KERNEL, Lab, type Outcome, PORTSIDE, US, until } from './netns.ts';

const lab = new Lab();
afterAll(() => lab.close());
const ours = (...args: string[]): Promise<Outcome> => lab.runOutside([...PORTSIDE, ...args]);
const at = (name: string): string => join(lab.dir, name);

beforeAll(async () => {
  await lab.up(`${US}/24`, '--http', '--echo');
});

/** Runs `portside capture` beside `work`; its end by SIGINT, as a person ends it. */
async function captured(args: string[], work: () => Promise<unknown>): Promise<string> {
  const child = lab.spawnOutside([...PORTSIDE, 'capture', ...args]);
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await until('the capture', () => said.includes('capturing'));
  await work();
  child.kill('SIGINT');
  await ended;
  return said;
}

async function tshark(file: string, ...args: string[]): Promise<string[]> {
  const run = await lab.run(['tshark', '-n', '-r', file, ...args]);
  expect(run.code, run.err).toBe(0);
  return run.out.split('\n').filter((line) => line !== '');
}

const get = (path: string): Promise<Outcome> =>
  lab.run(['curl', '-sS', '-f', '-o', '/dev/null', `http://${US}${path}`]);

/** tshark's complaints about checksums and malformed packets. */
const FAULTS = [
  ...['-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE'],
  // a body put together again is nothing that we are to be judged by
  ...['-o', 'udp.check_checksum:TRUE', '-o', 'tcp.desegment_tcp_streams:FALSE'],
  '-Y',
  '_ws.malformed || tcp.checksum.status==0 || ip.checksum.status==0 || udp.checksum.status==0',
];

test('tshark reads it without a fault; capinfos shows names, times and who wrote it', async () => {
  const file = at('one.pcapng');
  await captured(['-w', file], async () => {
    expect((await get('/bytes/300000')).code).toBe(0);
    await lab.run(['ping', '-n', '-c', '2', '-i', '0.05', US]);
  });
  expect(await tshark(file, ...FAULTS)).toEqual([]);
  const requests = await tshark(
    file,
    '-Y',
    'http.request',
    '-T',
    'fields',
    '-e',
    'http.request.uri',
  );
  expect(requests).toEqual(['/bytes/300000']);
  const info = await lab.run(['capinfos', '-M', file]);
  expect(info.out).toMatch(/File type: +pcapng/);
  expect(info.out).toMatch(/Name = portside0/);
  expect(info.out).toMatch(/Name = lo/);
  expect(info.out).toMatch(/Time precision = nanosecond/);
  expect(info.out).toMatch(/Capture application: portside/);
  expect(info.out).toMatch(/Number of stat entries = 1/);
  const year = new Date().getUTCFullYear();
  expect(info.out).toMatch(new RegExp(`First packet time: +${year}-`));
  const ways = await tshark(file, '-T', 'fields', '-e', 'frame.packet_flags_direction');
  expect(new Set(ways)).toEqual(new Set(['0x00000001', '0x00000002']));
});

test('a filter on its way, comments, and the same file read again', async () => {
  const file = at('two.pcapng');
  await captured(['tcp port 80', '-w', file, '--comments'], async () => {
    await lab.run(['ping', '-n', '-c', '1', US]);
    await get('/');
    // nobody holds the port
    await lab.run(['curl', '-sS', `http://${US}:81/`]);
  });
  expect(await tshark(file, '-Y', 'icmp || tcp.port == 81')).toEqual([]);
  const comments = await tshark(file, '-Y', 'frame.comment contains "ESTAB cwnd=10"');
  expect(comments.length).toBeGreaterThan(2);
  const syn = await ours('capture', '-r', file, 'syn', 'and', 'out');
  expect(syn.code, syn.err).toBe(0);
  expect(syn.out).toMatch(
    /^\d\d:\d\d:\d\d\.\d{6} portside0 Out IP 10\.77\.0\.2\.80 > 10\.77\.0\.1\.\d+: Flags \[S\.\]/,
  );
  expect(syn.out.trimEnd().split('\n')).toHaveLength(1);
});

test('drops alone, with their reasons', async () => {
  const file = at('drops.pcapng');
  await captured(['drop', '-w', file], () => lab.run(['curl', '-sS', `http://${US}:81/`]));
  const rows = await tshark(file, '-T', 'fields', '-e', 'tcp.dstport', '-e', 'frame.comment');
  expect(rows).toEqual(['81\tDROP NO_SOCKET']);
});

test('a live pipe, as Wireshark reads it; -c ends it by itself', async () => {
  const main = PORTSIDE.map((word) => `'${word}'`).join(' ');
  const pipe = `${main} capture -c 6 tcp port 80 -w - | tshark -n -i - -T fields -e tcp.srcport`;
  const child = lab.spawnOutside(['sh', '-c', pipe]);
  let out = '';
  let said = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await until('the capture', () => said.includes('portside: capturing'));
  await get('/');
  await ended;
  expect(out.trim().split('\n')).toHaveLength(6);
});

test('a ring of files, each of which can be read alone (tcpdump -C -W)', async () => {
  await captured(['-w', at('ring'), '-C', '1', '-W', '3'], () => get('/bytes/5000000'));
  const files = readdirSync(lab.dir).filter((name) => name.startsWith('ring'));
  expect(files.sort()).toEqual(['ring0', 'ring1', 'ring2']);
  for (const name of files) expect((await tshark(at(name), ...FAULTS)).length).toBe(0);
});

test('TLS keys only when they are asked for, with a warning', async () => {
  const keys = at('keys.log');
  writeFileSync(keys, `CLIENT_RANDOM ${'0'.repeat(64)} ${'1'.repeat(96)}\n`, { mode: 0o600 });
  const file = at('keys.pcapng');
  const said = await captured(['-w', file, '--tls-keys', keys], () => get('/'));
  expect(said).toMatch(/the capture holds TLS keys/);
  expect((await lab.run(['capinfos', file])).out).toMatch(
    /Number of decryption secrets in file: 1/,
  );
  const plain = at('plain.pcapng');
  expect(await captured(['-w', plain], () => get('/'))).not.toMatch(/TLS/);
  expect((await lab.run(['capinfos', plain])).out).not.toMatch(/decryption secrets in file: 1/);
});

test('misuse is one sentence and 1', async () => {
  for (const [args, message] of [
    [['tcp', 'port'], /ends where a port belongs/],
    [['-C', '1'], /-C belongs to -w FILE/],
    [['-c', 'x'], /--count: 'x' is not a number/],
    [['-i', 'nothing'], /there is no link nothing/],
    [['--tls-keys', 'x'], /--tls-keys belongs to -w/],
  ] as const) {
    const run = await ours('capture', ...args);
    expect(run.code).toBe(1);
    expect(run.err).toMatch(message);
    expect(run.err.trim().split('\n')).toHaveLength(1);
  }
});

test('a lossy run: exactly the retransmissions that our counters claim', async () => {
  const other = new Lab();
  const file = join(other.dir, 'lossy.pcapng');
  const host = await createHost({
    link: (slab: Slab) => new LossyTun(slab, join(other.dir, 'wire.pcapng'), other.name, KERNEL),
    addresses: [`${US}/24`],
    // one wire segment a packet: they can be counted by who knows nothing of super-segments
    config: { tcp: { gsoMaxOctets: 1 } },
  });
  try {
    const client = await ControlClient.open(await host.serveControl(join(other.dir, 'c.sock')));
    const { socket } = await client.switchTo('capture', { filter: 'tcp and out' });
    const written = pipeline(socket, createWriteStream(file));
    const server = host.net.createServer((s) => s.end(Buffer.alloc(3_000_000, 'x')));
    await new Promise<void>((resolve) => server.listen(80, US, resolve));
    const got = await other.run(['bash', '-c', `exec 3<>/dev/tcp/${US}/80; wc -c <&3`]);
    expect(got.out.trim()).toBe('3000000');
    socket.end();
    await written;
    const claimed = host.stack.counters.get('TcpRetransSegs');
    expect(claimed).toBeGreaterThan(20);
    const rows = await tshark(
      file,
      ...['-o', 'tcp.relative_sequence_numbers:TRUE', '-Y', 'tcp.len > 0'],
      ...['-T', 'fields', '-e', 'tcp.seq', '-e', 'tcp.len'],
    );
    let end = 0;
    let again = 0;
    for (const row of rows) {
      const [seq = 0, len = 0] = row.split('\t').map(Number);
      if (seq < end) again++;
      end = Math.max(end, seq + len);
    }
    expect(end).toBe(3_000_001);
    expect(again).toBe(claimed);
    expect(await tshark(file, ...FAULTS)).toEqual([]);
    server.close();
  } finally {
    await host.close();
    other.close();
  }
});
