// Who may have a port, and what happens where nobody has it.

import { CodeError } from '../../base/code.ts';
import type { SimHost } from '../host.ts';
import type { Scenario, Stage } from './stage.ts';

function listens(stage: Stage, host: SimHost, address: string, what: string): void {
  const handler = { accept: () => stage.program(host) };
  try {
    host.stack.listen({ address, port: 80, handler });
    stage.say(host.name, `${what}: it has the port`);
  } catch (reason) {
    if (!(reason instanceof CodeError)) throw reason;
    stage.say(host.name, `${what}: refused, ${reason.code}`);
  }
}

function connects(stage: Stage, host: SimHost, port: number, localPort: number): void {
  stage.say(host.name, `connect() to port ${port} from port ${localPort}`);
  const handler = stage.program(host, {
    opened: (s) => {
      stage.say(host.name, `port ${port}: connected; close()`);
      s.close();
    },
    closed: (_s, code) => {
      if (code !== 0) stage.say(host.name, `port ${port}: errno ${code}, ECONNREFUSED`);
    },
  });
  try {
    host.stack.connect({ address: '10.0.0.2', port, localPort, handler });
  } catch {
    stage.say(host.name, 'refused, EADDRINUSE: the same four numbers are in use');
  }
}

export const portInUse: Scenario = {
  name: 'port-in-use',
  title: 'A port in use, a port that nobody has',
  teaches:
    'A port belongs to whoever binds it first. A second listener on the same address is refused ' +
    'with EADDRINUSE; one on another address of the same host is not. A connection is named by ' +
    'four numbers, so one port serves many at once. Where nobody listens the host answers a SYN ' +
    'with RST, which the client sees as ECONNREFUSED, and a datagram with an ICMP message.',
  look: [
    'The port table: who holds port 80, and how often others were refused it',
    'SYN → RST: the answer of a closed port (RFC 9293 §3.10.7.1)',
    'UDP to a closed port: ICMP port unreachable (RFC 1122 §4.1.3.1)',
    'The drop reason NO_SOCKET counts both',
  ],
  speed: 0.03,
  untilUs: 3_000_000,
  build(stage) {
    const { client, server } = stage.pair();
    const id = server.links[0]?.id ?? 0;
    server.stack.addAddress(id, '10.0.0.3', 32);
    listens(stage, server, '10.0.0.2', 'listen() on 10.0.0.2:80');
    listens(stage, server, '10.0.0.2', 'once more on 10.0.0.2:80');
    listens(stage, server, '10.0.0.3', 'listen() on 10.0.0.3:80');
    stage.at(1000, () => connects(stage, client, 80, 40_001));
    stage.at(60_000, () => connects(stage, client, 81, 40_002));
    stage.at(120_000, () => connects(stage, client, 80, 40_001));
    stage.at(180_000, () => {
      stage.say('client', 'sends a datagram to port 53, which nobody has');
      const handler = {
        datagram: () => {},
        error: (_s: unknown, code: number) => stage.say('client', `errno ${code} on the socket`),
        writable: () => {},
      };
      const socket = client.stack.udp({ handler });
      socket.connect('10.0.0.2', 53);
      socket.send(new Uint8Array(12), 0, 12);
    });
  },
};
