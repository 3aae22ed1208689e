// The control socket's verbs that open sockets in the host for a program outside: `connect`,
// `listen` and `accept` carry a connection's octets both ways on the control connection itself,
// with its backpressure and its half-close; `udp` and `ping` carry frames (node/frames.ts).

import type { AddressInfo, Server, Socket } from 'node:net';
import { codeName } from '../base/code.ts';
import type { IcmpReport } from '../ip/icmp-report.ts';
import type { PingSocket } from '../socket/ping-socket.ts';
import type { UdpMeta, UdpSocket } from '../socket/udp-socket.ts';
import { type Address, parse } from '../wire/address.ts';
import {
  type Answers,
  type ControlGround,
  controlError,
  numberOf,
  type Request,
  Switch,
  textOf,
} from './control-verb.ts';
import { type Frame, frameOf, readFrames } from './frames.ts';
import type { LookupAddress } from './ground.ts';

const PORTS = [0, 65_535] as const;
const OCTET = [0, 255] as const;
/** Connections that wait for their `accept`; further ones are reset. */
const MOST_PENDING = 16;
/** Octets that may wait for a slow reader of frames; above it datagrams are lost. */
const MOST_UNREAD = 1 << 20;
const NO_PAYLOAD = new Uint8Array(0);

export function socketAnswers(ground: ControlGround): Answers {
  const pending = new Map<number, Socket>();
  return {
    lookup: (request) => lookup(ground, request),
    'dns-servers': () => ground.dns.getServers(),
    connect: (request, client) => connect(ground, request, client),
    listen: (request, client) => listen(ground, request, client, pending),
    accept: (request) => accept(request, pending),
    udp: (request) => udp(ground, request),
    ping: (request) => ping(ground, request),
  };
}

function addressIn(request: Readonly<Record<string, unknown>>, name: string): Address {
  const text = request[name];
  const address = typeof text === 'string' ? parse(text) : null;
  if (address === null) throw controlError('EINVAL', `${name} must be an IP address`);
  return address;
}

function lookup(ground: ControlGround, request: Request): Promise<LookupAddress[]> {
  const name = textOf(request, 'name');
  const family = numberOf(request, 'family', [0, 6], 0) as 0 | 4 | 6;
  return new Promise((resolve, reject) => {
    ground.dns.lookup(name, { all: true, family }, (error, addresses) => {
      if (error) reject(error);
      else resolve(addresses as LookupAddress[]);
    });
  });
}

function connect(ground: ControlGround, request: Request, client: Socket): Promise<Switch> {
  const { localAddress, localPort } = request;
  const socket = ground.net.connect({
    host: textOf(request, 'host'),
    port: numberOf(request, 'port', [1, 65_535]),
    family: numberOf(request, 'family', [0, 6], 0),
    ...(localAddress === undefined ? {} : { localAddress: textOf(request, 'localAddress') }),
    ...(localPort === undefined ? {} : { localPort: numberOf(request, 'localPort', PORTS) }),
    allowHalfOpen: true,
    noDelay: request.noDelay === true,
  });
  return new Promise((resolve, reject) => {
    const gone = (): void => void socket.destroy();
    client.once('close', gone);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      client.off('close', gone);
      resolve(new Switch(endsOf(socket), (raw) => join(raw, socket)));
    });
  });
}

function endsOf(socket: Socket): object {
  const { localAddress, localPort, remoteAddress, remotePort, remoteFamily } = socket;
  return {
    localAddress: plain(localAddress),
    localPort,
    remoteAddress: plain(remoteAddress),
    remotePort,
    family: remoteFamily,
  };
}

/** A dual-stack listener shows IPv4 as ::ffff:a.b.c.d. */
function plain(address = ''): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '');
}

/** Octets both ways; each end goes on to the other one, a failure takes both down. */
function join(raw: Socket, socket: Socket): void {
  raw.pipe(socket);
  socket.pipe(raw);
  raw.on('error', () => socket.destroy());
  socket.on('error', () => raw.destroy());
  raw.on('close', () => {
    if (!socket.writableEnded) socket.end();
    // nobody reads any more what may still come
    socket.resume();
    if (!socket.readableEnded) socket.destroySoon();
  });
  socket.on('close', () => {
    if (!raw.writableEnded) raw.end();
  });
}

let lastToken = 0;

async function listen(
  ground: ControlGround,
  request: Request,
  client: Socket,
  pending: Map<number, Socket>,
): Promise<Switch> {
  const server = ground.net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  // connections of this listener that nobody has taken yet
  const own = new Map<number, Socket>();
  let told: Socket | null = null;
  const close = (): void => {
    server.close();
    for (const [token, socket] of own) {
      if (pending.delete(token)) socket.destroy();
    }
  };
  client.once('close', close);
  server.on('connection', (socket: Socket) => {
    if (told === null || pending.size >= MOST_PENDING) {
      socket.resetAndDestroy();
      return;
    }
    const token = ++lastToken;
    own.set(token, socket);
    pending.set(token, socket);
    const gone = (): void => {
      own.delete(token);
      pending.delete(token);
    };
    socket.once('close', gone);
    socket.on('error', gone);
    told.write(`${JSON.stringify({ token, ...endsOf(socket) })}\n`);
  });
  await listening(server, request);
  return new Switch(server.address() as AddressInfo, (raw) => {
    told = raw;
    raw.on('error', close);
    raw.on('end', () => raw.end());
    raw.resume();
  });
}

function listening(server: Server, request: Request): Promise<void> {
  const address = request.address === undefined ? {} : { host: textOf(request, 'address') };
  const port = numberOf(request, 'port', PORTS);
  const backlog = numberOf(request, 'backlog', [1, 65_535], MOST_PENDING);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...address, port, backlog }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function accept(request: Request, pending: Map<number, Socket>): Switch {
  const token = numberOf(request, 'token', [1, Number.MAX_SAFE_INTEGER]);
  const socket = pending.get(token);
  if (socket === undefined) throw controlError('ENOENT', 'that connection is gone');
  pending.delete(token);
  return new Switch(endsOf(socket), (raw) => join(raw, socket));
}

/** Says something of the host's to a client, unless that one does not read. */
function tell(raw: Socket, meta: object, data: Uint8Array = NO_PAYLOAD): void {
  if (raw.destroyed || raw.writableLength > MOST_UNREAD) return;
  raw.write(frameOf(meta, data));
}

function reportMeta(report: IcmpReport): object {
  return {
    error: codeName(report.errno),
    family: report.family,
    type: report.type,
    code: report.code,
    from: report.from.toString(),
    ttl: report.ttl,
    to: report.to.toString(),
    port: report.port,
    mtu: report.mtu,
    seq: report.seq,
  };
}

function udp(ground: ControlGround, request: Request): Switch {
  let raw: Socket | null = null;
  const socket = ground.stack.udp({
    address: request.address === undefined ? '::' : addressIn(request, 'address'),
    port: numberOf(request, 'port', PORTS, 0),
    handler: {
      datagram(_s: UdpSocket, u8: Uint8Array, off: number, len: number, from: UdpMeta): void {
        if (raw === null) return;
        const meta = { address: from.remote().toString(), port: from.port, ttl: from.ttl };
        tell(raw, meta, u8.subarray(off, off + len));
      },
      error(_s, code): void {
        if (raw !== null) tell(raw, { error: codeName(code) });
      },
      writable(): void {
        raw?.resume();
      },
      report(_s, report): void {
        if (raw !== null) tell(raw, reportMeta(report));
      },
    },
  });
  const done = (): object => ({ address: socket.address, port: socket.port });
  try {
    if (request.broadcast === true) socket.setBroadcast(true);
    if (request.dontFragment === true) socket.setDontFragment(true);
    if (request.peer !== undefined) {
      socket.connect(addressIn(request, 'peer'), numberOf(request, 'peerPort', [1, 65_535]));
    }
  } catch (error) {
    socket.close();
    throw error;
  }
  return new Switch(done(), (client) => {
    raw = client;
    client.on('close', () => socket.close());
    client.on('error', () => {});
    client.on('end', () => client.end());
    readFrames(client, (frame) => sendFrame(client, socket, frame));
  });
}

function sendFrame(client: Socket, socket: UdpSocket, frame: Frame): void {
  const { meta, data } = frame;
  try {
    const to = meta.address === undefined ? undefined : addressIn(meta, 'address');
    const port = meta.port === undefined ? undefined : numberOf(meta, 'port', [1, 65_535]);
    const ttl = meta.ttl === undefined ? undefined : numberOf(meta, 'ttl', [1, 255]);
    const code = socket.sendWith(data, 0, data.length, { address: to, port, ttl });
    // Until there is room again the client's octets wait where they are; this one is lost, as
    // datagrams are.
    if (code === ENOBUFS) client.pause();
    if (code !== 0) tell(client, { error: codeName(code), failed: true, mtu: socket.pathMtu });
  } catch (error) {
    tell(client, { error: (error as { code?: string }).code ?? 'EINVAL', failed: true });
  }
}

const ENOBUFS = -105;

/** When requests were sent, for as long as their number means one: 65,536 of them. */
const SEQUENCES = 65_536;

function ping(ground: ControlGround, request: Request): Switch {
  let raw: Socket | null = null;
  const sentUs = new Float64Array(SEQUENCES);
  const socket = ground.stack.ping({
    family: numberOf(request, 'family', [4, 6], 4) as 4 | 6,
    handler: {
      reply(_s, reply): void {
        if (raw === null) return;
        const rttUs = Math.max(0, performance.now() * 1000 - (sentUs[reply.seq] as number));
        const { seq, ttl } = reply;
        tell(raw, { from: reply.from.toString(), seq, ttl, rttUs }, reply.data);
      },
      error(_s, report): void {
        if (raw !== null) tell(raw, reportMeta(report));
      },
    },
  });
  return new Switch({ id: socket.id }, (client) => {
    raw = client;
    client.on('close', () => socket.close());
    client.on('error', () => {});
    client.on('end', () => client.end());
    readFrames(client, ({ meta, data }) => {
      const seq = typeof meta.seq === 'number' ? meta.seq & 0xffff : 0;
      sentUs[seq] = performance.now() * 1000;
      const code = sendPing(socket, meta, data, seq);
      if (code !== '') tell(client, { error: code, failed: true, seq, mtu: socket.pathMtu });
    });
  });
}

function sendPing(socket: PingSocket, meta: Frame['meta'], data: Buffer, seq: number): string {
  try {
    const code = socket.send(addressIn(meta, 'to'), {
      seq,
      data,
      ttl: numberOf(meta, 'ttl', OCTET, 0),
      tos: numberOf(meta, 'tos', OCTET, 0),
      dontFragment: meta.dontFragment === true,
      ...(meta.source === undefined ? {} : { source: addressIn(meta, 'source') }),
    });
    return code === 0 ? '' : codeName(code);
  } catch (error) {
    return (error as { code?: string }).code ?? 'EINVAL';
  }
}
