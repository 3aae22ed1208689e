// Two SYNs that cross.

import type { SimHost } from '../host.ts';
import type { Scenario, Stage } from './stage.ts';

function opens(stage: Stage, host: SimHost, to: string, ports: readonly [number, number]): void {
  stage.say(host.name, `connect() from port ${ports[0]} to ${to}:${ports[1]}`);
  const handler = stage.program(host, {
    opened: (s) => {
      stage.say(host.name, 'connected, without a listener anywhere; close()');
      stage.at(stage.nowUs + 50_000, () => s.close());
    },
  });
  host.stack.connect({ address: to, localPort: ports[0], port: ports[1], handler });
}

export const simultaneousOpen: Scenario = {
  name: 'simultaneous-open',
  title: 'Simultaneous open and close',
  teaches:
    'Both ends call connect() at the same moment, each to the port that the other one uses. ' +
    'Nobody listens, and still it works: each SYN meets a connection that has sent one itself. ' +
    'Out of SYN-SENT both go to SYN-RECV and answer with SYN-ACK. Later both close at once and ' +
    'pass through CLOSING.',
  look: [
    'The way SYN-SENT → SYN-RECV, which no client and server ever take (RFC 9293 §3.5, figure 7)',
    'One connection comes out of it, not two (RFC 9293 MUST-10)',
    'FIN-WAIT-1 → CLOSING → TIME-WAIT on both sides (RFC 9293 §3.6, figure 13)',
  ],
  speed: 0.03,
  untilUs: 3_000_000,
  build(stage) {
    const { client, server } = stage.pair();
    opens(stage, client, '10.0.0.2', [4000, 5000]);
    opens(stage, server, '10.0.0.1', [5000, 4000]);
  },
};
