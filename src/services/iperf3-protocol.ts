// The iperf3 control protocol as its clients (3.1 to 3.12 and later) speak it: states of one signed
// octet, JSON behind a 32-bit length, a cookie of 37 octets. There is no RFC; docs and a capture of
// iperf3 3.12 are the source. Pure functions and data; the server is in iperf3.ts.

/** States on the control connection, one signed octet each. */
export const State = {
  TEST_START: 1,
  TEST_RUNNING: 2,
  TEST_END: 4,
  PARAM_EXCHANGE: 9,
  CREATE_STREAMS: 10,
  SERVER_TERMINATE: 11,
  CLIENT_TERMINATE: 12,
  EXCHANGE_RESULTS: 13,
  DISPLAY_RESULTS: 14,
  IPERF_DONE: 16,
  ACCESS_DENIED: -1,
  SERVER_ERROR: -2,
} as const;

/** What a SERVER_ERROR names: iperf3's own numbers. */
export const Trouble = {
  NUM_STREAMS: 6,
  BLOCK_SIZE: 7,
  NO_SCTP: 18,
  RECV_PARAMS: 114,
  RECV_RESULTS: 117,
  STREAM_LISTEN: 204,
} as const;

/** 36 characters and a NUL. */
export const COOKIE_OCTETS = 37;
/** iperf3's own cap on the parameters. */
export const MAX_PARAMS = 8 * 1024;
/** Results of 128 streams with texts stay far below. */
export const MAX_RESULTS = 256 * 1024;
export const MAX_STREAMS = 128;
const MAX_TCP_BLOCK = 1024 * 1024;
const MAX_UDP_BLOCK = 65507;
export const DEFAULT_TCP_BLOCK = 128 * 1024;
export const DEFAULT_UDP_BLOCK = 1460;
export const DEFAULT_UDP_BITRATE = 1024 * 1024;
/** Seconds: iperf3 refuses more itself. */
const MAX_SECONDS = 86_400;

/** A UDP stream's first datagram and its answer, as they lie on the wire. */
export const UDP_HELLO_OCTETS = 4;
export const UDP_HELLO_REPLY = [0x36, 0x37, 0x38, 0x39] as const;

export interface Params {
  readonly udp: boolean;
  readonly streams: number;
  /** The server sends. */
  readonly reverse: boolean;
  /** Both send; the first half of the streams is ours to read. */
  readonly bidirectional: boolean;
  /** Octets of one write or datagram. */
  readonly block: number;
  /** bit/s a stream; 0 = as fast as it goes. */
  readonly bitrate: number;
  readonly omitUs: number;
  /** 0: the test ends by octets or blocks, the client says when. */
  readonly timeUs: number;
  readonly noDelay: boolean;
  readonly counters64: boolean;
  readonly wantsOutput: boolean;
  readonly tos: number;
  /** Octets after which a sending stream stops; 0: none. The client's own wish. */
  readonly limit: number;
  /** Between two looks of a paced sender. */
  readonly pacingUs: number;
}

function count(value: unknown, fallback: number, most: number): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) return fallback;
  return Math.min(Math.floor(value), most);
}

function flag(value: unknown): boolean {
  return value === true || value === 1;
}

/** The parameters in `text`, or the Trouble that refuses them. */
export function parseParams(text: string): Params | number {
  const raw = parseObject(text);
  if (raw === null) return Trouble.RECV_PARAMS;
  if (flag(raw['sctp'])) return Trouble.NO_SCTP;
  const udp = flag(raw['udp']);
  const streams = count(raw['parallel'], 1, Number.MAX_SAFE_INTEGER);
  if (streams < 1 || streams > MAX_STREAMS) return Trouble.NUM_STREAMS;
  const counters64 = flag(raw['udp_counters_64bit']);
  const block = count(raw['len'], 0, Number.MAX_SAFE_INTEGER);
  const most = udp ? MAX_UDP_BLOCK : MAX_TCP_BLOCK;
  if (block > most || (udp && block > 0 && block < udpHeader(counters64))) {
    return Trouble.BLOCK_SIZE;
  }
  const ownBlock = udp ? DEFAULT_UDP_BLOCK : DEFAULT_TCP_BLOCK;
  return {
    udp,
    streams,
    reverse: flag(raw['reverse']) && !flag(raw['bidirectional']),
    bidirectional: flag(raw['bidirectional']),
    block: block === 0 ? ownBlock : block,
    bitrate: count(raw['bandwidth'], udp ? DEFAULT_UDP_BITRATE : 0, 1e12),
    omitUs: count(raw['omit'], 0, MAX_SECONDS) * 1e6,
    timeUs: count(raw['time'], 0, MAX_SECONDS) * 1e6,
    noDelay: flag(raw['nodelay']),
    counters64,
    wantsOutput: flag(raw['get_server_output']),
    tos: count(raw['TOS'], 0, 255),
    limit: 0,
    pacingUs: Math.max(1000, count(raw['pacing_timer'], 1000, 1e6)),
  };
}

/** Seconds and microseconds, then the sequence number in 32 or 64 bits. */
export function udpHeader(counters64: boolean): number {
  return counters64 ? 16 : 12;
}

export function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    return value as Record<string, unknown>;
  } catch {
    return null; // text from the network
  }
}

export interface StreamResult {
  readonly id: number;
  readonly bytes: number;
  readonly retransmits: number;
  readonly jitter: number;
  readonly errors: number;
  readonly omitted_errors: number;
  readonly packets: number;
  readonly omitted_packets: number;
  readonly start_time: number;
  readonly end_time: number;
}

/** One stream's result as the other end tells it; null: it is none. */
export function streamResult(value: unknown): StreamResult | null {
  if (typeof value !== 'object' || value === null) return null;
  const raw = value as Record<string, unknown>;
  const n = (key: string): number => {
    const x = raw[key];
    return typeof x === 'number' && Number.isFinite(x) ? x : 0;
  };
  if (n('id') < 1) return null;
  return {
    id: n('id'),
    bytes: n('bytes'),
    // iperf3 says -1 where it does not know.
    retransmits: Math.max(0, n('retransmits')),
    jitter: n('jitter'),
    errors: n('errors'),
    omitted_errors: n('omitted_errors'),
    packets: n('packets'),
    omitted_packets: n('omitted_packets'),
    start_time: n('start_time'),
    end_time: n('end_time'),
  };
}

/** Stream `i` (from 0) has id 1, 3, 4, 5 …: iperf3 leaves 2 out and refuses other numbers. */
export function streamId(i: number): number {
  return i === 0 ? 1 : i + 2;
}

/** 1.09 GBytes, as iperf3 prints amounts: powers of 1024. */
export function amountText(octets: number): string {
  return scaled(octets, 1024, ['Bytes', 'KBytes', 'MBytes', 'GBytes', 'TBytes']);
}

/** 4.68 Gbits/sec: powers of 1000. */
export function rateText(bitsPerSecond: number): string {
  const units = ['bits/sec', 'Kbits/sec', 'Mbits/sec', 'Gbits/sec', 'Tbits/sec'];
  return scaled(bitsPerSecond, 1000, units);
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let x = value;
  let i = 0;
  while (x >= step && i < units.length - 1) {
    x /= step;
    i++;
  }
  const digits = i === 0 || x >= 100 ? 0 : x >= 10 ? 1 : 2;
  return `${x.toFixed(digits)} ${units[i] as string}`;
}
