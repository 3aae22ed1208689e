// What every small server has in common: where it listens and how it ends; and the rule that keeps
// two reflecting UDP services from talking to one another for ever.

import type { Protocol } from './names.ts';

export interface Listening {
  readonly protocol: Protocol;
  readonly port: number;
}

export interface Service {
  readonly name: string;
  readonly listens: readonly Listening[];
  /** Stops listening and aborts what is open. */
  close(): void;
}

/** Time is an argument here too: the owner brings a clock and a way to be called later. */
export interface Timers {
  /** Monotonic µs. */
  nowUs(): number;
  /** Calls `fn` once after `us` microseconds, never inside this call; answers how to cancel it. */
  after(us: number, fn: () => void): () => void;
}

/** Below this, a source port belongs to a system service and not to somebody's client. */
const FIRST_CLIENT_PORT = 1024;

/**
 * Whether a UDP service may answer a datagram from `sourcePort`. A forged source with another
 * reflecting service's port would make the two echo each other endlessly (CVE-1999-0103); so
 * neither system ports nor the ports of our own services get an answer.
 */
export function mayAnswer(sourcePort: number, ownPorts: ReadonlySet<number>): boolean {
  return sourcePort >= FIRST_CLIENT_PORT && !ownPorts.has(sourcePort);
}
