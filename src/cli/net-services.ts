// Echo, discard and chargen on modules of node:net's and node:dgram's shape: a host's own, or
// Node's. What a program of a user's costs, where services/ shows what the core's handles cost.

import type * as dgram from 'node:dgram';
import type * as net from 'node:net';
import { CHARGEN_PORT, chargenBlock } from '../services/chargen.ts';
import { DISCARD_PORT } from '../services/discard.ts';
import { ECHO_PORT } from '../services/echo.ts';
import { type Listening, mayAnswer, type Service } from '../services/service.ts';

/** As much of node:net and node:dgram as these services use. */
export interface Modules {
  readonly net: {
    createServer(options: net.ServerOpts, listener: (socket: net.Socket) => void): net.Server;
  };
  readonly dgram: { createSocket(options: dgram.SocketOptions): dgram.Socket };
}

/** Above 64 KB, so that the copies into the send buffer are few. */
const PERIODS = 16;
const BACKLOG = 4096;

/** A server with the sockets that are to be ended with it. */
async function listening(
  modules: Modules,
  port: number,
  serve: (socket: net.Socket) => void,
): Promise<() => void> {
  const open = new Set<net.Socket>();
  const server = modules.net.createServer({ noDelay: true }, (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    // A client that goes away without a word is nobody's error here.
    socket.on('error', () => {});
    serve(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, backlog: BACKLOG }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  return () => {
    server.close();
    for (const socket of open) socket.destroy();
  };
}

async function bound(
  modules: Modules,
  port: number,
  heard: (socket: dgram.Socket, data: Buffer, from: dgram.RemoteInfo) => void,
): Promise<() => void> {
  const socket = modules.dgram.createSocket({ type: 'udp6' });
  socket.on('message', (data, from) => heard(socket, data, from));
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, () => {
      socket.removeListener('error', reject);
      socket.on('error', () => {});
      resolve();
    });
  });
  return () => socket.close();
}

function service(name: string, listens: readonly Listening[], ends: (() => void)[]): Service {
  return {
    name,
    listens,
    close(): void {
      for (const end of ends) end();
    },
  };
}

function both(port: number): Listening[] {
  return [
    { protocol: 'tcp', port },
    { protocol: 'udp', port },
  ];
}

/** @param ownPorts source ports that get no UDP answer besides those below 1024 */
export async function startNetEcho(
  modules: Modules,
  ownPorts: ReadonlySet<number>,
): Promise<Service> {
  const tcp = await listening(modules, ECHO_PORT, (socket) => {
    socket.on('data', (data) => {
      if (socket.write(data)) return;
      socket.pause();
      socket.once('drain', () => socket.resume());
    });
  });
  const udp = await bound(modules, ECHO_PORT, (socket, data, from) => {
    if (mayAnswer(from.port, ownPorts)) socket.send(data, from.port, from.address);
  });
  return service('echo', both(ECHO_PORT), [tcp, udp]);
}

export async function startNetDiscard(modules: Modules): Promise<Service> {
  const tcp = await listening(modules, DISCARD_PORT, (socket) => {
    // With a listener chunks go past the stream's queue; `resume` alone takes them through it.
    socket.on('data', () => {});
  });
  const udp = await bound(modules, DISCARD_PORT, () => {});
  return service('discard', both(DISCARD_PORT), [tcp, udp]);
}

export async function startNetChargen(modules: Modules): Promise<Service> {
  const block = Buffer.from(chargenBlock(PERIODS));
  const tcp = await listening(modules, CHARGEN_PORT, (socket) => {
    const pump = (): void => {
      while (!socket.destroyed && socket.writable && socket.write(block));
    };
    socket.on('drain', pump);
    socket.resume();
    pump();
  });
  return service('chargen', [{ protocol: 'tcp', port: CHARGEN_PORT }], [tcp]);
}
