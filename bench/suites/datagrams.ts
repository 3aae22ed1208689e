// What a datagram costs a program of node:dgram's shape: sent and heard one by one, or in batches,
// over a host's loopback. A turn has 64 datagrams; the stack is driven by hand, so that a body is a
// plain function.

import { createLocalHost } from '../../src/node/host.ts';
import { type Case, kept, type Suite } from '../suite.ts';

const BATCH = 64;
const PORT = 4000;

/** Addresses are literals: with this both sockets are ready before the body runs. */
function atOnce(
  name: string,
  _options: unknown,
  done: (error: null, address: string, family: number) => void,
): void {
  done(null, name, 4);
}

type Side = 'one by one' | 'in batches';

function caseOf(send: Side, hear: Side, octets: number): Case {
  return {
    name: `sent ${send}, heard ${hear}, ${octets} octets`,
    ops: BATCH,
    octets,
    prepare() {
      const host = createLocalHost();
      const server = host.dgram.createSocket({ type: 'udp4', lookup: atOnce });
      const client = host.dgram.createSocket({ type: 'udp4', lookup: atOnce });
      const list = Array.from({ length: BATCH }, () => Buffer.alloc(octets, 1));
      let sum = 0;
      if (hear === 'one by one') {
        server.on('message', (message, from) => {
          sum += message.length + from.port;
        });
      } else {
        server.on('batch', (batch) => {
          for (let i = 0; i < batch.length; i++) sum += batch.size(i) + batch.port(i);
        });
      }
      server.bind(PORT, '127.0.0.1');
      client.connect(PORT, '127.0.0.1');
      server.unref();
      client.unref();
      return () => {
        if (send === 'in batches') client.sendBatch(list);
        else for (let i = 0; i < BATCH; i++) client.send(list[i] as Buffer);
        host.stack.advance(host.stack.ip.nowUs + 100);
        host.stack.drain();
        kept[0] = sum;
      };
    },
  };
}

export const datagrams: Suite = {
  name: 'datagrams',
  question: 'what do batches of datagrams save?',
  cases: [64, 1200].flatMap((octets) => [
    caseOf('one by one', 'one by one', octets),
    caseOf('in batches', 'one by one', octets),
    caseOf('one by one', 'in batches', octets),
    caseOf('in batches', 'in batches', octets),
  ]),
};
