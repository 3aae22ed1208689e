// The real iperf3 client against `portside up --iperf3`, in every mode that it has for us.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FULL, kernelCounter, Lab, US, until } from './netns.ts';

interface Sum {
  bytes: number;
  seconds: number;
  lost_packets?: number;
  packets?: number;
}

interface Result {
  error?: string;
  server_output_text?: string;
  end: {
    streams: unknown[];
    sum?: Sum;
    sum_sent: Sum;
    sum_received: Sum;
    sum_sent_bidir_reverse?: Sum;
    sum_received_bidir_reverse?: Sum;
  };
}

describe('iperf3', () => {
  const lab = new Lab();
  const seconds = FULL ? '10' : '1';
  afterAll(() => lab.close());
  beforeAll(async () => {
    await lab.up(`${US}/24`, '--iperf3');
  });

  async function iperf3(...args: string[]): Promise<Result> {
    const run = await lab.run(['iperf3', '-J', '-c', US, '-t', seconds, ...args]);
    const result = JSON.parse(run.out) as Result;
    expect(result.error).toBeUndefined();
    expect(run.code).toBe(0);
    return result;
  }

  async function established(): Promise<number> {
    const ss = await lab.run(['ss', '-Htn', 'state', 'established', 'dst', US]);
    return ss.out.split('\n').filter(Boolean).length;
  }

  /** Datagrams that found a full buffer of a program, or of the device, that was not read in time. */
  function overflowed(): number {
    const stats = JSON.parse(lab.ip('-s', '-j', 'link', 'show', 'portside0'))[0].stats64;
    return kernelCounter(lab, 'Udp', 'RcvbufErrors') + Number(stats.tx.dropped);
  }

  const tcp = [
    ['plain', [], 1],
    ['reversed (-R)', ['-R'], 1],
    ['three streams (-P 3)', ['-P', '3'], 3],
    ['three streams reversed', ['-P', '3', '-R'], 3],
    ['small blocks, no delay (-l 1000 -N)', ['-l', '1000', '-N'], 1],
    ['paced (-b 50M)', ['-b', '50M'], 1],
    ['paced and reversed', ['-b', '50M', '-R'], 1],
    ['with omitted seconds (-O 1)', ['-O', '1'], 1],
  ] as const;
  test.each(tcp)('TCP %s: both ends count the same traffic', async (_name, args, streams) => {
    const { end } = await iperf3(...args);
    expect(end.streams).toHaveLength(streams);
    expect(end.sum_received.bytes).toBeGreaterThan(1_000_000);
    // What was sent and not received was in flight when the test ended, or was sent before the
    // sender heard of its end; what was received and not sent, when the omitted seconds did.
    const inFlight = end.sum_sent.bytes - end.sum_received.bytes;
    expect(inFlight).toBeLessThan(Math.max(64e6, end.sum_sent.bytes / 4));
    expect(inFlight).toBeGreaterThanOrEqual((args as readonly string[]).includes('-O') ? -64e6 : 0);
  });

  test('TCP a number of octets (-n): exactly these arrive', async () => {
    const run = await lab.run(['iperf3', '-J', '-c', US, '-n', '20M']);
    const result = JSON.parse(run.out) as Result;
    expect(result.error).toBeUndefined();
    expect(result.end.sum_sent.bytes).toBeGreaterThanOrEqual(20 * 1024 * 1024);
  });

  test('TCP both ways at once (--bidir)', async () => {
    const { end } = await iperf3('--bidir');
    expect(end.streams).toHaveLength(2);
    expect(end.sum_received.bytes).toBeGreaterThan(1_000_000);
    expect(end.sum_received_bidir_reverse?.bytes).toBeGreaterThan(1_000_000);
  });

  const udp = [
    ['plain (-u)', [], 1],
    ['reversed (-u -R)', ['-R'], 1],
    ['two streams (-u -P 2): connected sockets beside a wildcard one', ['-P', '2'], 2],
    ['two streams reversed', ['-P', '2', '-R'], 2],
    ['both ways (-u --bidir)', ['--bidir'], 2],
    ['32-bit counters are not asked for by 3.12, 64-bit ones are', ['--udp-counters-64bit'], 1],
    ['datagrams in fragments (-l 8000)', ['-l', '8000'], 1],
  ] as const;
  test.each(udp)('UDP %s: nothing is lost at 20 Mbit/s', async (_name, args, streams) => {
    const before = overflowed();
    const { end } = await iperf3('-u', '-b', '20M', ...args);
    expect(end.streams).toHaveLength(streams);
    expect(end.sum?.packets).toBeGreaterThan(30);
    expect(end.sum?.lost_packets).toBeLessThanOrEqual(overflowed() - before);
    expect(end.sum?.bytes).toBeGreaterThan(20e6 / 8 / 10);
  });

  test('the server says what it saw (--get-server-output)', async () => {
    const { server_output_text: text } = await iperf3('--get-server-output');
    expect(text).toContain('Accepted connection from 10.77.0.1');
    expect(text).toMatch(/\[ {2}1\] +0\.00-.* sec .*bits\/sec +receiver/);
  });

  test('a second client is told that the server is busy', async () => {
    const first = lab.run(['iperf3', '-J', '-c', US, '-t', '8']);
    await until('the first runs', async () => (await established()) >= 2);
    const second = await lab.run(['iperf3', '-J', '-c', US, '-t', '1']);
    expect((JSON.parse(second.out) as Result).error).toContain('the server is busy');
    expect((await first).code).toBe(0);
  });

  test('a client that is killed leaves the server free for the next', async () => {
    const child = lab.spawn(['iperf3', '-c', US, '-t', '300']);
    await until('it runs', async () => (await established()) >= 2);
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));
    const { end } = await iperf3();
    expect(end.sum_received.bytes).toBeGreaterThan(1_000_000);
  });
});
