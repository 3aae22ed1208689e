// One connection of a packet script: its number spaces, what its handler has heard, its stream.

import { fill, firstWrong } from '../../src/sim/stream.ts';
import type { TcpHandler, TcpSocket } from '../../src/socket/tcp-socket.ts';

export const STREAM_KEY = 0x70617274;

/** One connection as the script sees it: where both number spaces begin, and what happened. */
export class Peer implements TcpHandler {
  readonly remotePort: number;
  localPort = 0;
  /** Outgoing numbers are relative to this; known from the first SYN that comes out. */
  iss: number | null = null;
  /** Added to the script's own numbers. */
  isn = 0;
  tsBase: number | null = null;
  socket: TcpSocket | null = null;
  wasOpened = false;
  dataExpected = 0;
  dataTotal = 0;
  wasEnded = false;
  wasWritable = false;
  wasUrgent = false;
  writesReturned = 0;
  closedCode: number | null = null;
  sentTotal = 0;

  constructor(remotePort: number) {
    this.remotePort = remotePort;
  }
  opened(s: TcpSocket): void {
    this.socket = s;
    this.wasOpened = true;
  }
  data(_s: TcpSocket, u8: Uint8Array, off: number, len: number): void {
    const wrong = firstWrong(STREAM_KEY, this.dataTotal, u8, off, len);
    if (wrong >= 0) throw new Error(`octet ${this.dataTotal + wrong} of the data is wrong`);
    this.dataTotal += len;
  }
  ended(): void {
    this.wasEnded = true;
  }
  writable(): void {
    this.wasWritable = true;
  }
  urgent(): void {
    this.wasUrgent = true;
  }
  written(_s: TcpSocket, n: number): void {
    this.writesReturned += n;
  }
  closed(_s: TcpSocket, code: number): void {
    if (this.closedCode !== null) throw new Error('closed was called twice');
    this.closedCode = code;
  }
}

export function pattern(position: number, len: number): Uint8Array {
  const octets = new Uint8Array(len);
  fill(STREAM_KEY, Math.max(0, position), octets, 0, len);
  return octets;
}
