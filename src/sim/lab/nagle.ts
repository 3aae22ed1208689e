// Two small writes, and two good ideas that together are slow.

import type { SimHost } from '../host.ts';
import type { Scenario, Stage } from './stage.ts';

const TURNS = 5;

/** Writes a head and a body, waits for the answer, and does so again. */
function asks(stage: Stage, client: SimHost, port: number, noDelay: boolean): void {
  const name = noDelay ? 'with noDelay' : 'with Nagle';
  let turns = 0;
  let begin = 0;
  const ask = (s: { send(u8: Uint8Array): number; close(): void }): void => {
    begin = stage.nowUs;
    s.send(new Uint8Array(20));
    stage.at(stage.nowUs + 100, () => s.send(new Uint8Array(80)));
  };
  const handler = stage.program(client, {
    opened: ask,
    data: (s) => {
      const ms = ((stage.nowUs - begin) / 1000).toFixed(1);
      stage.say('client', `${name}: answer ${++turns} after ${ms} ms`);
      stage.drawings[0]?.series[noDelay ? 1 : 0]?.points.push([turns, Number(ms)]);
      if (turns < TURNS) ask(s);
      else s.close();
    },
  });
  client.stack.connect({ address: '10.0.0.2', port: 80, localPort: port, noDelay, handler });
}

export const nagle: Scenario = {
  name: 'nagle',
  title: 'Nagle against delayed acknowledgments',
  teaches:
    'A client writes a head of 20 octets and a body of 80, and waits for an answer. Nagle’s rule ' +
    'holds the second small segment back until the first is acknowledged. The server delays ' +
    'that acknowledgment, because it hopes to send it along with an answer, which it cannot ' +
    'give without the body. Both wait until the timer of the delayed acknowledgment ends it. ' +
    'A second client switches Nagle off and waits for nobody.',
  look: [
    'The pause of 40 ms and more between the two segments of a request (RFC 9293 §3.7.4)',
    'The acknowledgment that comes alone, by timer (RFC 9293 §3.8.6.3, MUST-40)',
    'The same client with noDelay: one round trip for each answer (RFC 9293 MUST-17)',
  ],
  speed: 0.1,
  untilUs: 3_000_000,
  build(stage) {
    stage.drawing('Time to the answer', '', 'ms', ['with Nagle', 'with noDelay']);
    const { client, server } = stage.pair({ delayUs: 2000 });
    const accept = (): ReturnType<Stage['program']> => {
      let read = 0;
      return stage.program(server, {
        data: (s, octets) => {
          read += octets;
          if (read % 100 === 0) s.send(new Uint8Array(50));
        },
      });
    };
    server.stack.listen({ port: 80, handler: { accept } });
    asks(stage, client, 40_001, false);
    stage.at(1_500_000, () => asks(stage, client, 40_002, true));
  },
};
