// `portside router`: a stack with several devices (TUN, TAP, Ethernet interfaces) that passes
// packets on between them, and translates them where it is told to, until a signal comes.

import { Command } from 'commander';
import type { PortForward } from '../forward/nat-rules.ts';
import { createHost, type Host } from '../node/host.ts';
import type { FurtherLink } from '../node/options.ts';
import { parseMac } from '../wire/ethernet.ts';
import { parseAddress, parsePort, parseTyped } from './addresses.ts';
import { failWith, Report, UsageError } from './report.ts';
import { boundTheEnd, untilSignal } from './up.ts';

const CLOSE_MS = 200;

interface Options {
  link?: string[];
  route?: string[];
  nat?: string[];
  forward?: string[];
  filtering?: string;
  mapping?: string;
  control?: boolean;
  json?: boolean;
}

export interface RouterPlan {
  readonly links: readonly (FurtherLink & { readonly name: string })[];
  /** Names of the devices by which sources leave under the device's own address. */
  readonly nat: readonly string[];
  readonly forwards: readonly PortForward[];
  readonly mapping: 'endpoint-independent' | 'address-and-port-dependent';
  readonly filtering: 'endpoint-independent' | 'address-and-port-dependent';
  readonly control: boolean;
  readonly json: boolean;
}

function gather(value: string, before: string[] = []): string[] {
  return [...before, value];
}

export function routerCommand(): Command {
  return new Command('router')
    .summary('pass packets on between devices of ours')
    .description('pass packets on between devices of ours, until SIGINT or SIGTERM')
    .option(
      '--link <SPEC>',
      'NAME[,tap|,packet][,mac=MAC],ADDR/PREFIX[,…][,peer=ADDR][,netns=NAME][,mtu=N] (two or more)',
      gather,
    )
    .option('--route <SPEC>', 'PREFIX,NAME[,via=ADDR]: reached by device NAME', gather)
    .option('--nat <NAME>', "IPv4 leaves by device NAME under the device's address", gather)
    .option('--forward <SPEC>', 'tcp|udp:PORT:ADDR[:PORT]: a port of ours is that one', gather)
    .option('--mapping <KIND>', 'endpoint (default) or address-port: RFC 4787 §4.1')
    .option('--filtering <KIND>', 'address-port (default) or endpoint: RFC 4787 §5')
    .option('--no-control', 'no control socket: `portside nstat` cannot look in')
    .option('--json', 'print one JSON object a line')
    .action(async (options: Options) => {
      try {
        await run(routerPlan(options));
      } catch (reason) {
        failWith(reason);
      }
    });
}

/** What the words on the command line ask for; UsageError where they make no sense. */
export function routerPlan(options: Options): RouterPlan {
  const links = (options.link ?? []).map(readLink);
  if (links.length < 2) throw new UsageError('a router has two links or more: --link, --link');
  const names = links.map((link) => link.name);
  for (const text of options.route ?? []) {
    const [prefix = '', name = '', ...rest] = text.split(',');
    const link = links.find((l) => l.name === name);
    if (link === undefined) throw new UsageError(`--route ${text}: no device '${name}'`);
    const via = rest.find((word) => word.startsWith('via='))?.slice(4);
    link.routes.push({
      prefix: parseTyped(prefix, '--route').text,
      ...(via === undefined ? {} : { via: parseAddress(via, '--route via=') }),
    });
  }
  for (const name of options.nat ?? []) {
    if (!names.includes(name)) throw new UsageError(`--nat: no device '${name}'`);
  }
  return {
    links,
    nat: options.nat ?? [],
    forwards: (options.forward ?? []).map(readForward),
    mapping: kindOf(options.mapping, '--mapping', 'endpoint'),
    filtering: kindOf(options.filtering, '--filtering', 'address-port'),
    control: options.control !== false,
    json: options.json === true,
  };
}

function kindOf(
  text: string | undefined,
  flag: string,
  fallback: string,
): 'endpoint-independent' | 'address-and-port-dependent' {
  const kind = text ?? fallback;
  if (kind === 'endpoint') return 'endpoint-independent';
  if (kind === 'address-port') return 'address-and-port-dependent';
  throw new UsageError(`${flag}: '${kind}' is neither endpoint nor address-port`);
}

type ReadLink = FurtherLink & {
  name: string;
  routes: { prefix: string; via?: string }[];
};

function readLink(text: string): ReadLink {
  const [name = '', ...words] = text.split(',');
  if (!/^[^\s/:%=.][^\s/:%=]{0,14}$/.test(name)) {
    throw new UsageError(`--link ${text}: '${name}' is no device name`);
  }
  const values = new Map<string, string>();
  const addresses: string[] = [];
  let kind: 'tun' | 'tap' | 'packet' = 'tun';
  for (const part of words) {
    const at = part.indexOf('=');
    if (part === 'tap' || part === 'packet') kind = part;
    else if (at < 0) addresses.push(parseTyped(part, `--link ${name}`).text);
    else values.set(part.slice(0, at), part.slice(at + 1));
  }
  if (addresses.length === 0) throw new UsageError(`--link ${text}: ADDR/PREFIX is missing`);
  const link: ReadLink = { name, addresses, routes: [] };
  const netns = values.get('netns');
  const mac = readMac(values.get('mac'), kind, text);
  const device = { name, ...(netns === undefined ? {} : { netns }) };
  if (kind === 'tun') link.tun = device;
  else link[kind] = { ...device, ...(mac === undefined ? {} : { mac }) };
  for (const [key, value] of values) {
    if (key === 'peer') link.peer = value === 'none' ? null : parseAddress(value, 'peer=');
    else if (key === 'mtu') link.mtu = Number(value);
    else if (key !== 'netns' && key !== 'mac')
      throw new UsageError(`--link ${text}: '${key}=' is unknown`);
  }
  return link;
}

function readMac(mac: string | undefined, kind: string, text: string): string | undefined {
  if (mac === undefined) return undefined;
  if (kind === 'tun') throw new UsageError(`--link ${text}: mac= goes with tap or packet`);
  if (parseMac(mac) === null) {
    throw new UsageError(`--link ${text}: '${mac}' is not a host's address`);
  }
  return mac;
}

function readForward(text: string): PortForward {
  const [protocol, port = '', to = '', toPort] = text.split(':');
  if (protocol !== 'tcp' && protocol !== 'udp') {
    throw new UsageError(`--forward ${text}: begins with tcp: or udp:`);
  }
  return {
    protocol,
    port: parsePort(port, '--forward'),
    to: parseAddress(to, '--forward'),
    ...(toPort === undefined ? {} : { toPort: parsePort(toPort, '--forward') }),
  };
}

export async function openRouter(plan: RouterPlan): Promise<Host> {
  const [first, ...others] = plan.links.map(({ name: _, ...link }) => link);
  const host = await createHost({ ...first, links: others, forwarding: true });
  if (plan.nat.length > 0 || plan.forwards.length > 0) {
    host.stack.routing.setNat({
      masquerade: plan.nat.map((name) => 1 + plan.links.findIndex((link) => link.name === name)),
      forwards: plan.forwards,
      mapping: plan.mapping,
      filtering: plan.filtering,
    });
  }
  return host;
}

async function run(plan: RouterPlan): Promise<void> {
  const report = new Report(plan.json);
  const stop = untilSignal();
  const host = await openRouter(plan);
  host.ref();
  const lost = new Promise<Error>((resolve) => host.on('error', (reason) => resolve(reason)));
  try {
    for (const { name, addresses = [] } of plan.links) {
      const hidden = plan.nat.includes(name) ? ', NAT' : '';
      report.say('link', `${name} ${addresses.join(' ')}${hidden}`, { name, addresses });
    }
    if (plan.control) await host.serveControl();
    report.say('ready', 'ready', { pid: process.pid });
    const end = await Promise.race([stop, lost]);
    if (typeof end !== 'string') throw end;
    report.say('closing', `${end}: closing`, { signal: end });
  } finally {
    boundTheEnd();
    await host.close({ deadlineMs: CLOSE_MS });
  }
  process.exit(0);
}
