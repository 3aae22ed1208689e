// `createHost` on a TUN device: our side in this process, the kernel's side in a namespace.

import { createHash, randomBytes } from 'node:crypto';
import * as http from 'node:http';
import type * as net from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { createHost, type Host } from '../../src/node/host.ts';
import { expectEchoed, KERNEL, Lab, ROOT, US } from './netns.ts';

const lab = new Lab();
let host: Host | null = null;

afterEach(async () => {
  await host?.close({ deadlineMs: 100 });
  host = null;
});

afterAll(() => lab.close());

async function up(more: object = {}): Promise<Host> {
  host = await createHost({
    tun: { name: 'ps0', netns: lab.name },
    addresses: [`${US}/24`],
    ...more,
  });
  return host;
}

function once(emitter: NodeJS.EventEmitter, event: string): Promise<unknown[]> {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

async function listening(server: net.Server, port = 0): Promise<number> {
  server.listen(port, US);
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port;
}

describe('a host on a TUN', () => {
  test('serves a real curl, and is pinged at its default peer', async () => {
    const h = await up();
    expect(h.device?.name).toBe('ps0');
    const site = http.createServer((req, res) => {
      const hash = createHash('sha256');
      req.on('data', (d) => hash.update(d));
      req.on('end', () => res.end(hash.digest('hex')));
    });
    const port = await listening(h.net.createServer((s) => site.emit('connection', s)));
    const script = `head -c 30000000 /dev/urandom > ${lab.dir}/f && sha256sum < ${lab.dir}/f &&
      curl -sS -T ${lab.dir}/f http://${US}:${port}/`;
    const { out, err } = await lab.sh(script);
    expect(err).toBe('');
    const [theirs, ours] = out.split('\n');
    expect(ours?.slice(0, 64)).toBe(theirs?.slice(0, 64));
    await expectEchoed(lab, await lab.run(['ping', '-c', '3', '-i', '0.05', '-q', US]), 3);
  });

  test('is a client of a server on the kernel, both ways', async () => {
    const h = await up();
    const server = lab.spawn([
      process.execPath,
      '--eval',
      `require('net').createServer((s) => s.pipe(s)).listen(7777, '${KERNEL}', () => console.log('up'))`,
    ]);
    await once(server.stdout as NodeJS.EventEmitter, 'data');
    const data = randomBytes(20_000_000);
    const c = h.net.connect(7777, KERNEL);
    const hash = createHash('sha256');
    c.on('data', (d) => hash.update(d as Buffer));
    c.end(data);
    await once(c, 'end');
    expect(hash.digest('hex')).toBe(createHash('sha256').update(data).digest('hex'));
    const refused = h.net.connect(7778, KERNEL);
    const [error] = (await once(refused, 'error')) as [Error];
    expect(error.message).toBe(`connect ECONNREFUSED ${KERNEL}:7778`);
    server.kill('SIGKILL');
  });

  test('owns every address of a prefix', async () => {
    const h = await up({ addresses: [`${US}/24`, { prefix: '10.9.0.0/16', own: 'all' }] });
    const server = h.net.createServer((s) => s.end(`${s.localAddress}`));
    server.listen(80, '0.0.0.0');
    await once(server, 'listening');
    const { out } = await lab.sh(
      'for a in 10.9.0.0 10.9.1.2 10.9.255.255; do curl -sS --http0.9 -m 60 http://$a/; echo; done',
    );
    expect(out.trim().split('\n')).toEqual(['10.9.0.0', '10.9.1.2', '10.9.255.255']);
  });

  test('answers datagrams', async () => {
    const h = await up();
    const u = h.dgram.createSocket('udp4');
    u.on('message', (m, from) => u.send(m, from.port, from.address));
    u.bind(9999, US);
    await once(u, 'listening');
    const program = `const s = require('dgram').createSocket('udp4');
      s.on('message', (m, f) => { console.log(m.length, f.address, f.port); s.close(); });
      s.send(Buffer.alloc(30000), 9999, '${US}');`;
    const { out } = await lab.run([process.execPath, '--eval', program]);
    expect(out.trim()).toBe(`30000 ${US} 9999`);
  });

  test('hears that its device is gone', async () => {
    const h = await up();
    const server = h.net.createServer();
    await listening(server);
    const c = h.net.connect(80, '10.77.0.200');
    const lost = Promise.all([once(h, 'error'), once(c, 'error')]);
    lab.ip('link', 'del', 'ps0');
    const [[hostError], [socketError]] = (await lost) as [[Error], [NodeJS.ErrnoException]];
    expect(hostError.message).toContain('ps0');
    expect(socketError.code).toBe('ENETDOWN');
    expect(server.listening).toBe(false);
  });

  test('a process that ends has sent what it wrote', async () => {
    const sink = `let n = 0; require('net').createServer((s) => {
        s.on('data', (d) => { n += d.length; });
        s.on('end', () => { console.log(n); process.exit(); });
        s.on('error', (e) => { console.log(e.message, n); process.exit(); });
      }).listen(7779, '${KERNEL}', () => console.log('up'))`;
    const source = `import { createHost } from ${JSON.stringify(pathToFileURL(join(ROOT, 'src/node/host.ts')).href)};
      const host = await createHost({ tun: { name: 'ps0', netns: '${lab.name}' }, addresses: ['${US}/24'] });
      globalThis.write = () => {
        const c = host.net.connect(7779, '${KERNEL}', () => { c.end(Buffer.alloc(3000000)); c.destroySoon(); });
      };
      console.log('device');
      process.stdin.once('data', () => { process.stdin.destroy(); globalThis.write(); });`;
    const loader = pathToFileURL(join(ROOT, 'scripts/ts-loader.mjs')).href;
    const client = lab.spawnOutside([
      process.execPath,
      '--import',
      loader,
      '--input-type=module',
      '--eval',
      source,
    ]);
    await once(client.stdout as NodeJS.EventEmitter, 'data');
    const server = lab.spawn([process.execPath, '--eval', sink]);
    await once(server.stdout as NodeJS.EventEmitter, 'data');
    const counted = once(server.stdout as NodeJS.EventEmitter, 'data');
    const ended = once(client, 'exit');
    client.stdin?.write('go\n');
    expect(String((await counted)[0]).trim()).toBe('3000000');
    expect((await ended)[0]).toBe(0);
  });
});
