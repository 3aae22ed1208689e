// Discard, RFC 863: TCP and UDP port 9 read everything and keep nothing.

import type { TcpHandler, TcpSocket } from '../socket/tcp-socket.ts';
import type { UdpHandler, UdpMeta, UdpSocket } from '../socket/udp-socket.ts';
import type { Stack } from '../stack/stack.ts';
import type { Service } from './service.ts';

export const DISCARD_PORT = 9;

/** One handler for all connections: nothing is remembered but who is open. */
class Discard implements TcpHandler, UdpHandler {
  readonly open = new Set<TcpSocket>();

  opened(_s: TcpSocket): void {}

  data(_s: TcpSocket, _u8: Uint8Array, _off: number, _len: number): void {}

  ended(s: TcpSocket): void {
    s.close();
  }

  written(_s: TcpSocket, _n: number): void {}

  closed(s: TcpSocket, _code: number): void {
    this.open.delete(s);
  }

  writable(_s: TcpSocket | UdpSocket): void {}

  datagram(_s: UdpSocket, _u8: Uint8Array, _off: number, _len: number, _from: UdpMeta): void {}

  error(_s: UdpSocket, _code: number): void {}
}

export function startDiscard(stack: Stack): Service {
  const handler = new Discard();
  const server = stack.listen({
    port: DISCARD_PORT,
    handler: {
      accept(_server, s): TcpHandler {
        handler.open.add(s);
        return handler;
      },
    },
  });
  const udp = stack.udp({ port: DISCARD_PORT, handler });
  return {
    name: 'discard',
    listens: [
      { protocol: 'tcp', port: DISCARD_PORT },
      { protocol: 'udp', port: DISCARD_PORT },
    ],
    close(): void {
      server.close();
      udp.close();
      for (const s of [...handler.open]) s.abort();
    },
  };
}
