// The small protocol of the peers: an octet says what follows, an octet says which; a piece has its
// octets behind it.

import type { TcpHandler, TcpSocket } from '../../socket/tcp-socket.ts';

const PIECE = 3;

export function byteOf(kind: number, which: number): Uint8Array {
  return Uint8Array.of(kind, which);
}

/** Cuts a stream into messages. `got` is called when the whole of one has arrived. */
export class Messages implements TcpHandler {
  onOpened: ((s: TcpSocket) => void) | null = null;
  readonly #got: (s: TcpSocket, kind: number, which: number) => void;
  readonly #pieceOctets: number;
  #kind = -1;
  #which = -1;
  /** Octets of a piece that are still to come. */
  #left = 0;

  constructor(got: (s: TcpSocket, kind: number, which: number) => void, pieceOctets = 0) {
    this.#got = got;
    this.#pieceOctets = pieceOctets;
  }

  opened(s: TcpSocket): void {
    this.onOpened?.(s);
  }

  data(s: TcpSocket, u8: Uint8Array, off: number, len: number): void {
    const end = off + len;
    for (let at = off; at < end; ) {
      if (this.#left > 0) {
        const n = Math.min(this.#left, end - at);
        this.#left -= n;
        at += n;
        if (this.#left > 0) continue;
      } else if (this.#kind < 0) {
        this.#kind = u8[at++] as number;
        continue;
      } else {
        this.#which = u8[at++] as number;
        if (this.#kind === PIECE) {
          this.#left = this.#pieceOctets;
          continue;
        }
      }
      const kind = this.#kind;
      this.#kind = -1;
      this.#got(s, kind, this.#which);
    }
  }

  ended(s: TcpSocket): void {
    s.close();
  }
  writable(): void {}
  written(): void {}
  closed(): void {}
}
