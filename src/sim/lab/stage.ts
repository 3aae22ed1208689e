// What scenarios of the laboratory are made of: a world with hosts, programs that say what they do,
// queues that several hosts share, and lines to draw. A seed names one history, so a scenario can
// be played again up to any packet.

import type { Impairment } from '../../link/impair.ts';
import type { TcpHandler, TcpSocket } from '../../socket/tcp-socket.ts';
import type { ConfigOverrides } from '../../stack/config.ts';
import type { Cable } from '../cable.ts';
import type { HostOptions, SimHost } from '../host.ts';
import { type LinkOptions, World } from '../world.ts';

export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** A few sentences: what happens, and why. */
  readonly teaches: string;
  /** What to look at, each with the section of an RFC. */
  readonly look: readonly string[];
  /** Virtual seconds in a second of the reader's. */
  readonly speed: number;
  /** Virtual µs after which there is nothing more to see. */
  readonly untilUs: number;
  build(stage: Stage): void;
}

export interface Line {
  readonly name: string;
  readonly points: [number, number][];
}

export interface Drawing {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly series: Line[];
}

/** What a program said. */
export interface Said {
  readonly us: number;
  readonly host: string;
  readonly text: string;
}

/** The world's clock when a scenario begins: zero means "never" in some places. */
export const ORIGIN_US = 1_000_000_000;

export class Stage {
  readonly world: World;
  readonly said: Said[] = [];
  readonly drawings: Drawing[] = [];
  /** Called with each host before anything happens to it. */
  onHost: ((host: SimHost) => void) | null = null;

  constructor(seed = 1) {
    this.world = new World({ seed, startUs: ORIGIN_US });
  }

  /** Since the scenario began. */
  get nowUs(): number {
    return this.world.clock.nowUs() - ORIGIN_US;
  }

  at(us: number, act: () => void): void {
    this.world.clock.at(ORIGIN_US + us, () => {
      // a program's call happens now, not at its stack's last turn
      for (const host of this.world.hosts) host.tick();
      act();
    });
  }

  say(host: string, text: string): void {
    this.said.push({ us: this.nowUs, host, text });
  }

  host(name: string, address: string, config: ConfigOverrides = {}): SimHost {
    // every program of the laboratory is patient enough for its story
    const tcp = { timeWaitMs: 2000, ...config.tcp };
    return this.added(name, { addresses: [`${address}/24`], config: { ...config, tcp } });
  }

  added(name: string, options: HostOptions): SimHost {
    const host = this.world.host(name, options);
    this.onHost?.(host);
    return host;
  }

  /** `client` 10.0.0.1 and `server` 10.0.0.2 with a cable of 10 ms each way, unless told. */
  pair(way: Impairment | readonly [Impairment, Impairment] = {}, o: PairOptions = {}): Pair {
    const client = this.host('client', '10.0.0.1', o.client ?? o.config);
    const server = this.host('server', '10.0.0.2', o.server ?? o.config);
    const both = Array.isArray(way) ? (way as [Impairment, Impairment]) : [way, way];
    const [there, back] = both.map((one) => ({ delayUs: 10_000, ...one })) as [
      Impairment,
      Impairment,
    ];
    this.link(client, server, [there, back], o.link);
    return { client, server };
  }

  /** A cable; a host has its addresses on its first, and takes them along to the others. */
  link(a: SimHost, b: SimHost, ways: Ways, o: LinkOptions = {}): Cable {
    const [ofA, ofB] = [a, b].map((h) => (h.links.length === 0 ? h.addresses : [])) as Addresses;
    const cable = this.world.link(a, b, ways, { ...o, addresses: [ofA, ofB] });
    if (ofB.length === 0) route(a, b);
    if (ofA.length === 0) route(b, a);
    return cable;
  }

  program(host: SimHost, acts: Acts = {}): Program {
    return new Program(this, host.name, acts);
  }

  drawing(title: string, x: string, y: string, names: readonly string[]): Drawing {
    const drawing = { title, x, y, series: names.map((name) => ({ name, points: [] })) };
    this.drawings.push(drawing);
    return drawing;
  }
}

type Ways = Impairment | readonly [Impairment, Impairment];
type Addresses = [readonly string[], readonly string[]];

/** The other host is at the end of the last cable. */
function route(from: SimHost, to: SimHost): void {
  const link = from.links.at(-1)?.id ?? 0;
  for (const text of to.addresses) from.stack.addRoute(text.split('/')[0] as string, 32, { link });
}

export interface PairOptions {
  config?: ConfigOverrides;
  client?: ConfigOverrides;
  server?: ConfigOverrides;
  link?: LinkOptions;
}

export interface Pair {
  readonly client: SimHost;
  readonly server: SimHost;
}

export interface Acts {
  opened?(s: TcpSocket): void;
  data?(s: TcpSocket, octets: number): void;
  ended?(s: TcpSocket): void;
  closed?(s: TcpSocket, code: number): void;
}

/** The program at one end: what it does is said, what it leaves out is done as a server would. */
export class Program implements TcpHandler {
  octets = 0;
  readonly #stage: Stage;
  readonly #host: string;
  readonly #acts: Acts;

  constructor(stage: Stage, host: string, acts: Acts) {
    this.#stage = stage;
    this.#host = host;
    this.#acts = acts;
  }

  opened(s: TcpSocket): void {
    if (this.#acts.opened === undefined) this.#stage.say(this.#host, 'connect() has succeeded');
    else this.#acts.opened(s);
  }
  data(s: TcpSocket, _u8: Uint8Array, _off: number, len: number): void {
    this.octets += len;
    this.#acts.data?.(s, len);
  }
  ended(s: TcpSocket): void {
    if (this.#acts.ended !== undefined) return this.#acts.ended(s);
    this.#stage.say(this.#host, 'reads the end, close()');
    s.close();
  }
  writable(): void {}
  written(): void {}
  closed(s: TcpSocket, code: number): void {
    this.#acts.closed?.(s, code);
  }
}

/** A queue in front of a line that several hosts share: full, it drops what comes last. */
export class SharedQueue {
  readonly #rate: number;
  readonly #room: number;
  #freeAtUs = 0;
  dropped = 0;

  /** @param rate octets per second @param room octets that may wait */
  constructor(rate: number, room: number) {
    this.#rate = rate;
    this.#room = room;
  }

  /** For `Impairment.fate`: how long the packet waits and is sent, or -1. */
  readonly fate = (octets: Uint8Array, nowUs: number): number => {
    const begin = Math.max(nowUs, this.#freeAtUs);
    const waiting = ((begin - nowUs) * this.#rate) / 1e6;
    if (waiting + octets.length > this.#room) {
      this.dropped++;
      return -1;
    }
    this.#freeAtUs = begin + (octets.length * 1e6) / this.#rate;
    return Math.ceil(this.#freeAtUs) - nowUs;
  };

  /** Octets that wait now. */
  waiting(nowUs: number): number {
    return Math.max(0, ((this.#freeAtUs - nowUs) * this.#rate) / 1e6);
  }
}

/** Loses the packets whose ordinal, among those with data, stands in the list; 1 is the first. */
export function losing(...ordinals: number[]): (octets: Uint8Array) => number {
  let n = 0;
  return (octets) => {
    if (payloadOf(octets) === 0) return 0;
    n++;
    return ordinals.includes(n) ? -1 : 0;
  };
}

/** Octets of TCP payload of a whole IPv4 packet. */
export function payloadOf(octets: Uint8Array): number {
  if (octets.length < 40 || octets[9] !== 6) return 0;
  const tcp = ((octets[0] as number) & 15) * 4;
  return octets.length - tcp - ((octets[tcp + 12] as number) >> 4) * 4;
}
