// A capture of a running stack as pcapng: every link an interface, what the filter takes, drops and
// sockets as comments, and at the end how many packets there were.

import { type CaptureSink, PcapngWriter } from '../link/capture.ts';
import type { Stack } from '../stack/stack.ts';
import { linkRows } from '../stack/tables.ts';
import { parsePacketFilter } from './packet-filter.ts';
import { viewPacket } from './packet-view.ts';
import { type SeenPacket, type TapListener, tapPackets } from './tap.ts';

export interface StackCaptureOptions {
  /** In the words of packet-filter.ts. */
  readonly filter?: string | undefined;
  /** Most octets kept of a packet; 262,144 without. */
  readonly snap?: number | undefined;
  /** Ends after so many packets; 0: never. */
  readonly count?: number | undefined;
  /** Says the state of the connection with each packet. Drops are always said. */
  readonly comments?: boolean | undefined;
  /** One link only, by name. */
  readonly link?: string | undefined;
  /** µs since 1970 that belong to time 0 of the stack's clock. */
  readonly epochUs: number;
}

/** Told with a chunk; false: nobody reads, the packet is to be left out. */
export interface CaptureReader {
  readonly chunk: CaptureSink;
  room(): boolean;
  ended(): void;
}

export class StackCapture implements TapListener {
  readonly sockets: boolean;
  readonly #stack: Stack;
  readonly #reader: CaptureReader;
  readonly #writer: PcapngWriter;
  readonly #fits: (seen: SeenPacket) => boolean;
  readonly #count: number;
  readonly #link: number;
  /** Link → interface, and per interface what came and what was left out. */
  readonly #interfaces = new Map<number, number>();
  readonly #received: number[] = [];
  readonly #missed: number[] = [];
  #written = 0;
  #stop: (() => void) | null;

  /** Begins at once. Throws CaptureFilterError, and RangeError for a link that is not there. */
  constructor(stack: Stack, reader: CaptureReader, o: StackCaptureOptions) {
    const takes = parsePacketFilter(o.filter ?? '');
    const rows = linkRows(stack);
    const wanted = o.link === undefined ? null : rows.find((row) => row.device === o.link);
    if (wanted === undefined) throw new RangeError(`there is no link ${o.link}`);
    this.#link = wanted === null ? -1 : wanted.link;
    this.sockets = o.comments === true;
    this.#stack = stack;
    this.#reader = reader;
    this.#count = o.count ?? 0;
    this.#fits = (seen) => takes(viewPacket(seen.octets, seen.direction === 1, seen.reason));
    this.#writer = new PcapngWriter(reader.chunk, o.epochUs, o.snap);
    for (const row of rows)
      if (this.#link < 0 || row.link === this.#link) this.#interface(row.link);
    this.#stop = tapPackets(stack, this);
  }

  #interface(link: number): number {
    const known = this.#interfaces.get(link);
    if (known !== undefined) return known;
    const row = linkRows(this.#stack).find((one) => one.link === link);
    const about = row === undefined ? '' : `portside, mtu ${row.mtu}`;
    const i = this.#writer.addInterface(row?.device ?? `link${link}`, about);
    this.#interfaces.set(link, i);
    this.#received[i] = 0;
    this.#missed[i] = 0;
    return i;
  }

  packet(seen: SeenPacket): void {
    if (this.#stop === null || (this.#link >= 0 && seen.link !== this.#link)) return;
    const i = this.#interface(seen.link);
    this.#received[i] = (this.#received[i] as number) + 1;
    if (!this.#fits(seen)) return;
    if (!this.#reader.room()) {
      this.#missed[i] = (this.#missed[i] as number) + 1;
      return;
    }
    this.#writer.packet(i, seen.at, seen.octets, seen.direction, commentOf(seen));
    this.#written++;
    if (this.#written === this.#count) this.end();
  }

  /** Writes the counts and ends; idempotent. */
  end(): void {
    if (this.#stop === null) return;
    this.#stop();
    this.#stop = null;
    for (const i of this.#interfaces.values()) {
      const [received, missed] = [this.#received[i] as number, this.#missed[i] as number];
      this.#writer.statistics(i, this.#stack.ip.nowUs, received, missed);
    }
    this.#reader.ended();
  }
}

function commentOf(seen: SeenPacket): string {
  const parts: string[] = [];
  if (seen.reason !== '') parts.push(`DROP ${seen.reason}`);
  if (seen.gso > 0) parts.push(`${seen.direction === 1 ? 'GRO' : 'GSO'} ${seen.gso}`);
  if (seen.socket !== '') parts.push(seen.socket);
  return parts.join('; ');
}
