// A socket joins or leaves: the link's reception state changes, and routers are told of the
// difference (RFC 9776 §5.1, RFC 9777 §6.1): at once, and again as often as the robustness variable
// says. A change that comes meanwhile is merged with what is still to be told.

import { Code } from '../base/code.ts';
import { fraction } from '../base/random.ts';
import type { Address } from '../wire/address.ts';
import { Record } from '../wire/igmp.ts';
import { GroupReport, sendLeave, sendOldReport } from './group-report.ts';
import { Compat, Group, GroupLink, isEverybodys, isReported, Source } from './groups.ts';
import type { IpLayer } from './ip.ts';

const NEVER = Infinity;
/** Between reports of a change (RFC 9776 §8.11); of the older versions (RFC 2236 §8.10). */
const UNSOLICITED_US = 1_000_000;
const UNSOLICITED_OLD_US = 10_000_000;

/** The link's record for a family, made when there is none. */
export function groupLink(ip: IpLayer, linkId: number, family: 4 | 6): GroupLink {
  const { groups, config } = ip;
  let link = groups.link(linkId, family);
  if (link === null) {
    link = new GroupLink(linkId, family, config.groupRobustness, config.groupQueryIntervalMs);
    groups.links.push(link);
  }
  return link;
}

/** Whether routers are told about groups on a link at all. */
function hasRouters(ip: IpLayer, linkId: number): boolean {
  const link = ip.links[linkId];
  return link !== null && link !== undefined && !link.loopback && link.multicast !== false;
}

/** An older querier has come or its time is over: what was to be said is forgotten (§7.2.1). */
export function settle(ip: IpLayer, link: GroupLink): void {
  const now = ip.nowUs;
  const compat = link.until1Us > now ? Compat.V1 : link.until2Us > now ? Compat.V2 : Compat.CURRENT;
  if (compat === link.compat) return;
  link.compat = compat;
  link.generalUs = NEVER;
  for (const g of [...link.groups]) {
    g.answerUs = NEVER;
    g.asked.length = 0;
    g.changeUs = NEVER;
    g.modeLeft = 0;
    for (const s of g.sources) s.left = 0;
    prune(ip, link, g);
  }
}

/**
 * Changes what sockets want of a group: `mutate` moves the counts, the rest follows from the
 * difference. NONE, ENODEV, ENOBUFS, or what `mutate` answers.
 */
export function changeGroup(
  ip: IpLayer,
  linkId: number,
  address: Address,
  mutate: (g: Group) => Code,
): Code {
  const { groups, config } = ip;
  if (ip.links[linkId] === null || ip.links[linkId] === undefined) return Code.ENODEV;
  const { a, b, c, d } = address;
  // All-hosts and all-nodes are heard without joining; a socket may still say that it wants them.
  const reports = hasRouters(ip, linkId) && !isEverybodys(a, b, c, d);
  const link = groupLink(ip, linkId, address.family);
  settle(ip, link);
  let g = groups.of(linkId, address);
  if (g === null) {
    if (groups.size >= config.groupMax) return Code.ENOBUFS;
    const reported = reports && isReported(address, config.reportLinkLocalGroups);
    g = new Group(linkId, address, reported);
    groups.add(link, g);
  }
  const existed = g.exists;
  const wasExclude = g.isExclude;
  for (const s of g.sources) s.was = g.lists(s);
  const code = mutate(g);
  if (code === Code.NONE) {
    if (g.exists !== existed) {
      if (existed) ip.addresses.leave(address);
      else ip.addresses.join(address);
    }
    if (g.reported) tell(ip, link, g, { existed, wasExclude });
  }
  prune(ip, link, g);
  return code;
}

/** Counts a source in or out; it is made when it is new. NONE or ENOBUFS. */
export function countSource(
  ip: IpLayer,
  g: Group,
  source: Address,
  role: 'wanted' | 'unwanted',
  step: 1 | -1,
): Code {
  let s = g.find(source);
  if (s === null) {
    if (step < 0) return Code.NONE;
    if (g.sources.length >= ip.config.groupMaxSources) return Code.ENOBUFS;
    s = new Source(source);
    g.sources.push(s);
  }
  s[role] += step;
  if (role === 'wanted') g.includers += step;
  return Code.NONE;
}

interface Before {
  readonly existed: boolean;
  readonly wasExclude: boolean;
}

function tell(ip: IpLayer, link: GroupLink, g: Group, before: Before): void {
  if (link.compat !== Compat.CURRENT) {
    tellOld(ip, link, g, before.existed);
    return;
  }
  let changed = false;
  if (before.wasExclude !== g.isExclude) {
    g.modeLeft = link.robustness;
    changed = true;
  } else {
    for (const s of g.sources) {
      if (s.was === g.lists(s)) continue;
      s.left = link.robustness;
      changed = true;
    }
  }
  for (const s of g.sources) s.was = false;
  if (!changed) return;
  const report = new GroupReport(ip, link);
  reportChange(ip, g, report);
  report.send();
}

/** Versions 1 and 2 know members only, not what they want (RFC 9776 §7.2.1). */
function tellOld(ip: IpLayer, link: GroupLink, g: Group, existed: boolean): void {
  if (existed === g.exists) return;
  if (existed) {
    g.answerUs = NEVER;
    g.changeUs = NEVER;
    g.modeLeft = 0;
    sendLeave(ip, link, g);
    return;
  }
  g.modeLeft = link.robustness;
  repeatOld(ip, link, g);
}

/** An unsolicited report of an older version, the first or a repetition. */
export function repeatOld(ip: IpLayer, link: GroupLink, g: Group): void {
  sendOldReport(ip, link, g);
  g.modeLeft--;
  schedule(ip, g, g.modeLeft > 0, UNSOLICITED_OLD_US);
}

/** The next report of what has changed, and when the one after it is due. */
export function reportChange(ip: IpLayer, g: Group, report: GroupReport): void {
  const { isExclude } = g;
  if (g.modeLeft > 0) {
    const list = g.sources.filter((s) => g.lists(s)).map((s) => s.address);
    report.add(isExclude ? Record.TO_EX : Record.TO_IN, g.address, list);
    g.modeLeft--;
  } else {
    const due = g.sources.filter((s) => s.left > 0);
    const forwards = (s: Source): boolean => g.lists(s) !== isExclude;
    const allow = due.filter(forwards).map((s) => s.address);
    const block = due.filter((s) => !forwards(s)).map((s) => s.address);
    if (allow.length > 0) report.add(Record.ALLOW, g.address, allow);
    if (block.length > 0) report.add(Record.BLOCK, g.address, block);
  }
  let more = g.modeLeft > 0;
  for (const s of g.sources) {
    if (s.left > 0) s.left--;
    if (s.left > 0) more = true;
  }
  schedule(ip, g, more, UNSOLICITED_US);
}

function schedule(ip: IpLayer, g: Group, more: boolean, withinUs: number): void {
  g.changeUs = more ? ip.nowUs + fraction(ip.random) * withinUs : NEVER;
  ip.groups.wantAt(g.changeUs);
}

/** Forgets sources and the group when nobody wants them and nothing is left to be told. */
export function prune(ip: IpLayer, link: GroupLink, g: Group): void {
  for (let i = g.sources.length - 1; i >= 0; i--) {
    const s = g.sources[i] as Source;
    if (s.wanted === 0 && s.unwanted === 0 && s.left === 0) g.sources.splice(i, 1);
  }
  if (g.exists || g.modeLeft > 0 || g.sources.length > 0) return;
  ip.groups.remove(link, g);
}

/** A link goes: its groups go with it, and nobody is told. */
export function forgetGroups(ip: IpLayer, linkId: number): void {
  const { groups } = ip;
  for (const link of [...groups.links]) {
    if (link.linkId !== linkId) continue;
    for (const g of [...link.groups]) {
      if (g.exists) ip.addresses.leave(g.address);
      groups.remove(link, g);
    }
    groups.links.splice(groups.links.indexOf(link), 1);
  }
}
