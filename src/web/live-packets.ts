// The packets of a running host: the beginning of each, captured over the control socket as pcapng
// while somebody looks at the list.

import type { Socket } from 'node:net';
import { PacketReader } from '../inspect/packet-line.ts';
import { PcapngReader, type ReadPacket } from '../inspect/pcapng-read.ts';
import type { ControlClient } from '../node/control-client.ts';
import type { PacketRow } from './frames.ts';
import { Kept } from './history.ts';

const MOST_PACKETS = 20_000;
const SNAP = 200;
/** Of `ReadPacket.direction`: what the writer does not say has come in. */
const WENT = 2;
const LOOPBACK = 'lo';

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
    const pcapng = new PcapngReader();
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const { packet } of pcapng.push(chunk)) if (packet !== null) this.#take(packet);
      } catch (reason) {
        this.#fail(reason as Error);
      }
    });
    socket.resume();
  }

  #take(packet: ReadPacket): void {
    const { atUs, octets, length: len, comment } = packet;
    const us = atUs - this.#epochUs;
    const inbound = packet.direction !== WENT;
    const dir = inbound ? 'in' : 'out';
    const back = inbound && packet.interface.name === LOOPBACK;
    const line = (back ? this.#back : this.#reader).read(octets);
    const n = ++this.#last;
    this.#octets.set(n, octets);
    this.#octets.delete(n - MOST_PACKETS);
    const verdict = /^DROP (\w+)/m.exec(comment)?.[1] ?? '';
    this.rows.push({ n, us, host: this.#host, dir, ...line, len, verdict });
  }
}
