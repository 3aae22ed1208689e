// `portside up`: a host of our own on a TUN, a TAP or an Ethernet interface, with the small
// services, until a signal comes.

import { readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { Command } from 'commander';
import type { Answers } from '../node/control-verb.ts';
import { createHost, type Host } from '../node/host.ts';
import { type MetricsServer, serveMetrics } from '../node/metrics-server.ts';
import { IPERF3_PORT } from '../services/iperf3.ts';
import type { Service } from '../services/service.ts';
import type { Inspector } from '../web/server.ts';
import { parseMac } from '../wire/ethernet.ts';
import { firstOther, parseAddress, parsePort, parseTyped } from './addresses.ts';
import { inspectHost } from './inspect-host.ts';
import { failWith, Report, sentence, UsageError } from './report.ts';
import { closeServices, startServices, type Wanted } from './service-set.ts';
import { serviceAnswers } from './service-verbs.ts';

const DEFAULT_NAME = 'portside0';
/** IFNAMSIZ less the NUL. */
const MOST_NAME = 15;
/** What open connections get to finish after a signal, and what the whole end may take. */
const CLOSE_MS = 700;
const END_MS = 1800;

interface Options {
  addr?: string[];
  own?: string[];
  peer?: string;
  mtu?: string;
  netns?: string;
  echo?: boolean;
  discard?: boolean;
  chargen?: boolean;
  http?: boolean | string;
  iperf3?: boolean | string;
  via?: string;
  busyPoll?: string;
  tap?: boolean;
  packet?: string;
  mac?: string;
  pidfile?: string;
  json?: boolean;
  // commander's name for --no-control
  control?: boolean;
  inspect?: boolean | string;
  metrics?: string;
}

type DeviceKind = 'tun' | 'tap' | 'packet';

export interface Plan {
  readonly name: string;
  /** As typed; the first one belongs to the device's prefix. */
  readonly addresses: readonly string[];
  readonly own: readonly string[];
  /** Null: nobody is known at the other end of the wire. */
  readonly peer: string | null;
  readonly kind: DeviceKind;
  readonly mac: string | undefined;
  readonly mtu: number | undefined;
  readonly netns: string | undefined;
  readonly busyPollUs: number | undefined;
  readonly wanted: Wanted;
  readonly pidfile: string | undefined;
  readonly json: boolean;
  readonly control: boolean;
  /** Port of the inspector's page on the kernel's loopback; null: none. */
  readonly inspect: number | null;
  /** Port of the page for Prometheus on the kernel's loopback; null: none. */
  readonly metrics: number | null;
}

function gather(value: string, before: string[] = []): string[] {
  return [...before, value];
}

export function upCommand(): Command {
  return new Command('up')
    .summary('own addresses on a device and serve on them')
    .description('own addresses on a device and serve on them, until SIGINT or SIGTERM')
    .argument('[NAME]', `device; an existing TUN is used and left as found (${DEFAULT_NAME})`)
    .argument('[ADDR/PREFIX]', 'our address and the prefix of its link, such as 10.77.0.2/24')
    .option('--addr <ADDR/PREFIX>', 'a further address of ours (may be given again)', gather)
    .option('--own <PREFIX>', 'own every address of PREFIX (may be given again)', gather)
    .option('--peer <ADDR>', "the kernel's address (default: the prefix's first other host)")
    .option('--tap', 'a TAP device: an Ethernet between us and the kernel, or a bridge')
    .option('--packet <IFACE>', 'an Ethernet interface that is there; --peer is its router')
    .option('--mac <MAC>', "our link-layer address (default: random, or IFACE's own)")
    .option('--mtu <N>', "largest IP packet in octets (default: the device's, 1500)")
    .option('--netns <NAME>', 'make or enter this network namespace for the device')
    .option('--echo', 'echo, port 7, TCP and UDP')
    .option('--discard', 'discard, port 9, TCP and UDP')
    .option('--chargen', 'chargen, port 19, TCP: an endless source')
    .option('--http [DIR]', 'HTTP, port 80: files of DIR, or /bytes/N and hello, world')
    .option('--iperf3 [PORT]', `iperf3 server (default port ${IPERF3_PORT})`)
    .option('--via <core|net>', "echo, discard and chargen on the core's handles, or on net, dgram")
    .option('--busy-poll <US>', 'ask on for so many µs before sleeping; 0: never (default: 50)')
    .option('--pidfile <F>', 'write the process id into F once ready; F is removed at the end')
    .option('--no-control', 'no control socket: `portside ss` and nstat cannot look in')
    .option('--inspect [PORT]', 'a page in the browser that shows this host; prints its address')
    .option('--metrics <PORT>', 'counters for Prometheus at http://127.0.0.1:PORT/metrics')
    .option('--json', 'print one JSON object a line')
    .usage('[NAME] ADDR/PREFIX [options]')
    .action(async (first: string | undefined, second: string | undefined, options: Options) => {
      try {
        await run(plan(first, second, options));
      } catch (reason) {
        failWith(reason);
      }
    });
}

/** What the words on the command line ask for; UsageError where they make no sense. */
export function plan(
  first: string | undefined,
  second: string | undefined,
  options: Options,
): Plan {
  // With one word there is no name: it is the address.
  const typed = second ?? first;
  const kind = kindOf(options);
  const named = second === undefined ? DEFAULT_NAME : (first as string);
  const name = options.packet ?? named;
  if (typed === undefined) {
    throw new UsageError(
      'ADDR/PREFIX is missing, as in `portside up 10.77.0.2/24` (it goes before --http, --iperf3)',
    );
  }
  if (!/^[^\s/:%]+$/.test(name) || name.length > MOST_NAME || name === '.' || name === '..') {
    throw new UsageError(`'${name}' is not a device name of at most ${MOST_NAME} characters`);
  }
  const main = parseTyped(typed, 'ADDR/PREFIX');
  const other = kind === 'packet' ? null : firstOther(main);
  const peer = options.peer === undefined ? other : parseAddress(options.peer, '--peer');
  if (peer === null && kind !== 'packet') {
    throw new UsageError(`${main.text} has no other host address: give --peer ADDR`);
  }
  if (peer === main.address) {
    throw new UsageError(`--peer: ${peer} is our own address; the peer is the kernel's side`);
  }
  return {
    name,
    addresses: [main.text, ...(options.addr ?? []).map((text) => parseTyped(text, '--addr').text)],
    own: (options.own ?? []).map((text) => parseTyped(text, '--own').text),
    peer,
    kind,
    mac: parseOwnMac(options),
    mtu: options.mtu === undefined ? undefined : parseMtu(options.mtu),
    netns: options.netns === undefined ? undefined : parseNetns(options.netns),
    busyPollUs: options.busyPoll === undefined ? undefined : parseBusyPoll(options.busyPoll),
    wanted: wantedOf(options),
    pidfile: options.pidfile,
    json: options.json === true,
    control: options.control !== false,
    inspect: inspectOf(options),
    metrics: options.metrics === undefined ? null : parsePort(options.metrics, '--metrics'),
  };
}

function kindOf(options: Options): DeviceKind {
  if (options.tap === true && options.packet !== undefined) {
    throw new UsageError('--tap and --packet: a host has one device');
  }
  return options.packet !== undefined ? 'packet' : options.tap === true ? 'tap' : 'tun';
}

function parseOwnMac(options: Options): string | undefined {
  const { mac } = options;
  if (mac === undefined) return undefined;
  if (kindOf(options) === 'tun') throw new UsageError('--mac goes with --tap or --packet');
  if (parseMac(mac) === null) {
    throw new UsageError(`--mac: '${mac}' is not a host's address, like 02:00:5e:10:00:01`);
  }
  return mac;
}

function parseMtu(text: string): number {
  const mtu = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  // RFC 791: every host takes 576 octets; IPv4 cannot say more than 65535.
  if (mtu < 576 || mtu > 65535) {
    throw new UsageError(`--mtu: '${text}' is not a number from 576 to 65535`);
  }
  return mtu;
}

function parseBusyPoll(text: string): number {
  const us = /^\d{1,6}$/.test(text) ? Number(text) : -1;
  if (us < 0 || us > 10_000) {
    throw new UsageError(`--busy-poll: '${text}' is not a number from 0 to 10000`);
  }
  return us;
}

function parseNetns(text: string): string {
  if (!/^[\w.+-]{1,200}$/.test(text) || text === '.' || text === '..') {
    throw new UsageError(`--netns: '${text}' is not a name for a network namespace`);
  }
  return text;
}

function wantedOf(options: Options): Wanted {
  if (typeof options.http === 'string' && !isDirectory(options.http)) {
    throw new UsageError(`--http: '${options.http}' is not a directory`);
  }
  const { iperf3, via } = options;
  if (via !== undefined && via !== 'core' && via !== 'net') {
    throw new UsageError(`--via: '${via}' is neither core nor net`);
  }
  return {
    via: via ?? 'core',
    echo: options.echo === true,
    discard: options.discard === true,
    chargen: options.chargen === true,
    http: options.http ?? false,
    iperf3:
      typeof iperf3 === 'string'
        ? parsePort(iperf3, '--iperf3')
        : iperf3 === true
          ? IPERF3_PORT
          : false,
  };
}

function inspectOf({ inspect, control }: Options): number | null {
  if (inspect === undefined || inspect === false) return null;
  if (control === false) throw new UsageError('--inspect asks the control socket: no --no-control');
  return typeof inspect === 'string' ? parsePort(inspect, '--inspect') : 0;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Comes up, says so, and stays until a signal or the loss of the device. */
async function run(wish: Plan): Promise<void> {
  const report = new Report(wish.json);
  const stop = untilSignal();
  const host = await openHost(wish);
  let services: Service[] = [];
  let pidfile: string | null = null;
  let inspector: Inspector | null = null;
  let metrics: MetricsServer | null = null;
  // The host alone does not keep the process alive, and a host without services still answers.
  host.ref();
  const lost = new Promise<Error>((resolve) => host.on('error', (reason) => resolve(reason)));
  try {
    services = await startServices(host, wish.wanted);
    announce(report, host, wish, services);
    const control = wish.control
      ? await offerControl(host, serviceAnswers(host, services, wish.wanted.via))
      : null;
    if (wish.metrics !== null) {
      metrics = await serveMetrics(() => host.metrics(), wish.metrics);
      report.say('metrics', `metrics: ${metrics.url}`, { url: metrics.url });
    }
    if (wish.inspect !== null) inspector = await offerInspector(report, control, wish.inspect);
    if (wish.pidfile !== undefined) {
      writeFileSync(wish.pidfile, `${process.pid}\n`);
      pidfile = wish.pidfile;
    }
    report.say('ready', 'ready', { pid: process.pid });
    const end = await Promise.race([stop, lost]);
    if (typeof end !== 'string') throw end;
    report.say('closing', `${end}: closing`, { signal: end });
  } finally {
    boundTheEnd();
    inspector?.close();
    metrics?.close();
    closeServices(services);
    await host.close({ deadlineMs: CLOSE_MS });
    if (pidfile !== null) removePidfile(pidfile);
  }
  process.exit(0);
}

export function openHost(
  wish: Pick<Plan, 'name' | 'addresses' | 'own' | 'peer' | 'mtu' | 'netns'> & Partial<Plan>,
): Promise<Host> {
  const kind = wish.kind ?? 'tun';
  return createHost({
    [kind]: {
      name: wish.name,
      ...(wish.mac === undefined ? {} : { mac: wish.mac }),
      ...(wish.netns === undefined ? {} : { netns: wish.netns }),
      ...(wish.busyPollUs === undefined ? {} : { busyPollUs: wish.busyPollUs }),
    },
    addresses: [...wish.addresses, ...wish.own.map((prefix) => ({ prefix, own: 'all' as const }))],
    peer: wish.peer,
    // The other end of the wire is a router: whoever it brings to us gets an answer.
    routes: wish.peer === null ? [] : [{ prefix: '0.0.0.0/0', via: wish.peer }],
    ...(wish.mtu === undefined ? {} : { mtu: wish.mtu }),
  });
}

/** The first signal ends in an orderly way, the second at once. */
export function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    let seen = false;
    const onSignal = (signal: string): void => {
      if (seen) process.exit(1);
      seen = true;
      resolve(signal);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}

/** Whatever hangs, the process is gone within two seconds of the signal. */
export function boundTheEnd(): void {
  setTimeout(() => process.exit(process.exitCode ?? 0), END_MS).unref();
}

/** Without a place for the socket the host serves all the same. */
async function offerControl(host: Host, verbs: Answers): Promise<string | null> {
  try {
    return await host.serveControl(null, verbs);
  } catch (reason) {
    process.stderr.write(`portside: no control socket: ${sentence(reason)}\n`);
    return null;
  }
}

async function offerInspector(
  report: Report,
  control: string | null,
  port: number,
): Promise<Inspector> {
  if (control === null) throw new Error('no inspector without a control socket');
  const inspector = await inspectHost(control, port);
  report.say('inspect', `inspector: ${inspector.url}`, { url: inspector.url });
  return inspector;
}

function removePidfile(path: string): void {
  try {
    // Somebody who started later may have written his own.
    if (readFileSync(path, 'utf8').trim() === String(process.pid)) unlinkSync(path);
  } catch (reason) {
    process.stderr.write(`portside: ${sentence(reason)}\n`);
  }
}

function announce(report: Report, host: Host, wish: Plan, services: readonly Service[]): void {
  const device = host.device;
  const mtu = device?.mtu ?? wish.mtu ?? 1500;
  const offloads = device?.offloads ?? [];
  const where = wish.netns === undefined ? '' : ` in namespace ${wish.netns}`;
  const detail = [
    `peer ${wish.peer ?? 'none'}`,
    `MTU ${mtu}`,
    `offloads ${offloads.join(' ') || 'none'}`,
  ];
  const owns = [...wish.addresses, ...wish.own.map((prefix) => `all of ${prefix}`)].join(', ');
  report.say('up', `${wish.name}${where} owns ${owns} (${detail.join(', ')})`, {
    device: wish.name,
    netns: wish.netns ?? null,
    addresses: wish.addresses,
    own: wish.own,
    peer: wish.peer,
    mtu,
    offloads,
  });
  const address = (wish.addresses[0] as string).split('/')[0] as string;
  const shown = address.includes(':') ? `[${address}]` : address;
  for (const service of services) {
    const places = service.listens.map((l) => `${shown}:${l.port}/${l.protocol}`);
    report.say('listen', `  ${service.name.padEnd(8)} ${places.join(' ')}`, {
      service: service.name,
      address,
      listens: service.listens,
    });
  }
}
