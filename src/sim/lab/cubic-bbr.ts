// Two ways to find the right speed, on one queue.

import { bbr } from '../../tcp/congestion/bbr.ts';
import type { Controller } from '../../tcp/congestion/controller.ts';
import { cubic } from '../../tcp/congestion/cubic.ts';
import type { SimHost } from '../host.ts';
import { ORIGIN_US, type Scenario, SharedQueue, type Stage } from './stage.ts';

const RATE = 1_250_000;
const EVERY_US = 200_000;

function sends(stage: Stage, host: SimHost, controller: Controller): void {
  const handler = stage.program(host, {
    opened: (s) => {
      stage.say(host.name, `writes 30 MB, with ${controller.name}`);
      s.write(new Uint8Array(30_000_000));
      s.shutdown();
    },
  });
  host.stack.connect({ address: '10.0.0.9', port: 80, localPort: 40_001, controller, handler });
}

export const cubicBbr: Scenario = {
  name: 'cubic-bbr',
  title: 'CUBIC against BBR on one queue',
  teaches:
    'Two senders share a line of 10 Mbit/s and the queue before it. CUBIC takes loss for the ' +
    'sign that it is too fast: it fills the queue until it overflows, and falls back by three ' +
    'tenths. BBR does not wait for loss: it measures what is delivered and how short the round ' +
    'trip can be, and paces itself at that speed. Neither knows of the other.',
  look: [
    'How the two share the line, and how the share moves (first drawing)',
    'The queue: CUBIC fills it, BBR does not want it (second drawing)',
    'CUBIC’s cwnd: concave towards the last maximum, then convex (RFC 9438 §4.2)',
    'BBR’s segments are spread evenly over time by pacing, CUBIC’s come with acknowledgments',
  ],
  speed: 1,
  untilUs: 14_000_000,
  build(stage) {
    const line = new SharedQueue(RATE, 75_000);
    const server = stage.host('server', '10.0.0.9');
    const handlers = new Map<string, ReturnType<Stage['program']>>();
    server.stack.listen({
      port: 80,
      handler: {
        accept: (_server, s) => {
          const handler = stage.program(server);
          handlers.set(s.remoteAddress, handler);
          return handler;
        },
      },
    });
    const ways = [{ delayUs: 10_000, fate: line.fate }, { delayUs: 10_000 }] as const;
    for (const [i, controller] of [cubic, bbr].entries()) {
      const host = stage.host(controller.name, `10.0.0.${i + 1}`);
      stage.link(host, server, ways);
      stage.at(1000 + i, () => sends(stage, host, controller));
    }
    const share = stage.drawing('Delivered', 's', 'Mbit/s', ['cubic', 'bbr']);
    const queue = stage.drawing('Waiting in the queue', 's', 'KB', ['queue']);
    const before = [0, 0];
    const measure = (): void => {
      const x = stage.nowUs / 1e6;
      for (const i of [0, 1]) {
        const octets = handlers.get(`10.0.0.${i + 1}`)?.octets ?? 0;
        const rate = ((octets - (before[i] as number)) * 8) / EVERY_US;
        before[i] = octets;
        share.series[i]?.points.push([x, rate]);
      }
      queue.series[0]?.points.push([x, line.waiting(ORIGIN_US + stage.nowUs) / 1000]);
      if (stage.nowUs < 14_000_000) stage.at(stage.nowUs + EVERY_US, measure);
    };
    stage.at(EVERY_US, measure);
  },
};
