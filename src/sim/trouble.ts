// Everything of a scenario that happens at a time of its own: clocks that jump, hosts that stall or
// start anew, paths that become longer or narrower, a NAT that forgets.

import type { Cable } from './cable.ts';
import type { Clock } from './clock.ts';
import type { SimHost } from './host.ts';
import type { Invariants } from './invariants.ts';
import type { Scenario } from './scenario.ts';

/** Where it happens, and who is told. */
export interface Site {
  clock: Clock;
  hosts: readonly SimHost[];
  cable: Cable;
  rules: Invariants;
  /** It has happened. */
  bite(what: string): void;
  restart(which: 0 | 1): void;
  /** From now on what has begun may end badly. */
  cutAll(): void;
}

/** What a stall of up to 200 ms adds to the time within which a host answers. */
const STALL_SLACK_US = 250_000;

export function schedule(s: Scenario, site: Site): void {
  const { clock, cable } = site;
  const start = clock.nowUs();
  const at = (us: number, what: string, act: () => void): void => {
    if (us >= s.faultsUntilUs) return;
    clock.at(start + us, () => {
      site.bite(what);
      act();
    });
  };
  for (const [i, host] of site.hosts.entries()) {
    const draw = s.hosts[i as 0 | 1];
    for (const [us, by] of draw.jumps) {
      // A clock that stands still acknowledges late by so much.
      site.rules.slackUs += Math.max(0, -by);
      at(us, by < 0 ? 'clock set back' : 'clock jumped', () => host.jump(by));
    }
    for (const [us, length] of draw.stalls) {
      site.rules.slackUs += STALL_SLACK_US;
      at(us, 'stall', () => host.stall(clock.nowUs() + length));
    }
  }
  for (const [us, there, back] of s.delays) {
    at(us, 'delay changed', () => {
      for (const [i, end] of cable.ends.entries()) end.way.options.delayUs = i === 0 ? there : back;
    });
  }
  for (const [us, mtu, icmp] of s.mtus) {
    at(us, icmp ? 'MTU changed, told' : 'MTU changed, silent', () => {
      if (cable.box !== null) Object.assign(cable.box.rules, { mtu, icmp });
    });
  }
  for (const [us, which] of s.restarts) {
    at(us, which === 0 ? 'client restarted' : 'server restarted', () => site.restart(which));
  }
  const forgets = s.box?.forgetsUs;
  if (forgets !== undefined) at(forgets - start, 'NAT forgot', () => site.cutAll());
}
