// The three-way handshake, a request, an answer, and the end.

import type { Scenario } from './stage.ts';

export const handshake: Scenario = {
  name: 'handshake',
  title: 'Three-way handshake',
  teaches:
    'The client calls connect(): its SYN carries a random initial sequence number and what it ' +
    'can ' +
    'do. The server answers with its own SYN and acknowledges the first; the third segment ' +
    'completes it. Both ends now know both numbers, and data can flow. In the end each side says ' +
    'FIN, and the one that said it first waits in TIME-WAIT, so that nothing old disturbs a ' +
    'successor.',
  look: [
    'The state diagram of both ends: SYN-SENT and SYN-RECV meet in ESTAB (RFC 9293 §3.5)',
    'The options of the SYN: MSS, window scale, SACK, timestamps (RFC 9293 §3.2, RFC 7323)',
    'One FIN and one ACK each way; TIME-WAIT is with the client (RFC 9293 §3.6)',
  ],
  speed: 0.03,
  untilUs: 3_000_000,
  build(stage) {
    const { client, server } = stage.pair();
    const answers = stage.program(server, {
      data: (s, octets) => {
        stage.say('server', `reads ${octets} octets, answers with 600`);
        s.write(new Uint8Array(600));
      },
    });
    stage.say('server', 'listen() on port 80');
    server.stack.listen({ port: 80, handler: { accept: () => answers } });
    stage.at(1000, () => {
      stage.say('client', 'connect() to 10.0.0.2:80');
      const asks = stage.program(client, {
        opened: (s) => {
          stage.say('client', 'connected; writes a request of 100 octets');
          s.write(new Uint8Array(100));
        },
        data: (s, octets) => {
          stage.say('client', `reads ${octets} octets, close()`);
          s.close();
        },
      });
      client.stack.connect({ address: '10.0.0.2', port: 80, localPort: 40_001, handler: asks });
    });
  },
};
