// The cable is cut for five seconds: the timer doubles and doubles.

import type { Scenario } from './stage.ts';

const CUT = [1_000_100_000, 1_005_100_000] as const;

export const rtoBackoff: Scenario = {
  name: 'rto-backoff',
  title: 'Retransmission timeout and backoff',
  teaches:
    'For five seconds nothing passes, in either direction. No acknowledgment comes, so nothing ' +
    'but the timer can help: it sends the oldest segment again and doubles itself, each time. ' +
    'When the cable is whole again, the next attempt brings everything back, beginning with a ' +
    'window of one segment.',
  look: [
    'The gaps between the red bars double (RFC 6298 §5.5)',
    'The RTO in the third plot climbs step by step, and falls with a new sample (RFC 6298 §2)',
    'cwnd is one segment after the timeout, then slow start (RFC 5681 §3.1)',
  ],
  speed: 1,
  untilUs: 12_000_000,
  build(stage) {
    const cut = { partitions: [CUT] };
    const { client, server } = stage.pair([cut, cut]);
    const reads = stage.program(server);
    server.stack.listen({ port: 80, handler: { accept: () => reads } });
    const sends = stage.program(client, {
      opened: (s) => {
        s.write(new Uint8Array(20_000));
        stage.at(90_000, () => {
          stage.say('client', 'writes 30,000 octets; the cable is cut ten milliseconds later');
          s.write(new Uint8Array(30_000));
          s.shutdown();
        });
      },
    });
    client.stack.connect({ address: '10.0.0.2', port: 80, localPort: 40_001, handler: sends });
    stage.at(100_000, () => stage.say('client', 'the cable is cut'));
    stage.at(5_100_000, () => stage.say('client', 'the cable is whole again'));
  },
};
