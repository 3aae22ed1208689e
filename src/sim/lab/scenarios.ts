// The scenarios of the laboratory, in the order in which they teach.

import { clientServer } from './client-server.ts';
import { cubicBbr } from './cubic-bbr.ts';
import { fastRetransmit } from './fast-retransmit.ts';
import { halfClose } from './half-close.ts';
import { handshake } from './handshake.ts';
import { nagle } from './nagle.ts';
import { peerToPeer } from './peer-to-peer.ts';
import { pmtuBlackHole } from './pmtu-black-hole.ts';
import { portInUse } from './port-in-use.ts';
import { rtoBackoff } from './rto-backoff.ts';
import { simultaneousOpen } from './simultaneous-open.ts';
import { slowStart } from './slow-start.ts';
import type { Scenario } from './stage.ts';
import { synFlood } from './syn-flood.ts';
import { zeroWindow } from './zero-window.ts';

export const SCENARIOS: readonly Scenario[] = [
  handshake,
  halfClose,
  simultaneousOpen,
  portInUse,
  fastRetransmit,
  rtoBackoff,
  zeroWindow,
  nagle,
  slowStart,
  cubicBbr,
  pmtuBlackHole,
  synFlood,
  clientServer,
  peerToPeer,
];

export function scenarioOf(name: string): Scenario | null {
  return SCENARIOS.find((one) => one.name === name) ?? null;
}
