// One device, several queues, a stack and a thread each: 1,000 connections of the kernel's over two
// threads, flows that the kernel takes to the other queue, a worker's end.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { buildSync } from 'esbuild';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { QueueStats } from '../../src/index.ts';
import { Lab, ROOT, sleep } from './netns.ts';

const PROGRAM = join(ROOT, 'build/system', `queues-${process.pid}.mjs`);
let lab: Lab;
beforeAll(() => {
  buildSync({
    entryPoints: [join(ROOT, 'test/system/queues-app.ts')],
    outfile: PROGRAM,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  });
  lab = new Lab();
});
afterAll(() => {
  rmSync(PROGRAM, { force: true });
  lab?.close();
});

interface Told {
  readonly seen: string[];
  readonly queues: QueueStats;
}

class Threads {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  err = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.on('data', (text) => {
      this.err += text;
    });
    this.#lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[
      Symbol.asyncIterator
    ]();
  }

  static async start(queues: number, spawned: number): Promise<Threads> {
    const env = { TEST_NETNS: lab.name, TEST_QUEUES: `${queues}` };
    const threads = new Threads(lab.spawnOutside([process.execPath, PROGRAM], env));
    expect(await threads.#answer(), threads.err).toBe('ready');
    for (let i = 0; i < spawned; i++) expect(await threads.ask('spawn')).toBe(i);
    return threads;
  }

  async ask<T>(line: string): Promise<T> {
    this.#child.stdin?.write(`${line}\n`);
    return (await this.#answer()) as T;
  }

  async end(): Promise<number | null> {
    const over = once(this.#child, 'close');
    this.#child.stdin?.end();
    await over;
    return this.#child.exitCode;
  }

  async #answer(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`the program has ended: ${this.err}`);
    return JSON.parse(value);
  }
}

let threads: Threads;
afterEach(async () => {
  expect([await threads.end(), threads.err]).toEqual([0, '']);
});

/** Kernel connections, `wide` at once: each sends `size` octets of its own and wants them back. */
function clients(count: number, size: number): string[] {
  const code = `
    import net from 'node:net';
    let left = ${count}, right = 0, next = 0;
    const failed = [];
    const start = () => {
      if (next === ${count}) return;
      const i = next++;
      const sent = Buffer.alloc(${size});
      for (let k = 0; k < sent.length; k++) sent[k] = (k * 31 + i * 7 + (k >> 8)) & 255;
      const parts = [];
      const s = net.connect(7000, '10.77.0.2', () => s.end(sent));
      s.on('data', (d) => parts.push(d)).on('error', (e) => failed.push(e.code));
      s.on('close', () => {
        if (Buffer.concat(parts).equals(sent)) right++;
        if (--left === 0) console.log(JSON.stringify({ right, failed }));
        start();
      });
    };
    for (let i = 0; i < 50; i++) start();`;
  return [process.execPath, '--input-type=module', '-e', code];
}

describe('a device with two queues', () => {
  it('carries 1,000 connections over two threads, every octet right, each on one', async () => {
    threads = await Threads.start(2, 1);
    const run = await lab.run(clients(1000, 20_000));
    expect(JSON.parse(run.out)).toEqual({ right: 1000, failed: [] });
    const main = await threads.ask<Told>('main seen');
    const worker = await threads.ask<Told>('0 seen');
    // The kernel's client closes first: its port rests in TIME-WAIT, so each comes once.
    expect(main.seen.length + worker.seen.length).toBe(1000);
    expect(new Set([...main.seen, ...worker.seen]).size).toBe(1000);
    // The kernel's hash spreads them: fewer than 350 on either side is one chance in 10^20.
    expect(Math.min(main.seen.length, worker.seen.length)).toBeGreaterThan(350);
    expect([main.queues.alive, worker.queues.alive]).toEqual([
      [0, 1],
      [0, 1],
    ]);
    expect(main.queues.dropped + worker.queues.dropped).toBe(0);
  });

  it('keeps flows that were silent so long that the kernel forgot their queue', async () => {
    threads = await Threads.start(2, 1);
    const server = lab.spawn([
      process.execPath,
      '-e',
      `const open = [];
       require('net').createServer((s) => { open.push(s); s.on('error', () => {}); })
         .listen(9000, '10.77.0.1', () => console.log('up'));
       process.stdin.on('data', () => { for (const s of open) s.write('x'.repeat(1000)); });`,
    ]);
    await once(server.stdout as NodeJS.ReadableStream, 'data');
    expect(await threads.ask('main open 20 9000')).toBe(20);
    expect(await threads.ask('0 open 20 9000')).toBe(20);
    // tun(4) forgets a flow that its owner has not sent for in three seconds.
    await sleep(3500);
    server.stdin?.write('go\n');
    let states: { read: number; gone: number }[] = [];
    for (let i = 0; i < 200 && states.reduce((n, s) => n + s.read, 0) < 40_000; i++) {
      await sleep(20);
      states = [await threads.ask('main state'), await threads.ask('0 state')];
    }
    expect(states).toEqual([
      { read: 20_000, gone: 0 },
      { read: 20_000, gone: 0 },
    ]);
    // Of 40 flows by hash some went to the wrong queue: all of them right is one chance in 10^12.
    const main = await threads.ask<Told>('main seen');
    const worker = await threads.ask<Told>('0 seen');
    expect(main.queues.passed + worker.queues.passed).toBeGreaterThan(0);
    expect(main.queues.taken + worker.queues.taken).toBe(main.queues.passed + worker.queues.passed);
  });

  it('finds the one thread that listens, and refuses a port where none does', async () => {
    threads = await Threads.start(2, 1);
    await threads.ask('0 only 7100');
    const code = `
      const net = require('net');
      const one = (port) => new Promise((resolve) => {
        let text = '';
        net.connect(port, '10.77.0.2').on('data', (d) => { text += d; })
          .on('error', (e) => resolve(e.code)).on('close', () => resolve(text));
      });
      (async () => {
        const answers = [];
        for (let i = 0; i < 30; i++) answers.push(await one(7100), await one(7101));
        console.log(JSON.stringify(answers));
      })();`;
    const run = await lab.run([process.execPath, '-e', code]);
    expect(JSON.parse(run.out)).toEqual(Array(30).fill(['only', 'ECONNREFUSED']).flat());
  });

  it('answers datagrams of 200 peers, fragmented ones too', async () => {
    threads = await Threads.start(2, 1);
    const code = `
      const dgram = require('dgram');
      let right = 0, left = 200;
      for (let i = 0; i < 200; i++) {
        const sent = Buffer.alloc(i % 2 === 0 ? 100 : 4000, i);
        const s = dgram.createSocket('udp4');
        const again = setInterval(() => s.send(sent, 7000, '10.77.0.2'), 500);
        s.send(sent, 7000, '10.77.0.2');
        s.once('message', (m) => {
          clearInterval(again);
          if (m.equals(sent)) right++;
          s.close();
          if (--left === 0) console.log(right);
        });
      }`;
    const run = await lab.run([process.execPath, '-e', code]);
    expect(run.out).toBe('200\n');
  });
});

describe('a worker that ends', () => {
  const table: [string, string][] = [
    ['by an exception', 'throw'],
    ['by terminate()', 'terminate'],
  ];
  it.each(table)('%s: its connections are reset, the others go on', async (_name, how) => {
    threads = await Threads.start(2, 1);
    // 40 connections say a word, wait, and say another one when told.
    const child = lab.spawn([
      process.execPath,
      '-e',
      `const net = require('net');
       let up = 0; const all = []; const fate = { reset: 0, echoed: 0 };
       const told = () => { if (fate.reset + fate.echoed === 40) console.log(JSON.stringify(fate)); };
       for (let i = 0; i < 40; i++) {
         let heard = 0, over = false;
         const s = net.connect(7000, '10.77.0.2', () => s.write('one'));
         const end = (how) => { if (!over) { over = true; fate[how]++; told(); } };
         s.on('data', (d) => {
           if (heard === 0 && ++up === 40) console.log('up');
           heard += d.length;
           if (heard === 6) end('echoed');
         });
         s.on('error', () => end('reset'));
         all.push(s);
       }
       process.stdin.on('data', () => all.forEach((s) => s.destroyed || s.write('two')));`,
    ]);
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[
      Symbol.asyncIterator
    ]();
    expect((await lines.next()).value).toBe('up');
    const mine = (await threads.ask<Told>('main seen')).seen.length;
    const its = (await threads.ask<Told>('0 seen')).seen.length;
    expect(mine + its).toBe(40);
    await threads.ask(`0 ${how}`);
    for (let i = 0; i < 200 && !(await threads.ask('0 ended')); i++) await sleep(20);
    child.stdin?.write('go\n');
    expect(JSON.parse((await lines.next()).value)).toEqual({ reset: its, echoed: mine });
    expect((await threads.ask<Told>('main seen')).queues.alive).toEqual([0]);
    // Its queue is free: another worker takes it, and new connections come to both.
    expect(await threads.ask('spawn')).toBe(1);
    const run = await lab.run(clients(100, 2000));
    expect(JSON.parse(run.out)).toEqual({ right: 100, failed: [] });
    expect((await threads.ask<Told>('1 seen')).seen.length).toBeGreaterThan(0);
    expect(await threads.ask('spawn')).toBe('No queue is free: every queue has a thread');
  });
});
