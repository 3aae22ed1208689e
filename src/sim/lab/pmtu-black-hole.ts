// A router that swallows what is too long, and does not say so.

import type { Scenario } from './stage.ts';

export const pmtuBlackHole: Scenario = {
  name: 'pmtu-black-hole',
  title: 'Path MTU black hole',
  teaches:
    'Somewhere on the path a link carries only 1280 octets, and the message that should say so ' +
    'is filtered. The handshake passes, small segments pass, full ones vanish: the classic hang ' +
    'after connecting. The sender cannot know why its segments are lost, but after a few ' +
    'timeouts it tries smaller ones; what arrives tells it how large they may be.',
  look: [
    'Full segments are lost, one after the other; everything small arrives (RFC 2923 §2.1)',
    'Timeouts double meanwhile (RFC 6298 §5.5)',
    'Then segments get smaller, and the transfer runs on (RFC 4821 §7.6)',
    'pmtu and snd_mss in tcp_info, before and after',
  ],
  speed: 0.3,
  untilUs: 20_000_000,
  build(stage) {
    const { client, server } = stage.pair([{ mtu: 1280 }, {}]);
    const reads = stage.program(server, {
      data: (_s, octets) => {
        if (reads.octets === octets) stage.say('server', `first data: ${octets} octets`);
      },
    });
    server.stack.listen({ port: 80, handler: { accept: () => reads } });
    const sends = stage.program(client, {
      opened: (s) => {
        stage.say('client', 'connected; writes 200 octets, which arrive');
        s.write(new Uint8Array(200));
        stage.at(stage.nowUs + 100_000, () => {
          stage.say('client', 'writes 40,000 octets: segments of 1500 octets vanish');
          s.write(new Uint8Array(40_000));
          s.shutdown();
        });
      },
    });
    client.stack.connect({ address: '10.0.0.2', port: 80, localPort: 40_001, handler: sends });
  },
};
