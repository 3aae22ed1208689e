// What a handler does inside a drain is done in that drain.

import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import type { TcpHandler } from '../../src/socket/tcp-socket.ts';
import { Stack } from '../../src/stack/stack.ts';

const quiet = { datagram: () => {}, error: () => {}, writable: () => {} };

describe('the handler of a datagram', () => {
  test('opens a connection and writes to it, and one drain carries all of it', () => {
    let asked = 0;
    const stack = new Stack({ random: new SeededRandom(1), onWork: () => asked++ });
    const events: string[] = [];
    const handler = (who: string): TcpHandler => ({
      opened: (s) => {
        events.push(`${who} opened`);
        if (who === 'client') s.send(Uint8Array.of(1, 2, 3), 0, 3);
      },
      data: (_s, _u8, _off, len) => events.push(`${who} data ${len}`),
      ended: () => {},
      writable: () => {},
      written: () => {},
      closed: () => {},
    });
    stack.listen({ port: 80, handler: { accept: () => handler('server') } });
    stack.udp({
      port: 7,
      handler: {
        ...quiet,
        datagram: () => {
          stack.connect({ address: '127.0.0.1', port: 80, handler: handler('client') });
        },
      },
    });
    const client = stack.udp({ handler: quiet });
    client.connect('127.0.0.1', 7);
    client.send(Uint8Array.of(1), 0, 1);
    asked = 0;
    stack.advance(1000);
    stack.drain();
    expect(events).toContain('client opened');
    expect(events).toContain('server data 3');
    expect(asked).toBe(0);
  });
});
