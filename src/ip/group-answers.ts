// A router asks who listens (RFC 9776 §5.2, RFC 9777 §6.2): the answer comes after a random part of
// the time that the query gives, and questions that overlap get one answer. Towards queriers of
// older versions a report that another host was faster with is ours too (RFC 2236 §3, RFC 2710 §4).

import { fraction } from '../base/random.ts';
import type { Address } from '../wire/address.ts';
import { Record } from '../wire/igmp.ts';
import { prune, repeatOld, reportChange, settle } from './group-changes.ts';
import { GroupReport, sendOldReport } from './group-report.ts';
import { Compat, type Group, type GroupLink, sameAddress } from './groups.ts';
import type { IpLayer } from './ip.ts';

const NEVER = Infinity;

/** What a query asks for. */
export interface Query {
  /** Null = about every group. */
  readonly group: Address | null;
  readonly sources: readonly Address[];
  /** More sources than can be remembered: answer for the group. */
  readonly tooMany: boolean;
  readonly maxMs: number;
  /** Version of the query, as Compat numbers them. */
  readonly compat: number;
  /** As the querier says; 0 = it says nothing. */
  readonly robustness: number;
  readonly intervalMs: number;
}

/** Takes note of the querier, and sets the time of the answer. */
export function queried(ip: IpLayer, link: GroupLink, q: Query): void {
  const { config } = ip;
  if (q.compat === Compat.CURRENT) {
    // RFC 9776 §4.1.6: a robustness beyond seven is told as zero and means the default.
    link.robustness = q.robustness === 0 ? config.groupRobustness : q.robustness;
    link.queryIntervalMs = q.intervalMs === 0 ? config.groupQueryIntervalMs : q.intervalMs;
  } else {
    // RFC 9776 §8.12: the older version is spoken until this querier must be gone.
    const until = ip.nowUs + (link.robustness * link.queryIntervalMs + q.maxMs) * 1000;
    if (q.compat === Compat.V1) link.until1Us = until;
    else link.until2Us = until;
  }
  settle(ip, link);
  if (link.compat === Compat.CURRENT) askNow(ip, link, q);
  else askOld(ip, link, q);
}

function delayUs(ip: IpLayer, maxMs: number): number {
  return fraction(ip.random) * maxMs * 1000;
}

/** RFC 9776 §5.2, the five rules. */
function askNow(ip: IpLayer, link: GroupLink, q: Query): void {
  const at = ip.nowUs + delayUs(ip, q.maxMs);
  if (link.generalUs <= at) return;
  if (q.group === null) {
    if (!link.groups.some(isTold)) return;
    link.generalUs = at;
    ip.groups.wantAt(at);
    return;
  }
  const g = ip.groups.of(link.linkId, q.group);
  if (g === null || !isTold(g)) return;
  const isWhole = q.sources.length === 0 || q.tooMany;
  if (g.answerUs === NEVER) g.asked.push(...(isWhole ? [] : q.sources));
  else if (isWhole || g.asked.length === 0) g.asked.length = 0;
  else augment(ip, g, q.sources);
  g.answerUs = Math.min(g.answerUs, at);
  ip.groups.wantAt(g.answerUs);
}

function augment(ip: IpLayer, g: Group, sources: readonly Address[]): void {
  for (const source of sources) {
    if (g.asked.some((known) => sameAddress(known, source))) continue;
    if (g.asked.length >= ip.config.groupMaxSources) {
      g.asked.length = 0;
      return;
    }
    g.asked.push(source);
  }
}

/** Each group has a time of its own, so that hosts hear of one another (RFC 2236 §3). */
function askOld(ip: IpLayer, link: GroupLink, q: Query): void {
  for (const g of link.groups) {
    if (!isTold(g) || (q.group !== null && !sameAddress(g.address, q.group))) continue;
    g.answerUs = Math.min(g.answerUs, ip.nowUs + delayUs(ip, q.maxMs));
    ip.groups.wantAt(g.answerUs);
  }
}

function isTold(g: Group): boolean {
  return g.exists && g.reported;
}

/** Another host has reported the group to an older querier: ours is not needed. */
export function reported(ip: IpLayer, link: GroupLink, group: Address): void {
  settle(ip, link);
  if (link.compat === Compat.CURRENT) return;
  const g = ip.groups.of(link.linkId, group);
  if (g === null) return;
  g.answerUs = NEVER;
  g.changeUs = NEVER;
  g.modeLeft = 0;
  g.lastReporter = false;
  prune(ip, link, g);
}

/** Sends what is due. */
export function expireGroups(ip: IpLayer): void {
  const { groups } = ip;
  if (ip.nowUs < groups.deadlineUs) return;
  groups.deadlineUs = NEVER;
  for (const link of groups.links) {
    settle(ip, link);
    if (link.compat === Compat.CURRENT) expireLink(ip, link);
    else expireOld(ip, link);
    groups.wantAt(link.generalUs);
    for (const g of link.groups) {
      groups.wantAt(g.answerUs);
      groups.wantAt(g.changeUs);
    }
  }
}

function expireLink(ip: IpLayer, link: GroupLink): void {
  const now = ip.nowUs;
  const answers = new GroupReport(ip, link);
  const changes = new GroupReport(ip, link);
  if (link.generalUs <= now) {
    link.generalUs = NEVER;
    for (const g of link.groups) if (isTold(g)) answerWhole(answers, g);
  }
  for (const g of [...link.groups]) {
    if (g.answerUs <= now) answer(answers, g);
    if (g.changeUs > now) continue;
    reportChange(ip, g, changes);
    prune(ip, link, g);
  }
  answers.send();
  changes.send();
}

function answerWhole(report: GroupReport, g: Group): void {
  const list = g.sources.filter((s) => g.lists(s)).map((s) => s.address);
  report.add(g.isExclude ? Record.IS_EX : Record.IS_IN, g.address, list);
}

/** RFC 9776 §5.2: for the group, or which of the sources asked for are wanted. */
function answer(report: GroupReport, g: Group): void {
  g.answerUs = NEVER;
  const asked = g.asked.splice(0);
  if (!isTold(g)) return;
  if (asked.length === 0) {
    answerWhole(report, g);
    return;
  }
  const wanted = asked.filter(({ a, b, c, d }) => g.allows(a, b, c, d));
  if (wanted.length > 0) report.add(Record.IS_IN, g.address, wanted);
}

function expireOld(ip: IpLayer, link: GroupLink): void {
  const now = ip.nowUs;
  for (const g of link.groups) {
    if (g.answerUs <= now) {
      g.answerUs = NEVER;
      if (isTold(g)) sendOldReport(ip, link, g);
    }
    if (g.changeUs > now) continue;
    if (g.modeLeft > 0 && isTold(g)) repeatOld(ip, link, g);
    else g.changeUs = NEVER;
  }
}
