// The networks of `bench -- goodput`: what the issue names, each as an impairment of the data's way
// and of the way back. Both contestants get the same.

import type { Impairment } from '../../src/link/impair.ts';

export type Algorithm = 'cubic' | 'bbr';
export const ALGORITHMS: readonly Algorithm[] = ['cubic', 'bbr'];

export interface Cell {
  readonly name: string;
  readonly words: string;
  readonly there: Impairment;
  readonly back: Impairment;
  readonly flows: number;
  /** Seconds that are not counted, and a factor on those that are. */
  readonly warm: number;
  readonly longer: number;
}

/** Octets per second. */
const FAST = 50e6 / 8;
const SLOW = 10e6 / 8;

interface Path {
  readonly rate: number;
  readonly rttMs: number;
  /** Default: one bandwidth-delay product. */
  readonly queueMs?: number;
}

function path({
  rate,
  rttMs,
  queueMs,
}: Path): Pick<Cell, 'there' | 'back'> & { there: Impairment } {
  const oneWayUs = rttMs * 500;
  const queue = Math.round((rate * (queueMs ?? rttMs)) / 1000);
  return { there: { rate, queue, delayUs: oneWayUs }, back: { delayUs: oneWayUs } };
}

function cell(name: string, words: string, p: Path, more: Impairment = {}): Cell {
  const { there, back } = path(p);
  return { name, words, there: { ...there, ...more }, back, flows: 1, warm: 0, longer: 1 };
}

function losses(): Cell[] {
  return [20, 100].flatMap((rttMs) =>
    [0.1, 1, 3, 5].map((percent) =>
      cell(
        `loss-${percent}-${rttMs}`,
        `${percent} % loss, ${rttMs} ms`,
        { rate: FAST, rttMs },
        {
          loss: percent / 100,
        },
      ),
    ),
  );
}

function disorder(): Cell[] {
  return [20, 100].flatMap((rttMs) => [
    cell(
      `reorder-${rttMs}`,
      `1 % reordered by up to ${rttMs / 4} ms, ${rttMs} ms`,
      {
        rate: FAST,
        rttMs,
      },
      { reorder: 0.01, reorderUs: rttMs * 250 },
    ),
    cell(
      `jitter-${rttMs}`,
      `jitter of ${rttMs / 10} ms with overtaking, ${rttMs} ms`,
      {
        rate: FAST,
        rttMs,
      },
      { jitterUs: rttMs * 100 },
    ),
  ]);
}

function queues(): Cell[] {
  return [
    cell('queue-bdp-20', '10 Mbit/s, queue of 20 ms, 20 ms', { rate: SLOW, rttMs: 20 }),
    cell('queue-100-20', '10 Mbit/s, queue of 100 ms, 20 ms', {
      rate: SLOW,
      rttMs: 20,
      queueMs: 100,
    }),
    cell('queue-bdp-100', '10 Mbit/s, queue of 100 ms, 100 ms', { rate: SLOW, rttMs: 100 }),
  ];
}

/** Four flows that begin together; how they share is counted when they have found their rates. */
function shares(): Cell[] {
  const words = '4 flows, 10 Mbit/s, queue of 100 ms, 20 ms';
  const base = cell('share-100-20', words, { rate: SLOW, rttMs: 20, queueMs: 100 });
  return [{ ...base, flows: 4, warm: 5, longer: 3 }];
}

export const CELLS: readonly Cell[] = [...losses(), ...disorder(), ...queues(), ...shares()];
