// What one says and hears at the end of an iperf3 test from the client's side: its options, the
// parameters made of them, and the results of both ends put together.

import type { Random } from '../base/random.ts';
import type { Stack } from '../stack/stack.ts';
import type { StreamResult } from './iperf3-protocol.ts';
import * as protocol from './iperf3-protocol.ts';
import type { Timers } from './service.ts';

export interface ClientOptions {
  readonly stack: Stack;
  readonly timers: Timers;
  readonly random: Random;
  readonly cpu?: (() => { userUs: number; systemUs: number }) | undefined;
  readonly address: string;
  readonly port: number;
  readonly udp?: boolean | undefined;
  readonly streams?: number | undefined;
  readonly reverse?: boolean | undefined;
  readonly bidirectional?: boolean | undefined;
  /** bit/s a stream; 0 = as fast as it goes. Default 0, over UDP 1 Mbit/s. */
  readonly bitrate?: number | undefined;
  readonly seconds?: number | undefined;
  readonly omitSeconds?: number | undefined;
  /** Ends after so many octets of all streams instead of after a time; 0: none. */
  readonly octets?: number | undefined;
  /** Octets of one write or datagram. */
  readonly block?: number | undefined;
  /** Between two looks at the counters; 0: none. */
  readonly intervalSeconds?: number | undefined;
  readonly onInterval?: ((row: Interval) => void) | undefined;
}

/** What the streams of one direction did between two looks. */
export interface Interval {
  readonly startSeconds: number;
  readonly endSeconds: number;
  readonly streams: readonly { id: number; sends: boolean; octets: number }[];
  readonly omitted: boolean;
}

/** One stream as both ends saw it. */
export interface BothEnds {
  readonly id: number;
  /** We send. */
  readonly sends: boolean;
  readonly sent: StreamResult;
  readonly received: StreamResult;
}

export interface Outcome {
  readonly params: protocol.Params;
  readonly seconds: number;
  readonly streams: readonly BothEnds[];
  /** Per cent of one core, ours and the server's. */
  readonly cpu: { local: Cpu; remote: Cpu };
}

export interface Cpu {
  readonly total: number;
  readonly user: number;
  readonly system: number;
}

export const TROUBLES: Record<number, string> = {
  [protocol.Trouble.NUM_STREAMS]: 'too many parallel streams',
  [protocol.Trouble.BLOCK_SIZE]: 'the block is too large',
  [protocol.Trouble.RECV_PARAMS]: 'it did not understand the parameters',
  [protocol.Trouble.RECV_RESULTS]: 'it did not understand the results',
  [protocol.Trouble.STREAM_LISTEN]: 'it cannot listen for streams',
};

export function paramsOf(o: ClientOptions): Record<string, unknown> {
  const udp = o.udp === true;
  const octets = o.octets ?? 0;
  return {
    [udp ? 'udp' : 'tcp']: true,
    omit: o.omitSeconds ?? 0,
    time: octets > 0 ? 0 : (o.seconds ?? 10),
    num: octets,
    blockcount: 0,
    parallel: o.streams ?? 1,
    ...(o.reverse === true ? { reverse: true } : {}),
    ...(o.bidirectional === true ? { bidirectional: true } : {}),
    len: o.block ?? (udp ? protocol.DEFAULT_UDP_BLOCK : protocol.DEFAULT_TCP_BLOCK),
    bandwidth: o.bitrate ?? (udp ? protocol.DEFAULT_UDP_BITRATE : 0),
    pacing_timer: 1000,
    ...(udp ? { udp_counters_64bit: 1 } : {}),
    client_version: '3.12',
  };
}

export function theirStreams(results: Record<string, unknown>): Map<number, StreamResult> {
  const found = new Map<number, StreamResult>();
  const list = results['streams'];
  if (!Array.isArray(list)) return found;
  for (const entry of list.slice(0, 2 * protocol.MAX_STREAMS)) {
    const result = protocol.streamResult(entry);
    if (result !== null) found.set(result.id, result);
  }
  return found;
}

export function cpuOf(results: Record<string, unknown>): Cpu {
  const n = (key: string): number =>
    typeof results[key] === 'number' ? (results[key] as number) : 0;
  return { total: n('cpu_util_total'), user: n('cpu_util_user'), system: n('cpu_util_system') };
}
