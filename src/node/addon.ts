// Finds and loads the native addon: lazily, so that everything without a device works without it.
// The same file is found from the sources, from dist/ and from an installed package: first a build
// of one's own under build/, then the package's prebuilds/. PORTSIDE_ADDON names another one.

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Slab } from '../base/slab.ts';
import * as checksum from '../wire/checksum.ts';
import { coded } from './errors.ts';

export interface NativeOptions {
  name?: string;
  tap?: boolean;
  netns?: string;
  fd?: number;
  vnetHdr?: boolean;
  multiQueue?: boolean;
  /** An existing Ethernet interface by AF_PACKET. */
  packet?: boolean;
  promiscuous?: boolean;
  /** Link-layer address to listen to besides the interface's own. */
  mac?: string;
  /** TUN_F_* bits that are wanted. */
  offloads?: number;
  /** µs to go on asking for packets before the event loop sleeps; 0: none (busy-poll.h). */
  busyPollUs?: number;
}

export interface NativeInfo {
  readonly name: string;
  readonly netns: string;
  readonly index: number;
  /** Packets have an Ethernet header. */
  readonly tap: boolean;
  /** Of an interface by AF_PACKET: its own link-layer address; else ''. */
  readonly mac: string;
  readonly created: boolean;
  /** Octets of virtio-net header before each packet; 0: none. */
  readonly headerSize: number;
  /** TUN_F_* bits that the kernel granted. */
  readonly offloads: number;
}

export interface LinkState {
  readonly name: string;
  readonly index: number;
  readonly mtu: number;
  /** IFF_* bits. */
  readonly flags: number;
  readonly txQueueLen: number;
}

export interface DeviceStats {
  readonly rxPackets: number;
  readonly rxOctets: number;
  readonly rxBatches: number;
  readonly rxErrors: number;
  readonly rxBadMeta: number;
  readonly txPackets: number;
  readonly txOctets: number;
  /** The kernel had no room. */
  readonly txDropped: number;
  /** The kernel refused: `lastTxErrno` says why. */
  readonly txFailed: number;
  /** Rows that pointed outside of their memory. */
  readonly txInvalid: number;
  /** Packets that came and went several to a system call (io_uring). */
  readonly rxRinged: number;
  /** Packets that were asked for before the event loop slept, and whether it is asked just now. */
  readonly rxPolled: number;
  readonly busyPolling: boolean;
  readonly txRinged: number;
  readonly lastTxErrno: number;
}

/** The class that native/device.cc defines. */
export interface NativeDevice {
  start(
    slab: ArrayBuffer,
    rxBase: number,
    rxSize: number,
    meta: Int32Array,
    called: (count: number, nowUs: number) => void,
  ): void;
  flush(
    table: Int32Array,
    count: number,
    buffers: readonly (Uint8Array | null)[],
    bufferCount: number,
  ): number;
  checksum(off: number, len: number, initial?: number): number;
  stop(): void;
  close(): void;
  ref(): void;
  unref(): void;
  info(): NativeInfo;
  link(): LinkState;
  stats(): DeviceStats;
  setLink(change: { up?: boolean; mtu?: number; txQueueLen?: number }): void;
  address(add: boolean, address: string, prefix: number, peer?: string): void;
  route(add: boolean, ...route: NativeRoute): void;
}

/** dst, prefix, gateway, source, metric. */
export type NativeRoute = [string, number, string?, string?, number?];

/** What `load` is asked for (native/load.h). */
export interface LoadOptions {
  readonly mode: 'send' | 'recv' | 'rr' | 'http' | 'crr' | 'udp-echo' | 'udp-in' | 'udp-out';
  readonly host: string;
  readonly port: number;
  readonly connections?: number;
  readonly size?: number;
  readonly seconds?: number;
  readonly warm?: number;
}

export interface LoadFigures {
  /** Answers, connections or datagrams. */
  readonly operations: number;
  readonly octets: number;
  readonly seconds: number;
  readonly failed: number;
  readonly retransmits: number;
  readonly cpuSeconds: number;
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
}

export interface Addon {
  readonly Device: new (options: NativeOptions) => NativeDevice;
  /** `sum` of wire/checksum.ts, vectorised. */
  sum(u8: Uint8Array, off: number, len: number, initial: number): number;
  /**
   * 64 KiB that come back to a pool when nobody sees them any more, with whatever lies in them;
   * undefined where V8 takes no memory from outside.
   */
  block(): ArrayBuffer | undefined;
  /** Loads the kernel's sockets for a time; nothing else happens in this thread meanwhile. */
  load(options: LoadOptions): LoadFigures;
  /** CLOCK_MONOTONIC in µs: the clock of `process.hrtime`. */
  nowUs(): number;
  readonly sumVariant: 'avx2' | 'sse2' | 'portable';
  /** Least size in octets of a receive region. */
  readonly rxRoom: number;
  readonly rxStride: number;
  readonly txStride: number;
  readonly maxPieces: number;
}

const NAPI_VERSIONS = [8];
/**
 * Octets from which the addon's sum is faster than the one in JavaScript: below, the call costs
 * more than it saves (a call costs about 45 ns).
 */
const NATIVE_SUM_FROM = 160;

const require = createRequire(import.meta.url);
let loaded: Addon | null = null;

/** The package's directory: the nearest one above this file whose package.json is portside's. */
export function packageRoot(): string {
  const here = path.dirname(fileURLToPath(import.meta.url));
  let dir = here;
  for (let i = 0; i < 6; i++) {
    const manifest = path.join(dir, 'package.json');
    if (existsSync(manifest)) {
      const { name } = JSON.parse(readFileSync(manifest, 'utf8')) as { name?: string };
      if (name === 'portside') return dir;
    }
    dir = path.dirname(dir);
  }
  return path.resolve(here, '..', '..');
}

function libc(): string {
  if (process.platform !== 'linux') return 'none';
  const report = process.report?.getReport() as
    | { header?: { glibcVersionRuntime?: string } }
    | undefined;
  const version = report?.header?.glibcVersionRuntime;
  return version === undefined ? 'musl' : `glibc ${version}`;
}

function candidates(root: string): string[] {
  const own = process.env['PORTSIDE_ADDON'];
  if (own !== undefined && own !== '') return [path.resolve(own)];
  const found: string[] = [];
  for (const kind of ['Release', 'Debug']) {
    found.push(path.join(root, 'build', kind, 'portside.node'));
  }
  const musl = process.platform === 'linux' && existsSync('/etc/alpine-release') ? '-musl' : '';
  const target = `portside-${process.platform}-${process.arch}${musl}`;
  for (const version of NAPI_VERSIONS) {
    found.push(path.join(root, 'prebuilds', target, `node-napi-v${version}.node`));
  }
  return found;
}

/** `undefined`: pkg-prebuilds knows of none either. */
function prebuild(root: string): string | undefined {
  try {
    const { resolve } = require('pkg-prebuilds') as {
      resolve(base: string, options: object, verify: boolean, strict: boolean): string | null;
    };
    const options = { name: 'portside', napi_versions: NAPI_VERSIONS };
    return resolve(root, options, false, false) ?? undefined;
  } catch {
    return undefined;
  }
}

function unavailable(root: string, tried: string[], reasons: string[]): Error {
  const script = path.join(root, 'scripts', 'build-native.mjs');
  const command = existsSync(script)
    ? `node ${path.relative(process.cwd(), script) || script}`
    : 'npx portside build-native';
  const what = `${process.platform}-${process.arch}, libc ${libc()}, Node ${process.versions.node}`;
  const error = coded(
    Error,
    'ERR_PORTSIDE_NATIVE_UNAVAILABLE',
    `the native addon is not available for ${what}.\n` +
      `Tried:\n${tried.map((file, i) => `  ${file}: ${reasons[i]}`).join('\n')}\n` +
      `Build it with: ${command}`,
  );
  return Object.assign(error, { tried, command });
}

/**
 * The addon, loaded on the first call.
 * @throws ERR_PORTSIDE_NATIVE_UNAVAILABLE with the platform, the paths tried and the command to run
 */
export function loadAddon(): Addon {
  if (loaded !== null) return loaded;
  const root = packageRoot();
  const tried = candidates(root);
  const other = process.env['PORTSIDE_ADDON'] ? undefined : prebuild(root);
  if (other !== undefined && !tried.includes(other)) tried.push(other);
  const reasons: string[] = [];
  for (const file of tried) {
    if (!existsSync(file)) {
      reasons.push('not there');
      continue;
    }
    try {
      loaded = require(file) as Addon;
      return loaded;
    } catch (error) {
      reasons.push((error as Error).message.split('\n')[0] as string);
    }
  }
  throw unavailable(root, tried, reasons);
}

/** Whether the addon can be loaded here. */
export function hasAddon(): boolean {
  try {
    loadAddon();
    return true;
  } catch {
    return false;
  }
}

/**
 * `sum` for a stack over this slab (StackOptions.sum): the addon's for long runs where there is
 * one, else the core's own.
 */
export function slabSum(slab: Slab): (off: number, len: number, initial: number) => number {
  const u8 = slab.u8;
  if (!hasAddon()) return (off, len, initial) => checksum.sum(u8, off, len, initial);
  const { sum } = loadAddon();
  return (off, len, initial) =>
    len < NATIVE_SUM_FROM ? checksum.sum(u8, off, len, initial) : sum(u8, off, len, initial);
}
