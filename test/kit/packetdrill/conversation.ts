// One connection as a script sees it: ports, where both number spaces begin, how the script calls
// the stack's timestamps and cookies.

import type { PdOption } from './packet-notation.ts';

export class Conversation {
  readonly remotePort: number;
  localPort: number;
  /** The stack's numbers in the script are relative to this; known from its first SYN. */
  iss: number | null = null;
  /** A new SYN has come in: the SYN-ACK may begin new numbers. */
  mayBeginAnew = false;
  /** Added to the script's own numbers on the wire. */
  isn = 0;
  /** The number that the script gave its SYN: its later numbers are relative to it. */
  synSeq = 0;
  /** A segment without SYN has passed: a SYN does not begin the numbers any more. */
  settled = false;
  readonly #stamps = new Map<number, number>();
  #first: { readonly script: number; readonly live: number } | null = null;
  readonly #cookies = new Map<string, readonly number[]>();

  constructor(localPort: number, remotePort: number) {
    this.localPort = localPort;
    this.remotePort = remotePort;
  }

  /** The stack's own sequence numbers between script and wire. */
  toWire(n: number): number {
    return (n + (this.iss ?? 0)) | 0;
  }
  fromWire(n: number): number {
    return (n - (this.iss ?? 0)) >>> 0;
  }

  /** The script's own sequence numbers between script and wire; a handshake's are as written. */
  ownToWire(n: number, plain: boolean): number {
    return (n + this.isn + (plain ? 0 : this.synSeq)) | 0;
  }
  ownFromWire(n: number, plain: boolean): number {
    return (n - this.isn - (plain ? 0 : this.synSeq)) >>> 0;
  }

  /** A TSval has come out that the script calls `script`; answers how far from linear, ticks. */
  stamp(script: number, live: number): number {
    this.#first ??= { script, live };
    this.#stamps.set(script, live);
    return (live - this.#first.live - (script - this.#first.script)) | 0;
  }

  /** The octets on the wire of a TSecr of the script. */
  echo(script: number): number {
    const known = this.#stamps.get(script);
    if (known !== undefined) return known;
    return this.#first === null ? script : (this.#first.live + script - this.#first.script) >>> 0;
  }

  /** A cookie has come out where the script has `script`. */
  learnCookie(script: readonly number[], live: readonly number[]): void {
    this.#cookies.set(script.join(), live);
  }
  cookie(o: PdOption): readonly number[] {
    return this.#cookies.get(o.octets.join()) ?? o.octets;
  }
}
