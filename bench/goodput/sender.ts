// portside as a contestant of `bench -- goodput`: a process of its own with a host on a TUN device,
// as a program would have it. It sends without end or reads and counts, as the parent says.

import { setPriority } from 'node:os';
import { createHost, type Host } from '../../src/node/host.ts';
import type { TcpHandler, TcpSocket } from '../../src/socket/tcp-socket.ts';
import type { ConfigOverrides } from '../../src/stack/config.ts';
import { bbr } from '../../src/tcp/congestion/bbr.ts';
import { cubic } from '../../src/tcp/congestion/cubic.ts';

export type Task =
  | {
      readonly do: 'open';
      readonly netns: string;
      readonly device: string;
      readonly prefix: string;
      readonly peer: string;
      readonly config: ConfigOverrides;
    }
  | {
      readonly do: 'blast';
      readonly address: string;
      readonly port: number;
      readonly flows: number;
      readonly algorithm: 'cubic' | 'bbr';
    }
  | {
      readonly do: 'meter';
      readonly port: number;
      readonly seconds: number;
      readonly warm: number;
    };

export interface Sent {
  readonly retrans: number;
  readonly segments: number;
  readonly counters: Record<string, number>;
  /** `cwnd` and the like every tenth of a second, of the first flow. */
  readonly samples: readonly (readonly number[])[];
}

export interface Metered {
  readonly seconds: number;
  readonly octets: readonly number[];
}

const CHUNK = new Uint8Array(1 << 16).fill(0x78);
const SAMPLE_MS = 100;
let host: Host | null = null;

const quiet: TcpHandler = {
  opened: () => {},
  data: () => {},
  ended: (s) => s.close(),
  writable: () => {},
  written: () => {},
  closed: () => {},
};

/** Every counter that has moved since `before`. */
function moved(before: ReadonlyMap<string, number>): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [name, value] of counters()) {
    const by = value - (before.get(name) ?? 0);
    if (by !== 0) found[name] = by;
  }
  return found;
}

function counters(): Map<string, number> {
  return new Map(Object.entries((host as Host).stack.counters.snapshot().counters));
}

function blast(task: Extract<Task, { do: 'blast' }>): void {
  const before = counters();
  let retrans = 0;
  let segments = 0;
  let open = task.flows;
  const fill = (s: TcpSocket): void => {
    while (s.write(CHUNK, 0, CHUNK.length));
  };
  const samples: number[][] = [];
  const startMs = performance.now();
  const sampler = setInterval(() => {
    const i = sockets[0]?.info();
    if (i === undefined) return;
    const ms = Math.round(performance.now() - startMs);
    samples.push([ms, i.snd_cwnd, i.snd_ssthresh, i.rtt, i.pacing_rate, i.unacked, i.rto]);
  }, SAMPLE_MS);
  const sockets = Array.from({ length: task.flows }, () =>
    (host as Host).stack.connect({
      address: task.address,
      port: task.port,
      controller: task.algorithm === 'bbr' ? bbr : cubic,
      handler: {
        ...quiet,
        opened: fill,
        writable: fill,
        closed: (s) => {
          const info = s.info();
          retrans += info.total_retrans;
          segments += info.data_segs_out;
          if (--open > 0) return;
          clearInterval(sampler);
          process.send?.({ retrans, segments, counters: moved(before), samples });
        },
      },
    }),
  );
}

function meter(task: Extract<Task, { do: 'meter' }>): void {
  let octets = 0;
  let fromMs = 0;
  const server = (host as Host).stack.listen({
    port: task.port,
    handler: {
      accept: (_server, s) => {
        server.close();
        setTimeout(() => {
          fromMs = performance.now();
          octets = 0;
        }, task.warm * 1000);
        setTimeout(
          () => {
            const seconds = (performance.now() - fromMs) / 1000;
            process.send?.({ seconds, octets: [octets] });
            s.abort();
          },
          (task.warm + task.seconds) * 1000,
        );
        return {
          ...quiet,
          data: (_s, _u8, _off, len) => {
            octets += len;
          },
        };
      },
    },
  });
  process.send?.({ done: 'listening' });
}

// As the kernel's contestant, whose work is done in whatever process is running.
setPriority(-19);
process.on('disconnect', () => process.exit(0));
process.on('message', async (task: Task) => {
  if (task.do === 'blast') blast(task);
  else if (task.do === 'meter') meter(task);
  else {
    const { netns, device, prefix, peer, config } = task;
    host = await createHost({ tun: { name: device, netns }, addresses: [prefix], peer, config });
    host.ref();
    process.send?.({ done: 'open' });
  }
});
