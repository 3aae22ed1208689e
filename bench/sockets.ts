// `npm run bench -- sockets [N]`: what an idle connection holds that a server of net.Sockets has
// accepted. Its peers are the core's handles on the same host, whose part is measured first, with a
// server of handles, and taken off. The figures are V8's and its buffers' after a collection; the
// resident set has the garbage of the handshakes in it as well.

import { parseArgs } from 'node:util';
import { createLocalHost, type Host, type TcpSocket } from '../src/index.ts';
import { circumstances, save } from './report.ts';

declare const gc: (() => void) | undefined;

const PORT = 80;
const ADDRESS = '127.0.0.1';
const BATCH = 64;
/** Opened before anything is counted: V8 has compiled and tables have grown. */
const WARM = 1024;

interface Held {
  readonly heap: number;
  readonly resident: number;
}

const nothing = (): void => {};
const quiet = {
  ...{ opened: nothing, data: nothing, ended: nothing },
  ...{ writable: nothing, written: nothing, closed: nothing },
};

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function held(): Promise<Held> {
  if (typeof gc !== 'function') throw new Error('sockets needs --expose-gc');
  for (let i = 0; i < 4; i++) {
    gc();
    await turn();
  }
  const { heapUsed, external, rss } = process.memoryUsage(); // external has the ArrayBuffers in it
  return { heap: heapUsed + external, resident: rss };
}

/** Listens; everything accepted goes into `kept`. */
async function listen(host: Host, via: 'core' | 'net', kept: object[]): Promise<void> {
  const backlog = 4 * BATCH;
  if (via === 'core') {
    const accept = (_server: unknown, s: TcpSocket): typeof quiet => {
      kept.push(s);
      return quiet;
    };
    host.stack.listen({ port: PORT, address: ADDRESS, backlog, handler: { accept } });
    return;
  }
  const server = host.net.createServer((socket) => {
    kept.push(socket);
    socket.on('data', nothing);
  });
  await new Promise<void>((resolve) => server.listen(PORT, ADDRESS, backlog, resolve));
}

/** Octets of one connection, both ends of it, and what must stay alive meanwhile. */
async function idle(via: 'core' | 'net', n: number): Promise<Held> {
  const host = createLocalHost();
  const kept: object[] = [];
  await listen(host, via, kept);
  const open = async (count: number): Promise<void> => {
    const wanted = kept.length + 2 * count;
    for (let i = 0; i < count; i++) {
      kept.push(host.stack.connect({ address: ADDRESS, port: PORT, handler: quiet }));
      if (i % BATCH === BATCH - 1) await turn();
    }
    while (kept.length < wanted) await turn();
    // Their last acknowledgments and delayed ones are through.
    await new Promise((resolve) => setTimeout(resolve, 300));
  };
  await open(WARM);
  const before = await held();
  await open(n);
  const after = await held();
  const each = {
    heap: Math.round((after.heap - before.heap) / n),
    resident: Math.round((after.resident - before.resident) / n),
  };
  if (kept.length !== 2 * (n + WARM)) throw new Error('a connection was lost');
  await host.close({ deadlineMs: 0 });
  return each;
}

/** Runs with the words behind `sockets`. */
export async function sockets(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      save: { type: 'boolean', default: false },
      out: { type: 'string', default: '' },
    },
  });
  const n = Number(positionals[0] ?? 8192);
  const where = circumstances();
  const core = await idle('core', n);
  const net = await idle('net', n);
  const peer = Math.round(core.heap / 2);
  const result = { connections: n, core, net, handleOctets: peer, socketOctets: net.heap - peer };
  console.log(`${n} idle connections, both ends on one host, octets each`);
  console.log(`  handle and handle:     ${core.heap} held, ${core.resident} resident`);
  console.log(`  handle and net.Socket: ${net.heap} held, ${net.resident} resident`);
  console.log(`a handle holds ${peer}, a net.Socket with its handle ${result.socketOctets}`);
  if (values.save || values.out !== '') {
    console.log(`written to ${save('sockets', values.out, { ...where, ...result })}`);
  }
}
