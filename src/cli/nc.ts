// `portside nc`: octets of a connection or datagrams through a stack, by the flags of OpenBSD's nc.

import type { Socket } from 'node:net';
import { Command } from 'commander';
import type { ControlClient, Switched } from '../node/control-client.ts';
import { frameOf, readFrames } from '../node/frames.ts';
import { parsePort } from './addresses.ts';
import { examples } from './look.ts';
import { UsageError } from './report.ts';
import {
  addressesOf,
  numberOption,
  type ThroughOptions,
  through,
  throughOptions,
} from './through.ts';

interface Options extends ThroughOptions {
  listen?: boolean;
  keep?: boolean;
  udp?: boolean;
  zero?: boolean;
  verbose?: boolean;
  wait?: string;
  shutdown?: boolean;
  port?: string;
  source?: string;
  ipv4?: boolean;
  ipv6?: boolean;
}

interface Ends {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** Longest datagram made of what comes in at once. */
const MOST_DATAGRAM = 16_384;
const MOST_PORTS = 65_535;

export function ncCommand(): Command {
  const command = new Command('nc')
    .summary("a connection's octets, or datagrams, as nc")
    .description("a connection's octets, or datagrams, through a host's stack, with nc's flags")
    .argument('[DESTINATION]', 'name or address; with -l the address to listen at')
    .argument('[PORT]', 'a port, or a range FIRST-LAST with -z')
    .option('-4, --ipv4', 'IPv4 only')
    .option('-6, --ipv6', 'IPv6 only')
    .option('-l, --listen', 'listen instead of connecting')
    .option('-k, --keep', 'with -l: go on after the first connection')
    .option('-u, --udp', 'UDP')
    .option('-z, --zero', 'only see whether somebody listens')
    .option('-v, --verbose', 'say what happens')
    .option('-w, --wait <S>', 'give up, or end, after so many seconds of silence')
    .option('-N, --shutdown', 'end the sending side at the end of the input')
    .option('-p, --port <N>', 'our port')
    .option('-s, --source <ADDR>', 'our address');
  examples(command, [
    'portside nc 10.77.0.1 8000 < request',
    'portside nc -l -p 9000 > received',
    'portside nc -zv 10.77.0.1 20-25',
    'echo hello | portside nc -u -w 1 10.77.0.1 7',
  ]);
  return throughOptions(command).action(
    (first: string | undefined, second: string | undefined, o) =>
      through(o, ['nc', 1], (client) => nc(client, first, second, o)),
  );
}

async function nc(
  client: ControlClient,
  first: string | undefined,
  second: string | undefined,
  o: Options,
): Promise<number> {
  if (o.listen === true) {
    // `-l 9000`, `-l -p 9000`, `-l 10.77.0.2 9000`
    const port = parsePort(second ?? o.port ?? first ?? '', 'PORT');
    const address = second !== undefined ? first : o.port !== undefined ? first : undefined;
    return o.udp === true ? listenUdp(client, address, port, o) : listen(client, address, port, o);
  }
  if (first === undefined || second === undefined) throw new UsageError('nc needs HOST and PORT');
  const ports = portsOf(second);
  if (ports.length > 1 && o.zero !== true) throw new UsageError('a range of ports needs -z');
  const family = o.ipv4 === o.ipv6 ? 0 : o.ipv4 === true ? 4 : 6;
  let reached = 0;
  for (const port of ports) {
    if (await talk(client, first, port, family, o)) reached++;
  }
  return reached > 0 ? 0 : 1;
}

function portsOf(text: string): number[] {
  const [low = '', high] = text.split('-');
  const from = parsePort(low, 'PORT');
  const to = high === undefined ? from : parsePort(high, 'PORT');
  if (to < from || to > MOST_PORTS) throw new UsageError(`PORT: '${text}' is no range`);
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

function talk(
  client: ControlClient,
  host: string,
  port: number,
  family: 0 | 4 | 6,
  o: Options,
): Promise<boolean> {
  return o.udp === true ? sendUdp(client, host, port, family, o) : dial(client, host, port, o);
}

function note(o: Options, text: string): void {
  if (o.verbose === true) process.stderr.write(`${text}\n`);
}

async function dial(
  client: ControlClient,
  host: string,
  port: number,
  o: Options,
): Promise<boolean> {
  const waitMs = numberOption(o.wait, '-w', [0, 1e6], 0) * 1000;
  const asked = client.open<Ends>('connect', {
    host,
    port,
    ...(o.ipv4 === o.ipv6 ? {} : { family: o.ipv4 === true ? 4 : 6 }),
    ...(o.source === undefined ? {} : { localAddress: o.source }),
    ...(o.port === undefined ? {} : { localPort: parsePort(o.port, '-p') }),
  });
  let way: Switched<Ends>;
  try {
    way = await within(asked, waitMs);
  } catch (reason) {
    const { code } = reason as { code?: string };
    const text = `connect to ${host} port ${port} (tcp) failed: ${REASONS[code ?? ''] ?? reason}`;
    // nc without -v is silent about ports that a scan finds closed
    if (o.verbose === true || o.zero !== true) process.stderr.write(`nc: ${text}\n`);
    return false;
  }
  note(o, `Connection to ${host} ${port} port [tcp/*] succeeded!`);
  if (o.zero === true) way.socket.destroy();
  else await converse(way.socket, o, waitMs);
  return true;
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ETIMEDOUT: 'Connection timed out',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  ECONNRESET: 'Connection reset by peer',
  EADDRINUSE: 'Address already in use',
  EADDRNOTAVAIL: 'Cannot assign requested address',
};

function within<T>(asked: Promise<T>, ms: number): Promise<T> {
  if (ms === 0) return asked;
  return new Promise((resolve, reject) => {
    const late = Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' });
    const timer = setTimeout(() => reject(late), ms);
    asked.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/**
 * stdin to the connection, the connection to stdout, until both have ended. On a terminal the
 * peer's end is the end; the end of the input is told to the peer with -N alone.
 */
function converse(socket: Socket, o: Options, idleMs: number): Promise<void> {
  const input = process.stdin;
  return new Promise((resolve) => {
    let open = 2;
    const over = (): void => {
      input.unpipe(socket);
      input.pause();
      socket.destroySoon();
      resolve();
    };
    const ended = (): void => {
      if (--open === 0) over();
    };
    if (idleMs > 0) socket.setTimeout(idleMs, over);
    socket.on('error', over);
    socket.on('end', () => (input.isTTY ? over() : ended()));
    socket.pipe(process.stdout, { end: false });
    process.stdout.on('error', over);
    // with -k the input may have ended in an earlier connection
    if (input.readableEnded) {
      if (o.shutdown === true) socket.end();
      ended();
      return;
    }
    input.once('end', ended);
    input.pipe(socket, { end: o.shutdown === true });
  });
}

async function listen(
  client: ControlClient,
  address: string | undefined,
  port: number,
  o: Options,
): Promise<number> {
  const at = address === undefined ? {} : { address };
  const { done, socket } = await client.open<{ address: string; port: number }>('listen', {
    ...at,
    port,
    backlog: 16,
  });
  note(o, `Listening on ${done.address} ${done.port}`);
  const waiting: (Ends & { token: number })[] = [];
  let wake: () => void = () => {};
  let text = '';
  let isOver = false;
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    text += chunk;
    const lines = text.split('\n');
    text = lines.pop() as string;
    for (const line of lines) waiting.push(JSON.parse(line));
    wake();
  });
  socket.on('end', () => {
    isOver = true;
    wake();
  });
  socket.resume();
  for (;;) {
    const next = waiting.shift();
    if (next === undefined) {
      if (isOver) return 1;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      continue;
    }
    note(o, `Connection received on ${next.remoteAddress} ${next.remotePort}`);
    if (o.keep !== true) {
      const way = await client.open<Ends>('accept', { token: next.token });
      // nobody else is served: the port is free again, as nc's
      socket.destroy();
      await converse(way.socket, o, numberOption(o.wait, '-w', [0, 1e6], 0) * 1000);
      return 0;
    }
    const way = await client.open<Ends>('accept', { token: next.token });
    await converse(way.socket, o, numberOption(o.wait, '-w', [0, 1e6], 0) * 1000);
  }
}

async function sendUdp(
  client: ControlClient,
  host: string,
  port: number,
  family: 0 | 4 | 6,
  o: Options,
): Promise<boolean> {
  const [target] = await addressesOf(client, host, family);
  if (target === undefined) throw new Error(`${host}: no address`);
  const { socket } = await client.open('udp', {
    address: o.source ?? (target.family === 6 ? '::' : '0.0.0.0'),
    ...(o.port === undefined ? {} : { port: parsePort(o.port, '-p') }),
    peer: target.address,
    peerPort: port,
  });
  if (o.zero === true) return probeUdp(socket, host, port, o);
  note(o, `Connection to ${host} ${port} port [udp/*] succeeded!`);
  return datagrams(socket, o, () => ({}));
}

/** A closed port answers with ICMP within a moment; silence means open, or nobody there. */
function probeUdp(socket: Socket, host: string, port: number, o: Options): Promise<boolean> {
  const ms = numberOption(o.wait, '-w', [0, 1e6], 1) * 1000;
  return new Promise((resolve) => {
    const end = (open: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      if (open) note(o, `Connection to ${host} ${port} port [udp/*] succeeded!`);
      resolve(open);
    };
    const timer = setTimeout(() => end(true), ms);
    readFrames(socket, ({ meta }) => end(meta.error === undefined));
    socket.write(frameOf({}, Buffer.from('X')));
  });
}

/** Datagrams both ways until the input has ended and the line was silent for -w seconds. */
function datagrams(socket: Socket, o: Options, to: () => object | null): Promise<boolean> {
  const idleMs = numberOption(o.wait, '-w', [0, 1e6], 0) * 1000;
  return new Promise((resolve) => {
    let failed = false;
    const over = (): void => {
      process.stdin.pause();
      socket.destroy();
      resolve(!failed);
    };
    if (idleMs > 0) socket.setTimeout(idleMs, over);
    readFrames(socket, ({ meta, data }) => {
      if (meta.error === undefined) process.stdout.write(data);
      else if (meta.error === 'ECONNREFUSED') {
        failed = true;
        over();
      }
    });
    socket.on('error', over).on('end', over);
    process.stdin.on('data', (chunk: Buffer) => {
      for (let at = 0; at < chunk.length; at += MOST_DATAGRAM) {
        const target = to();
        if (target === null) continue;
        const room = socket.write(frameOf(target, chunk.subarray(at, at + MOST_DATAGRAM)));
        if (!room) process.stdin.pause();
      }
    });
    socket.on('drain', () => process.stdin.resume());
    if (idleMs === 0 && o.shutdown === true) process.stdin.on('end', over);
  });
}

/** Answers whoever has sent last. */
async function listenUdp(
  client: ControlClient,
  address: string | undefined,
  port: number,
  o: Options,
): Promise<number> {
  const { done, socket } = await client.open<{ address: string; port: number }>('udp', {
    address: address ?? '::',
    port,
  });
  note(o, `Bound on ${done.address} ${done.port}`);
  let peer: object | null = null;
  readFrames(socket, ({ meta }) => {
    if (meta.error !== undefined || peer !== null) return;
    peer = { address: meta.address, port: meta.port };
    note(o, `Connection received on ${meta.address} ${meta.port}`);
  });
  return (await datagrams(socket, o, () => peer)) ? 0 : 1;
}
