// The data streams of one iperf3 test over UDP: datagrams with a time and a number in front.

import type { UdpHandler, UdpMeta, UdpSocket } from '../socket/udp-socket.ts';
import { type Params, type StreamResult, udpHeader } from './iperf3-protocol.ts';
import { allowance, type Stream } from './iperf3-streams.ts';
import type { Timers } from './service.ts';

/** Counts datagrams, losses and jitter (RFC 1889 §6.3.1) by iperf3's rules. */
export class UdpReader implements Stream, UdpHandler {
  readonly id: number;
  readonly sends = false;
  readonly peer: string;
  readonly #socket: UdpSocket;
  readonly #params: Params;
  readonly #timers: Timers;
  #running = false;
  #octets = 0;
  #packets = 0;
  #lost = 0;
  #omittedPackets = 0;
  #omittedLost = 0;
  #jitterUs = 0;
  #transitUs = NaN;

  constructor(id: number, socket: UdpSocket, peer: string, params: Params, timers: Timers) {
    this.id = id;
    this.#socket = socket;
    this.peer = peer;
    this.#params = params;
    this.#timers = timers;
  }

  start(): void {
    this.#running = true;
  }

  restart(): void {
    this.#octets = 0;
    this.#omittedPackets = this.#packets;
    this.#omittedLost = this.#lost;
    this.#jitterUs = 0;
  }

  stop(): void {
    this.#running = false;
  }

  close(): void {
    this.#socket.close();
  }

  abort(): void {
    this.close();
  }

  octets(): number {
    return this.#octets;
  }

  result(seconds: number): StreamResult {
    return {
      id: this.id,
      bytes: this.#octets,
      retransmits: 0,
      jitter: this.#jitterUs / 1e6,
      errors: this.#lost,
      omitted_errors: this.#omittedLost,
      packets: this.#packets,
      omitted_packets: this.#omittedPackets,
      start_time: 0,
      end_time: seconds,
    };
  }

  datagram(_s: UdpSocket, u8: Uint8Array, off: number, len: number, _from: UdpMeta): void {
    if (!this.#running || len < udpHeader(this.#params.counters64)) return;
    this.#octets += len;
    const sentUs = be32(u8, off) * 1e6 + be32(u8, off + 4);
    let n = be32(u8, off + 8);
    if (this.#params.counters64) n = n * 2 ** 32 + be32(u8, off + 12);
    if (n > this.#packets) {
      // A gap counts as lost until the missing ones come late.
      this.#lost += n - 1 - this.#packets;
      this.#packets = n;
    } else if (this.#lost > 0) this.#lost--;
    // The two clocks need not agree: only the change of the transit time counts.
    const transit = this.#timers.nowUs() - sentUs;
    if (!Number.isNaN(this.#transitUs)) {
      this.#jitterUs += (Math.abs(transit - this.#transitUs) - this.#jitterUs) / 16;
    }
    this.#transitUs = transit;
  }

  error(_s: UdpSocket, _code: number): void {}
  writable(_s: UdpSocket): void {}
}

/** Datagrams from tick to tick: a late clock must not fill the queue of the peer at once. */
const MOST_A_TICK = 256;
const LEAST_A_TICK = 32;

export class UdpWriter implements Stream, UdpHandler {
  readonly id: number;
  readonly sends = true;
  readonly peer: string;
  readonly #socket: UdpSocket;
  readonly #params: Params;
  readonly #timers: Timers;
  readonly #datagram: Uint8Array;
  readonly #most: number;
  #running = false;
  #cancel: (() => void) | null = null;
  #startUs = 0;
  #octets = 0;
  #given = 0;
  #packets = 0;
  #omittedPackets = 0;

  constructor(id: number, socket: UdpSocket, peer: string, params: Params, timers: Timers) {
    this.id = id;
    this.#socket = socket;
    this.peer = peer;
    this.#params = params;
    this.#timers = timers;
    this.#datagram = new Uint8Array(params.block);
    // twice what the rate needs from tick to tick: room to catch up, no burst
    const needed = allowance(params.bitrate, 2 * params.pacingUs) / params.block;
    const paced = Math.min(MOST_A_TICK, Math.max(LEAST_A_TICK, Math.ceil(needed)));
    this.#most = params.bitrate > 0 ? paced : MOST_A_TICK;
  }

  start(): void {
    this.#running = true;
    this.#startUs = this.#timers.nowUs();
    this.#pump();
  }

  restart(): void {
    this.#octets = 0;
    this.#omittedPackets = this.#packets;
  }

  stop(): void {
    this.#running = false;
    this.#cancel?.();
    this.#cancel = null;
  }

  close(): void {
    this.#socket.close();
  }

  abort(): void {
    this.close();
  }

  octets(): number {
    return this.#octets;
  }

  result(seconds: number): StreamResult {
    return {
      id: this.id,
      bytes: this.#octets,
      retransmits: 0,
      jitter: 0,
      errors: 0,
      omitted_errors: 0,
      packets: this.#packets,
      omitted_packets: this.#omittedPackets,
      start_time: 0,
      end_time: seconds,
    };
  }

  /** A client's hello may come twice; nothing else does on a stream that we send. */
  datagram(_s: UdpSocket, _u8: Uint8Array, _off: number, _len: number, _from: UdpMeta): void {}
  error(_s: UdpSocket, _code: number): void {}
  writable(_s: UdpSocket): void {}

  #pump(): void {
    if (!this.#running) return;
    const now = this.#timers.nowUs();
    const paced = this.#params.bitrate > 0;
    const due = paced ? allowance(this.#params.bitrate, now - this.#startUs) : Infinity;
    const { limit } = this.#params;
    for (let i = 0; i < this.#most && this.#given <= due; i++) {
      if (limit > 0 && this.#octets >= limit) break;
      if (!this.#sendOne(now)) break;
    }
    // After a stall the lost time is not made up for at once.
    if (paced && due - this.#given > this.#most * this.#datagram.length) {
      this.#given = due;
    }
    this.#cancel = this.#timers.after(paced ? this.#params.pacingUs : 0, () => this.#pump());
  }

  #sendOne(now: number): boolean {
    const d = this.#datagram;
    const n = this.#packets + 1;
    const seconds = Math.floor(now / 1e6);
    put32(d, 0, seconds);
    put32(d, 4, Math.floor(now - seconds * 1e6));
    if (this.#params.counters64) {
      put32(d, 8, Math.floor(n / 2 ** 32));
      put32(d, 12, n);
    } else put32(d, 8, n);
    if (this.#socket.send(d, 0, d.length) < 0) return false;
    this.#packets = n;
    this.#octets += d.length;
    this.#given += d.length;
    return true;
  }
}

function be32(u8: Uint8Array, at: number): number {
  const high = ((u8[at] as number) << 8) | (u8[at + 1] as number);
  const low = ((u8[at + 2] as number) << 8) | (u8[at + 3] as number);
  return high * 65536 + low;
}

function put32(u8: Uint8Array, at: number, value: number): void {
  u8[at] = value / 0x1000000;
  u8[at + 1] = value / 0x10000;
  u8[at + 2] = value / 0x100;
  u8[at + 3] = value;
}
