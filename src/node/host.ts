// `createHost`: a network host inside this process. A TUN device, a link of the program's or
// loopback alone; one stack, one driver, one timer; `net` and `dgram` as Node knows them.

import { EventEmitter } from 'node:events';
import type { Worker, WorkerOptions } from 'node:worker_threads';
import { Code } from '../base/code.ts';
import { Slab } from '../base/slab.ts';
import { metricsText } from '../inspect/metrics.ts';
import type { Link } from '../link/link.ts';
import { inspectStack, type StackView } from '../stack/detail.ts';
import { Stack } from '../stack/stack.ts';
import { slabSum } from './addon.ts';
import { type Clock, SystemClock } from './clock.ts';
import { type Control, openControl } from './control.ts';
import type { Answers } from './control-verb.ts';
import { type DgramModule, makeDgram } from './dgram.ts';
import { type DnsModule, makeDns } from './dns.ts';
import { Names } from './dns-names.ts';
import { Driver, isDeviceLink } from './driver.ts';
import { errnoError, invalidOption } from './errors.ts';
import { type Fetch, makeFetch } from './fetch.ts';
import { Ground } from './ground.ts';
import { closeAll, joinLink, makeLink, openLink } from './host-links.ts';
import { addOwnRoutes, type Joined, untilOurs } from './host-setup.ts';
import { type HttpModule, type HttpsModule, makeHttp, makeHttps } from './http.ts';
import { makeNet, type NetModule } from './net.ts';
import { type HostOptions, readOptions, type Settings } from './options.ts';
import {
  inboxOctets,
  makeSeat,
  type QueueStats,
  Queues,
  type Seat,
  seatIn,
  splitPorts,
} from './queues.ts';
import { SystemRandom } from './random.ts';
import { spawnWorker } from './spawn.ts';
import type { DeviceInfo } from './tun.ts';

/** Octets for packets on loopback: what a connection with full windows has in flight. */
const LOOPBACK_OCTETS = 8 << 20;
/** There and back once in a turn: then the event loop goes round, as with the kernel's. */
const LOOPBACK_HOPS = 2;
/** Octets of the slab for transmit headers and reassembly. Untouched pages cost nothing. */
const STACK_OCTETS = 8 << 20;
/** What a further link takes of the slab besides: its super-segments' headers. */
const LINK_OCTETS = 1 << 20;
const DEFAULT_DEADLINE_MS = 1000;

export interface CloseOptions {
  /** Time in ms for connections to end in order; then they are reset. Default 1000. */
  deadlineMs?: number;
}

/** Two events: `error` (the device is lost; every socket has had ENETDOWN) and `close`. */
export class Host extends EventEmitter {
  /** node:net on this host. */
  readonly net: NetModule;
  /** node:dgram on this host. */
  readonly dgram: DgramModule;
  /** node:dns on this host: its servers are asked over its stack. */
  readonly dns: DnsModule;
  /** Ring 1: links, addresses, routes, handles. */
  readonly stack: Stack;
  /** As given, with prefix length. */
  readonly addresses: readonly string[];
  /** The device beneath; null on loopback or on a link of the program's. */
  readonly device: DeviceInfo | null;
  /** Fulfilled when the host can be reached; after `createHost` it is. */
  readonly ready: Promise<void>;
  #http: HttpModule | null = null;
  #https: HttpsModule | null = null;
  #fetch: Fetch | null = null;
  readonly #ground: Ground;
  readonly #driver: Driver;
  readonly #clock: Clock;
  #closing: Promise<void> | null = null;
  #selfHeld = false;
  #control: Control | null = null;
  readonly #queues: Queues | null;
  readonly #settings: Settings;
  readonly #onExit = (): void => this.#cut();

  constructor(base: Base, settings: Settings, device: DeviceInfo | null) {
    super();
    const { stack, driver } = base;
    this.stack = stack;
    this.#driver = driver;
    this.#queues = base.queues;
    this.#settings = settings;
    this.ready = base.ready ?? Promise.resolve();
    // Who does not wait for it finds out by what does not work.
    this.ready.catch(() => {});
    // However a worker ends, the peers of its connections hear of it.
    if (base.seat !== null && base.seat.index > 0) process.once('exit', this.#onExit);
    this.#clock = driver.clock;
    this.device = device;
    this.addresses = settings.addresses.map((a) => a.text);
    const ground = new Ground(stack, driver);
    ground.lingerMs = settings.lingerMs;
    const names = new Names(ground, settings.dns, settings.lookup);
    ground.lookup = names.lookup;
    this.#ground = ground;
    this.net = makeNet(ground);
    this.dgram = makeDgram(ground);
    this.dns = makeDns(ground, names);
    driver.onFailed = (link, errno) => this.#lost(link, errno);
  }

  /** node:http on this host: its servers listen here, its agents connect from here. */
  get http(): HttpModule {
    this.#http ??= makeHttp({ host: this, ground: this.#ground });
    return this.#http;
  }

  /** node:https on this host. */
  get https(): HttpsModule {
    this.#https ??= makeHttps({ host: this, ground: this.#ground });
    return this.#https;
  }

  /** Node's fetch on this host. */
  get fetch(): Fetch {
    this.#fetch ??= makeFetch(this);
    return this.#fetch;
  }

  get closed(): boolean {
    return this.#closing !== null;
  }

  /** The host itself keeps the event loop alive. Without this only its sockets do. */
  ref(): this {
    this.#driver.mute(false);
    if (!this.#selfHeld && !this.closed) this.#driver.hold();
    this.#selfHeld = !this.closed;
    return this;
  }

  /** Neither the host nor its sockets keep the event loop alive. */
  unref(): this {
    this.#driver.mute(true);
    if (this.#selfHeld) this.#driver.release();
    this.#selfHeld = false;
    return this;
  }

  /**
   * Lets `portside ss` and its like look in, by a Unix socket for this user only: at `path`, or in
   * the runtime folder under the device's name. Answers its path. Rejects with Node's error of
   * listening there. It goes with the host. `more` are verbs of the program's own.
   */
  async serveControl(path: string | null = null, more: Answers = {}): Promise<string> {
    if (this.#control !== null) return this.#control.path;
    const words = {
      name: this.device?.name ?? `pid-${process.pid}`,
      pid: process.pid,
      addresses: this.addresses,
      mtu: this.device?.mtu ?? null,
      offloads: this.device?.offloads ?? [],
    };
    const { stack, net, dns } = this;
    const nowUs = (): number => this.#clock.nowUs();
    const ground = { stack, net, dns, link: this.#driver.device, nowUs, more };
    const control = await openControl(ground, words, path);
    if (this.closed) control.close();
    else this.#control = control;
    return control.path;
  }

  /** Everything that can be seen of the stack now: sockets, ports, routes, drops, counters, … */
  inspect(): StackView {
    return inspectStack(this.stack);
  }

  /** Counters and gauges for Prometheus. */
  metrics(): string {
    return metricsText(this.stack);
  }

  /**
   * Stops listening, ends every connection with FIN, resets what is left at the deadline, and
   * closes the device. Idempotent; the promise never rejects. What waits to connect gets
   * ERR_PORTSIDE_HOST_CLOSED, and so does everything later.
   */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options.deadlineMs ?? DEFAULT_DEADLINE_MS);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(deadlineMs: number): Promise<void> {
    const ground = this.#ground;
    ground.closed = true;
    this.#driver.mute(false);
    this.#driver.hold();
    for (const tenant of [...ground.tenants]) tenant.shut();
    await this.#untilEmpty(deadlineMs);
    this.#cut();
    this.emit('close');
  }

  /** Resets what is left, and ends. */
  #cut(): void {
    for (const tenant of [...this.#ground.tenants]) tenant.fail(null);
    // FIN, RST and last acknowledgements that are still to leave.
    this.#driver.flush();
    this.#end();
  }

  /** With `queues`: which of them this thread serves, and how many packets went astray. */
  get queues(): QueueStats | null {
    return this.#queues?.stats() ?? null;
  }

  /**
   * Starts a worker thread that takes a queue of this host by `attachHost(workerData)`. Throws
   * ERR_PORTSIDE_NO_QUEUE when all are taken; a queue is free again when its worker has ended.
   */
  spawn(file: string | URL, options: WorkerOptions = {}): Worker {
    return spawnWorker(this.#queues, this.device, this.#settings, file, options);
  }

  /** Waits until the last tenant has left, at most `deadlineMs`. */
  #untilEmpty(deadlineMs: number): Promise<void> {
    const ground = this.#ground;
    return new Promise((resolve) => {
      const isEmpty = (): boolean => ground.tenants.size === 0 && !ground.hasOrphans;
      if (isEmpty()) {
        resolve();
        return;
      }
      const done = (): void => {
        cancel();
        ground.onLeave = null;
        resolve();
      };
      const cancel = this.#clock.after(Math.max(0, deadlineMs) * 1000, done);
      ground.onLeave = () => {
        if (isEmpty()) done();
      };
    });
  }

  #end(): void {
    this.#control?.close();
    this.#queues?.stop();
    process.off('exit', this.#onExit);
    if (this.#selfHeld) this.#driver.release();
    this.#selfHeld = false;
    this.#driver.release();
    this.#driver.stop();
  }

  /** The device is gone: nothing can be said to any peer any more. */
  #lost(link: Link, errno: number): void {
    if (this.closed) return;
    this.#ground.closed = true;
    for (const tenant of [...this.#ground.tenants]) tenant.fail(Code.ENETDOWN);
    this.#closing = Promise.resolve();
    this.#control?.close();
    this.#queues?.stop();
    process.off('exit', this.#onExit);
    this.#driver.stop();
    const error = errnoError(errno, 'read');
    error.message = `${error.message} (device ${link.name} is lost)`;
    process.nextTick(() => {
      this.emit('error', error);
      this.emit('close');
    });
  }
}

/** What a host stands on before it has a link. */
interface Base {
  readonly stack: Stack;
  readonly driver: Driver;
  readonly slab: Slab;
  readonly rxBase: number;
  /** With several queues: this thread's, and how packets come to the others. */
  readonly seat: Seat | null;
  queues: Queues | null;
  /** Fulfilled when every address is known to be ours; null: they are. */
  ready: Promise<void> | null;
}

/**
 * Makes a host and brings it up.
 * @throws ERR_PORTSIDE_INVALID_OPTION; what opening the device throws (EPERM, EACCES, EBUSY, …);
 *   ERR_PORTSIDE_NATIVE_UNAVAILABLE; EADDRINUSE when another host on the Ethernet has an address
 */
export async function createHost(options: HostOptions = {}): Promise<Host> {
  const settings = readOptions(options);
  const base = makeBase(settings, settings.queues > 1 ? makeSeat(settings.queues) : null);
  const first = await openLink(settings, base.slab);
  const further: Link[] = [];
  try {
    for (const of of settings.links) further.push((await openLink(of, base.slab)) as Link);
  } catch (error) {
    closeAll([first, ...further]);
    throw error;
  }
  const host = finish(settings, base, first, further);
  try {
    await host.ready;
  } catch (error) {
    await host.close({ deadlineMs: 0 });
    throw error;
  }
  return host;
}

/**
 * In a worker that `host.spawn` has started: a host with the same addresses on a queue of the same
 * device. Its listeners share their ports with those of the other threads.
 * @param workerData node:worker_threads' own
 * @param options beside those of the thread that spawned: clock, random, lookup, config, limits
 * @throws ERR_PORTSIDE_INVALID_OPTION where there is no seat; what opening the device throws
 */
export async function attachHost(workerData: unknown, options: HostOptions = {}): Promise<Host> {
  const found = seatIn(workerData);
  if (found === null) throw invalidOption('workerData', 'must come from host.spawn()', workerData);
  const settings = readOptions({ ...found.options, ...options });
  const base = makeBase(settings, found.seat);
  return finish(settings, base, await openLink(settings, base.slab));
}

/** A host on loopback alone or on a link, at once. @throws ERR_PORTSIDE_INVALID_OPTION */
export function createLocalHost(options: Omit<HostOptions, 'tun'> = {}): Host {
  const settings = readOptions(options);
  const base = makeBase(settings, null);
  return finish(settings, base, makeLink(settings.link, base.slab));
}

function makeBase(settings: Settings, seat: Seat | null): Base {
  const stackConfig = {
    loopbackOctets: LOOPBACK_OCTETS,
    maxLoopbackHops: LOOPBACK_HOPS,
    ...settings.config.stack,
  };
  const config = seat === null ? settings.config : splitPorts(settings.config, seat);
  const own = stackConfig.loopbackOctets + STACK_OCTETS + inboxOctets(seat);
  const further = settings.links.length * (settings.receiveOctets + LINK_OCTETS);
  const slab = new Slab(settings.receiveOctets + own + further);
  const rxBase = slab.reserve(settings.receiveOctets);
  const clock = settings.clock ?? new SystemClock();
  let driver: Driver | null = null;
  const stack = new Stack({
    slab,
    random: settings.random ?? new SystemRandom(),
    nowUs: clock.nowUs(),
    config: { ...config, stack: stackConfig },
    onWork: () => driver?.work(),
    sum: slabSum(slab),
  });
  driver = new Driver(stack, clock);
  return { stack, driver, slab, rxBase, seat, queues: null, ready: null };
}

function finish(
  settings: Settings,
  base: Base,
  link: Link | null,
  further: readonly Link[] = [],
): Host {
  const { stack, driver, slab, rxBase, seat } = base;
  // The first queue's thread sets the device up.
  const isFirstSeat = (seat?.index ?? 0) === 0;
  const size = settings.receiveOctets;
  try {
    const id = joinLink(base, { settings, configures: isFirstSeat }, link, {
      at: rxBase,
      size,
    });
    if (seat !== null) {
      base.queues = new Queues(seat, stack, id);
      stack.ip.elsewhere = base.queues;
      driver.attachSource(base.queues, id, slab);
    }
    const joined: Joined[] = [{ settings, id }];
    further.forEach((more, i) => {
      const of = settings.links[i] as Settings;
      const region = { at: slab.reserve(size), size };
      const moreId = joinLink(base, { settings: of, configures: true }, more, region);
      joined.push({ settings: of, id: moreId });
    });
    if (further.length > 0) addOwnRoutes(stack);
    base.ready = untilOurs(base, joined);
  } catch (error) {
    closeAll([link, ...further]);
    throw error;
  }
  const device = link !== null && isDeviceLink(link) ? link.device : null;
  return new Host(base, settings, device);
}
