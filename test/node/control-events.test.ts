// The control socket's views of what goes on: events as they happen, details, drops, metrics.

import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EventRow } from '../../src/inspect/event-rows.ts';
import { ControlClient } from '../../src/node/control-client.ts';
import { createHost, type Host } from '../../src/node/host.ts';
import type { Detail } from '../../src/stack/detail.ts';
import type { SocketRow } from '../../src/stack/snapshot.ts';

let folder: string;
let host: Host;
let path: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portside-events-'));
  host = await createHost();
  path = await host.serveControl(join(folder, 'c.sock'));
});

afterEach(async () => {
  await host.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Batch {
  at: number;
  lost: number;
  events: EventRow[];
}

/** Batches until one of their events is as wanted. */
async function until(socket: Socket, wanted: (row: EventRow) => boolean): Promise<EventRow[]> {
  const rows: EventRow[] = [];
  for await (const line of createInterface({ input: socket })) {
    const batch = JSON.parse(line) as Batch;
    expect(batch.lost).toBe(0);
    rows.push(...batch.events);
    if (rows.some(wanted)) break;
  }
  return rows;
}

/** A request and its answer over the host's loopback; both sides close. */
async function exchange(): Promise<void> {
  const server = host.net.createServer((s) => s.end('hello'));
  await new Promise<void>((resolve) => server.listen(8080, '127.0.0.1', resolve));
  await new Promise<void>((resolve) => {
    host.net
      .connect(8080, '127.0.0.1')
      .resume()
      .on('close', () => resolve());
  });
  server.close();
}

describe('watch', () => {
  test('tells what happens, in batches, from then on', async () => {
    const client = await ControlClient.open(path);
    const { done, socket } = await client.switchTo<{ nowUs: number; epochUs: number }>('watch', {
      kinds: ['state'],
    });
    expect(done.nowUs).toBeGreaterThan(0);
    expect(Math.abs((done.epochUs + done.nowUs) / 1000 - Date.now())).toBeLessThan(60_000);
    await exchange();
    const rows = await until(socket, (row) => row.kind === 'state' && row.to === 'TIME-WAIT');
    expect(new Set(rows.map((row) => row.kind))).toEqual(new Set(['state']));
    const moves = rows.map((row) => (row.kind === 'state' ? `${row.from} > ${row.to}` : ''));
    expect(moves).toContain('SYN-SENT > ESTAB');
    expect(moves).toContain('SYN-RECV > ESTAB');
    expect(host.stack.ip.watch).not.toBeNull();
    client.close();
  });

  test('ends with its client: the stack notes nothing any more', async () => {
    const client = await ControlClient.open(path);
    const { socket } = await client.switchTo('watch');
    expect(host.stack.ip.watch).not.toBeNull();
    const gone = new Promise<void>((resolve) => {
      const look = setInterval(() => {
        if (host.stack.ip.watch !== null) return;
        clearInterval(look);
        resolve();
      }, 1);
    });
    socket.destroy();
    await gone;
    expect(host.stack.ip.watch).toBeNull();
  });

  test('a kind that does not exist, a pace that is too high: EINVAL, and the socket goes on', async () => {
    const client = await ControlClient.open(path);
    await expect(client.ask('watch', { kinds: ['nothing'] })).rejects.toMatchObject({
      code: 'EINVAL',
    });
    await expect(client.ask('watch', { hz: 11 })).rejects.toMatchObject({ code: 'EINVAL' });
    expect(await client.ask('drops')).toEqual([]);
    expect(host.stack.ip.watch).toBeNull();
    client.close();
  });
});

describe('views', () => {
  test('a connection in detail, by the number of its row', async () => {
    const client = await ControlClient.open(path);
    const server = host.net.createServer(() => {});
    await new Promise<void>((resolve) => server.listen(8081, '127.0.0.1', resolve));
    const s = host.net.connect(8081, '127.0.0.1');
    await new Promise<void>((resolve) => s.on('connect', () => resolve()));
    const rows = await client.ask<SocketRow[]>('sockets');
    const own = rows.find((row) => row.remotePort === 8081);
    const detail = await client.ask<Detail>('detail', { sk: own?.sk });
    expect(detail.row.sk).toBe(own?.sk);
    expect(detail.send.una).toBe(1);
    await expect(client.ask('detail', { sk: 999_999 })).rejects.toMatchObject({ code: 'ENOENT' });
    s.destroy();
    server.close();
    client.close();
  });

  test('host.inspect() and host.metrics() are what the socket answers', async () => {
    const client = await ControlClient.open(path);
    const view = await client.ask<ReturnType<Host['inspect']>>('inspect');
    expect(Object.keys(view)).toEqual(Object.keys(host.inspect()));
    expect(await client.ask('metrics')).toBe(host.metrics());
    expect(host.metrics()).toContain('portside_tcp_in_segs_total 0');
    expect(await client.ask('fragments')).toEqual(host.inspect().fragments);
    expect(await client.ask('paths')).toEqual([]);
    client.close();
  });
});
