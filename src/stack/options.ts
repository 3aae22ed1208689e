// What a stack is made with, and what is said of a route.

import type { Random } from '../base/random.ts';
import type { Slab } from '../base/slab.ts';
import type { ConfigOverrides } from './config.ts';

export interface StackOptions {
  /** Memory for packets; a stack makes 8 MiB of its own when there is none. */
  slab?: Slab | undefined;
  random: Random;
  /** Monotonic µs. */
  nowUs?: number | undefined;
  config?: ConfigOverrides | undefined;
  /** Called once when a call on a handle has made work: answer with `advance` and `drain`. */
  onWork?: (() => void) | undefined;
  /** Sum of the slab's octets, as wire/checksum.ts `sum`: the addon's when there is one. */
  sum?: ((off: number, len: number, initial: number) => number) | undefined;
}

export interface RouteOptions {
  link: number;
  gateway?: string;
  /** Lower is better; default 0. */
  metric?: number;
  /** Largest packet in octets; default: the link's. */
  mtu?: number;
}
