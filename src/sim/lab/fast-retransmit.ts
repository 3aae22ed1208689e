// One segment is lost, and is sent again long before a timer would have noticed.

import { losing, type Scenario } from './stage.ts';

export const fastRetransmit: Scenario = {
  name: 'fast-retransmit',
  title: 'Loss and fast retransmit',
  teaches:
    'The 14th data segment is lost. The receiver keeps what comes after it and says so: each ' +
    'acknowledgment repeats the old number and carries SACK blocks with what is there beyond ' +
    'the gap. From them and from the time that has passed the sender concludes that the segment ' +
    'is lost, sends it again after about one round trip, and shrinks its window. No timeout is ' +
    'needed.',
  look: [
    'SACK blocks above the flat line of acknowledgments (RFC 2018 §4)',
    'The one red bar: sent again at once, without a timeout (RFC 8985 §6, RFC 5681 §3.2)',
    'cwnd shrinks to ssthresh while it recovers (RFC 6937, RFC 9438 §4.6)',
    'The acknowledgment then jumps over everything that was kept',
  ],
  speed: 0.03,
  untilUs: 2_000_000,
  build(stage) {
    const { client, server } = stage.pair([{ rate: 1_250_000, fate: losing(14) }, {}]);
    const reads = stage.program(server);
    server.stack.listen({ port: 80, handler: { accept: () => reads } });
    const sends = stage.program(client, {
      opened: (s) => {
        stage.say('client', 'writes 60,000 octets, of which the 14th segment will be lost');
        s.write(new Uint8Array(60_000));
        s.shutdown();
      },
    });
    client.stack.connect({ address: '10.0.0.2', port: 80, localPort: 40_001, handler: sends });
  },
};
