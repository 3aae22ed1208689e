// `portside traceroute`, `tracepath`, `curl` and `dig` through a running host: the kernel is a router
// on the way to a second namespace, over a link with a smaller MTU, and real servers answer there.
// `portside top` looks at that host, `portside doctor` at this machine.

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CERT, KEY } from '../fixtures/certificate.ts';
import { KERNEL, Lab, type Outcome, PORTSIDE, type RunOptions, US, until } from './netns.ts';

const FAR = '10.99.0.2';
const near = new Lab();
const far = new Lab();
afterAll(() => {
  near.close();
  far.close();
});
const ours = (args: string[], options?: RunOptions): Promise<Outcome> =>
  near.runOutside([...PORTSIDE, ...args], options);

const SERVER = `
const http = require('node:http');
const https = require('node:https');
const { createHash } = require('node:crypto');
const pair = ${JSON.stringify({ key: KEY, cert: CERT })};
https.createServer(pair, (req, res) => res.end('secret')).listen(8443, () =>
http.createServer((req, res) => {
  if (req.url === '/moved') return res.writeHead(302, { Location: '/' }).end();
  if (req.url === '/never') return;
  if (req.url === '/cut') return res.writeHead(200, { 'Content-Length': 9 }).write('four', () => res.destroy());
  if (req.url === '/none') return res.writeHead(404).end('no');
  if (req.url === '/large') return res.end(Buffer.alloc(3000000, 7));
  const hash = createHash('sha256');
  req.on('data', (b) => hash.update(b));
  req.on('end', () => res.end([req.method, req.url, req.headers['x-a'] || '-', hash.digest('hex')].join(' ')));
}).listen(8000, () => console.log('ready')));
`;

beforeAll(async () => {
  await near.up(`${US}/24`, '--http');
  near.ip('link', 'add', 'v0', 'mtu', '1400', 'type', 'veth', 'peer', 'name', 'v1');
  near.ip('link', 'set', 'v1', 'netns', far.name);
  near.ip('addr', 'add', '10.99.0.1/24', 'dev', 'v0');
  near.ip('link', 'set', 'v0', 'up');
  far.ip('link', 'set', 'v1', 'mtu', '1400');
  far.ip('addr', 'add', `${FAR}/24`, 'dev', 'v1');
  far.ip('link', 'set', 'v1', 'up');
  far.ip('route', 'add', 'default', 'via', '10.99.0.1');
  await near.sh('echo 1 > /proc/sys/net/ipv4/ip_forward');
  const server = far.spawn([process.execPath, '-e', SERVER]);
  let said = '';
  server.stdout?.on('data', (chunk: Buffer) => {
    said += String(chunk);
  });
  await until('the server', () => said.includes('ready'));
});

describe('portside traceroute', () => {
  test.each([
    ['datagrams', []],
    ['echo requests', ['-I']],
  ])('%s find the router and the end (traceroute(8))', async (_what, flags) => {
    const { code, out } = await ours(['traceroute', '-q', '1', ...flags, FAR]);
    expect(code).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).toBe(`traceroute to ${FAR} (${FAR}), 30 hops max, 60 byte packets`);
    expect(lines[1]).toMatch(new RegExp(`^ 1  ${KERNEL.replaceAll('.', '\\.')}  [\\d.]+ ms$`));
    expect(lines[2]).toMatch(/^ 2 {2}10\.99\.0\.2 {2}[\d.]+ ms$/);
    expect(lines).toHaveLength(3);
  });

  test('silence is a star, and -m ends it (traceroute(8) -m -w)', async () => {
    const hop = ['-f', '2', '-m', '2'];
    const { out } = await ours(['traceroute', '-q', '2', '-w', '0.2', ...hop, '10.99.0.77']);
    expect(out.split('\n').slice(1)).toEqual([' 2 * *', '']);
  });

  test('tracepath finds the smaller MTU on the way (RFC 1191, tracepath(8))', async () => {
    const { code, out } = await ours(['tracepath', FAR]);
    expect(out).toMatch(/pmtu 1500$/m);
    expect(out).toMatch(/10\.77\.0\.1 .*pmtu 1400$/m);
    expect(out).toMatch(/10\.99\.0\.2 .* reached$/m);
    expect(out).toContain('Resume: pmtu 1400 hops 2');
    expect(code).toBe(0);
  });
});

describe('portside curl', () => {
  const url = `http://${FAR}:8000`;

  test('GET, POST, PUT, headers and a redirection (curl(1))', async () => {
    const empty = createHash('sha256').digest('hex');
    expect((await ours(['curl', '-H', 'X-A: b', `${url}/x?y`])).out).toBe(`GET /x?y b ${empty}`);
    const abc = createHash('sha256').update('abc').digest('hex');
    expect((await ours(['curl', '-d', 'abc', `${url}/`])).out).toBe(`POST / - ${abc}`);
    const file = join(near.dir, 'file');
    const body = Buffer.alloc(2_000_000, 'portside');
    writeFileSync(file, body);
    const digest = createHash('sha256').update(body).digest('hex');
    expect((await ours(['curl', '-T', file, `${url}/up`])).out).toBe(`PUT /up - ${digest}`);
    expect((await ours(['curl', '-L', `${url}/moved`])).out).toBe(`GET / - ${empty}`);
    const head = await ours(['curl', '-I', `${url}/none`]);
    expect(head.out).toMatch(/^HTTP\/1\.1 404 Not Found\r\n[\s\S]*\r\n\r\n$/);
  });

  test('a body goes to a file whole (curl(1) -o)', async () => {
    const file = join(near.dir, 'large');
    expect((await ours(['curl', '-s', '-o', file, `${url}/large`])).code).toBe(0);
    expect(readFileSync(file).equals(Buffer.alloc(3_000_000, 7))).toBe(true);
  });

  test('https: -k takes any certificate; without it exit code 60 (curl(1) -k)', async () => {
    const secure = `https://${FAR}:8443/`;
    const taken = await ours(['curl', '-sSk', secure]);
    expect([taken.code, taken.out, taken.err]).toEqual([0, 'secret', '']);
    const refused = await ours(['curl', '-s', secure]);
    expect([refused.code, refused.out, refused.err]).toEqual([60, '', '']);
  });

  test.each([
    [6, ['http://nowhere.example/'], 'Could not resolve host: nowhere.example'],
    [7, [`http://${FAR}:8001/`], `Failed to connect to ${FAR} port 8001`],
    [18, [`${url}/cut`], 'transfer closed with outstanding read data remaining'],
    [22, ['-f', `${url}/none`], 'The requested URL returned error: 404'],
    [28, ['--max-time', '1', `${url}/never`], 'Operation timed out after 1000 milliseconds'],
    [3, ['gopher://x/'], "URL rejected: 'gopher://x/'"],
  ])('exit code %i as curl (curl(1), EXIT CODES)', async (code, args, message) => {
    const outcome = await ours(['curl', ...args]);
    expect(outcome.code).toBe(code);
    expect(outcome.err).toMatch(new RegExp(`^curl: \\(${code}\\) `));
    expect(outcome.err).toContain(message);
  });
});

describe('portside dig', () => {
  const names = ['--address=/b.example/10.1.2.3', '--txt-record=b.example,hello'];

  test('asks a real server, by UDP and by TCP (dig(1))', async () => {
    const arms = [
      '--no-daemon',
      '--no-resolv',
      '--no-hosts',
      '--conf-file=/dev/null',
      '--user=root',
    ];
    const bind = ['--listen-address', FAR, '--bind-interfaces', '--pid-file='];
    const server = far.spawn(['dnsmasq', ...arms, ...bind, ...names]);
    await until('dnsmasq', () => far.run(['ss', '-ulnH']).then((o) => o.out.includes(':53')));
    const full = await ours(['dig', `@${FAR}`, 'b.example']);
    expect(full.code).toBe(0);
    expect(full.out).toMatch(/^;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: \d+$/m);
    expect(full.out).toContain('b.example.\t\t0\tIN\tA\t10.1.2.3');
    expect(full.out).toContain(`;; SERVER: ${FAR}#53(${FAR}) (UDP)`);
    const txt = await ours(['dig', `@${FAR}`, 'b.example', 'TXT', '+short', '+tcp']);
    expect(txt.out).toBe('"hello"\n');
    server.kill();
  });

  test('nobody answers: exit code 9 (dig(1))', async () => {
    const { code, out } = await ours(['dig', `@${US}`, 'x', '+time=1', '+tries=1']);
    expect(code).toBe(9);
    expect(out).toContain('no servers could be reached');
  });
});

describe('portside top', () => {
  test('one frame without a terminal, with every socket and no keys', async () => {
    const { code, out } = await ours(['top', '--once', '-d', '0.2']);
    expect(code).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^portside top {2}portside0 10\.77\.0\.2\/24 {2}\d+ sockets {2}loop /);
    expect(out).toMatch(/^[> ]tcp {2}LISTEN .* \[::\]:80 -> \*$/m);
    expect(out).not.toContain('\x1b');
    expect(out).not.toContain('q quit');
  });

  test('on a terminal: k and y reset the marked connection, q gives the screen back', async () => {
    const client = near.spawn(['nc', US, '80']);
    const ended = new Promise((resolve) => client.once('exit', resolve));
    await until('the connection', async () =>
      (await near.run(['ss', '-tnH', 'state', 'established'])).out.includes(`${US}:80`),
    );
    const command = [...PORTSIDE, 'top', '--filter', 'estab'].join(' ');
    const top = near.spawnOutside([
      'script',
      '-qec',
      `stty cols 90 rows 12; ${command}`,
      '/dev/null',
    ]);
    let screen = '';
    top.stdout?.on('data', (chunk: Buffer) => {
      screen += String(chunk);
    });
    const over = new Promise((resolve) => top.once('exit', resolve));
    await until('a row', () => screen.includes('ESTAB'));
    top.stdin?.write('k');
    await until('the question', () => screen.includes('? y/n'));
    top.stdin?.write('y');
    await until('the reset', () => screen.includes('is reset'));
    await ended;
    top.stdin?.write('q');
    expect(await over).toBe(0);
    expect(screen).toContain('\x1b[?1049h');
    expect(screen.trimEnd().endsWith('\x1b[?1049l')).toBe(true);
  });
});

describe('portside doctor', () => {
  test('0 where a host can be brought up, 1 without the rights, with the way out', async () => {
    const root = await ours(['doctor']);
    expect(root.code).toBe(0);
    expect(root.out).toMatch(/^ok +CAP_NET_ADMIN +is held$/m);
    const bare = ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs'];
    const user = await near.runOutside([...bare, ...PORTSIDE, 'doctor', '--json']);
    expect(user.code).toBe(1);
    const lines = user.out.trimEnd().split('\n');
    const found = lines.map((line) => JSON.parse(line) as { what: string; verdict: string });
    expect(found.find((one) => one.what === 'CAP_NET_ADMIN')?.verdict).toBe('fail');
  });

  test('--help names each command in a line of one screen', async () => {
    const { out } = await ours(['--help']);
    const lines = out.split('Commands:\n')[1]?.split('\n\n')[0]?.split('\n') ?? [];
    expect(lines.length).toBeGreaterThan(20);
    for (const line of lines) expect(line).toMatch(/^ {2}[a-z][a-z0-9-]* +\S.{0,62}$/);
    expect(out.split('\n').length).toBeLessThanOrEqual(42);
  });
});

describe('portside services', () => {
  test('starts and stops a service of a running host, and says why it cannot', async () => {
    const rows = async (): Promise<string> => (await ours(['services', 'list'])).out;
    expect(await rows()).toBe('http     80/tcp\n');
    const started = await ours(['services', 'start', 'echo', 'iperf3=5301']);
    expect(started.out).toBe('echo     7/tcp 7/udp\niperf3   5301/tcp 5301/udp\n');
    expect((await near.sh(`echo hello | timeout 60 nc -N ${US} 7`)).out).toBe('hello\n');
    const twice = await ours(['services', 'start', 'echo']);
    expect([twice.code, twice.err.includes('echo is running')]).toEqual([1, true]);
    expect((await ours(['services', 'stop', 'echo', 'iperf3'])).code).toBe(0);
    expect((await near.sh(`nc -z ${US} 7`)).code).toBe(1);
    expect(await rows()).toBe('http     80/tcp\n');
    const never = await ours(['services', 'start', 'quote']);
    expect([never.code, never.err.includes("'quote' is none of echo")]).toEqual([1, true]);
  });
});
