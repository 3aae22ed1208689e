// One seed, from the draw to the verdict: two hosts, one bad cable, a handful of conversations,
// every rule of invariants.ts at every packet, the oracle at every octet, and empty pools at the
// end.

import { below, fraction, type Random, SeededRandom } from '../base/random.ts';
import type { Impairment } from '../link/impair.ts';
import type { TcpServer } from '../socket/tcp-server.ts';
import type { TcpHandler, TcpSocket } from '../socket/tcp-socket.ts';
import type { ConfigOverrides } from '../stack/config.ts';
import { stateName } from '../tcp/state.ts';
import type { Cable } from './cable.ts';
import { Datagrams } from './datagrams.ts';
import { chance, drawImpairment, drawPartitions, logUniform, pick } from './faults.ts';
import type { SimHost } from './host.ts';
import { Invariants } from './invariants.ts';
import { leftovers } from './leftovers.ts';
import { Conversation, drawPlan, End, type EndContext, type Plan } from './oracle.ts';
import { mayFollow } from './states.ts';
import { ALL_CAPS, World } from './world.ts';

export interface RunOptions {
  seed: number;
  /** Lines of the trace to keep; default 0. */
  keepTrace?: number;
  /** Largest chance of loss; default 0.2. */
  maxLoss?: number;
  /** Octets of all conversations of the seed together, at most; default 2,000,000. */
  maxOctets?: number;
  /** No fault at all: the same traffic on a good cable. */
  clean?: boolean;
}

export interface RunResult {
  seed: number;
  /** Hash of every packet and event with its time. */
  hash: string;
  /** What went wrong, one line each; empty is a pass. */
  failures: string[];
  conversations: number;
  /** Octets of application data that were read and judged. */
  octets: number;
  packets: number;
  steps: number;
  virtualUs: number;
  /** Damaged packets that no checksum could have told (not delivered). */
  undetectable: number;
  /** Connections that the network (not the stack) kept from opening or closing. */
  gaveUp: number;
  trace: readonly string[];
  /** The draw in one line. */
  scenario: string;
}

const PORT = 80;
const CLIENT = '10.0.0.1';
const SERVER = '10.0.0.2';
/** Faults stop here; whatever is open must then end within the bound that follows. */
const FAULTS_UNTIL_US = 300_000_000;
/** Ten maximal retransmission timeouts of 120 s: each hole of a window may cost one. */
const AFTER_FAULTS_US = 10 * 120_000_000;
/** Linger in TIME-WAIT, FIN-WAIT-2 and the like: everything must be gone. */
const AFTERGLOW_US = 400_000_000;
const MAX_STEPS = 4_000_000;

export function runSeed(options: RunOptions): RunResult {
  return new Run(options).result();
}

class Run {
  readonly #options: RunOptions;
  readonly #world: World;
  readonly #random: Random;
  readonly #rules: Invariants;
  readonly #failures: string[] = [];
  readonly #conversations: Conversation[] = [];
  /** Conversations whose server end waits for its connection, by the client's port. */
  readonly #expected = new Map<number, Conversation>();
  #scenario = '';

  constructor(options: RunOptions) {
    this.#options = options;
    this.#world = new World({ seed: options.seed, keepTrace: options.keepTrace ?? 0 });
    this.#random = new SeededRandom(options.seed ^ 0x5eed);
    this.#rules = new Invariants(() => this.#world.clock.nowUs());
    this.#world.watch = this.#rules;
  }

  result(): RunResult {
    let hosts: SimHost[] = [];
    try {
      hosts = this.#play();
    } catch (error) {
      this.#fail(error instanceof Error ? `${error.message} ${error.stack ?? ''}` : String(error));
    }
    for (const violation of this.#rules.violations) this.#failures.push(violation);
    for (const host of hosts) {
      for (const text of leftovers(host)) this.#failures.push(`${host.name}: ${text}`);
    }
    const world = this.#world;
    let octets = 0;
    let gaveUp = 0;
    for (const c of this.#conversations) {
      octets += c.client.received + c.server.received;
      gaveUp += c.gaveUp;
    }
    let undetectable = 0;
    for (const cable of world.cables) {
      for (const end of cable.ends) undetectable += end.way.stats.undetectable;
    }
    return {
      seed: this.#options.seed,
      hash: world.hash,
      failures: this.#failures,
      conversations: this.#conversations.length,
      octets,
      packets: world.packets,
      steps: world.steps,
      virtualUs: world.clock.nowUs(),
      undetectable,
      gaveUp,
      trace: world.trace.lines,
      scenario: this.#scenario,
    };
  }

  #fail(what: string): void {
    if (this.#failures.length >= 20) return;
    const at = (this.#world.clock.nowUs() / 1e6).toFixed(6);
    this.#failures.push(`${at} ${what}`);
    this.#world.note('failure', this.#failures.length);
  }

  #play(): SimHost[] {
    const world = this.#world;
    const start = world.clock.nowUs();
    const [a, b] = this.#hosts();
    const cable = this.#lay(a, b, start);
    this.#serve(b);
    this.#talk(a, b);
    const datagrams = this.#datagrams(a, b);
    const done = (): boolean => this.#over();
    let ended = world.run({ untilUs: start + FAULTS_UNTIL_US, maxSteps: MAX_STEPS, done });
    cable.heal();
    if (!this.#over()) {
      const until = world.clock.nowUs() + AFTER_FAULTS_US;
      ended = world.run({ untilUs: until, maxSteps: MAX_STEPS, done });
    }
    // What a lost RST left behind on the other side is legal: TCP cannot know. The program ends it.
    for (const c of this.#conversations) if (c.aborts || c.halfOpen) this.#abandon(c);
    if (!this.#over()) {
      const what = ended ? 'deadlock: nothing is left to happen' : 'not over in time';
      for (const c of this.#conversations) {
        if (!c.over && !c.aborts && !c.halfOpen)
          this.#fail(`${what}: ${state(c.client)}; ${state(c.server)}`);
      }
    }
    datagrams?.stop();
    const last = world.clock.nowUs();
    world.run({ untilUs: last + AFTERGLOW_US, maxSteps: MAX_STEPS });
    for (const c of this.#conversations) c.judge();
    return [a, b];
  }

  #over(): boolean {
    for (const c of this.#conversations) if (!c.over) return false;
    return true;
  }

  #abandon(c: Conversation): void {
    c.client.abandon();
    c.server.abandon();
  }

  #hosts(): [SimHost, SimHost] {
    const turnUs = chance(this.#random, 0.3) ? Math.floor(logUniform(this.#random, 1, 5_000)) : 0;
    const wrap = chance(this.#random, 0.5);
    const options = (address: string): { addresses: string[]; config: ConfigOverrides } => ({
      addresses: [`${address}/24`],
      config: drawConfig(this.#random, wrap),
    });
    const a = this.#world.host('a', { ...options(CLIENT), turnUs });
    const b = this.#world.host('b', { ...options(SERVER), turnUs });
    for (const host of [a, b]) {
      host.onTurn = (_h, begins) => {
        if (begins) this.#rules.turnBegins();
        else this.#watchStates();
      };
    }
    this.#rules.cwndOf = (host, w) => this.#cwnd(host === 'a' ? w.srcPort : w.dstPort, host);
    this.#rules.slackUs = turnUs * 2 + 1_000;
    this.#rules.fixedIss = wrap;
    this.#scenario = `turn ${turnUs} µs${wrap ? ', ISN before the wrap' : ''}`;
    return [a, b];
  }

  /** RFC 9293 figure 5, looked at after every turn. */
  #watchStates(): void {
    for (const c of this.#conversations) {
      for (const end of [c.client, c.server]) {
        if (end.socket === null || end.lastState === 'UNCONN') continue;
        const now = stateName(end.socket.state);
        if (now === end.lastState) continue;
        if (end.lastState !== '' && !mayFollow(end.lastState, now)) {
          this.#fail(`${end.name} went from ${end.lastState} to ${now}`);
        }
        end.lastState = now;
      }
    }
  }

  /** Octets of congestion window, as the socket says it. */
  #cwnd(clientPort: number, host: string): number | null {
    const c = this.#expected.get(clientPort);
    const s = host === 'a' ? c?.client.socket : c?.server.socket;
    if (s === null || s === undefined) return null;
    const info = s.info();
    return info.snd_cwnd * info.snd_mss;
  }

  #lay(a: SimHost, b: SimHost, start: number): Cable {
    const random = this.#random;
    const clean = this.#options.clean === true;
    const draw = { random, maxLoss: this.#options.maxLoss ?? 0.2 };
    const partitions = drawPartitions(random, start);
    const way = (): Impairment => {
      const o = drawImpairment(draw);
      if (clean) return { delayUs: o.delayUs ?? 0 };
      if (partitions.length > 0 && chance(random, 0.7)) o.partitions = partitions;
      return o;
    };
    const there = way();
    // a symmetric network as often as two different ways
    const back = chance(random, 0.5) ? { ...there } : way();
    const mtu = pick(random, [296, 576, 1280, 1500, 1500, 1500, 9000, 65_535]);
    const caps = chance(random, 0.3) ? ALL_CAPS : 0;
    const refuse = !clean && chance(random, 0.2) ? fraction(random) * 0.1 : 0;
    if (!clean && chance(random, 0.2)) this.#stalls(pick(random, [a, b]));
    this.#scenario += `, mtu ${mtu}, caps ${caps}, refuse ${refuse.toFixed(3)}`;
    this.#scenario += `, there ${JSON.stringify(there)}, back ${JSON.stringify(back)}`;
    return this.#world.link(a, b, [there, back], { mtu, caps, refuse });
  }

  /** The host is away for up to 200 ms now and then: a garbage collection. */
  #stalls(host: SimHost): void {
    const clock = this.#world.clock;
    this.#rules.slackUs += 250_000;
    for (let n = 1 + below(this.#random, 5); n > 0; n--) {
      const length = below(this.#random, 200_000);
      clock.after(logUniform(this.#random, 1000, 60_000_000), () => {
        host.stall(clock.nowUs() + length);
      });
    }
  }

  #context(host: SimHost): EndContext {
    const world = this.#world;
    return {
      clock: world.clock,
      random: new SeededRandom(this.#random.next()),
      note: (what, value) => world.note(what, value),
      fail: (what) => this.#fail(what),
      acted: () => this.#rules.acted(host.name),
    };
  }

  #serve(b: SimHost): void {
    const server = b.stack.listen({
      port: PORT,
      backlog: 64,
      handler: { accept: (_: TcpServer, s: TcpSocket) => this.#accept(s) },
    });
    // The listener goes when everything is over, so that the pools can be empty.
    const close = (): void => {
      if (this.#over()) server.close();
      else this.#world.clock.after(1_000_000, close);
    };
    this.#world.clock.after(1_000_000, close);
  }

  #accept(s: TcpSocket): TcpHandler | null {
    const c = this.#expected.get(s.remotePort);
    if (c === undefined || c.server.socket !== null) {
      // Old duplicates of a whole handshake: only a fixed test ISS lets them through (RFC 6528).
      return null;
    }
    c.server.accepted(s);
    return c.server;
  }

  #talk(a: SimHost, b: SimHost): void {
    const random = this.#random;
    const many = chance(random, 0.1);
    const n = many ? 20 + below(random, 30) : 1 + below(random, 4);
    const share = (this.#options.maxOctets ?? 2_000_000) / n;
    for (let i = 0; i < n; i++) {
      const at = i === 0 ? 0 : logUniform(random, 1, 5_000_000);
      const c = this.#conversation(i, share, [a, b]);
      this.#conversations.push(c);
      this.#world.clock.after(at, () => this.#connect(a, c));
    }
    this.#scenario += `, ${n} conversations`;
  }

  #datagrams(a: SimHost, b: SimHost): Datagrams | null {
    if (chance(this.#random, 0.7)) return null;
    const datagrams = new Datagrams(this.#random, SERVER, this.#context(b));
    datagrams.start(a, b);
    this.#scenario += ', UDP';
    return datagrams;
  }

  #connect(a: SimHost, c: Conversation): void {
    const s = a.stack.connect({ address: SERVER, port: PORT, handler: c.client });
    c.client.socket = s;
    this.#expected.set(s.localPort, c);
  }

  #conversation(i: number, share: number, hosts: readonly [SimHost, SimHost]): Conversation {
    const random = this.#random;
    const up = drawPlan(random, drawOctets(random, share));
    const down = drawPlan(random, drawOctets(random, share));
    if (chance(random, 0.15)) down.echo = true;
    if (!down.echo && chance(random, 0.3)) pick(random, [up, down]).endsLast = true;
    if (chance(random, 0.1)) drawAbort(random, pick(random, [up, down]), share);
    const keys = [random.next(), random.next()] as const;
    const serverKeys = down.echo ? ([keys[0], keys[0]] as const) : ([keys[1], keys[0]] as const);
    const clientKeys = down.echo ? ([keys[0], keys[0]] as const) : keys;
    const client = new End(`client${i}`, up, clientKeys, this.#context(hosts[0]));
    const server = new End(`server${i}`, down, serverKeys, this.#context(hosts[1]));
    return new Conversation(client, server);
  }
}

function drawOctets(random: Random, most: number): number {
  if (chance(random, 0.1)) return 0;
  return Math.floor(logUniform(random, 1, Math.max(2, most)));
}

function drawAbort(random: Random, plan: Plan, share: number): void {
  plan.abortAt = 1 + Math.floor(fraction(random) * share * 0.5);
}

function state(end: End): string {
  const s = end.socket;
  return `${end.name} sent ${end.sent}, read ${end.received}, ended ${end.hasEnded}, code ${
    end.code
  }, state ${s === null ? '-' : stateName(s.state)}`;
}

/** Knobs of one host; numbers just before the wrap for half of all seeds. */
function drawConfig(random: Random, wrap: boolean): ConfigOverrides {
  const tcp: NonNullable<ConfigOverrides['tcp']> = {};
  if (wrap) {
    tcp.testIss = 0x1_0000_0000 - 1 - below(random, 65_536);
    tcp.testTsOffset = 0x1_0000_0000 - 1 - below(random, 20_000);
  }
  if (chance(random, 0.2)) tcp.sack = false;
  if (chance(random, 0.2)) tcp.timestamps = false;
  if (chance(random, 0.2)) tcp.windowScale = false;
  if (chance(random, 0.3)) {
    tcp.rcvBufInitial = Math.floor(logUniform(random, 4096, 262_144));
    tcp.rcvBufMax = Math.max(tcp.rcvBufInitial, Math.floor(logUniform(random, 4096, 4_194_304)));
  }
  if (chance(random, 0.2)) {
    tcp.sndBufInitial = Math.floor(logUniform(random, 4096, 262_144));
    tcp.sndBufMax = Math.max(tcp.sndBufInitial, Math.floor(logUniform(random, 4096, 4_194_304)));
  }
  return { tcp };
}
