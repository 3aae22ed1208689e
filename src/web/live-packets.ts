// The packets of a running host: the beginning of each, captured over the control socket as pcapng
// while somebody looks at the list.

import type { Socket } from 'node:net';
import { PacketReader } from '../inspect/packet-line.ts';
import type { ControlClient } from '../node/control-client.ts';
import type { PacketRow } from './frames.ts';
import { Kept } from './history.ts';

const MOST_PACKETS = 20_000;
const SNAP = 200;
/** Type of an enhanced packet block, and codes of its options. */
const PACKET_BLOCK = 6;
const Option = { COMMENT: 1, FLAGS: 2 } as const;
const HEAD = 28;
/** Where a packet's interface stands, and the one of link 0. */
const INTERFACE = 8;
const LOOPBACK = 0;

interface Captured {
  row: PacketRow;
  octets: Uint8Array;
}

export class LivePackets {
  readonly rows = new Kept<PacketRow>(MOST_PACKETS);
  readonly #octets = new Map<number, Uint8Array>();
  readonly #host: string;
  readonly #open: () => Promise<ControlClient>;
  /** What loops back is seen twice: a reader of its own takes it for nothing new. */
  readonly #reader = new PacketReader();
  readonly #back = new PacketReader();
  /** Why there are no packets, or no more; '' when all is well. */
  trouble = '';
  #client: ControlClient | null = null;
  #starting = false;
  #turn = 0;
  #last = 0;
  #epochUs = 0;

  constructor(host: string, open: () => Promise<ControlClient>) {
    this.#host = host;
    this.#open = open;
  }

  /**
   * Captures from now on, if it does not already. What is wrong is said in `trouble`, and tried
   * again after `stop`. @param epochUs wall clock at the stack's zero
   */
  async start(epochUs: number): Promise<void> {
    if (this.#client !== null || this.#starting || this.trouble !== '') return;
    this.#starting = true;
    this.#epochUs = epochUs;
    const turn = this.#turn;
    try {
      const client = await this.#open();
      this.#client = client;
      const { socket } = await client.switchTo('capture', { snap: SNAP });
      if (turn === this.#turn) this.#read(client, socket);
      else client.close();
    } catch (reason) {
      if (turn === this.#turn) this.#fail(reason as Error);
    } finally {
      this.#starting = false;
    }
  }

  #fail(reason: Error & { code?: unknown }): void {
    this.#client?.close();
    this.#client = null;
    this.trouble = reason.code === 'ENOSYS' ? 'this host cannot capture' : reason.message;
  }

  stop(): void {
    this.#turn++;
    this.#client?.close();
    this.#client = null;
    this.trouble = '';
  }

  find(n: number): Captured | null {
    const octets = this.#octets.get(n);
    const row = this.rows.since(0).find((one) => one.n === n);
    return octets === undefined || row === undefined ? null : { row, octets };
  }

  #read(client: ControlClient, socket: Socket): void {
    socket.once('close', () => {
      if (client === this.#client) this.#fail(new Error('the capture has ended'));
    });
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let at = 0;
      while (rest.length - at >= 12) {
        const len = rest.readUInt32LE(at + 4);
        if (len < 12 || rest.length - at < len) break;
        if (rest.readUInt32LE(at) === PACKET_BLOCK) this.#take(rest.subarray(at, at + len));
        at += len;
      }
      rest = rest.subarray(at);
    });
    socket.resume();
  }

  #take(block: Buffer): void {
    const nanos = BigInt(block.readUInt32LE(12)) * 0x1_0000_0000n + BigInt(block.readUInt32LE(16));
    const us = Number(nanos / 1000n) - this.#epochUs;
    const kept = block.readUInt32LE(20);
    const len = block.readUInt32LE(24);
    const octets = Uint8Array.from(block.subarray(HEAD, HEAD + kept));
    const { comment, inbound } = optionsOf(block, HEAD + ((kept + 3) & ~3));
    const dir = inbound ? 'in' : 'out';
    const back = inbound && block.readUInt32LE(INTERFACE) === LOOPBACK;
    const line = (back ? this.#back : this.#reader).read(octets);
    const n = ++this.#last;
    this.#octets.set(n, octets);
    this.#octets.delete(n - MOST_PACKETS);
    const verdict = /^DROP (\w+)/m.exec(comment)?.[1] ?? '';
    this.rows.push({ n, us, host: this.#host, dir, ...line, len, verdict });
  }
}

function optionsOf(block: Buffer, from: number): { comment: string; inbound: boolean } {
  let comment = '';
  let inbound = true;
  for (let at = from; at + 4 <= block.length - 4; ) {
    const code = block.readUInt16LE(at);
    const len = block.readUInt16LE(at + 2);
    if (code === 0) break;
    if (code === Option.COMMENT) comment += `${block.toString('utf8', at + 4, at + 4 + len)}\n`;
    if (code === Option.FLAGS) inbound = (block.readUInt32LE(at + 4) & 3) === 1;
    at += 4 + ((len + 3) & ~3);
  }
  return { comment, inbound };
}
