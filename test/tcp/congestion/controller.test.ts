// The controller as a part that can be changed: while a connection runs, for one listener, for the
// whole stack, and by one that a program brings along.

import { describe, expect, test } from 'vitest';
import { bbr } from '../../../src/tcp/congestion/bbr.ts';
import { type Controller, slowStart } from '../../../src/tcp/congestion/controller.ts';
import { cubic } from '../../../src/tcp/congestion/cubic.ts';
import { newReno } from '../../../src/tcp/congestion/newreno.ts';
import { Bulk } from '../bulk.ts';

const PATH = { rate: 1_250_000, delayUs: 10_000, queue: 100_000 };
const PAYLOAD = 1_206_667;

/** Always so many segments: what a program might write for a line that it knows. */
function fixed(segments: number, heard: string[]): Controller {
  return {
    name: 'fixed',
    drives: false,
    start: (t) => {
      heard.push('start');
      t.cwnd = segments;
      return null;
    },
    ssthresh: () => {
      heard.push('ssthresh');
      return segments;
    },
    avoid: (t) => {
      t.cwnd = segments;
    },
    sampled: (t) => {
      if (t.sampleRttUs > 0 && !heard.includes('sampled')) heard.push('sampled');
    },
    drive: () => {
      heard.push('drive');
    },
    undo: () => segments,
    reset: () => {
      heard.push('reset');
    },
    restart: () => {
      heard.push('restart');
    },
  };
}

describe("a controller of the program's own (controller.ts)", () => {
  test('decides the window (RFC 5681 §3 asks for no more than the standard; a private line may)', () => {
    const heard: string[] = [];
    const flow = new Bulk({ there: PATH, controller: fixed(8, heard) });
    // eight segments of 1448 octets in 20 ms and the time on the line
    const goodput = flow.goodput(500, 1500);
    expect(goodput).toBeGreaterThan(8 * 1448 * (1000 / 32));
    expect(goodput).toBeLessThan(8 * 1448 * (1000 / 20));
    expect(flow.info.snd_cwnd).toBe(8);
    expect(flow.info.congestion).toBe('fixed');
    expect(heard).toEqual(['start', 'sampled']);
  });

  test('hears of losses, timeouts and silence (RFC 5681 §3.1, §4.1)', () => {
    const heard: string[] = [];
    const flow = new Bulk({
      there: { ...PATH, everyNth: 101 },
      controller: fixed(12, heard),
      total: 1_000_000,
    }).until(4000);
    expect(flow.received).toBe(1_000_000);
    expect(heard).toContain('ssthresh');
    flow.until(20_000);
    flow.more(50_000);
    flow.until(22_000);
    expect(heard).toContain('restart');
    const way = flow.world.cables[0]?.ends[0]?.way;
    if (way === undefined) throw new Error('no cable');
    way.options = { ...PATH, loss: 1 };
    flow.more(50_000);
    flow.until(25_000);
    expect(heard).toContain('reset');
    expect(heard).not.toContain('drive');
  });

  test('one that drives sets window and rate itself (controller.ts)', () => {
    const base = fixed(20, []);
    const driven: Controller = {
      ...base,
      name: 'driven',
      drives: true,
      start: (t) => {
        t.cwnd = 20;
        t.pacingRate = 300_000;
        return null;
      },
      drive: (t) => {
        t.cwnd = 20;
        t.pacingRate = 300_000;
      },
    };
    const goodput = new Bulk({ there: PATH, controller: driven }).goodput(500, 1500);
    expect(goodput).toBeGreaterThan(260_000);
    expect(goodput).toBeLessThan(300_000);
  });

  test("may build on the stack's own slow start (RFC 5681 §3.1)", () => {
    const heard: string[] = [];
    const gentle: Controller = {
      ...fixed(10, heard),
      name: 'gentle',
      start: () => null,
      avoid: (t, acked) => {
        if (t.cwnd < 40) slowStart(t, acked);
      },
    };
    const flow = new Bulk({ there: { ...PATH, rate: 5_000_000 }, controller: gentle }).until(1000);
    expect(flow.info.snd_cwnd).toBeGreaterThanOrEqual(40);
    expect(flow.info.snd_cwnd).toBeLessThan(80);
  });
});

describe('changing the controller (Linux TCP_CONGESTION)', () => {
  // biome-ignore format: a table
  const swaps = [
    { name: 'CUBIC to BBR', from: cubic, to: bbr },
    { name: 'BBR to CUBIC', from: bbr, to: cubic },
    { name: 'NewReno to CUBIC', from: newReno, to: cubic },
    { name: 'BBR to NewReno', from: bbr, to: newReno },
  ];
  test.each(swaps)('$name while the transfer runs: it goes on at full speed', ({ from, to }) => {
    const flow = new Bulk({ there: PATH, controller: from }).until(1000);
    flow.socket.setController(to);
    expect(flow.info.congestion).toBe(to.name);
    expect(flow.goodput(1500, 2500)).toBeGreaterThan(PAYLOAD * 0.85);
    expect(flow.a.stack.counters.get('TcpExtTCPTimeouts')).toBe(0);
  });

  test("BBR's pacing ends with BBR; the program's limit stays", () => {
    const flow = new Bulk({ there: PATH, controller: bbr }).until(1000);
    flow.socket.setController(cubic);
    expect(flow.info.pacing_rate).toBe(0);
    flow.socket.setMaxPacingRate(200_000);
    flow.socket.setController(bbr);
    flow.until(1500);
    expect(flow.info.pacing_rate).toBeLessThanOrEqual(200_000);
    flow.socket.setController(newReno);
    expect(flow.info.pacing_rate).toBe(200_000);
  });

  test('in the middle of a recovery: every octet arrives', () => {
    const flow = new Bulk({
      there: { ...PATH, loss: 0.03 },
      controller: cubic,
      total: 600_000,
      seed: 9,
    });
    const all = [bbr, newReno, cubic];
    for (let i = 0; i < 30; i++) {
      flow.when(() => flow.info.ca_state === 'recovery', flow.elapsedMs + 200);
      flow.socket.setController(all[i % 3] as Controller);
    }
    expect(flow.when(() => flow.received === 600_000, 60_000)).toBe(true);
  });

  test("the stack's default is a knob (config tcp.controller)", () => {
    const flow = new Bulk({ there: PATH, config: { tcp: { controller: newReno } } }).until(100);
    expect(flow.info.congestion).toBe('reno');
  });
});
