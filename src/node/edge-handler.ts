// What the core calls for every connection of net.Socket's: the handle's owner says which edge.

import { Code } from '../base/code.ts';
import type { TcpHandler, TcpSocket } from '../socket/tcp-socket.ts';
import type { Edge } from './edge.ts';
import { settleTicks } from './ticks.ts';

export const edgeHandler: TcpHandler = {
  opened(s: TcpSocket): void {
    const edge = s.owner as Edge | null;
    const verdict = edge?.onVerdict;
    if (!edge || !verdict) return;
    edge.onVerdict = null;
    edge.run(() => verdict(Code.NONE));
    settleTicks();
  },
  data(s: TcpSocket, u8: Uint8Array, off: number, len: number): void {
    (s.owner as Edge | null)?.deliver(u8, off, len);
    settleTicks();
  },
  ended(s: TcpSocket): void {
    (s.owner as Edge | null)?.end();
    settleTicks();
  },
  writable(s: TcpSocket): void {
    (s.owner as Edge | null)?.writable();
    settleTicks();
  },
  written(): void {},
  closed(s: TcpSocket, code: number): void {
    (s.owner as Edge | null)?.closed(code);
    settleTicks();
  },
};
