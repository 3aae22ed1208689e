// The door `portside/sim` on Node: the simulator of the core, and networks for tests of programs.

export * from '../../sim/index.ts';
export type {
  Connection,
  ConnectionFilter,
  Direction,
  Endpoint,
} from './connections.ts';
export {
  createNetwork,
  Network,
  type NetworkHostOptions,
  type NetworkOptions,
  type RunOptions as NetworkRunOptions,
} from './network.ts';
export type { Path } from './wire.ts';
