// The control socket: who may look in, what it answers, and what does it no harm.

import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ControlClient, hostNames, openHost } from '../../src/node/control-client.ts';
import { createHost, type Host } from '../../src/node/host.ts';
import type { SocketRow } from '../../src/stack/snapshot.ts';

let folder: string;
let host: Host;
const before = process.env.PORTSIDE_RUNTIME;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portside-control-'));
  process.env.PORTSIDE_RUNTIME = join(folder, 'run');
  host = await createHost();
});

afterEach(async () => {
  await host.close();
  rmSync(folder, { recursive: true, force: true });
  if (before === undefined) delete process.env.PORTSIDE_RUNTIME;
  else process.env.PORTSIDE_RUNTIME = before;
});

async function opened(): Promise<{ path: string; client: ControlClient }> {
  const path = await host.serveControl();
  return { path, client: await ControlClient.open(path) };
}

/** What a raw client gets until the socket is closed or `lines` have come. */
function talk(path: string, text: string, lines: number): Promise<string[]> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let got = '';
    const done = (): void => {
      socket.destroy();
      resolve(got.split('\n').filter((line) => line !== ''));
    };
    socket.on('data', (chunk) => {
      got += chunk;
      if (got.split('\n').length > lines) done();
    });
    socket.on('error', () => {});
    socket.on('close', done);
    socket.write(text);
  });
}

describe('who may look in', () => {
  test('the socket is for its owner only, in a folder for its owner only', async () => {
    const path = await host.serveControl();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'run')).mode & 0o777).toBe(0o700);
    expect(path).toBe(join(folder, 'run', `pid-${process.pid}.sock`));
  });

  test('a folder that others can enter is refused', async () => {
    await host.serveControl();
    const other = await createHost();
    chmodSync(join(folder, 'run'), 0o755);
    await expect(other.serveControl()).rejects.toMatchObject({ code: 'EACCES' });
    await other.close();
  });

  test('a second host of the same name gets a name of its own', async () => {
    await host.serveControl();
    const other = await createHost();
    const path = await other.serveControl();
    expect(path).toBe(join(folder, 'run', `pid-${process.pid}.${process.pid}.sock`));
    await expect(openHost(undefined)).rejects.toThrow('several hosts are running');
    await other.close();
    expect(hostNames()).toEqual([`pid-${process.pid}`]);
  });

  test('a socket whose owner is gone is replaced; a file is not', async () => {
    const path = join(folder, 'left.sock');
    // a socket that nobody listens on: its server was closed after the name was moved away
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(`${path}.1`, resolve));
    const { renameSync } = await import('node:fs');
    renameSync(`${path}.1`, path);
    await new Promise((resolve) => server.close(resolve));
    expect(existsSync(path)).toBe(true);
    expect(await host.serveControl(path)).toBe(path);
    const other = await createHost();
    const file = join(folder, 'file');
    writeFileSync(file, 'x');
    await expect(other.serveControl(file)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await other.close();
  });
});

describe('answers', () => {
  test('the greeting says who it is', async () => {
    const { client } = await opened();
    expect(client.words).toMatchObject({ name: `pid-${process.pid}`, pid: process.pid });
    client.close();
  });

  test('sockets, many of them, in one array', async () => {
    const { client } = await opened();
    const servers = Array.from({ length: 1200 }, (_, i) =>
      host.net.createServer().listen(2000 + i, '127.0.0.1'),
    );
    await new Promise((resolve) => servers[1199]?.once('listening', resolve));
    const rows = await client.ask<SocketRow[]>('sockets');
    expect(rows).toHaveLength(1200);
    expect(new Set(rows.map((row) => row.localPort)).size).toBe(1200);
    client.close();
  });

  test('counters, memory and flow tables are those of the stack', async () => {
    const { client } = await opened();
    const counters = await client.ask<{ counters: Record<string, number> }>('counters');
    expect(counters.counters.TcpActiveOpens).toBe(0);
    expect(await client.ask('memory')).toEqual(host.stack.memory());
    expect(await client.ask('flows')).toEqual(host.stack.flowTables());
    client.close();
  });

  test('kill resets a connection: both ends hear of it (ss(8) -K)', async () => {
    const { client } = await opened();
    const server = host.net.createServer((socket) => socket.on('error', () => {}));
    await new Promise<void>((resolve) => server.listen(7000, '127.0.0.1', resolve));
    const socket = host.net.connect(7000, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    const local = { address: socket.localAddress, port: socket.localPort };
    const remote = { address: '127.0.0.1', port: 7000 };
    const failed = new Promise((resolve) => socket.once('error', resolve));
    expect(await client.ask('kill', { local, remote })).toEqual({ killed: true });
    expect(await failed).toMatchObject({ code: 'ECONNABORTED' });
    expect(await client.ask('kill', { local, remote })).toEqual({ killed: false });
    client.close();
  });
});

describe('what is wrong is told, and harms nobody', () => {
  test('an unknown request, bad ends, and no JSON', async () => {
    const { path, client } = await opened();
    await expect(client.ask('reboot')).rejects.toMatchObject({ code: 'ENOSYS' });
    await expect(client.ask('toString')).rejects.toMatchObject({ code: 'ENOSYS' });
    await expect(client.ask('kill', { local: 7 })).rejects.toMatchObject({ code: 'EINVAL' });
    const [, line] = await talk(path, 'what?\n', 2);
    expect(JSON.parse(line as string)).toMatchObject({ id: null, error: { code: 'EINVAL' } });
    expect(await client.ask('host')).toMatchObject({ pid: process.pid });
    client.close();
  });

  test('a line without an end, and more requests than are waited for, end the client', async () => {
    const { path, client } = await opened();
    expect(await talk(path, 'x'.repeat(70_000), 9)).toHaveLength(1);
    expect(await talk(path, '{"do":"host"}\n'.repeat(17), 99)).toHaveLength(1);
    expect(await client.ask('host')).toMatchObject({ pid: process.pid });
    client.close();
  });

  test('sixteen clients, and not one more', async () => {
    const { path, client } = await opened();
    const more = await Promise.all(Array.from({ length: 15 }, () => ControlClient.open(path)));
    expect(await talk(path, '', 1)).toEqual([]);
    for (const one of [client, ...more]) one.close();
  });

  test('the socket goes with the host, and whoever asks then is told', async () => {
    const { path, client } = await opened();
    await host.close();
    expect(existsSync(path)).toBe(false);
    await expect(client.ask('host')).rejects.toThrow();
    await expect(openHost(undefined)).rejects.toThrow('no host is running');
  });
});
