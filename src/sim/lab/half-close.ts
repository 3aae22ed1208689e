// One direction ends before the other.

import type { Scenario } from './stage.ts';

export const halfClose: Scenario = {
  name: 'half-close',
  title: 'Half-close',
  teaches:
    'The client has nothing more to say and shuts its half down: FIN. That is no goodbye: the ' +
    'server may go on sending for as long as it likes, and the client goes on acknowledging from ' +
    'FIN-WAIT-2. Only when the server closes too is the connection over.',
  look: [
    'The client waits in FIN-WAIT-2, the server in CLOSE-WAIT; data flows on (RFC 9293 §3.6)',
    'The FIN takes a sequence number of its own (RFC 9293 §3.4)',
    'TIME-WAIT is with the side that closed first (RFC 9293 §3.6.1)',
  ],
  speed: 0.03,
  untilUs: 3_000_000,
  build(stage) {
    const { client, server } = stage.pair();
    const serves = stage.program(server, {
      ended: (s) => {
        stage.say('server', 'reads the end; it still has 4,000 octets to send');
        s.write(new Uint8Array(4000));
        stage.at(stage.nowUs + 60_000, () => {
          stage.say('server', 'close()');
          s.shutdown();
        });
      },
    });
    server.stack.listen({ port: 80, handler: { accept: () => serves } });
    const asks = stage.program(client, {
      opened: (s) => {
        stage.say('client', 'writes 200 octets and shuts its half down');
        s.write(new Uint8Array(200));
        s.shutdown();
      },
    });
    client.stack.connect({ address: '10.0.0.2', port: 80, localPort: 40_001, handler: asks });
  },
};
