// How a sender finds out how fast the path is.

import { newReno } from '../../tcp/congestion/newreno.ts';
import { type Scenario, SharedQueue } from './stage.ts';

export const slowStart: Scenario = {
  name: 'slow-start',
  title: 'Slow start and congestion avoidance',
  teaches:
    'Nobody tells a sender what the path can carry, so it tries: it begins with ten segments ' +
    'and doubles with every round trip. At ten megabits per second the queue of the slowest ' +
    'line fills up and overflows. The sender takes the loss for a sign, halves its window, and ' +
    'from now on adds one segment in each round trip, until the queue overflows again: the saw ' +
    'of congestion avoidance (here Reno’s, whose teeth are straight).',
  look: [
    'cwnd doubles in each round trip, up to the first loss (RFC 5681 §3.1)',
    'ssthresh is half of what was in flight, and cwnd falls to it (RFC 5681 §3.1, equation 4)',
    'Then one segment more in each round trip (RFC 5681 §3.1, equation 3)',
    'The round trip grows with the queue before anything is lost',
  ],
  speed: 0.3,
  untilUs: 8_000_000,
  build(stage) {
    const line = new SharedQueue(1_250_000, 40_000);
    const config = { tcp: { hystart: 0 } };
    const ways = [{ delayUs: 20_000, fate: line.fate }, { delayUs: 20_000 }] as const;
    const { client, server } = stage.pair(ways, { config });
    const reads = stage.program(server);
    server.stack.listen({ port: 80, handler: { accept: () => reads } });
    const sends = stage.program(client, {
      opened: (s) => {
        stage.say('client', 'writes 5 MB, for a line of 10 Mbit/s with a queue of 40 KB');
        s.write(new Uint8Array(5_000_000));
        s.shutdown();
      },
    });
    const where = { address: '10.0.0.2', port: 80, localPort: 40_001 };
    client.stack.connect({ ...where, controller: newReno, handler: sends });
  },
};
