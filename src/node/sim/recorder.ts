// The last packets of the simulated network, to be written as pcapng when a test has failed: one
// interface for each host, each packet as it was sent and as it arrived, with what the network did.

import { Direction, PcapngWriter } from '../../link/capture.ts';

const MOST_PACKETS = 50_000;
const MOST_OCTETS = 64 << 20;

interface Entry {
  readonly host: string;
  readonly us: number;
  readonly octets: Uint8Array;
  readonly direction: Direction;
  readonly comment: string;
}

export class Recorder {
  #entries: Entry[] = [];
  #from = 0;
  #octets = 0;

  /** Packets that are kept. */
  get count(): number {
    return this.#entries.length - this.#from;
  }

  sent(host: string, us: number, octets: Uint8Array, isLost: boolean): void {
    const comment = isLost ? 'lost in the network' : '';
    this.#keep({ host, us, octets: octets.slice(), direction: Direction.OUTBOUND, comment });
  }

  arrived(host: string, us: number, octets: Uint8Array, isTaken: boolean): void {
    const comment = isTaken ? '' : 'dropped: the receive ring is full';
    this.#keep({ host, us, octets, direction: Direction.INBOUND, comment });
  }

  #keep(entry: Entry): void {
    this.#entries.push(entry);
    this.#octets += entry.octets.length;
    while (this.count > MOST_PACKETS || this.#octets > MOST_OCTETS) {
      this.#octets -= (this.#entries[this.#from] as Entry).octets.length;
      this.#from++;
    }
    if (this.#from <= MOST_PACKETS) return;
    this.#entries = this.#entries.slice(this.#from);
    this.#from = 0;
  }

  /** The file. @param epochUs µs since 1970 at time 0 of the network's clock */
  pcapng(hosts: readonly string[], epochUs: number): Uint8Array {
    const chunks: Uint8Array[] = [];
    const writer = new PcapngWriter((chunk) => chunks.push(chunk), epochUs);
    const ids = new Map(hosts.map((host) => [host, writer.addInterface(host)]));
    for (const { host, us, octets, direction, comment } of this.#entries.slice(this.#from)) {
      writer.packet(ids.get(host) ?? 0, us, octets, direction, comment);
    }
    return Buffer.concat(chunks);
  }
}
