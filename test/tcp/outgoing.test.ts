// What an idle connection does not hold: its send queue and scoreboard are lent while there is data.

import { describe, expect, test } from 'vitest';
import { World } from '../../src/sim/world.ts';
import { NO_BOARD } from '../../src/tcp/scoreboard.ts';
import { NO_QUEUE } from '../../src/tcp/send-queue.ts';

const nobody = {
  opened() {},
  data() {},
  ended() {},
  writable() {},
  written() {},
  closed() {},
};

function pair() {
  const world = new World({ seed: 7 });
  const a = world.host('a', { addresses: ['10.0.0.1/24'] });
  const b = world.host('b', { addresses: ['10.0.0.2/24'] });
  world.link(a, b, { delayUs: 1000 });
  b.stack.listen({ port: 80, handler: { accept: () => nobody } });
  const open = () => a.stack.connect({ address: '10.0.0.2', port: 80, handler: nobody });
  const run = (us: number) => world.run({ untilUs: world.clock.nowUs() + us });
  return { open, run };
}

describe('a queue and a scoreboard', () => {
  test('are lent with the first octet and come back with the last acknowledgment', () => {
    const { open, run } = pair();
    const s = open();
    run(500); // the SYN goes in the turn that follows
    expect(s.tcb.board).not.toBe(NO_BOARD);
    run(1_000_000);
    expect(s.tcb.queue).toBe(NO_QUEUE);
    expect(s.tcb.board).toBe(NO_BOARD);
    s.send(new Uint8Array(100));
    expect(s.tcb.queue).not.toBe(NO_QUEUE);
    run(500);
    expect(s.tcb.board.records).toBe(1);
    run(1_000_000);
    expect(s.tcb.queue).toBe(NO_QUEUE);
    expect(s.tcb.board).toBe(NO_BOARD);
  });

  test('go from one connection to the next', () => {
    const { open, run } = pair();
    const first = open();
    const second = open();
    run(1_000_000);
    first.send(new Uint8Array(100));
    const { queue } = first.tcb;
    run(1_000_000);
    second.send(new Uint8Array(100));
    expect(second.tcb.queue).toBe(queue);
    first.send(new Uint8Array(100));
    expect(first.tcb.queue).not.toBe(queue);
  });

  test('come back from a connection that is aborted with data in flight', () => {
    const { open, run } = pair();
    const s = open();
    run(1_000_000);
    s.write(new Uint8Array(100));
    run(500);
    s.abort();
    run(500);
    expect(s.tcb.queue).toBe(NO_QUEUE);
    expect(s.tcb.board).toBe(NO_BOARD);
    expect([NO_QUEUE.chunks, NO_BOARD.records]).toEqual([0, 0]);
  });
});
