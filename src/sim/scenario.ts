// What a seed draws, as data: hosts and their knobs, the cable and what stands in it, faults and
// when they come, who talks to whom. Swarm-style throughout: each kind of fault is off in half of
// the seeds or more.

import { below, fraction, type Random } from '../base/random.ts';
import type { CoDelOptions } from '../link/codel.ts';
import type { Impairment } from '../link/impair.ts';
import type { ConfigOverrides } from '../stack/config.ts';
import { bbr } from '../tcp/congestion/bbr.ts';
import { newReno } from '../tcp/congestion/newreno.ts';
import type { Attack } from './attacker.ts';
import type { BoxRules } from './box.ts';
import { chance, drawImpairment, drawPartitions, logUniform, pick } from './faults.ts';
import { bulkPlan, drawPlan, type Plan } from './plan.ts';
import { ALL_CAPS } from './world.ts';

export type { CoDelOptions };

/** What a run is for: everything mixed, many octets on a good cable, or restarts above all. */
export type ScenarioKind = 'mixed' | 'bulk' | 'giant' | 'restarts';

export interface HostDraw {
  config: ConfigOverrides;
  tickUs: number;
  /** When the clock jumps, and by how much (forwards or back). */
  jumps: (readonly [number, number])[];
  /** When the host is away, and for how long. */
  stalls: (readonly [number, number])[];
}

export interface Talk {
  atUs: number;
  client: Plan;
  server: Plan;
  keys: readonly [number, number];
}

/** Times are µs after the start. */
export interface Scenario {
  kind: ScenarioKind;
  clean: boolean;
  wrap: boolean;
  turnUs: number;
  hosts: readonly [HostDraw, HostDraw];
  mtu: number;
  caps: number;
  refuse: number;
  gro: number;
  ways: readonly [Impairment, Impairment];
  box: BoxRules | null;
  /** New delays there and back. */
  delays: (readonly [number, number, number])[];
  /** New sizes that pass a router, and whether it says so. */
  mtus: (readonly [number, number, boolean])[];
  attack: Attack | null;
  /** When which host starts anew. */
  restarts: (readonly [number, 0 | 1])[];
  talks: Talk[];
  udp: boolean;
  faultsUntilUs: number;
}

export interface ScenarioOptions {
  kind: ScenarioKind;
  startUs: number;
  maxLoss: number;
  maxOctets: number;
  clean: boolean;
}

const BULK_OCTETS = 100_000_000;
/** Beyond the wrap of sequence numbers, wherever they begin. */
const GIANT_OCTETS = 4_400_000_000;
const FAULTS_UNTIL_US = 300_000_000;
const HOUR_US = 3_600_000_000;

/** What a seed is for. */
export function kindOf(seed: number): ScenarioKind {
  if (seed % 5000 === 2525) return 'giant';
  return seed % 50 === 0 ? 'bulk' : 'mixed';
}

export function drawScenario(random: Random, o: ScenarioOptions): Scenario {
  if (o.kind === 'bulk' || o.kind === 'giant') return drawBulk(random, o);
  const turnUs = chance(random, 0.3) ? Math.floor(logUniform(random, 1, 5_000)) : 0;
  const wrap = chance(random, 0.5);
  const bad = !o.clean;
  const box = bad ? drawBox(random, o.startUs) : null;
  const s: Scenario = {
    kind: o.kind,
    clean: o.clean,
    wrap,
    turnUs,
    hosts: [drawHost(random, wrap, bad), drawHost(random, wrap, bad)],
    mtu: pick(random, [296, 576, 1280, 1500, 1500, 1500, 9000, 65_535]),
    caps: chance(random, 0.3) ? ALL_CAPS : 0,
    refuse: bad && chance(random, 0.2) ? fraction(random) * 0.1 : 0,
    gro: bad && chance(random, 0.2) ? Math.floor(logUniform(random, 1, 2_000)) : 0,
    ways: drawWays(random, o),
    box,
    delays: bad && chance(random, 0.2) ? drawDelays(random) : [],
    mtus: bad && chance(random, 0.15) ? drawMtus(random) : [],
    attack: bad && chance(random, 0.2) ? drawAttack(random, o.startUs) : null,
    restarts: bad ? drawRestarts(random, o.kind) : [],
    talks: [],
    udp: chance(random, 0.3),
    faultsUntilUs: FAULTS_UNTIL_US,
  };
  if (box?.zero !== undefined) {
    const last = box.zero[box.zero.length - 1]?.[1] ?? o.startUs;
    s.faultsUntilUs = Math.max(s.faultsUntilUs, last - o.startUs + 60_000_000);
    // Hundreds of probes: fifteen lost in a row would end the connection (R2), as they should.
    for (const way of s.ways) {
      way.loss = Math.min(way.loss ?? 0, 0.1);
      delete way.ackLoss;
      delete way.burst;
    }
  }
  drawTalks(random, s, o.maxOctets);
  return s;
}

function drawBulk(random: Random, o: ScenarioOptions): Scenario {
  const wrap = chance(random, 0.5);
  const quiet = (): HostDraw => ({
    config: wrapped(random, wrap),
    tickUs: 0,
    jumps: [],
    stalls: [],
  });
  const way: Impairment = { delayUs: Math.floor(logUniform(random, 10, 1_000)) };
  if (o.kind === 'bulk' && chance(random, 0.3)) way.loss = logUniform(random, 1e-6, 1e-3);
  const octets = o.kind === 'giant' ? GIANT_OCTETS : BULK_OCTETS;
  const plans = chance(random, 0.5) ? [octets, 0] : [0, octets];
  const talk: Talk = {
    atUs: 0,
    client: bulkPlan(plans[0] as number),
    server: bulkPlan(plans[1] as number),
    keys: [random.next(), random.next()],
  };
  return {
    kind: o.kind,
    clean: way.loss === undefined,
    wrap,
    turnUs: 0,
    hosts: [quiet(), quiet()],
    mtu: pick(random, [1500, 9000, 65_535]),
    caps: ALL_CAPS,
    refuse: 0,
    gro: 0,
    ways: [way, { ...way }],
    box: null,
    delays: [],
    mtus: [],
    attack: null,
    restarts: [],
    talks: [talk],
    udp: false,
    faultsUntilUs: FAULTS_UNTIL_US,
  };
}

function drawWays(random: Random, o: ScenarioOptions): [Impairment, Impairment] {
  const draw = { random, maxLoss: o.maxLoss };
  const partitions = drawPartitions(random, o.startUs);
  const way = (): Impairment => {
    const i = drawImpairment(draw);
    if (o.clean) return { delayUs: i.delayUs ?? 0 };
    if (partitions.length > 0 && chance(random, 0.7)) i.partitions = partitions;
    return i;
  };
  const there = way();
  // a symmetric network as often as two different ways
  return [there, chance(random, 0.5) ? { ...there } : way()];
}

/** Numbers just before the wrap for half of all seeds. */
function wrapped(random: Random, wrap: boolean): ConfigOverrides {
  // Few destinations: a small table is made faster.
  const ip = { pmtuMaxEntries: 64 };
  if (!wrap) return { ip };
  const testIss = 0x1_0000_0000 - 1 - below(random, 65_536);
  const testTsOffset = 0x1_0000_0000 - 1 - below(random, 20_000);
  return { ip, tcp: { testIss, testTsOffset } };
}

function drawHost(random: Random, wrap: boolean, bad: boolean): HostDraw {
  const host: HostDraw = {
    config: drawConfig(random, wrap),
    tickUs: bad && chance(random, 0.15) ? pick(random, [100, 1_000, 4_000, 10_000]) : 0,
    jumps: [],
    stalls: [],
  };
  if (bad && chance(random, 0.1)) {
    for (let n = 1 + below(random, 3); n > 0; n--) {
      const by = logUniform(random, 1_000, 100_000_000) * (chance(random, 0.3) ? -0.01 : 1);
      host.jumps.push([Math.floor(logUniform(random, 1_000, 60_000_000)), Math.floor(by)]);
    }
  }
  if (bad && chance(random, 0.1)) {
    for (let n = 1 + below(random, 5); n > 0; n--) {
      host.stalls.push([logUniform(random, 1000, 60_000_000), below(random, 200_000)]);
    }
  }
  return host;
}

/** Knobs of one host. */
function drawConfig(random: Random, wrap: boolean): ConfigOverrides {
  const config = wrapped(random, wrap);
  const tcp: NonNullable<ConfigOverrides['tcp']> = { ...config.tcp };
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
  if (chance(random, 0.3)) tcp.ecn = 1;
  if (chance(random, 0.2)) tcp.controller = pick(random, [newReno, bbr]);
  if (chance(random, 0.1)) tcp.mtuProbing = 2;
  if (chance(random, 0.1)) tcp.ofoMaxRanges = 1 + below(random, 8);
  // memory that is refused: for data out of order, and for connections that are not open yet
  if (chance(random, 0.1)) tcp.rcvBufMemory = Math.floor(logUniform(random, 8_192, 262_144));
  if (chance(random, 0.1)) tcp.synBacklog = below(random, 4);
  return { ...config, tcp };
}

function drawBox(random: Random, startUs: number): BoxRules | null {
  if (chance(random, 0.5)) return null;
  const box: BoxRules = {};
  if (chance(random, 0.3)) {
    // MSS is one of them: 536 octets are assumed then (RFC 9293 MUST-15)
    box.strip = [2, 3, 4, 8].filter(() => chance(random, 0.5));
    if (box.strip.includes(4)) box.strip = [...box.strip, 5];
    box.synOnly = chance(random, 0.5);
  } else if (chance(random, 0.2)) box.strip = [5]; // SACK blocks alone
  if (chance(random, 0.2)) box.mss = Math.floor(logUniform(random, 88, 1460));
  if (chance(random, 0.2)) box.bleach = pick(random, ['ip', 'syn']);
  if (chance(random, 0.2)) box.split = Math.floor(logUniform(random, 50, 2000));
  if (chance(random, 0.15)) box.window = Math.floor(logUniform(random, 1, 1500));
  if (chance(random, 0.2)) box.shrink = fraction(random) * 0.5;
  if (chance(random, 0.15)) box.zero = drawZeros(random, startUs);
  if (chance(random, 0.1)) box.forgetsUs = startUs + logUniform(random, 1_000, 30_000_000);
  return box;
}

/** Windows of zero for seconds, or for hours. */
function drawZeros(random: Random, startUs: number): (readonly [number, number])[] {
  const spans: (readonly [number, number])[] = [];
  let at = startUs;
  for (let n = 1 + below(random, 3); n > 0; n--) {
    at += logUniform(random, 1_000, 5_000_000);
    const long = chance(random, 0.2);
    const end = at + (long ? logUniform(random, HOUR_US / 10, 4 * HOUR_US) : 10_000_000);
    spans.push([Math.floor(at), Math.floor(end)]);
    at = end;
  }
  return spans;
}

function drawDelays(random: Random): (readonly [number, number, number])[] {
  const steps: (readonly [number, number, number])[] = [];
  for (let n = 1 + below(random, 4); n > 0; n--) {
    const delay = (): number => Math.floor(logUniform(random, 1, 10_000_000));
    const there = delay();
    const back = chance(random, 0.5) ? there : delay();
    steps.push([Math.floor(logUniform(random, 1_000, 100_000_000)), there, back]);
  }
  return steps;
}

function drawMtus(random: Random): (readonly [number, number, boolean])[] {
  const steps: (readonly [number, number, boolean])[] = [];
  for (let n = 1 + below(random, 3); n > 0; n--) {
    const mtu = Math.floor(logUniform(random, 68, 65_535));
    steps.push([Math.floor(logUniform(random, 1, 60_000_000)), mtu, chance(random, 0.5)]);
  }
  return steps;
}

function drawAttack(random: Random, startUs: number): Attack {
  return {
    rate: logUniform(random, 1, 1000),
    most: 1 + below(random, 2000),
    fromUs: startUs + Math.floor(logUniform(random, 1, 5_000_000)),
  };
}

function drawRestarts(random: Random, kind: ScenarioKind): (readonly [number, 0 | 1])[] {
  const all = kind === 'restarts';
  if (!all && chance(random, 0.85)) return [];
  const restarts: (readonly [number, 0 | 1])[] = [];
  for (let n = all ? 3 : 1 + below(random, 3); n > 0; n--) {
    const at = Math.floor(logUniform(random, 1_000, all ? 10_000_000 : 60_000_000));
    restarts.push([at, chance(random, 0.5) ? 0 : 1]);
  }
  return restarts;
}

function drawTalks(random: Random, s: Scenario, maxOctets: number): void {
  const many = chance(random, 0.1);
  const n = many ? 20 + below(random, 30) : 1 + below(random, 4);
  // Through a window of a few octets little passes in the time that a run has.
  const most = s.box?.window === undefined ? maxOctets : Math.min(maxOctets, 30_000);
  const times = Array.from({ length: n }, (_, i) =>
    i === 0 ? 0 : logUniform(random, 1, 5_000_000),
  );
  for (const [at] of s.restarts) {
    for (let more = 1 + below(random, 2); more > 0; more--) {
      times.push(at + logUniform(random, 1, 5_000_000));
    }
  }
  for (const atUs of times) s.talks.push(drawTalk(random, atUs, most / n));
}

function drawTalk(random: Random, atUs: number, share: number): Talk {
  const client = drawPlan(random, drawOctets(random, share));
  const server = drawPlan(random, drawOctets(random, share));
  if (chance(random, 0.15)) server.echo = true;
  if (!server.echo && chance(random, 0.3)) pick(random, [client, server]).endsLast = true;
  if (chance(random, 0.1)) {
    pick(random, [client, server]).abortAt = 1 + Math.floor(fraction(random) * share * 0.5);
  }
  return { atUs, client, server, keys: [random.next(), random.next()] };
}

function drawOctets(random: Random, most: number): number {
  if (chance(random, 0.1)) return 0;
  return Math.floor(logUniform(random, 1, Math.max(2, most)));
}
