// The door `portside/sim`: a deterministic network for tests of anything that stands on the core.

export type { Impairment, ImpairStats, InFlight } from '../link/impair.ts';
export { Impair } from '../link/impair.ts';
export { Cable, CableEnd, type CableShape, type Watcher } from './cable.ts';
export { Clock } from './clock.ts';
export { decode, line, Wire } from './decode.ts';
export { drawImpairment, drawPartitions } from './faults.ts';
export { type HostOptions, SimHost } from './host.ts';
export { Invariants } from './invariants.ts';
export { leftovers } from './leftovers.ts';
export { Conversation, End, type EndContext } from './oracle.ts';
export { drawPlan, type Plan } from './plan.ts';
export { type RunOptions, type RunResult, runSeed } from './run.ts';
export { fill, firstWrong, octetAt } from './stream.ts';
export { Trace } from './trace.ts';
export { ALL_CAPS, type LinkOptions, type PacketWatch, World, type WorldOptions } from './world.ts';
