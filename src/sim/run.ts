// One seed, from the draw to the verdict: two hosts, one bad cable, a handful of conversations,
// every rule of invariants.ts at every packet, the books after every turn, the oracle at every
// octet, and empty pools at the end.

import { type Random, SeededRandom } from '../base/random.ts';
import type { TcpServer } from '../socket/tcp-server.ts';
import type { TcpHandler, TcpSocket } from '../socket/tcp-socket.ts';
import { bbr } from '../tcp/congestion/bbr.ts';
import { stateName } from '../tcp/state.ts';
import { Attacker, type Victim } from './attacker.ts';
import { type Bites, countBites } from './bites.ts';
import { Box } from './box.ts';
import type { Cable } from './cable.ts';
import { Datagrams } from './datagrams.ts';
import type { SimHost } from './host.ts';
import { Invariants } from './invariants.ts';
import { ledger } from './ledger.ts';
import { leftovers } from './leftovers.ts';
import { borrow, giveBack, SLAB_OCTETS } from './memory.ts';
import { Conversation, End, type EndContext } from './oracle.ts';
import { drawScenario, kindOf, type Scenario, type ScenarioKind, type Talk } from './scenario.ts';
import { mayFollow } from './states.ts';
import { schedule } from './trouble.ts';
import { World } from './world.ts';

export interface RunOptions {
  seed: number;
  /** Default: each 50th seed is `bulk`, each 5000th `giant`, the rest `mixed`. */
  kind?: ScenarioKind;
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
  /** How often each fault happened, and what it moved in the stacks. */
  bites: Bites;
  trace: readonly string[];
  /** The draw in one line. */
  scenario: string;
}

const PORT = 80;
const CLIENT = '10.0.0.1';
const SERVER = '10.0.0.2';
/** Within ten maximal retransmission timeouts of 120 s something must have arrived. */
const AFTER_FAULTS_US = 10 * 120_000_000;
const MAX_SPANS = 60;
/** TIME-WAIT, FIN-WAIT-2, path MTUs (600 s) and the like: everything must be gone. */
const AFTERGLOW_US = 1_000_000_000;
const MAX_STEPS = 8_000_000;
/** The books are balanced after every few turns, of a host with many connections less often. */
const FEW = 6;
const BOOKS_OFTEN = 3;
const BOOKS_SELDOM = 16;

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
  readonly #memory: ArrayBuffer[] = [];
  readonly #scenario: Scenario;
  readonly #bites: Bites = {};
  #hosts: SimHost[] = [];
  #attacker: Attacker | null = null;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#world = new World({ seed: options.seed, keepTrace: options.keepTrace ?? 0 });
    this.#random = new SeededRandom(options.seed ^ 0x5eed);
    this.#rules = new Invariants(() => this.#world.clock.nowUs());
    this.#world.watch = this.#rules;
    this.#scenario = drawScenario(this.#random, {
      kind: options.kind ?? kindOf(options.seed),
      startUs: this.#world.clock.nowUs(),
      maxLoss: options.maxLoss ?? 0.2,
      maxOctets: options.maxOctets ?? 2_000_000,
      clean: options.clean === true,
    });
  }

  result(): RunResult {
    try {
      this.#play();
    } catch (error) {
      this.#fail(error instanceof Error ? `${error.message} ${error.stack ?? ''}` : String(error));
    }
    this.#failures.push(...this.#rules.violations);
    for (const host of this.#hosts) {
      for (const text of leftovers(host)) this.#failures.push(`${host.name}: ${text}`);
    }
    const world = this.#world;
    let undetectable = 0;
    for (const cable of world.cables) {
      for (const end of cable.ends) undetectable += end.way.stats.undetectable;
    }
    countBites(this.#bites, world, this.#attacker, this.#conversations);
    giveBack(this.#memory);
    return {
      seed: this.#options.seed,
      hash: world.hash,
      failures: this.#failures,
      conversations: this.#conversations.length,
      octets: this.#octets(),
      packets: world.packets,
      steps: world.steps,
      virtualUs: world.clock.nowUs(),
      undetectable,
      gaveUp: this.#conversations.reduce((sum, c) => sum + c.gaveUp, 0),
      bites: this.#bites,
      trace: world.trace.lines,
      scenario: JSON.stringify({ ...this.#scenario, talks: this.#scenario.talks.length }),
    };
  }

  #fail(what: string): void {
    if (this.#failures.length >= 20) return;
    const at = (this.#world.clock.nowUs() / 1e6).toFixed(6);
    this.#failures.push(`${at} ${what}`);
    this.#world.note('failure', this.#failures.length);
  }

  #play(): void {
    const world = this.#world;
    const s = this.#scenario;
    const start = world.clock.nowUs();
    const [a, b] = this.#makeHosts();
    const cable = this.#lay(a, b);
    this.#serve(b);
    this.#talk(a, b);
    this.#trouble(cable);
    const datagrams = this.#datagrams(a, b);
    const done = (): boolean => this.#over();
    let ended = world.run({ untilUs: start + s.faultsUntilUs, maxSteps: MAX_STEPS, done });
    cable.heal();
    this.#attacker?.stop();
    // As long as octets come there is life in it: a long path through a small window takes time.
    for (let n = 0, before = -1; n < MAX_SPANS && !this.#over(); n++) {
      const octets = this.#octets();
      if (octets === before) break;
      before = octets;
      const until = world.clock.nowUs() + AFTER_FAULTS_US;
      ended = world.run({ untilUs: until, maxSteps: MAX_STEPS, done });
    }
    // What a lost RST left behind on the other side is legal: TCP cannot know. The program ends it.
    for (const c of this.#conversations) if (c.mayHang) c.abandon();
    if (!this.#over()) {
      const what = ended ? 'deadlock: nothing is left to happen' : 'not over in time';
      for (const c of this.#conversations) {
        if (!c.over && !c.mayHang) this.#fail(`${what}: ${state(c.client)}; ${state(c.server)}`);
      }
    }
    datagrams?.stop();
    const last = world.clock.nowUs();
    world.run({ untilUs: last + AFTERGLOW_US, maxSteps: MAX_STEPS });
    for (const c of this.#conversations) c.judge();
  }

  /** Octets that programs have read. */
  #octets(): number {
    return this.#conversations.reduce((sum, c) => sum + c.octets, 0);
  }

  #over(): boolean {
    for (const c of this.#conversations) if (!c.over) return false;
    return true;
  }

  #makeHosts(): [SimHost, SimHost] {
    const s = this.#scenario;
    const make = (name: string, address: string, i: 0 | 1): SimHost =>
      this.#world.host(name, {
        addresses: [`${address}/24`],
        config: s.hosts[i].config,
        turnUs: s.turnUs,
        tickUs: s.hosts[i].tickUs,
        slabOctets: SLAB_OCTETS,
        memory: borrow(this.#memory),
      });
    const a = make('a', CLIENT, 0);
    const b = make('b', SERVER, 1);
    this.#hosts = [a, b];
    let turns = 0;
    for (const host of this.#hosts) {
      host.onTurn = (_h, begins) => {
        if (begins) return this.#rules.turnBegins();
        this.#watchStates();
        const every = host.stack.tcp.live > FEW ? BOOKS_SELDOM : BOOKS_OFTEN;
        if (++turns % every !== 0) return;
        for (const text of ledger(host)) this.#fail(`${host.name}: ${text}`);
      };
    }
    const rules = this.#rules;
    rules.cwndOf = (host, w) => this.#cwnd(host === 'a' ? w.srcPort : w.dstPort, host);
    rules.slackUs = s.turnUs * 2 + 1_000 + 2 * Math.max(s.hosts[0].tickUs, s.hosts[1].tickUs);
    // The clock in an ISN does not move within a tick: two connections may have the same one.
    rules.fixedIss = s.wrap || s.hosts.some((host) => host.tickUs > 0);
    if (s.hosts.some(({ config }) => config.tcp?.controller === bbr)) rules.extraSegments += 4;
    rules.mayFragment = s.attack !== null || s.mtus.some(([, mtu]) => mtu < 552);
    for (const [i, { config }] of s.hosts.entries()) {
      if (config.tcp?.rcvBufMemory !== undefined) rules.pressed.add(i === 0 ? 'a' : 'b');
    }
    rules.forgetful = s.restarts.length > 0 || s.box?.forgetsUs !== undefined;
    return [a, b];
  }

  /** RFC 9293 figure 5, looked at after every turn. */
  #watchStates(): void {
    for (const c of this.#conversations) {
      for (const end of [c.client, c.server]) {
        if (end.socket === null || end.killed || end.lastState === 'UNCONN') continue;
        const now = stateName(end.socket.state);
        if (now === end.lastState) continue;
        if (end.lastState !== '' && !mayFollow(end.lastState, now)) {
          this.#fail(`${end.name} went from ${end.lastState} to ${now}`);
        }
        end.lastState = now;
      }
    }
  }

  /** Segments of congestion window, as the socket says it. */
  #cwnd(clientPort: number, host: string): number | null {
    const c = this.#expected.get(clientPort);
    const s = host === 'a' ? c?.client.socket : c?.server.socket;
    if (s === null || s === undefined) return null;
    return s.tcb.cwnd;
  }

  #lay(a: SimHost, b: SimHost): Cable {
    const { mtu, caps, refuse, gro, ways, box } = this.#scenario;
    const options = { mtu, caps, refuse, ...(gro === 0 ? {} : { gro: { everyUs: gro } }) };
    const cable = this.#world.link(a, b, ways, options);
    const inTheWay = box !== null || this.#scenario.mtus.length > 0;
    if (inTheWay) cable.box = new Box(box ?? {}, new SeededRandom(this.#random.next()));
    return cable;
  }

  #trouble(cable: Cable): void {
    schedule(this.#scenario, {
      clock: this.#world.clock,
      hosts: this.#hosts,
      cable,
      rules: this.#rules,
      bite: (what) => {
        this.#bites[what] = (this.#bites[what] ?? 0) + 1;
      },
      restart: (which) => this.#restart(which),
      cutAll: () => this.#cutAll(),
    });
    const { attack } = this.#scenario;
    if (attack === null) return;
    const random = new SeededRandom(this.#random.next());
    const victims = (): Victim[] => this.#victims(cable);
    this.#attacker = new Attacker(attack, random, this.#world.clock, victims);
  }

  #victims(cable: Cable): Victim[] {
    const found: Victim[] = [];
    const [endA, endB] = cable.ends;
    if (endA === undefined || endB === undefined) return found;
    for (const { client, server } of this.#conversations) {
      if (client.socket !== null && client.code === null) {
        found.push({ end: endA, tcb: client.socket.tcb });
      }
      if (server.socket !== null && server.code === null) {
        found.push({ end: endB, tcb: server.socket.tcb });
      }
    }
    return found;
  }

  /** From now on nobody can promise that a connection which has begun will end well. */
  #cutAll(): void {
    for (const c of this.#conversations) if (c.client.socket !== null) c.cut = true;
  }

  #restart(which: 0 | 1): void {
    const host = this.#hosts[which] as SimHost;
    const exceptions = host.stack.counters.get('PortsideExceptions');
    if (exceptions > 0) this.#fail(`${host.name}: ${exceptions} exceptions before its restart`);
    this.#cutAll();
    for (const c of this.#conversations) {
      if (which === 0 && c.client.socket !== null) c.client.kill();
      if (which === 1) c.server.kill();
    }
    const tcp = { ...this.#scenario.hosts[which].config.tcp };
    // Fixed numbers again would be those of the life before (RFC 9293 §3.4.3).
    tcp.testIss = -1;
    tcp.testTsOffset = -1;
    const config = { ...this.#scenario.hosts[which].config, tcp };
    const memory = borrow(this.#memory);
    host.restart({ random: new SeededRandom(this.#random.next()), config, memory });
    this.#world.note('restart', which);
    if (which === 1) this.#serve(host);
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
    const { stack } = b;
    const server = stack.listen({
      port: PORT,
      backlog: 64,
      handler: { accept: (_: TcpServer, s: TcpSocket) => this.#accept(s) },
    });
    // The listener goes when everything is over, so that the pools can be empty.
    const close = (): void => {
      if (b.stack !== stack) return;
      if (this.#over()) server.close();
      else this.#world.clock.after(1_000_000, close);
    };
    this.#world.clock.after(1_000_000, close);
  }

  #accept(s: TcpSocket): TcpHandler | null {
    const c = this.#expected.get(s.remotePort);
    if (c === undefined || c.server.socket !== null) {
      return null; // old duplicates of a whole handshake: a fixed test ISS lets them through
    }
    c.server.accepted(s);
    return c.server;
  }

  #talk(a: SimHost, b: SimHost): void {
    for (const [i, talk] of this.#scenario.talks.entries()) {
      const c = this.#conversation(i, talk, [a, b]);
      c.frail = this.#scenario.hosts[1].config.tcp?.synBacklog !== undefined;
      this.#conversations.push(c);
      this.#world.clock.after(talk.atUs, () => this.#connect(a, c));
    }
  }

  #datagrams(a: SimHost, b: SimHost): Datagrams | null {
    if (!this.#scenario.udp || this.#scenario.restarts.length > 0) return null;
    const datagrams = new Datagrams(this.#random, SERVER, this.#context(b));
    datagrams.start(a, b);
    return datagrams;
  }

  #connect(a: SimHost, c: Conversation): void {
    const s = a.stack.connect({ address: SERVER, port: PORT, handler: c.client });
    c.client.socket = s;
    this.#expected.set(s.localPort, c);
  }

  #conversation(i: number, talk: Talk, hosts: readonly [SimHost, SimHost]): Conversation {
    const { keys, client: up, server: down } = talk;
    const serverKeys = down.echo ? ([keys[0], keys[0]] as const) : ([keys[1], keys[0]] as const);
    const clientKeys = down.echo ? ([keys[0], keys[0]] as const) : keys;
    const client = new End(`client${i}`, up, clientKeys, this.#context(hosts[0]));
    const server = new End(`server${i}`, down, serverKeys, this.#context(hosts[1]));
    return new Conversation(client, server);
  }
}

function state(end: End): string {
  const s = end.socket;
  return `${end.name} sent ${end.sent}, read ${end.received}, ended ${end.hasEnded}, code ${
    end.code
  }, state ${s === null ? '-' : stateName(s.state)}`;
}
