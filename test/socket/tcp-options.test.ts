// Options of one connection or of a listener's, beside the knobs of the stack.

import { expect, test } from 'vitest';
import { REMOTE, ScriptBench } from '../kit/script-bench.ts';
import { Peer } from '../kit/script-peer.ts';
import { arrive, ISS, only, wait } from '../tcp/segments.ts';

// biome-ignore format: a table
const wishes = [
  { knob: 0, wish: 'ask', syn: 'SEW', answer: 'S.E' },
  { knob: 0, wish: 'accept', syn: 'S', answer: 'S.E' },
  { knob: 1, wish: 'off', syn: 'S', answer: 'S.' },
  { knob: 1, wish: 'accept', syn: 'S', answer: 'S.E' },
  { knob: 2, wish: undefined, syn: 'S', answer: 'S.E' },
] as const;
test.each(wishes)(
  'a program that wants "$wish" where the knob is $knob sends $syn and answers $answer (RFC 3168 §6.1.1)',
  ({ knob, wish, syn, answer }) => {
    const handler = new Peer(80);
    const client = new ScriptBench({ config: { tcp: { ecn: knob, testIss: ISS } } });
    client.stack.connect({ address: REMOTE, port: 80, handler, ecn: wish });
    wait(client, 0);
    expect(only(client).flags).toBe(syn);
    for (const synBacklog of [256, 0]) {
      const tcp = { ecn: knob, testIss: ISS, synBacklog };
      const server = new ScriptBench({ config: { tcp } });
      server.stack.listen({ port: 80, handler: { accept: () => handler }, ecn: wish });
      const options = [2, 4, 5, 180, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0];
      arrive(server, { flags: 'SEW', seq: 0, from: 54_321, options });
      expect(only(server).flags).toBe(answer);
    }
  },
);
