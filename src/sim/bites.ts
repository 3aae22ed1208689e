// What the faults of a run have done: a fault that is drawn and never happens tests nothing. Counts
// by name, to be summed over seeds and compared with what a set of seeds must reach.

import type { CounterName } from '../base/counters.ts';
import { Drop, dropName } from '../base/drop.ts';
import type { Attacker } from './attacker.ts';
import { ATTACKS } from './attacker.ts';
import { BOX_KINDS } from './box.ts';
import type { Conversation, End } from './oracle.ts';
import type { World } from './world.ts';

/** Counts by name; names of drop reasons begin with `drop `, of counters with `ctr `. */
export type Bites = Record<string, number>;

const COUNTERS: readonly CounterName[] = [
  'TcpExtTCPChallengeACK',
  'TcpExtTCPFromZeroWindowAdv',
  'TcpExtTCPLossProbes',
  'TcpExtTCPTimeouts',
  'TcpExtTCPSackRecovery',
  'TcpExtTCPMTUPFail',
  'TcpExtTCPMTUPSuccess',
  'TcpExtTCPDSACKOldSent',
  'TcpExtSyncookiesSent',
  'TcpExtTCPKeepAlive',
  'TcpRetransSegs',
];

function add(bites: Bites, what: string, n: number): void {
  if (n > 0) bites[what] = (bites[what] ?? 0) + n;
}

export function addBites(to: Bites, from: Bites): void {
  for (const [what, n] of Object.entries(from)) add(to, what, n);
}

export function countBites(
  bites: Bites,
  world: World,
  attacker: Attacker | null,
  conversations: readonly Conversation[],
): void {
  for (const cable of world.cables) {
    add(bites, 'coalesced', cable.coalesced);
    for (const { way } of cable.ends) {
      for (const [what, n] of Object.entries(way.stats)) add(bites, what, n);
    }
    const box = cable.box;
    if (box !== null) for (const kind of BOX_KINDS) add(bites, kind, box.stats[kind]);
  }
  add(bites, 'refused by the link', world.refusals);
  if (attacker !== null) {
    for (const kind of ATTACKS) add(bites, `forged ${kind}`, attacker.sent[kind]);
    add(bites, 'forged in window', attacker.inWindow);
  }
  for (const host of world.hosts) {
    const { counters } = host.stack;
    for (const reason of Object.values(Drop)) {
      add(bites, `drop ${dropName(reason)}`, counters.drops[reason] ?? 0);
    }
    for (const name of COUNTERS) add(bites, `ctr ${name}`, counters.get(name));
  }
  for (const c of conversations) for (const end of [c.client, c.server]) countEnd(bites, end);
}

function countEnd(bites: Bites, end: End): void {
  if (end.socket === null) return;
  const { plan } = end;
  add(bites, 'app paused', end.pauses);
  add(bites, 'app wrote single octets', plan.chunk === 1 && end.sent > 1 ? 1 : 0);
  add(bites, 'app ignored full', plan.ignoresFull > 0 && end.wasFull ? 1 : 0);
  add(bites, 'app half-closed', plan.endsLast && end.hasEnded ? 1 : 0);
  add(bites, 'app aborted', end.aborted && !plan.abortsByClose ? 1 : 0);
  add(bites, 'app closed in the middle', end.aborted && plan.abortsByClose ? 1 : 0);
  add(bites, 'app asked for keep-alive', plan.keepAliveMs > 0 ? 1 : 0);
}
