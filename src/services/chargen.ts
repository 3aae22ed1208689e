// Chargen, RFC 864: TCP port 19 sends the rotating pattern of printable characters until the client
// goes away. There is no UDP service: it would multiply forged datagrams for anybody.

import type { TcpHandler, TcpSocket } from '../socket/tcp-socket.ts';
import type { Stack } from '../stack/stack.ts';
import type { Service } from './service.ts';
import { refill, SOURCE_QUEUE } from './source.ts';

export const CHARGEN_PORT = 19;

const FIRST = 0x20;
const PRINTABLE = 95;
const COLUMNS = 72;
const LINE = COLUMNS + 2;

/** One period: 95 lines of 72 characters, each starting one character later, with CR LF. */
export const CHARGEN_PERIOD = PRINTABLE * LINE;

/** Whole periods, so that block after block continues the pattern. */
export function chargenBlock(periods: number): Uint8Array {
  const block = new Uint8Array(CHARGEN_PERIOD * periods);
  let at = 0;
  for (let line = 0; line < PRINTABLE * periods; line++) {
    for (let i = 0; i < COLUMNS; i++) block[at++] = FIRST + ((line + i) % PRINTABLE);
    block[at++] = 0x0d;
    block[at++] = 0x0a;
  }
  return block;
}

/** Above 64 KB, so that most super-segments are gathered from one piece. */
const PERIODS = 32;

class Chargen implements TcpHandler {
  readonly open = new Set<TcpSocket>();
  /** The client has closed its side: nothing new is written. */
  readonly ending = new Set<TcpSocket>();
  readonly #block = chargenBlock(PERIODS);

  opened(_s: TcpSocket): void {}

  start(s: TcpSocket): void {
    this.open.add(s);
    refill(s, this.#block, SOURCE_QUEUE);
  }

  /** RFC 864: what the client sends is thrown away. */
  data(_s: TcpSocket, _u8: Uint8Array, _off: number, _len: number): void {}

  /** The client has ended: so does the source, after what is queued. */
  ended(s: TcpSocket): void {
    this.open.delete(s);
    this.ending.add(s);
    s.close();
  }

  writable(s: TcpSocket): void {
    this.written(s, 0);
  }

  written(s: TcpSocket, _n: number): void {
    if (this.open.has(s)) refill(s, this.#block, SOURCE_QUEUE);
  }

  closed(s: TcpSocket, _code: number): void {
    this.open.delete(s);
    this.ending.delete(s);
  }
}

export function startChargen(stack: Stack): Service {
  const handler = new Chargen();
  const server = stack.listen({
    port: CHARGEN_PORT,
    handler: {
      accept(_server, s): TcpHandler {
        handler.start(s);
        return handler;
      },
    },
  });
  return {
    name: 'chargen',
    listens: [{ protocol: 'tcp', port: CHARGEN_PORT }],
    close(): void {
      server.close();
      for (const s of [...handler.open, ...handler.ending]) s.abort();
    },
  };
}
