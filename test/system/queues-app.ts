// A program with a host of several queues, for test/system/queues.test.ts: every thread echoes on
// port 7000 and tells which peers it has seen. It reads commands from standard input, a line each.

import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { isMainThread, parentPort, type Worker, workerData } from 'node:worker_threads';
import { attachHost, createHost, type Host } from '../../src/index.ts';

const PORT = 7000;
/** Peers of connections and of datagrams, by name. */
const seen: string[] = [];
const opened: Socket[] = [];

async function serve(host: Host): Promise<void> {
  const server = host.net.createServer((socket) => {
    seen.push(`${socket.remotePort}`);
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(PORT, resolve));
  const udp = host.dgram.createSocket('udp4');
  udp.on('message', (message, from) => udp.send(message, from.port, from.address));
  await new Promise<void>((resolve) => udp.bind(PORT, resolve));
}

/** Connections of this thread's own to a server of the kernel's. */
async function open(host: Host, count: number, port: number): Promise<number> {
  for (let i = 0; i < count; i++) {
    await new Promise<void>((resolve, reject) => {
      const socket = host.net.connect(port, '10.77.0.1', resolve);
      socket.once('error', reject);
      socket.resume();
      opened.push(socket);
    });
  }
  return count;
}

/** What became of them: octets read, and how many have ended. */
function state(): { read: number; gone: number } {
  const read = opened.reduce((sum, socket) => sum + socket.bytesRead, 0);
  return { read, gone: opened.filter((socket) => socket.destroyed).length };
}

async function obey(host: Host, line: string): Promise<unknown> {
  const [word, ...args] = line.split(' ');
  if (word === 'seen') return { seen, queues: host.queues };
  if (word === 'open') return open(host, Number(args[0]), Number(args[1]));
  if (word === 'state') return state();
  if (word === 'only') {
    const server = host.net.createServer((socket) => socket.end('only'));
    await new Promise<void>((resolve) => server.listen(Number(args[0]), resolve));
    return 'listening';
  }
  if (word === 'throw') {
    setImmediate(() => {
      throw new Error('meant');
    });
    return 'throwing';
  }
  throw new Error(`what is ${line}`);
}

async function inWorker(): Promise<void> {
  const host = await attachHost(workerData);
  await serve(host);
  parentPort?.on('message', (line: string) => {
    obey(host, line).then((answer) => parentPort?.postMessage(answer));
  });
  parentPort?.postMessage('ready');
}

const workers: (Worker | null)[] = [];

function answerOf(worker: Worker): Promise<unknown> {
  return new Promise((resolve) => worker.once('message', resolve));
}

/** Starts a worker; answers which number it has. */
async function start(host: Host): Promise<number> {
  const worker = host.spawn(new URL(import.meta.url));
  const i = workers.length;
  workers.push(worker);
  worker.on('error', () => {});
  worker.once('exit', () => {
    workers[i] = null;
  });
  await answerOf(worker);
  return i;
}

async function command(host: Host, line: string): Promise<unknown> {
  const [who, ...rest] = line.split(' ');
  if (who === 'spawn') return start(host).catch((e: Error) => e.message);
  if (who === 'main') return obey(host, rest.join(' '));
  const worker = workers[Number(who)] as Worker;
  if (rest[0] === 'terminate') return worker.terminate();
  if (rest[0] === 'ended') return workers[Number(who)] === null;
  const answer = answerOf(worker);
  worker.postMessage(rest.join(' '));
  return answer;
}

async function inMain(): Promise<void> {
  const host = await createHost({
    tun: { name: 'ps0', netns: process.env['TEST_NETNS'] as string },
    addresses: ['10.77.0.2/24'],
    queues: Number(process.env['TEST_QUEUES']),
  });
  await serve(host);
  console.log(JSON.stringify('ready'));
  const lines = createInterface({ input: process.stdin });
  for await (const line of lines) console.log(JSON.stringify((await command(host, line)) ?? null));
  for (const worker of workers) await worker?.terminate();
  await host.close();
}

if (isMainThread) await inMain();
else await inWorker();
