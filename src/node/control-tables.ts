// The control socket's verbs about what a stack finds its way by: ports, flows, addresses, routes
// and links, and the changes that a running host takes. Where there is a device, the kernel's side
// is told as well: whoever is behind it has to find a new address.

import type { Stack } from '../stack/stack.ts';
import { addressRows, flowEntries, linkRows, portRows, routeRows } from '../stack/tables.ts';
import { type Prefix, parsePrefix } from '../wire/address.ts';
import {
  type Answers,
  type ControlGround,
  controlError,
  numberOf,
  type Request,
  textOf,
} from './control-verb.ts';
import { TunLink } from './tun.ts';

/** RFC 791: every link carries 68 octets, and every host takes 576; IPv4 ends at 65,535. */
const MTUS = [576, 65_535] as const;

export function tableAnswers(ground: ControlGround): Answers {
  const { stack } = ground;
  return {
    ports: () => portRows(stack),
    'flow-entries': () => flowEntries(stack),
    addresses: () => addressRows(stack),
    routes: () => routeRows(stack),
    links: () => linkRows(stack),
    neighbours: () => neighbourRows(stack),
    'address-add': (request) => changeAddress(ground, request, true),
    'address-del': (request) => changeAddress(ground, request, false),
    'route-add': (request) => changeRoute(ground, request, true),
    'route-del': (request) => changeRoute(ground, request, false),
    'link-set': (request) => setLink(ground, request),
  };
}

/** In the words of `ip neigh` (inspect/ip-text.ts). */
function neighbourRows(stack: Stack): object[] {
  return stack.neighbors().map((n) => ({
    address: n.address,
    device: n.link,
    lladdr: n.mac === '' ? null : n.mac,
    state: n.state,
    ...(n.isRouter ? { router: true } : {}),
  }));
}

function prefixOf(request: Request): Prefix {
  const text = textOf(request, 'prefix');
  const prefix = parsePrefix(text);
  if (prefix === null) throw controlError('EINVAL', `'${text}' is not ADDRESS/LENGTH`);
  return prefix;
}

/** The link of that name; without a name the first that is no loopback, else loopback. */
function linkOf(ground: ControlGround, request: Request): number {
  const { links } = ground.stack.ip;
  if (request.device === undefined) {
    const first = links.findIndex((link, i) => i > 0 && link !== null);
    return first < 0 ? 0 : first;
  }
  const name = textOf(request, 'device');
  if (name === 'lo') return 0;
  const id = links.findIndex((link, i) => i > 0 && link?.name === name);
  if (id < 0) throw controlError('ENODEV', `there is no link ${name}`);
  return id;
}

function changeAddress(ground: ControlGround, request: Request, adds: boolean): null {
  const { stack } = ground;
  const { address, length } = prefixOf(request);
  const text = address.toString();
  const link = linkOf(ground, request);
  const own = request.all === true ? ({ own: 'all' } as const) : {};
  if (adds) stack.addAddress(link, text, length, own);
  else stack.removeAddress(link, text, length, own);
  const device = ground.link;
  if (!(device instanceof TunLink) || link === 0) return null;
  const whole = address.family === 4 ? 32 : 128;
  const route = { address: text, prefix: request.all === true ? length : whole };
  try {
    if (adds) device.configure({ routes: [route] });
    else device.removeRoute(route);
  } catch (error) {
    // Gone already, or never there: the address was one that the host came up with.
    if (!adds && (error as { code?: string }).code === 'ESRCH') return null;
    if (adds) stack.removeAddress(link, text, length, own);
    throw error;
  }
  return null;
}

function changeRoute(ground: ControlGround, request: Request, adds: boolean): null {
  const { address, length } = prefixOf(request);
  const gateway = request.via === undefined ? {} : { gateway: textOf(request, 'via') };
  const options = {
    link: linkOf(ground, request),
    ...gateway,
    metric: numberOf(request, 'metric', [0, 2 ** 31 - 1], 0),
    mtu: request.mtu === undefined ? 0 : numberOf(request, 'mtu', MTUS),
  };
  if (adds) ground.stack.addRoute(address.toString(), length, options);
  else ground.stack.removeRoute(address.toString(), length, options);
  return null;
}

function setLink(ground: ControlGround, request: Request): null {
  const id = linkOf(ground, request);
  const mtu = numberOf(request, 'mtu', MTUS);
  const link = ground.stack.ip.links[id];
  const device = ground.link;
  if (id !== 0 && device instanceof TunLink) device.configure({ mtu });
  if (link !== null && link !== undefined) link.mtu = mtu;
  return null;
}
