// A reader that does not read.

import type { TcpSocket } from '../../socket/tcp-socket.ts';
import type { Scenario } from './stage.ts';

export const zeroWindow: Scenario = {
  name: 'zero-window',
  title: 'Zero window and probes',
  teaches:
    'The server stops reading. Its buffer fills, and with every acknowledgment its window gets ' +
    'smaller, down to zero: the sender must stop. Now the news that there is room again could ' +
    'be lost, and both would wait for ever; so the sender probes, at growing intervals. After ' +
    'four seconds the server reads on, and a window update lets the data flow.',
  look: [
    'The window edge stands still and the segments run into it (RFC 9293 §3.8.6)',
    'Probes while the window is zero: the timer is called persist (RFC 9293 §3.8.6.1, MUST-36)',
    'The window opens in one large step, never by a few octets (RFC 9293 §3.8.6.2.2)',
  ],
  speed: 0.3,
  untilUs: 9_000_000,
  build(stage) {
    const { client, server } = stage.pair();
    let accepted: TcpSocket | null = null;
    const reads = stage.program(server);
    const accept = (_server: unknown, s: TcpSocket): typeof reads => {
      accepted = s;
      stage.say('server', 'accepts, with a buffer of 16 KiB, and does not read');
      s.pause();
      return reads;
    };
    server.stack.listen({ port: 80, receiveBuffer: 16_384, handler: { accept } });
    const sends = stage.program(client, {
      opened: (s) => {
        stage.say('client', 'writes 50,000 octets');
        s.write(new Uint8Array(50_000));
        s.shutdown();
      },
    });
    client.stack.connect({ address: '10.0.0.2', port: 80, localPort: 40_001, handler: sends });
    stage.at(4_000_000, () => {
      stage.say('server', 'reads on');
      accepted?.resume();
    });
  },
};
