// `portside iperf3` against the real iperf3 server, in every mode that it has.

import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FULL, KERNEL, Lab, PORTSIDE, US, until } from './netns.ts';

interface Sum {
  bytes: number;
  lost_packets?: number;
  packets?: number;
}

interface Result {
  error?: string;
  intervals: unknown[];
  end: Record<string, Sum> & { streams: unknown[] };
}

describe('portside iperf3', () => {
  const lab = new Lab();
  const seconds = FULL ? '10' : '1';
  let server: ChildProcess;
  afterAll(() => lab.close());
  beforeAll(async () => {
    server = lab.spawn(['iperf3', '-s']);
    await until('it listens', async () => {
      return (await lab.run(['ss', '-Hltn', 'sport', '=', '5201'])).out.includes('5201');
    });
  });

  async function measure(...args: string[]): Promise<Result> {
    const device = ['--addr', `${US}/24`, '--netns', lab.name];
    const command = [...PORTSIDE, 'iperf3', '-c', KERNEL, ...device, '-J', '-t', seconds, ...args];
    const run = await lab.runOutside(command);
    const result = JSON.parse(run.out) as Result;
    expect([result.error, run.code]).toEqual([undefined, 0]);
    return result;
  }

  const tcp = [
    ['plain', [], 1],
    ['reversed (-R)', ['-R'], 1],
    ['three streams (-P 3)', ['-P', '3'], 3],
    ['three streams reversed', ['-P', '3', '-R'], 3],
    ['paced (-b 50M)', ['-b', '50M'], 1],
    ['with an omitted second (-O 1)', ['-O', '1'], 1],
  ] as const;
  test.each(tcp)('TCP %s: both ends count the same traffic', async (_name, args, streams) => {
    const { end } = await measure(...args);
    expect(end.streams).toHaveLength(streams);
    expect(end['sum_received']?.bytes).toBeGreaterThan(1_000_000);
    const apart = Math.abs((end['sum_sent'] as Sum).bytes - (end['sum_received'] as Sum).bytes);
    // In flight at the end: at most a send buffer of 8 MB a stream, or a quarter on a slow machine.
    expect(apart).toBeLessThan(Math.max(64e6, (end['sum_sent'] as Sum).bytes / 4));
  });

  test('TCP both ways at once (--bidir): both carry', async () => {
    const { end } = await measure('--bidir');
    expect(end.streams).toHaveLength(2);
    expect(end['sum_received']?.bytes).toBeGreaterThan(1_000_000);
    expect(end['sum_received_bidir_reverse']?.bytes).toBeGreaterThan(1_000_000);
  });

  test.each([[[]], [['-R']]])('TCP a number of octets (-n 20M %j): these arrive', async (more) => {
    const { end } = await measure('-n', '20M', ...more);
    expect(end['sum_received']?.bytes).toBe(20 * 1024 * 1024);
  });

  const udp = [
    ['plain', [], 1],
    ['reversed (-R)', ['-R'], 1],
    ['both ways (--bidir)', ['--bidir'], 2],
    ['two streams (-P 2)', ['-P', '2'], 2],
    ['datagrams in fragments (-l 8000)', ['-l', '8000'], 1],
  ] as const;
  test.each(udp)('UDP %s at 20 Mbit/s: datagrams are counted', async (_name, args, streams) => {
    const { end } = await measure('-u', '-b', '20M', ...args);
    expect(end.streams).toHaveLength(streams);
    expect(end['sum']?.packets).toBeGreaterThan(100);
    // The kernel's receive buffer may overflow on a busy machine; most arrive.
    expect(end['sum']?.lost_packets).toBeLessThan((end['sum']?.packets as number) / 2);
  });

  test('a server that is gone is one sentence and exit code 1', async () => {
    server.kill('SIGTERM');
    await new Promise((resolve) => server.once('close', resolve));
    const run = await lab.runOutside([
      ...[...PORTSIDE, 'bench', 'iperf3', KERNEL, '--addr', `${US}/24`, '--netns', lab.name],
    ]);
    expect([run.code, run.err]).toEqual([
      1,
      'portside: the server is gone (-111) while connecting\n',
    ]);
  });
});
