// Half-open connections without end, and an answer that needs no memory.

import { segment } from '../craft.ts';
import { Bit } from '../decode.ts';
import type { Scenario } from './stage.ts';

const FLOOD = 120;
const EVERY_US = 2000;
const SERVER = (10 << 24) | 2;

export const synFlood: Scenario = {
  name: 'syn-flood',
  title: 'SYN flood and cookies',
  teaches:
    'An attacker sends SYNs from addresses that do not exist. Each would cost the server a ' +
    'half-open connection, and its queue for them is soon full. From then on the server keeps ' +
    'nothing: it hides all it must know in the sequence number of its SYN-ACK, keyed so that ' +
    'nobody can make one up. A real client, whose acknowledgment brings the number back, gets ' +
    'through in the middle of the flood.',
  look: [
    'SYN-RECV rows fill the queue, and then grow no further (RFC 4987 §2.2)',
    'TcpExtSyncookiesSent counts on, TcpExtSyncookiesRecv counts the client (RFC 4987 §3.6)',
    'The client’s handshake looks like any other',
    'SYN-ACKs to strangers are repeated a few times only: no amplifier (RFC 4987 §3.4)',
  ],
  speed: 0.1,
  untilUs: 4_000_000,
  build(stage) {
    const config = { tcp: { synBacklog: 16 } };
    const { client, server } = stage.pair({}, { server: config });
    const attacker = stage.host('attacker', '10.0.0.66');
    const cable = stage.link(attacker, server, { delayUs: 5000 });
    const id = server.links[1]?.id ?? 0;
    server.stack.addRoute('10.9.0.0', 16, { link: id });
    const answers = stage.program(server, { data: (s) => s.write(new Uint8Array(300)) });
    const handler = { accept: () => answers };
    server.stack.listen({ port: 80, backlog: 8, handler });
    const end = cable.ends[1];
    stage.say('attacker', `sends ${FLOOD} SYNs from addresses of 10.9.0.0/16`);
    for (let i = 0; i < FLOOD; i++) {
      const src = ((10 << 24) | (9 << 16)) + 256 + i;
      const ports = { srcPort: 1024 + i * 7, dstPort: 80 };
      const rest = { seq: i * 7919, ack: 0, flags: Bit.SYN, window: 1024, data: 0 };
      stage.at(1000 + i * EVERY_US, () => {
        end?.forge(() => segment({ src, dst: SERVER, ...ports, ...rest }));
      });
    }
    stage.at(150_000, () => {
      stage.say('client', 'connect(), in the middle of the flood');
      const asks = stage.program(client, {
        opened: (s) => {
          stage.say('client', 'connected all the same; writes a request');
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
