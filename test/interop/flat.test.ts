// What a process holds is flat over 100,000 short connections of a real client, and over 100 GB through
// one connection. `test/node/memory.test.ts` is the same in the size of a commit.

import type net from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHost, type Host } from '../../src/node/host.ts';
import { held } from '../kit/held.ts';
import { openRows } from '../system/leftovers.ts';
import { FULL, Lab, US, until } from '../system/netns.ts';

const CONNECTIONS = FULL ? 100_000 : 5000;
const OCTETS = FULL ? 100e9 : 2e9;
const LIMIT_MS = 40 * 60_000;
/** No power of two: what is shifted, lost or doubled is seen. */
const BLOCK = 1_048_573;

const lab = new Lab();
let host: Host;

beforeAll(async () => {
  host = await createHost({ tun: { name: 'ps0', netns: lab.name }, addresses: [`${US}/24`] });
});

afterAll(async () => {
  await host?.close({ deadlineMs: 100 });
  lab.close();
});

async function ab(count: number): Promise<void> {
  const many = ['-q', '-s', '300', '-n', String(count), '-c', '50'];
  const done = await lab.run(['ab', ...many, `http://${US}/`], { timeoutMs: LIMIT_MS });
  expect(done.code, done.err).toBe(0);
  expect(done.out).toMatch(new RegExp(`Complete requests:\\s+${count}\\n`));
  expect(done.out).toMatch(/Failed requests:\s+0\n/);
}

/** The figures of a run, for whoever reads the log. */
function tell(what: string, before: number, after: number): void {
  const mb = (n: number): string => (n / 1e6).toFixed(2);
  console.info(`${what}: held ${mb(before)} MB before, ${mb(after)} MB after`);
}

describe('memory', () => {
  test('is flat over 100,000 connections of ab', { timeout: LIMIT_MS }, async () => {
    const server = host.http.createServer((_req, res) => res.end('hello, world'));
    await new Promise<void>((resolve) => server.listen(80, US, resolve));
    // As many as the kernel has ports for, so that TIME-WAIT's table has its size.
    await ab(FULL ? 40_000 : 2000);
    await until('its connections are gone', () => openRows(host).length === 0);
    const [before, accepted] = [await held(), host.stack.counters.get('TcpPassiveOpens')];
    await ab(CONNECTIONS);
    await until('its connections are gone', () => openRows(host).length === 0);
    const after = await held();
    tell(`${CONNECTIONS} connections`, before, after);
    // ab opens as many again at its end as it keeps at once, and gives them up.
    const opened = host.stack.counters.get('TcpPassiveOpens') - accepted;
    expect(opened).toBeGreaterThanOrEqual(CONNECTIONS);
    expect(opened).toBeLessThanOrEqual(CONNECTIONS + 50);
    // A socket that stays would be 6,000 and more each; a record in TIME-WAIT is 92.
    expect(after - before).toBeLessThan(FULL ? 8e6 : 2e6);
    server.close();
  });

  test('is flat over 100 GB through one connection', { timeout: LIMIT_MS }, async () => {
    await receive(2e9);
    const before = await held();
    const { octets, wrong, heap } = await receive(OCTETS);
    const after = await held();
    tell(`${OCTETS / 1e9} GB`, before, after);
    tell(`its heap at ${heap.length} looks`, Math.min(...heap), Math.max(...heap));
    expect([octets, wrong]).toEqual([OCTETS, 0]);
    expect(after - before).toBeLessThan(4e6);
    // On the way the receive queue comes and goes beside the heap, as large as the window at most.
    expect(heap.length).toBeGreaterThanOrEqual(18);
    expect(Math.max(...heap) - Math.min(...heap)).toBeLessThan(2e6);
    expect(host.stack.memory()).toMatchObject({ connections: 0, receive: 0, send: 0 });
  });
});

/** One connection of the kernel's side that sends so much, and its end. */
async function receive(octets: number): Promise<Watched> {
  const block = Buffer.from(Uint8Array.from({ length: BLOCK }, (_, i) => pattern(i)));
  const watched = new Watched(block, octets / 20);
  const done = new Promise<void>((resolve, reject) => {
    const server = host.net.createServer((socket) => {
      server.close();
      socket.on('data', (chunk) => watched.take(chunk, socket));
      socket.on('end', () => socket.end(resolve)).on('error', reject);
    });
    server.listen(7, US);
  });
  const sender = lab.run([process.execPath, '--eval', SENDER, String(octets)], {
    timeoutMs: LIMIT_MS,
  });
  await done;
  const { code, err } = await sender;
  expect(`${code}${err}`).toBe('0');
  await until('the connection is gone', () => openRows(host).length === 0);
  return watched;
}

/** The octet at a place of the block; the sender has the same line. */
function pattern(i: number): number {
  return (Math.imul(i, 0x9e3779b1) >>> 11) & 255;
}

/** A program of the kernel's side that writes as many octets as it is told. */
const SENDER = `
  const pattern = (i) => (Math.imul(i, 0x9e3779b1) >>> 11) & 255;
  const block = Buffer.from(Uint8Array.from({ length: ${BLOCK} }, (_, i) => pattern(i)));
  const socket = require('net').connect(7, '${US}');
  let left = Number(process.argv[1]);
  const go = () => {
    while (left > 0) {
      const piece = left < block.length ? block.subarray(0, left) : block;
      left -= piece.length;
      if (!socket.write(piece)) return socket.once('drain', go);
    }
    socket.end().resume();
  };
  socket.on('connect', go).on('error', (error) => { throw error; });`;

/** Compares what comes with the block again and again, and looks at memory now and then. */
class Watched {
  readonly heap: number[] = [];
  octets = 0;
  wrong = 0;
  readonly #block: Buffer;
  readonly #every: number;
  #next: number;

  constructor(block: Buffer, every: number) {
    this.#block = block;
    this.#every = every;
    this.#next = every;
  }

  take(chunk: Buffer, socket: net.Socket): void {
    for (let at = 0; at < chunk.length; ) {
      const from = this.octets % BLOCK;
      const n = Math.min(BLOCK - from, chunk.length - at);
      if (chunk.compare(this.#block, from, from + n, at, at + n) !== 0) this.wrong++;
      at += n;
      this.octets += n;
    }
    if (this.octets < this.#next) return;
    this.#next += this.#every;
    socket.pause();
    void held().then(() => {
      this.heap.push(process.memoryUsage().heapUsed);
      socket.resume();
    });
  }
}
