// `createNetwork`: hosts with `net`, `dgram`, `http` and `fetch` in a simulated network, for tests
// of programs. On the virtual clock a run takes as long as its computation, whatever the program
// waits for, and the same seed gives the same packets.

import { writeFileSync } from 'node:fs';
import { SeededRandom } from '../../base/random.ts';
import type { Impairment } from '../../link/impair.ts';
import { Clock as VirtualClock } from '../../sim/clock.ts';
import { Trace } from '../../sim/trace.ts';
import { groundOf } from '../adopt.ts';
import { type Clock, SystemClock } from '../clock.ts';
import { coded, invalidOption, nameError } from '../errors.ts';
import type { Ground, Lookup } from '../ground.ts';
import { createLocalHost, type Host } from '../host.ts';
import { KernelRoutes } from '../kernel-routes.ts';
import type { HostOptions } from '../options.ts';
import { patchNode } from '../register-patches.ts';
import { type Connection, type ConnectionFilter, Connections } from './connections.ts';
import { runOnVirtualTime } from './drive.ts';
import { Parsed, parsePacket } from './packet.ts';
import { ProgramTime } from './program-time.ts';
import { Recorder } from './recorder.ts';
import { makePath, type Path, Port, type Way } from './wire.ts';

export interface NetworkOptions {
  /** Of every random choice: loss, jitter, ports, sequence numbers. Default 1. */
  seed?: number;
  /** `virtual` (default): time jumps to the next event. `real`: the system's clock. */
  clock?: 'virtual' | 'real';
  /** What every path does to packets; default a delay of 0.5 ms each way. */
  impairment?: Impairment;
  /** Octets of the largest IP packet; default 1500. */
  mtu?: number;
  /** `Date.now()` at the start on the virtual clock; default 2026-01-01T00:00:00Z. */
  startMs?: number;
  /** A file for the last packets, written as pcapng when a run fails. */
  capture?: string;
}

export interface RunOptions {
  /**
   * The host on which the program finds itself: what it connects, listens on and looks up with
   * node:net, dgram, dns, http and fetch is this host's meanwhile (as with portside/register).
   */
  on?: Host | string;
  /** Most ms of simulated time; default one hour. */
  limitMs?: number;
  /** Real ms without any event before a program that waits is given up; default 1000. */
  patienceMs?: number;
}

export type NetworkHostOptions = Pick<HostOptions, 'addresses' | 'config' | 'limits' | 'lookup'>;

interface Member {
  readonly name: string;
  readonly host: Host;
  readonly ground: Ground;
  readonly port: Port;
  readonly addresses: readonly string[];
}

const START_MS = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;
const DEFAULT: Impairment = { delayUs: 500 };
const MOST_HOSTS = 250;
/** What a close may take beyond its own deadline: the last acknowledgments. */
const CLOSE_MS = 120_000;

/** One network with virtual time at a time: it replaces the process's timers. */
let running: Network | null = null;

export class Network {
  readonly seed: number;
  readonly isVirtual: boolean;
  /** Packets to an address that is nobody's. */
  unroutable = 0;
  /** Packets that found the receive ring of their host full. */
  overruns = 0;
  readonly #virtual: VirtualClock | null;
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #options: NetworkOptions;
  readonly #impairment: Impairment;
  readonly #members = new Map<string, Member>();
  readonly #owners = new Map<string, Member>();
  readonly #paths = new Map<string, Path>();
  readonly #connections = new Connections();
  readonly #recorder = new Recorder();
  readonly #trace = new Trace();
  readonly #parsed = new Parsed();
  readonly #startUs: number;

  constructor(options: NetworkOptions = {}) {
    const { seed = 1, clock = 'virtual', impairment = DEFAULT } = options;
    if (!Number.isSafeInteger(seed)) throw invalidOption('seed', 'must be an integer', seed);
    if (clock !== 'virtual' && clock !== 'real') {
      throw invalidOption('clock', "must be 'virtual' or 'real'", clock);
    }
    this.seed = seed;
    this.isVirtual = clock === 'virtual';
    this.#options = options;
    this.#impairment = impairment;
    this.#virtual = this.isVirtual ? new VirtualClock() : null;
    this.#clock = this.#virtual ?? new SystemClock();
    this.#random = new SeededRandom(seed);
    this.#startUs = this.#clock.nowUs();
  }

  /** ms since the network was made, on its clock. */
  get nowMs(): number {
    return (this.#clock.nowUs() - this.#startUs) / 1000;
  }

  /** The same for the same seed and the same program: times, addresses, ports, TCP's numbers. */
  get hash(): string {
    return this.#trace.hash;
  }

  /** Packets sent so far. */
  get packets(): number {
    return this.#trace.count;
  }

  /**
   * Adds a host. Its name resolves in the whole network; without `addresses` it has the next of
   * 10.0.0.1/24, 10.0.0.2/24, ….
   * @throws ERR_PORTSIDE_INVALID_OPTION: a name or an address that is taken
   */
  host(name: string, options: NetworkHostOptions = {}): Host {
    const n = this.#members.size + 1;
    const { addresses = [`10.0.0.${n}/24`] } = options;
    if (this.#members.has(name)) throw invalidOption('name', 'is taken', name);
    if (n > MOST_HOSTS) throw invalidOption('name', `is one more than ${MOST_HOSTS} hosts`, name);
    const own = addresses.map((a) => bare(typeof a === 'string' ? a : a.prefix));
    for (const address of own) {
      if (this.#owners.has(address)) throw invalidOption('addresses', 'is taken', address);
    }
    const port = new Port(name, this.#options.mtu ?? 1500, (octets, flags) =>
      this.#send(member, octets, flags),
    );
    const host = createLocalHost({
      lookup: this.#lookup,
      ...options,
      addresses,
      link: port,
      clock: this.#clock,
      random: new SeededRandom(this.#random.next()),
    });
    const member: Member = { name, host, ground: groundOf(host), port, addresses: own };
    this.#members.set(name, member);
    for (const address of own) this.#owners.set(address, member);
    return host;
  }

  /** What lies between two hosts, seen from the first. */
  path(from: Host | string, to: Host | string): Path {
    const [a, b] = [this.#memberOf(from), this.#memberOf(to)];
    if (a === b) throw invalidOption('to', 'must be another host', b.name);
    return this.#path(a, b);
  }

  #path(a: Member, b: Member): Path {
    const key = `${a.name} ${b.name}`;
    let path = this.#paths.get(key);
    if (path !== undefined) return path;
    path = makePath(a.port, b.port, {
      clock: this.#clock,
      random: () => new SeededRandom(this.#random.next()),
      impairment: this.#impairment,
      arrived: (way, octets, flags, gso) => this.#arrived(way, octets, flags, gso),
    });
    this.#paths.set(key, path);
    this.#paths.set(`${b.name} ${a.name}`, path.reversed());
    return path;
  }

  /** Cuts every path between a host of the one group and one of the other. */
  partition(one: readonly (Host | string)[], other: readonly (Host | string)[]): void {
    for (const a of one) for (const b of other) this.path(a, b).cut();
  }

  /** Heals every path. */
  heal(): void {
    for (const path of this.#paths.values()) path.heal();
  }

  /** The TCP connections that the network has seen, oldest first. */
  connections(filter: ConnectionFilter = {}): Connection[] {
    return this.#connections.list(filter);
  }

  /** The one connection that is meant. @throws Error where there is none or more than one */
  connection(filter: ConnectionFilter = {}): Connection {
    const found = this.connections(filter);
    const [only] = found;
    if (only !== undefined && found.length === 1) return only;
    const list = found.map((c) => `${text(c.client)} → ${text(c.server)}`).join(', ');
    throw new Error(`one connection was expected, there are ${found.length}: ${list || 'none'}`);
  }

  /** The last packets as a pcapng file; one interface for each host. */
  pcapng(): Uint8Array {
    const epochUs = (this.#options.startMs ?? START_MS) * 1000 - this.#startUs;
    return this.#recorder.pcapng([...this.#members.keys()], this.isVirtual ? epochUs : 0);
  }

  /**
   * Runs a program in this network. On the virtual clock the process's timers and dates are the
   * network's meanwhile, so nothing else should run beside it.
   * @returns what the program returns or its promise gives
   * @throws what it throws; ERR_PORTSIDE_SIM_STALLED, _TIMEOUT (drive.ts); _BUSY: another runs
   */
  async run<T>(program: () => T | PromiseLike<T>, options: RunOptions = {}): Promise<T> {
    const { on } = options;
    const host = on === undefined ? null : this.#memberOf(on).host;
    const patches = host === null ? null : patchNode(host, new KernelRoutes([]), true);
    try {
      return await (this.#virtual === null ? program() : this.#runVirtual(program, options));
    } catch (error) {
      this.#report();
      throw error;
    } finally {
      patches?.undo();
    }
  }

  async #runVirtual<T>(program: () => T | PromiseLike<T>, options: RunOptions): Promise<T> {
    if (running !== null) {
      throw coded(Error, 'ERR_PORTSIDE_SIM_BUSY', 'Another program runs on virtual time');
    }
    running = this;
    const epochMs = (this.#options.startMs ?? START_MS) + this.nowMs;
    const clock = this.#virtual as VirtualClock;
    const time = new ProgramTime(clock, epochMs);
    time.install();
    try {
      const { limitMs = HOUR_MS, patienceMs = 1000 } = options;
      const activity = (): number => this.#activity();
      return await runOnVirtualTime({ clock, time, activity, limitMs, patienceMs }, program);
    } finally {
      time.uninstall();
      running = null;
    }
  }

  /** Lets `ms` pass. */
  async advance(ms: number): Promise<void> {
    await this.run(() => new Promise((resolve) => setTimeout(resolve, ms)), { limitMs: ms + 1 });
  }

  /** Closes every host; what is left is reset at the deadline (`host.close`). */
  async close(options: { deadlineMs?: number } = {}): Promise<void> {
    const hosts = [...this.#members.values()].map((m) => m.host);
    const all = (): Promise<unknown> => Promise.all(hosts.map((host) => host.close(options)));
    if (running === this) await all();
    else await this.run(all, { limitMs: (options.deadlineMs ?? 1000) + CLOSE_MS });
    for (const path of this.#paths.values()) {
      path.there.stop();
      path.back.stop();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #activity(): number {
    let n = this.#trace.count;
    for (const { ground } of this.#members.values()) n += ground.driver.turns;
    return n;
  }

  #report(): void {
    const { capture } = this.#options;
    if (capture === undefined) return;
    writeFileSync(capture, this.pcapng());
    const at = (this.nowMs / 1000).toFixed(6);
    process.stderr.write(
      `portside/sim: failed with seed ${this.seed} at ${at} s; ${this.packets} packets, the last ` +
        `${this.#recorder.count} lines in ${capture}\n`,
    );
  }

  #memberOf(host: Host | string): Member {
    for (const member of this.#members.values()) {
      if (member.host === host || member.name === host) return member;
    }
    throw invalidOption('host', 'is not of this network', typeof host === 'string' ? host : '');
  }

  #send(from: Member, octets: Uint8Array, flags: number): void {
    const p = this.#parsed;
    if (!parsePacket(octets, p)) return;
    const owner = this.#owners.get(p.target);
    if (owner === undefined && !p.many) this.unroutable++;
    const targets = p.many
      ? [...this.#members.values()].filter((m) => m !== from)
      : owner === undefined || owner === from
        ? []
        : [owner];
    this.#note(p);
    for (const to of targets) {
      const way = this.#path(from, to).there;
      const isKept = way.send(targets.length > 1 ? octets.slice() : octets, flags);
      this.#recorder.sent(from.name, this.#clock.nowUs(), octets, !isKept);
      this.#connections.sent(p, [from.name, to.name], this.nowMs, !isKept);
    }
  }

  /** Not the payload: Node writes the real date into HTTP's headers. */
  #note(p: Parsed): void {
    const trace = this.#trace;
    trace.event(this.#clock.nowUs() - this.#startUs, p.source, () => '');
    trace.text(p.target);
    trace.number((p.sourcePort << 16) | p.targetPort);
    trace.number(p.seq);
    trace.number(p.ack);
    trace.number((p.flags << 16) ^ p.length);
  }

  #arrived(way: Way, octets: Uint8Array, flags: number, gso: number): void {
    const isTaken = way.to.arrive(octets, flags, gso);
    if (!isTaken) this.overruns++;
    this.#recorder.arrived(way.to.name, this.#clock.nowUs(), octets, isTaken);
  }

  /** Names of hosts are names in the network. */
  readonly #lookup: Lookup = (hostname, { family, all }, callback) => {
    const found = (this.#members.get(hostname)?.addresses ?? [])
      .map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
      .filter((a) => !family || a.family === family);
    const [first] = found;
    if (first === undefined)
      process.nextTick(callback, nameError('ENOTFOUND', 'getaddrinfo', hostname), undefined);
    else if (all === true) process.nextTick(callback, null, found);
    else process.nextTick(callback, null, first.address, first.family);
  };
}

function bare(prefix: string): string {
  return prefix.split('/')[0] as string;
}

function text({ host, port }: { host: string; port: number }): string {
  return `${host}:${port}`;
}

/** A network without hosts. @throws ERR_PORTSIDE_INVALID_OPTION */
export function createNetwork(options: NetworkOptions = {}): Network {
  return new Network(options);
}
