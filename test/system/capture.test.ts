// An outside judge: tshark's checksum verification and analysis find nothing wrong with our traffic
// with the kernel on a clean link, seen from our side (link/capture.ts) and from the kernel's
// (tcpdump, every offload off). What a probe that came too early looks like, kit/judge.ts knows.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  createReadStream,
  existsSync,
  fstatSync,
  openSync,
  readSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, expect, test } from 'vitest';
import type { Slab } from '../../src/base/slab.ts';
import { closeServices, startServices } from '../../src/cli/service-set.ts';
import { createHost, type Host } from '../../src/node/host.ts';
import type { HostOptions } from '../../src/node/options.ts';
import { TunLink } from '../../src/node/tun.ts';
import { FIELDS, Judge, rowOf } from '../kit/judge.ts';
import { CapturedTun } from './captured.ts';
import { FULL, KERNEL, kernelCounter, Lab, US, until } from './netns.ts';

const BYTES = FULL ? 200_000_000 : 10_000_000;
/** Runs until the link itself has lost nothing. */
const ATTEMPTS = 4;
/** For one program of the traffic; a few seconds at most on a quiet machine. */
const LIMIT_MS = FULL ? 600_000 : 120_000;
/** For a whole test: a hang is ended by the limits of the programs. */
const TEST_MS = 10 * LIMIT_MS;
/** Payload of the last ping: a file that holds it holds everything before it. */
const LAST = '6c6173742070696e67';

/** Reads the capture through tshark, row by row: it may be longer than memory is for. */
async function judged(lab: Lab, file: string): Promise<Judge> {
  const settings = [
    'tcp.relative_sequence_numbers:FALSE',
    'tcp.check_checksum:TRUE',
    'ip.check_checksum:TRUE',
    'udp.check_checksum:TRUE',
    // Bodies of many megabytes are not to be put together again: that takes minutes.
    'tcp.desegment_tcp_streams:FALSE',
  ].flatMap((setting) => ['-o', setting]);
  const fields = ['-T', 'fields', '-E', 'occurrence=a', ...FIELDS.flatMap((f) => ['-e', f])];
  const rows = `${file}.rows`;
  const command = [
    'tshark',
    '-n',
    '-r',
    file,
    ...settings,
    '--disable-protocol',
    'http',
    ...fields,
  ];
  const script = 'exec "$@" > "$ROWS"';
  const run = await lab.run(['sh', '-c', script, 'sh', ...command], {
    timeoutMs: LIMIT_MS,
    env: { ROWS: rows },
  });
  expect(run.code, run.err).toBe(0);
  const judge = new Judge();
  for await (const line of createInterface({ input: createReadStream(rows) })) {
    judge.see(rowOf(line, KERNEL));
  }
  judge.end();
  return judge;
}

/** Some of everything: echo and fragments, small requests, bulk both ways, half-close, UDP. */
async function traffic(lab: Lab, limit: readonly string[]): Promise<void> {
  const commands = [
    ['ping', '-n', '-q', '-c', '5', '-i', '0.05', US],
    ['ping', '-n', '-q', '-c', '3', '-i', '0.05', '-s', '9000', US],
    ['curl', '-sS', '-f', `http://${US}/`],
    ['curl', '-sS', '-f', ...limit, '-o', '/dev/null', `http://${US}/bytes/${BYTES}`],
    [
      'sh',
      '-c',
      `head -c ${BYTES} /dev/zero | curl -sS -f ${limit.join(' ')} -T - http://${US}/sha256`,
    ],
    ['sh', '-c', `seq 200000 | nc -N ${US} 7 | tail -1`],
    ['sh', '-c', `echo hello | nc -u -w 1 -p 20007 ${US} 7`],
    ['ab', '-q', '-n', '200', '-c', '10', `http://${US}/`],
    ['iperf3', '-c', US, '-u', '-b', '10M', '-t', '1'],
    ['iperf3', '-c', US, '-b', '40M', '-t', '1', '--bidir'],
  ];
  for (const command of commands) {
    const run = await lab.run(command, { timeoutMs: LIMIT_MS });
    expect(run.code, `${command.join(' ')}\n${run.out}${run.err}`).toBe(0);
  }
  const refused = await lab.run(['nc', '-z', '-w', '2', US, '81']);
  expect(refused.code).toBe(1);
}

/** PORTSIDE_KEEP=DIR keeps the captures for a look with Wireshark. */
function keep(file: string): void {
  const dir = process.env['PORTSIDE_KEEP'];
  if (dir !== undefined && existsSync(file)) copyFileSync(file, join(dir, basename(file)));
}

const WANTED = { echo: true, discard: true, chargen: true, http: true, iperf3: 5201 } as const;

/** What both ends and the link between them counted. */
interface Counts {
  /** Packets that the link or the kernel threw away, captures that miss some. */
  lost: number;
  oursRepeated: number;
  kernelRepeated: number;
}

const KERNEL_DROPS = ['TCPBacklogDrop', 'TCPRcvQDrop', 'PruneCalled', 'TCPOFODrop'];

/** The kernel's counters of a namespace count on from run to run. */
function kernelCounts(lab: Lab): { dropped: number; repeated: number } {
  let dropped = 0;
  for (const name of KERNEL_DROPS) dropped += kernelCounter(lab, 'TcpExt', name);
  return { dropped, repeated: kernelCounter(lab, 'Tcp', 'RetransSegs') };
}

function counted(lab: Lab, host: Host, before: ReturnType<typeof kernelCounts>): Counts {
  // The device is new in each run, and so are its counters.
  const stats = JSON.parse(lab.ip('-s', '-j', 'link', 'show', 'portside0'))[0].stats64;
  const { dropped, repeated } = kernelCounts(lab);
  return {
    lost: Number(stats.tx.dropped) + Number(stats.rx.dropped) + dropped - before.dropped,
    oursRepeated: host.stack.counters.get('TcpRetransSegs'),
    kernelRepeated: repeated - before.repeated,
  };
}

/** Nothing is left to send again on either side. */
function isQuiet(host: Host): boolean {
  const over = ['LISTEN', 'TIME-WAIT'];
  return host.stack.sockets().every((row) => row.netid === 'udp' || over.includes(row.state));
}

/** Runs the traffic against a host with all services; `caughtUp` waits for the capture. */
async function withHost(
  lab: Lab,
  link: HostOptions['link'],
  limit: string[],
  caughtUp: () => Promise<void>,
): Promise<Counts> {
  const before = kernelCounts(lab);
  const host = await createHost({ link, addresses: [`${US}/24`] });
  // Longer than any window: what the kernel sends while we are not let run, waits.
  lab.ip('link', 'set', 'portside0', 'txqueuelen', '10000');
  const services = await startServices(host, WANTED);
  host.ref();
  try {
    await traffic(lab, limit);
    await until('every connection is over', () => isQuiet(host), LIMIT_MS);
    const last = await lab.run(['ping', '-n', '-q', '-c', '1', '-p', LAST, US]);
    expect(last.code, last.out).toBe(0);
    await caughtUp();
    expect(host.stack.counters.get('PortsideExceptions')).toBe(0);
    return counted(lab, host, before);
  } finally {
    closeServices(services);
    await host.close({ deadlineMs: 200 });
  }
}

/** Nothing is wrong with the capture, and both ends have counted what it shows. */
async function expectClean(lab: Lab, file: string, counts: Counts): Promise<void> {
  keep(file);
  const judge = await judged(lab, file);
  expect(judge.faults).toEqual([]);
  expect(judge.excess()).toEqual([]);
  // The file holds what it should: connections of the HTTP service from both sides to their end.
  expect(judge.closed).toBeGreaterThan(200);
  expect(judge.tallies.get(US)?.repeated).toBe(counts.oursRepeated);
  expect(judge.tallies.get(KERNEL)?.repeated).toBe(counts.kernelRepeated);
}

/**
 * A queue that overflowed has lost packets: retransmissions are right, then, and there is nothing
 * to judge. The next run is slower.
 */
async function onCleanLink(
  lab: Lab,
  run: (i: number) => Promise<{ file: string; counts: Counts }>,
): Promise<void> {
  const lost: number[] = [];
  for (let i = 1; i <= ATTEMPTS; i++) {
    const { file, counts } = await run(i);
    if (counts.lost === 0) return expectClean(lab, file, counts);
    lost.push(counts.lost);
  }
  expect.unreachable(`packets were lost on the link in each run: ${lost.join(', ')}`);
}

async function dump(lab: Lab, file: string): Promise<ChildProcess & { said: string }> {
  const child = Object.assign(
    lab.spawn(['tcpdump', '-i', 'portside0', '-n', '-s', '0', '-B', '65536', '-U', '-w', file]),
    { said: '' },
  );
  child.stderr?.on('data', (chunk: Buffer) => {
    child.said += chunk.toString();
  });
  await until('tcpdump listens', () => child.said.includes('listening on'), LIMIT_MS);
  return child;
}

/** The end of the file holds the last ping. */
function holdsLast(file: string): boolean {
  const fd = openSync(file, 'r');
  try {
    const tail = Buffer.alloc(4096);
    const from = Math.max(0, fstatSync(fd).size - tail.length);
    const n = readSync(fd, tail, 0, tail.length, from);
    return tail.subarray(0, n).includes(Buffer.from(LAST, 'hex'));
  } finally {
    closeSync(fd);
  }
}

const lab = new Lab();
afterAll(() => lab.close());

test('our own capture passes tshark on a clean link', { timeout: TEST_MS }, () =>
  onCleanLink(lab, async (i) => {
    const file = join(lab.dir, `ours-${i}.pcapng`);
    const limit = i === 1 ? [] : ['--limit-rate', `${16 >> i}M`];
    const link = (slab: Slab) => new CapturedTun(slab, file, lab.name, KERNEL);
    return { file, counts: await withHost(lab, link, limit, async () => {}) };
  }),
);

test("the kernel's, without any offload, passes it, too", { timeout: TEST_MS }, () =>
  onCleanLink(lab, async (i) => {
    const file = join(lab.dir, `kernel-${i}.pcap`);
    const tun = TunLink.open({ netns: lab.name, vnetHdr: false });
    tun.configure({ addresses: [{ address: KERNEL, prefix: 24 }], up: true });
    const tcpdump = await dump(lab, file);
    const gone = once(tcpdump, 'close');
    const limit = ['--limit-rate', `${(FULL ? 40 : 16) >> i}M`];
    const counts = await withHost(
      lab,
      () => tun,
      limit,
      () => until('the dump has caught up', () => holdsLast(file), LIMIT_MS),
    );
    if (tcpdump.exitCode === null) tcpdump.kill('SIGINT');
    await gone;
    const missed = Number(/(\d+) packets? dropped by kernel/.exec(tcpdump.said)?.[1] ?? 0);
    return { file, counts: { ...counts, lost: counts.lost + missed } };
  }),
);
